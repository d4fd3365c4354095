"""What is known on the way through a tree: how large an array is at most, in which norm, and what a leaf sees.

Arrays have their channels along the first axis, and positions along the others: words of a text, pixels of an image,
heads. The channels at a position are measured by RMS, but for inputs of `Embed` and weights of experts (``l1``), and
outputs of `Unembed` (``linf``). Positions are measured by the largest norm among them (``max``) or by its root mean
square (``mean``; with RMS, that is the RMS of all entries). Most modules obey their bounds either way; the `positions`
of a tree say which ways serve it. A vector is one position.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from normkit.errors import ParameterError

Channels = Literal["rms", "linf", "l1"]
"""The norm of the channels at a position; each is at least as large as those before it."""
Positions = Literal["max", "mean"]
BOTH: frozenset[Positions] = frozenset({"max", "mean"})
LARGEST: frozenset[Positions] = frozenset({"max"})
MEAN: frozenset[Positions] = frozenset({"mean"})

ORDER: tuple[Channels, ...] = ("rms", "linf", "l1")
"""RMS <= linf <= l1: a bound in a later one is a bound in all before it."""


@dataclass(frozen=True)
class Extent:
    """An array of norm at most `size`; `norm` None for the input of a tree, measured as the first module takes it."""

    size: float
    norm: Channels | None = "rms"

    def at_least(self, norm: Channels) -> bool:
        """Tell whether the size bounds this norm, too."""
        return self.norm is None or ORDER.index(self.norm) >= ORDER.index(norm)


Given = Extent | tuple["Given", ...]
"""One array, or a tuple of them, as a module gives it."""


@dataclass(frozen=True)
class Seen:
    """What a leaf sees of its tree.

    Attributes
    ----------
    scale : float
        s_l, what the norm of its weights is multiplied with; 0 if they are frozen.
    given : Given
        A bound on its input.
    before : float
        The sensitivity of all that its input has come through.
    """

    scale: float
    given: Given
    before: float


def total(given: Given) -> float:
    """Return the size of an array; of a tuple the sum of the sizes."""
    return given.size if isinstance(given, Extent) else sum(map(total, given))


def common(given: Given) -> Channels | None:
    """Return the largest norm that the sizes of all arrays are known to bound; None for inputs of the tree alone."""
    if isinstance(given, Extent):
        return given.norm
    norms = list(map(common, given))
    return min((norm or "rms" for norm in norms), key=ORDER.index) if any(norms) else None


def each(given: Given, change: Callable[[Extent], Extent]) -> Given:
    """Return the same arrays, every one changed."""
    return change(given) if isinstance(given, Extent) else tuple(each(part, change) for part in given)


def parts(given: Given, count: int) -> tuple[Extent, ...]:
    """Return the extents of a tuple of so many arrays; an input of the tree bounds each as it does the whole.

    Raises
    ------
    ParameterError
        If the tuple has another number of arrays.
    """
    if isinstance(given, Extent):
        return (given,) * count
    if len(given) != count:
        raise ParameterError(f"a module that takes a tuple of {count} arrays is given {len(given)}")
    return tuple(part if isinstance(part, Extent) else Extent(total(part), common(part)) for part in given)
