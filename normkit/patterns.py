"""Axes by name: a pattern such as ``"o i h w"`` or ``"(h=12 d) i"``, read once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod

from normkit.errors import ParameterError, ShapeError

TOKEN = re.compile(r"\s*(?:(?P<axis>[A-Za-z_]\w*)(?:=(?P<size>\d{1,15}))?|(?P<bracket>[()]))")

EXPECTED = "expected names of axes such as 'o i h w' or '(h=12 d) i'"


@dataclass(frozen=True)
class Axis:
    """A named axis, and its length if the pattern fixes it."""

    name: str
    size: int | None


@dataclass(frozen=True)
class Pattern:
    """The axes of an array: each is one named axis, or several that lie in it, row by row.

    Attributes
    ----------
    text : str
        As it was written, with single spaces.
    axes : tuple of tuple of Axis
        What every axis of the array holds.
    """

    text: str
    axes: tuple[tuple[Axis, ...], ...]

    @cached_property
    def named(self) -> tuple[Axis, ...]:
        """All named axes in their order."""
        return tuple(axis for held in self.axes for axis in held)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Length of every axis of the array, None where any will do."""
        return tuple(_product([axis.size for axis in held]) for held in self.axes)

    def place(self, name: str) -> int:
        """Return the place of a named axis."""
        return next(place for place, axis in enumerate(self.named) if axis.name == name)

    def sizes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the lengths of the named axes in an array of a shape.

        Raises
        ------
        ShapeError
            If the shape does not fit; the message shows both.
        """
        if len(shape) != len(self.axes):
            raise ShapeError(
                f"the pattern {self.text!r} has {len(self.axes)} axes; got an array of shape {shape}, which has "
                f"{len(shape)}"
            )
        return tuple(
            size for held, length in zip(self.axes, shape, strict=True) for size in self._cut(held, length, shape)
        )

    def _cut(self, held: tuple[Axis, ...], length: int, shape: tuple[int, ...]) -> list[int]:
        known = prod(axis.size for axis in held if axis.size is not None)
        free = any(axis.size is None for axis in held)
        if (length % known if known else length) or not (free or length == known):
            raise ShapeError(
                f"the pattern {self.text!r} does not fit an array of shape {shape}: {shown(held)!r} is no axis of "
                f"length {length}"
            )
        return [length // known if axis.size is None else axis.size for axis in held]


def shown(held: tuple[Axis, ...]) -> str:
    """Return an axis of the array as a pattern writes it."""
    names = " ".join(axis.name if axis.size is None else f"{axis.name}={axis.size}" for axis in held)
    return names if len(held) == 1 else f"({names})"


def _product(sizes: list[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return prod(known) if len(known) == len(sizes) else None


@lru_cache(maxsize=256)
def pattern(text: str, what: str) -> Pattern:
    """Read a pattern.

    Parameters
    ----------
    text : str
        Names with spaces between them; ``(a b)`` is one axis of the array that holds two, ``a=3`` fixes a length.
    what : str
        The construction that errors name.

    Raises
    ------
    ParameterError
        For anything else, a name that occurs twice, or an axis that holds two of unknown length.
    """
    axes: list[tuple[Axis, ...]] = []
    held: list[Axis] | None = None
    at = 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if match is None:
            raise ParameterError(f"{what}: the pattern {text!r} holds {text[at:].strip()[:10]!r}; {EXPECTED}")
        at = match.end()
        if match["bracket"] == "(" and held is None:
            held = []
        elif match["bracket"] == ")" and held:
            axes.append(tuple(held))
            held = None
        elif match["bracket"]:
            raise ParameterError(f"{what}: the brackets of the pattern {text!r} do not match; {EXPECTED}")
        else:
            axis = Axis(match["axis"], int(match["size"]) if match["size"] else None)
            if held is None:
                axes.append((axis,))
            else:
                held.append(axis)
    made = Pattern(" ".join(map(shown, axes)), tuple(axes))
    if held is not None or not axes:
        raise ParameterError(f"{what}: the pattern {text!r} is not complete; {EXPECTED}")
    _check(made, what)
    return made


def _check(made: Pattern, what: str) -> None:
    names = [axis.name for axis in made.named]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ParameterError(f"{what}: the pattern {made.text!r} names the axis {twice!r} twice")
    for held in made.axes:
        if sum(axis.size is None for axis in held) > 1:
            raise ParameterError(
                f"{what}: in the pattern {made.text!r} give the lengths of all but one of the axes in brackets, as in "
                "'(h=12 d) i'"
            )
        if any(axis.size == 0 for axis in held):
            raise ParameterError(f"{what}: in the pattern {made.text!r} an axis has no entries")


def split(made: Pattern, what: str, **parts: str) -> tuple[tuple[int, ...], ...]:
    """Return the places of the named axes in every part; together they must name each axis exactly once.

    Raises
    ------
    ParameterError
        If a part names an axis that the pattern does not have, or an axis is in two parts, or in none.
    """
    axes = [axis.name for axis in made.named]
    said = " and ".join(f"{part}={text!r}" for part, text in parts.items())
    seen: list[str] = []
    for part, text in parts.items():
        for name in text.split():
            if name not in axes:
                raise ParameterError(
                    f"{what}: {part}={text!r} names the axis {name!r}, which the pattern {made.text!r} does not have"
                )
            if name in seen:
                raise ParameterError(f"{what}: {said} name the axis {name!r} twice; the pattern is {made.text!r}")
            seen.append(name)
    left = [name for name in axes if name not in seen]
    if left:
        raise ParameterError(f"{what}: the axis {left[0]!r} of the pattern {made.text!r} is in none of {said}")
    return tuple(tuple(made.place(name) for name in text.split()) for text in parts.values())
