"""Norm: a value and a dual, from which everything else follows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

from sympy import Expr, factor_terms, sympify

from normkit import registry
from normkit.constants import exact
from normkit.errors import NoClosedForm, ParameterError
from normkit.functional import Functional, columns, m, n, rows, scaled
from normkit.linear import Linear


@dataclass(frozen=True)
class Theorem:
    """What justifies a dual: its name, the statement in LaTeX, and where it is proved (a key of docs/references).

    Examples
    --------
    >>> import normkit as nk
    >>> nk.norm("lp(3)").theorem.name
    'Hölder'
    """

    name: str
    statement: str
    source: str


def late(module: str, function: str) -> Callable[..., Any]:
    """Bind late what looks up: evaluating a norm (`descent`), specs (`spec`, `latex`) and adding two (`calculus`).

    The layer test allows exactly these, and only through this function.
    """
    made: Callable[..., Any] = getattr(import_module(module), function)
    return made


Decomposition = tuple["Norm", tuple[tuple[Linear | None, "Norm"], ...]]
"""Outer norm and (linear map, norm) parts of a synthesis norm."""
Blocks = tuple["Norm", tuple[tuple[str, "Norm"], ...]]
"""Outer norm and (name, norm) parts of a norm of named arrays."""


@dataclass(frozen=True)
class Operator:
    """An operator norm domain->codomain, or its dual (`projective`); p and q if the two are multiples of lp and lq."""

    domain: Norm
    codomain: Norm
    p: Expr | None
    q: Expr | None
    projective: bool = False


@dataclass_transform(frozen_default=True)
class Norm(ABC):
    """A norm on vectors or matrices: frozen, hashable, comparable by structure.

    Subclass it with annotated parameters, `value` and either `dual` (a norm with a name of its own) or `dual_value`
    (the functional of the dual, which is then ``Dual(self)``). The class keyword ``name`` puts it into the registry;
    the class becomes a frozen dataclass by itself.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.norm("linf").dual == nk.norm("l1")
    True
    """

    name: ClassVar[str] = ""
    theorem: ClassVar[Theorem] = Theorem("definition of the dual norm", r"N^*(g)=\max_{N(t)\le1}\langle g,t\rangle", "")

    def __init_subclass__(cls, name: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclass(frozen=True, repr=False)(cls)
        if name is not None:
            cls.name = name
            registry.register(name, cls)

    # --- what a norm states ------------------------------------------------------------------------------------

    @abstractmethod
    def value(self) -> Functional:
        """Return N as a functional, or raise `NoClosedForm`."""

    @property
    def dual(self) -> Norm:
        """The dual norm; an involution: ``N.dual.dual == N``."""
        return Dual(self)

    def dual_value(self) -> Functional:
        """Return N* as a functional, or raise `NoClosedForm`."""
        if type(self).dual is Norm.dual:
            raise NoClosedForm(f"{self} states neither its dual norm nor the value of it")
        return self.dual.value()

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        """Yield instances on which the laws are tested; by default the one without parameters."""
        if not fields(cls):  # type: ignore[arg-type]
            yield cls()

    # --- what is true of it ---------------------------------------------------------------------------------------

    @property
    def ndim(self) -> int:
        """Axes of one item: 1 for vectors, 2 for matrices; leading axes are batch axes."""
        return 1

    @property
    def absolute(self) -> bool:
        """Whether N(x) depends on the magnitudes of the entries only (then it is monotone in them)."""
        return False

    @property
    def symmetric(self) -> bool:
        """Whether N is absolute and invariant under permutations: a symmetric gauge function."""
        return False

    @property
    def gauge(self) -> Norm | None:
        """The symmetric gauge phi with N(X) = phi(singular values of X), if N is unitarily invariant."""
        return None

    @property
    def subspace(self) -> Linear | None:
        """The orthogonal projection on the subspace that N is a norm of; None if that is the whole space."""
        return None

    @property
    def length(self) -> int | None:
        """The length of the vectors that N takes, if its parameters fix one."""
        return None

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The item shape that N takes; None where any length will do."""
        return (self.length,) if self.ndim == 1 else (None,) * self.ndim

    def synthesis(self) -> Decomposition | None:
        """Return (outer, parts) with N(x) = inf of outer(N_1(x_1), ..., N_k(x_k)) over x = sum of B_i x_i, if N is one.

        Each part is (B_i, N_i), B_i a linear map or None for the identity. Every decomposition bounds N(x) from above,
        and the dualize map comes with one (its *witness*), so that such norms certify their own answers.
        """
        return None

    def operator(self) -> Operator | None:
        """Return what bounds need to know of an operator norm (or the dual of one) without a closed form."""
        return None

    def named_blocks(self) -> Blocks | None:
        """Return (outer, ((name, N_name), ...)) with N(W) = outer(N_a(W_a), N_b(W_b), ...), if W is named arrays."""
        return None

    # --- given for free ----------------------------------------------------------------------------------------------

    def __call__(self, x: Any) -> Any:
        """Return N(x): a float64 scalar for one item, an array over leading batch axes."""
        return late("normkit.descent", "evaluate")(self, x)

    def __mul__(self, factor: Any) -> Norm:
        return scale(factor, self)

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> Norm:
        return scale(1 / sympify(divisor), self)

    def __add__(self, other: Norm) -> Norm:
        if not isinstance(other, Norm):
            return NotImplemented
        added: Norm = late("normkit.calculus.sums", "plus")(self, other)
        return added

    def __str__(self) -> str:
        return str(late("normkit.spec", "spec")(self))

    def __repr__(self) -> str:
        return f"norm({str(self)!r})"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {late('normkit.latex', 'latex')(self)}$"


def as_norm(what: Norm | str) -> Norm:
    """Return a norm as it is, or the norm that a spec names: for constructions that take either."""
    made: Norm = late("normkit.spec", "norm")(what)
    return made


def children(norm: Norm) -> list[Norm]:
    """Return the norms among the parameters of a norm, in their order."""
    values = [getattr(norm, field.name) for field in fields(norm)]  # type: ignore[arg-type]
    parts = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
    return [part for part in parts if isinstance(part, Norm)]


class OnSameSpace(Norm):
    """A norm made of another one on the same space; subclasses declare it as the field `of`, in its place."""

    if TYPE_CHECKING:

        @property
        def of(self) -> Norm: ...

    @property
    def ndim(self) -> int:
        return self.of.ndim

    @property
    def absolute(self) -> bool:
        return self.of.absolute

    @property
    def symmetric(self) -> bool:
        return self.of.symmetric

    @property
    def subspace(self) -> Linear | None:
        return self.of.subspace

    @property
    def length(self) -> int | None:
        return self.of.length

    @property
    def shape(self) -> tuple[int | None, ...]:
        return self.of.shape


class Dual(OnSameSpace, name="dual"):
    """The dual of a norm that has no simpler name; the dual of it is the norm again."""

    of: Norm
    theorem = Theorem("bidual", r"N^{**}=N", "rockafellar1970convex")

    def value(self) -> Functional:
        return self.of.dual_value()

    @property
    def dual(self) -> Norm:
        return self.of

    def dual_value(self) -> Functional:
        return self.of.value()

    def operator(self) -> Operator | None:
        known = self.of.operator()
        return known and replace(known, projective=not known.projective)

    @property
    def gauge(self) -> Norm | None:
        return None if self.of.gauge is None else self.of.gauge.dual


class Scaled(OnSameSpace):
    """c * N for a positive coefficient, which may depend on the rows `m` and columns `n` of the array."""

    factor: Expr
    of: Norm
    theorem = Theorem("scaling", r"(cN)^*=\tfrac1c N^*", "boyd2004convex")

    def value(self) -> Functional:
        return scaled(self.factor, self.of.value())

    @property
    def dual(self) -> Norm:
        return scale(1 / self.factor, self.of.dual)

    def dual_value(self) -> Functional:
        return scaled(1 / self.factor, self.of.dual_value())

    @property
    def gauge(self) -> Norm | None:
        return scale(self.factor, self.of.gauge) if self.of.gauge and self.factor.is_number else None

    def synthesis(self) -> Decomposition | None:
        parts = self.of.synthesis()
        if parts is None or (any(linear is not None for linear, _ in parts[1]) and not self.factor.is_number):
            return None
        return parts[0], tuple((linear, scale(self.factor, part)) for linear, part in parts[1])


def scale(factor: Any, norm: Norm) -> Norm:
    """Return factor * norm with factors collected; a factor of 1 leaves the norm as it is.

    Raises
    ------
    ParameterError
        If the factor is not positive, or uses symbols other than `m` and `n` (of a vector: `n`).
    """
    factor = exact(factor)
    if isinstance(norm, Scaled):
        factor, norm = factor * norm.factor, norm.of
    if not factor.is_number:
        factor = factor_terms(factor)  # SymPy multiplies 2*(n + 1) out, but not 1/(2*(n + 1)): one form for both
    # A gauge of singular values may have a coefficient of the matrix, which calculus.pairs makes; no spec can name it.
    allowed = {1: {n, rows, columns}, 2: {m, n}}.get(norm.ndim, set())
    if not factor.free_symbols <= allowed:
        names = sorted(map(str, factor.free_symbols - allowed))
        known = {1: "['n']", 2: "['m', 'n']"}.get(norm.ndim, "numbers only: m, n are known inside")
        raise ParameterError(f"a coefficient of {norm} may use {known}; got {', '.join(names)}")
    if not factor.is_positive or factor.is_finite is False:
        raise ParameterError(f"a norm is scaled by a positive number; got {factor}")
    return norm if factor == 1 else Scaled(factor, norm)
