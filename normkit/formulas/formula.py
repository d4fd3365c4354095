"""Formula: a result with the named quantities that it uses, as one SymPy object that prints and evaluates."""

from __future__ import annotations

from typing import Any

from sympy import (
    Basic,
    Expr,
    ImmutableDenseMatrix,
    ImmutableDenseNDimArray,
    Indexed,
    IndexedBase,
    Integer,
    Rational,
    Symbol,
    Tuple,
)

from normkit.errors import ShapeError
from normkit.formulas.evaluate import Evaluation
from normkit.formulas.inputs import entries
from normkit.formulas.nodes import eps, sharpness
from normkit.functional import m, n


class Definition(Basic):  # type: ignore[misc]
    """lhs = rhs: a named number, or a named array given by its entry at free indices.

    Attributes
    ----------
    lhs : Symbol or Indexed
        The name, with its indices.
    rhs : Expr
        In the indices, the rows and columns `m`, `n`, the formula's array, and other names.
    ranges : Tuple
        ``Tuple(index, low, high)`` for every index of the left-hand side.
    """

    lhs = property(lambda self: self.args[0])
    rhs = property(lambda self: self.args[1])
    ranges = property(lambda self: self.args[2])

    @property
    def base(self) -> Any:
        """The name without indices."""
        return self.lhs.base if isinstance(self.lhs, Indexed) else self.lhs

    @property
    def indices(self) -> tuple[Symbol, ...]:
        """The free indices."""
        return tuple(limit[0] for limit in self.ranges)


class Formula(Basic):  # type: ignore[misc]
    """A number or an array as a function of one array, with `where` clauses; ``formula(X)`` evaluates it.

    ``formula.subs(formula.variable, X).doit()`` does the same. Rational input is kept rational as far as the formula
    allows; other numbers have 40 digits. `m`, `n` are taken from X; the zero array gives zero.

    Attributes
    ----------
    variable : IndexedBase
        The array: g or x for vectors, G or X for matrices.
    result : Definition
        What is defined: ``result.rhs`` is the expression.
    where : Tuple of Definition
        The quantities that the result uses, each in terms of those before it.
    lengths : Tuple
        Symbols of the lengths of the array's axes.
    shape : Tuple
        The lengths that the norm's parameters fix, 0 where any length will do.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.derive("linf").dual_norm([3, -4, 0])
    7
    """

    variable = property(lambda self: self.args[0])
    result = property(lambda self: self.args[1])
    where = property(lambda self: self.args[2])
    lengths = property(lambda self: self.args[3])
    shape = property(lambda self: self.args[4])

    def __call__(self, array: Any, **given: Any) -> Any:
        """Return the number, or the array as an immutable SymPy matrix (a column for a vector).

        Parameters
        ----------
        array : sympy.Matrix or nested sequence of numbers
            Floats are taken as the rationals that they are.
        **given
            ``sharpness`` (default 1) of an update; ``eps`` (default 2**-52), which enters the numerical rank only.

        Raises
        ------
        ShapeError
            If the array has other axes than the norm takes, or other lengths than its parameters fix.
        """
        shape, values = entries(array, len(self.lengths))
        if not all(shape) or any(want not in (0, have) for want, have in zip(self.shape, shape, strict=True)):
            wanted = tuple(int(want) or None for want in self.shape)
            raise ShapeError(f"the formula takes nonempty arrays of shape {wanted}; got shape {shape}")
        sizes = dict(zip(self.lengths, map(Integer, shape), strict=True))
        sizes.setdefault(m, Integer(shape[0] if len(shape) > 1 else 1))
        sizes.setdefault(n, Integer(1))
        sizes |= {sharpness: Integer(1), eps: Rational(1, 2**52)} | _given(given)
        run = Evaluation({self.variable: values}, (*self.where, self.result), sizes)
        if not self.result.ranges:
            return run(self.result.lhs, {}) if any(values.values()) else Integer(0)
        if not any(values.values()):
            return _array(shape, [Integer(0)] * len(values))
        return _array(shape, [run.named(self.result.base, place) for place in values])

    def _eval_subs(self, old: Any, new: Any) -> Any:
        given = isinstance(new, ImmutableDenseMatrix | ImmutableDenseNDimArray | Tuple)
        return Evaluated(self, new) if old == self.variable and given else self

    def _repr_latex_(self) -> str:
        from normkit.formulas.lines import aligned

        return f"$\\displaystyle {aligned(self)}$"


class Evaluated(Basic):  # type: ignore[misc]
    """A formula with an array put in; ``doit()`` computes it."""

    def doit(self, **hints: Any) -> Any:
        """Return the number or the array."""
        formula, array = self.args
        return formula(array)


def _given(options: dict[str, Any]) -> dict[Symbol, Expr]:
    from sympy import sympify

    names = {"sharpness": sharpness, "eps": eps}
    return {names[name]: sympify(value) for name, value in options.items()}


def _array(shape: tuple[int, ...], values: list[Any]) -> Any:
    if len(shape) <= 2:
        return ImmutableDenseMatrix(shape[0], shape[1] if len(shape) == 2 else 1, values)
    return ImmutableDenseNDimArray(values, shape)


def index_of(base: IndexedBase | Symbol, places: tuple[Any, ...]) -> Any:
    """Return base[places], or the bare symbol where there are none."""
    return Indexed(base, *places) if places else base
