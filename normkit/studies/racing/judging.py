"""Who won: means with confidence intervals over seeds, and differences on the same seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

LEVEL = 0.95


@dataclass(frozen=True)
class Score:
    """The results of one norm at one learning rate, by seed.

    Attributes
    ----------
    norm : str
    lr : float
    finals : tuple of float
        Infinite where a run diverged.
    """

    norm: str
    lr: float
    finals: tuple[float, ...]

    @property
    def diverged(self) -> int:
        """The number of runs that diverged."""
        return sum(math.isinf(final) for final in self.finals)

    @property
    def mean(self) -> float:
        """The mean; infinite if a run diverged."""
        return math.inf if self.diverged else float(np.mean(self.finals))

    @property
    def half(self) -> float:
        """Half the length of the confidence interval of the mean."""
        return math.inf if self.diverged else interval(self.finals)[1]


def interval(numbers: Sequence[float]) -> tuple[float, float]:
    """Return the mean, and half the length of its 95 % interval by Student's t; infinite for a single number.

    Examples
    --------
    >>> from normkit.studies.racing.judging import interval
    >>> mean, half = interval([1.0, 2.0, 3.0])
    >>> mean, round(half, 4)
    (2.0, 2.4841)
    """
    count = len(numbers)
    if count < 2:
        return float(np.mean(numbers)), math.inf
    spread = float(np.std(numbers, ddof=1)) / math.sqrt(count)
    return float(np.mean(numbers)), float(student.ppf((1 + LEVEL) / 2, count - 1)) * spread


def best(scores: Sequence[Score]) -> list[Score]:
    """Return the best learning rate of every norm, the best norm first; norms that always diverged come last."""
    found: dict[str, Score] = {}
    for score in scores:
        if score.norm not in found or score.mean < found[score.norm].mean:
            found[score.norm] = score
    return sorted(found.values(), key=lambda score: score.mean)


def lead(first: Score, second: Score) -> tuple[float, float]:
    """Return by how much the first is ahead on the same seeds, with half the length of the interval."""
    if first.diverged or second.diverged:
        return math.inf, math.inf
    return interval([b - a for a, b in zip(first.finals, second.finals, strict=True)])
