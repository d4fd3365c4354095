"""Laws that prove a dualize formula optimal, evaluated on small exact arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from random import Random
from typing import Any

from sympy import NDimArray, Rational
from sympy.tensor.array.arrayop import Flatten

from normkit.errors import ShapeError
from normkit.formulas.formula import Formula

TOLERANCE = Rational(1, 10**12)


@dataclass(frozen=True)
class Check:
    """How far the laws were from holding, over all inputs.

    Attributes
    ----------
    inputs : int
        Arrays tried.
    unit : float or None
        Largest |N(t) - 1|; None if N has no closed form.
    tight : float
        Largest |<g, t> - N*(g)| / N*(g).
    hoelder : float
        Largest excess of <g, t(h)> over N*(g), relative; 0 if there is none.
    """

    inputs: int
    unit: float | None
    tight: float
    hoelder: float

    @property
    def holds(self) -> bool:
        """Whether every law holds to 1e-12."""
        return bool(max(self.unit or 0.0, self.tight, self.hoelder) <= TOLERANCE)


def check(
    norm: Formula | None,
    dual: Formula,
    dualize: Formula,
    shape: tuple[int | None, ...],
    seed: int = 0,
    projection: Formula | None = None,
) -> Check:
    """Test N(t) = 1, <g, t> = N*(g) and <g, t(h)> <= N*(g) on random, tied, sparse and rank-one arrays.

    `projection` is the one on the subspace that N is a norm of, if that is not the whole space.

    Raises
    ------
    ArithmeticError
        If a law fails beyond 1e-12; the message says which and where.
    """
    arrays = list(inputs(dual, shape, seed, projection))
    size = arrays[0][0]
    runs = [(g, dual(nested(g, size)), flat(dualize(nested(g, size)))) for _, g in arrays]
    unit = None if norm is None else max(abs(norm(nested(t, size)) - (1 if value else 0)) for _, value, t in runs)
    tight = max(abs(pairing(g, t) - value) / (value or 1) for g, value, t in runs)
    excess = max((pairing(g, t) - value) / (value or 1) for g, value, _ in runs for _, _, t in runs)
    made = Check(len(runs), None if unit is None else float(unit), float(tight), max(0.0, float(excess)))
    if not made.holds:
        raise ArithmeticError(f"the formulas of this norm contradict each other: {made}")
    return made


def inputs(
    dual: Formula, shape: tuple[int | None, ...], seed: int, projection: Formula | None = None
) -> Iterator[tuple[tuple[int, ...], list[Any]]]:
    """Yield small shapes that the norm takes with flat lists of exact entries, all zero only after projection."""
    size = small_shape(dual, shape, projection)
    for entries in _entries(size, Random(seed)):
        yield size, entries if projection is None else flat(projection(nested(entries, size)))


def _entries(size: tuple[int, ...], random: Random) -> Iterator[list[Any]]:
    count = prod(size)
    yield [Rational(random.randint(-99, 99), 16) or Rational(1) for _ in range(count)]
    yield [Rational(random.randint(-2, 2)) for _ in range(count - 1)] + [Rational(1)]
    yield [Rational(1)] * count
    yield [Rational(-3, 2) if at == count // 2 else Rational(0) for at in range(count)]
    yield [Rational(1 + place[0], 2) * (-1) ** sum(place) for place in product(*map(range, size))]


def small_shape(dual: Formula, shape: tuple[int | None, ...], projection: Formula | None = None) -> tuple[int, ...]:
    """Return a shape with few entries that the norm takes: rectangular if it can be."""
    free = (3, 4) if len(shape) == 2 else (5, *[2] * (len(shape) - 1))
    for sizes in (free, tuple(3 for _ in shape)):
        made = tuple(size if fixed is None else fixed for size, fixed in zip(sizes, shape, strict=True))
        array = nested([Rational(1 + at) for at in range(prod(made))], made)
        try:
            dual(array if projection is None else projection(array))
        except ShapeError:
            continue
        return made
    raise ShapeError(f"no small array fits a norm of items of shape {shape}")


def nested(entries: list[Any], shape: tuple[int, ...]) -> Any:
    """Return a flat list cut into the rows of a shape."""
    for length in reversed(shape[1:]):
        entries = [entries[at : at + length] for at in range(0, len(entries), length)]
    return entries


def flat(array: Any) -> list[Any]:
    """Return the entries of a SymPy matrix or array, row by row."""
    return list(Flatten(array)) if isinstance(array, NDimArray) else list(array)


def pairing(g: list[Any], t: list[Any]) -> Any:
    """Return <g, t>."""
    return sum(u * v for u, v in zip(g, t, strict=True))
