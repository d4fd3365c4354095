"""A norm of arrays, or of named arrays, as a norm of one flat float64 vector: what the iterations work on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit import blockwise
from normkit.arrays import Batch, as_array, batch, check_finite, own_type
from normkit.codegen.plan import Product, Program
from normkit.descent import dual_value, dualize_with_value, value
from normkit.errors import ShapeError
from normkit.named import Named, by_name, take
from normkit.names import nested
from normkit.norm import Norm, as_norm
from normkit.programs import product, program

Floats = NDArray[np.float64]

SMALL = 1 << 14
"""Most entries for the back end without compiled code."""


@dataclass(frozen=True)
class Space:
    """The space of a norm at one shape: vectors are the entries of all arrays, block by block, each in C order.

    Attributes
    ----------
    norm : Norm
        The norm, plain or of named arrays.
    like : Any
        What the caller's arrays look like; results have its types.
    shapes : tuple of tuple of int
        The shape of every block; of a plain norm there is one.
    dtypes : tuple of dtype
        In which dtype the caller's arrays are.
    """

    norm: Norm
    like: Any
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[np.dtype[Any], ...]
    program: Program | None
    product: Product | None

    @property
    def sizes(self) -> tuple[int, ...]:
        """The entries of every block."""
        return tuple(int(np.prod(shape)) for shape in self.shapes)

    @property
    def size(self) -> int:
        """The entries of all blocks."""
        return sum(self.sizes)

    @property
    def backend(self) -> str:
        """NumPy while arrays are small: thousands of calls then cost less than compiling, and than waking threads."""
        return "reference" if self.size <= SMALL else "auto"

    def blocks(self, x: Floats) -> list[Floats]:
        """Cut a vector into its blocks, each in its shape."""
        ends = np.cumsum(self.sizes)[:-1]
        return [part.reshape(shape) for part, shape in zip(np.split(x, ends), self.shapes, strict=True)]

    # --- the caller's arrays --------------------------------------------------------------------------------------

    def given(self, x: Floats) -> Any:
        """Return a vector as the caller's arrays, copies in their dtypes and types."""
        made = [part.astype(dtype) for part, dtype in zip(self.blocks(x), self.dtypes, strict=True)]
        if self.product is None:
            return own_type(made[0], self.like)
        named = by_name(self.product, self.like, "like")
        names = self.product.names
        return nested(self.like, {name: own_type(t, named[name]) for name, t in zip(names, made, strict=True)})

    def flat(self, x: Any, what: str) -> Floats:
        """Return the caller's arrays as a vector; what has other names or shapes, or a NaN, is refused by `what`."""
        named = self._named(x, what)
        for place, (array, shape) in enumerate(zip(named.arrays, self.shapes, strict=True)):
            if array.shape != shape:
                raise ShapeError(f"{_called(named, place)} has shape {array.shape}; expected {shape}")
            if not np.isfinite(array).all():
                check_finite(np.array([np.nan]), Batch(array[None], ()), _called(named, place))
        return np.concatenate([array.astype(np.float64).ravel() for array in named.arrays])

    def _named(self, x: Any, what: str) -> Named:
        return _named(self.product, x, what)

    def rounded(self, x: Floats) -> Floats:
        """Return a vector as it is after the way to the caller and back."""
        made = [part.astype(dtype) for part, dtype in zip(self.blocks(x), self.dtypes, strict=True)]
        return np.concatenate([part.astype(np.float64).ravel() for part in made])

    # --- the norm -------------------------------------------------------------------------------------------------

    def value(self, x: Floats) -> float:
        """N(x)."""
        return float(value(self.norm, self._arrays(x), backend=self.backend))

    def dual_value(self, g: Floats) -> float:
        """N*(g)."""
        return float(dual_value(self.norm, self._arrays(g), backend=self.backend))

    def dualize(self, g: Floats) -> tuple[Floats, float]:
        """Return t and N*(g)."""
        if self.product is None:
            made = dualize_with_value(self.norm, self._arrays(g), backend=self.backend)
            return made.array.ravel(), float(made.dual_norm)
        maps, measured = blockwise.run(self.product, self._arrays(g), lambda of: of.shares, backend=self.backend)
        return np.concatenate([maps[name].ravel() for name in self.product.names]), float(measured.dual_norm)

    def _arrays(self, x: Floats) -> Any:
        blocks = self.blocks(x)
        return blocks[0] if self.product is None else dict(zip(self.product.names, blocks, strict=True))

    def dual(self) -> Space:
        """Return the space with the dual norm; its dualize map is a subgradient of the norm."""
        return Space(self.norm.dual, self.like, self.shapes, self.dtypes, *_programs(self.norm.dual))


def space(norm: Norm | str, like: Any) -> Space:
    """Return the space of a norm for arrays like those given: arrays, or shapes, or mappings of them.

    Raises
    ------
    ShapeError, DTypeError
        If the norm does not take such arrays.
    """
    made = as_norm(norm)
    one, many = _programs(made)
    if many is None:
        arrays = _named(None, _template(like), "like")
    else:
        filled = {name: _template(each) for name, each in by_name(many, like, "like").items()}
        arrays = _named(many, filled, "like")
    if one is not None and batch(arrays.arrays[0], one.shape, one.spec, "like").leading:
        raise ShapeError(f"{one.spec} takes one array of {len(one.shape)} axes; got one of shape {np.shape(like)}")
    shapes, dtypes = zip(*((array.shape, array.dtype) for array in arrays.arrays), strict=True)
    return Space(made, like, shapes, dtypes, one, many)


def _programs(norm: Norm) -> tuple[Program | None, Product | None]:
    many = product(norm)
    return (program(norm) if many is None else None), many


def _template(like: Any) -> Any:
    """Return an array for a shape; anything else as it is."""
    if isinstance(like, tuple) and all(isinstance(length, int | np.integer) for length in like):
        if any(length < 0 for length in like):
            raise ShapeError(f"a shape has no negative lengths; got {like}")
        return np.zeros(like)
    if isinstance(like, Mapping):
        raise ShapeError("like= is a mapping, but the norm takes one array; give an array or a shape")
    return like


def _named(product: Product | None, x: Any, what: str) -> Named:
    if product is not None:
        return take(product, x, what)
    return Named(("",), x, [x], [as_array(x, what)], what)


def _called(named: Named, place: int) -> str:
    return named.called(place) if named.names[place] else named.what
