"""Norms whose axes are named: which are the rows and columns of a matrix, and which number its slices."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import replace

from normkit.calculus.induced import Induced
from normkit.calculus.mixed import PRODUCT, require_outer
from normkit.catalogue.lp import L1, L2, RMS, Linf
from normkit.catalogue.spectral import Spectral
from normkit.errors import ParameterError
from normkit.functional import Functional, Map, Mixed
from normkit.linear import Regroup
from normkit.norm import Decomposition, Norm, Theorem, as_norm
from normkit.patterns import Pattern, pattern, split


class OnAxes(Norm):
    """Shared body of norms of an array whose axes a pattern names: a norm `of` what a `Regroup` makes of it."""

    of: Norm
    pattern: str

    def _set(self, **fields: Norm | str) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, " ".join(value.split()) if isinstance(value, str) else value)

    @property
    def axes(self) -> Pattern:
        """The pattern as it was read."""
        return read(self.pattern, self.name)

    @property
    @abstractmethod
    def linear(self) -> Regroup:
        """The map from the array to what `of`, or the outer norm of `of`, measures."""

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def absolute(self) -> bool:
        return self.of.absolute

    @property
    def shape(self) -> tuple[int | None, ...]:
        return self.axes.shape


class Matricize(OnAxes, name="matricize"):
    r"""N of the matrix whose rows and columns are named axes of an array; ``m`` and ``n`` in N are their numbers.

    ``Matricize("rms->rms", "o i h w", rows="o", cols="i h w")`` takes a convolution kernel as a matrix with a row for
    every output channel; ``"h w i o"`` with the same rows and columns is the same norm in another layout. Axes in
    brackets lie in one axis of the array: ``"(h=12 d) i"`` has 12 heads of d rows each. Several rows or columns are
    numbered row by row, in the order in which they are named.

    Parameters
    ----------
    of : Norm or str
        A norm of matrices.
    pattern : str
        The names of the array's axes.
    rows, cols : str
        The names of those that are rows, and columns; together every name once.

    Raises
    ------
    ParameterError
        If `of` is no norm of matrices, or a name is missing, unknown or used twice; the message shows the pattern.

    Examples
    --------
    >>> import numpy as np
    >>> import normkit as nk
    >>> N = nk.Matricize("rms->rms", "o i h w", rows="o", cols="i h w")
    >>> kernel = np.zeros((4, 3, 2, 2))
    >>> kernel[0, 0, 0, 0] = 1.0
    >>> round(float(N(kernel)) ** 2, 9)  # n/m = 12/4
    3.0
    """

    rows: str
    cols: str
    theorem = Theorem("axes in another order", r"N(\pi x)^*=N^*(\pi g)", "rockafellar1970convex")

    def __init__(self, of: Norm | str, pattern: str, rows: str, cols: str) -> None:
        norm, made = as_norm(of), read(pattern, "matricize")
        if norm.ndim != 2:
            raise ParameterError(f"matricize needs a norm of matrices; got {norm}. For slices that are vectors: Slices")
        split(made, "matricize", rows=rows, cols=cols)
        if not (rows.split() and cols.split()):
            raise ParameterError(f"matricize needs rows and columns; got rows={rows!r} and cols={cols!r}")
        self._set(of=norm, pattern=made.text, rows=rows, cols=cols)

    @property
    def linear(self) -> Regroup:
        """The map from the array to the matrix."""
        return Regroup(self.axes, split(self.axes, "matricize", rows=self.rows, cols=self.cols))

    def value(self) -> Functional:
        return Map(self.linear, self.of.value())

    @property
    def dual(self) -> Norm:
        return replace(self, of=self.of.dual)

    def dual_value(self) -> Functional:
        return Map(self.linear, self.of.dual_value())

    def synthesis(self) -> Decomposition | None:
        parts = self.of.synthesis()
        if parts is None or any(linear is not None for linear, _ in parts[1]):
            return None
        return parts[0], tuple((None, replace(self, of=part)) for _, part in parts[1])

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls(Induced(RMS(), RMS()), "i o", "o", "i")
        yield cls(Spectral(), "(h=2 d=2) i", "d", "h i")


class Slices(OnAxes, name="slices"):
    r"""outer(N(X_1), ..., N(X_k)) over the slices of an array, numbered by the axes named in `over`.

    ``Slices("rms->rms", "o i h w", over="h w", outer="linf")`` is the largest norm of the matrices at the positions of
    a convolution kernel; ``Slices("rms->rms", "(h=12 d) i", over="h")`` that of 12 heads, each with the scale of its
    own shape. A slice has the axes that are left, in their order; if they are not rows and columns in that order, N
    is a `Matricize` of them. It is the product rule, and several axes in `over` are numbered row by row.

    Parameters
    ----------
    of : Norm or str
        A norm of arrays with the axes that are left.
    pattern : str
        The names of the array's axes.
    over : str
        The names of those that number the slices.
    outer : Norm or str
        A vector norm that is monotone in the magnitudes.

    Raises
    ------
    ParameterError
        If a name is unknown or used twice, the outer norm is not monotone, or `of` takes another number of axes than
        are left; the message shows the pattern.

    Examples
    --------
    >>> import numpy as np
    >>> import normkit as nk
    >>> N = nk.Slices("spectral", "o i h w", over="h w", outer="linf")
    >>> T = nk.dualize(N, np.ones((2, 2, 3, 3)))
    >>> T.shape, round(float(N(T)), 9), float(np.abs(T - 0.5).max()) < 1e-9
    ((2, 2, 3, 3), 1.0, True)
    """

    over: str
    outer: Norm
    theorem = PRODUCT

    def __init__(self, of: Norm | str, pattern: str, over: str, outer: Norm | str = "linf") -> None:
        norm, whole, made = as_norm(of), as_norm(outer), read(pattern, "slices")
        require_outer(whole, "slices")
        left = " ".join(axis.name for axis in made.named if axis.name not in over.split())
        split(made, "slices", over=over, left=left)
        if not over.split() or norm.ndim != len(left.split()):
            raise ParameterError(
                f"slices: over={over!r} leaves the axes {left!r} of the pattern {made.text!r}, and {norm} takes "
                f"{norm.ndim}. Say which of them are rows and columns with Matricize"
            )
        self._set(of=norm, pattern=made.text, over=over, outer=whole)

    @property
    def linear(self) -> Regroup:
        """The map from the array to its slices, numbered along the first axis."""
        over = tuple(self.axes.place(name) for name in self.over.split())
        left = (place for place in range(len(self.axes.named)) if place not in over)
        return Regroup(self.axes, (over, *((place,) for place in left)))

    def value(self) -> Functional:
        return Map(self.linear, Mixed(self.outer.value(), self.of.value(), "rows"))

    @property
    def dual(self) -> Norm:
        return replace(self, of=self.of.dual, outer=self.outer.dual)

    def dual_value(self) -> Functional:
        return Map(self.linear, Mixed(self.outer.dual_value(), self.of.dual_value(), "rows"))

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls(Spectral(), "(h=2 d=2) i", "h", Linf())
        yield cls(L2(), "a b", "b", L1())


def read(text: str, what: str) -> Pattern:
    """Return a pattern, or raise `ParameterError`."""
    if not isinstance(text, str):
        raise ParameterError(f"the pattern of {what} is a text such as 'o i h w'; got a {type(text).__name__}")
    return pattern(text, what)
