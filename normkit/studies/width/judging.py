"""From losses at all learning rates to the best one, and to the least one that arrives; all in log2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from normkit.studies.width.network import PLACES, Floats

ARRIVED = 0.1
"""A loss between those of runs that end on their way (0.2 to 1) and of those that arrived (1e-5)."""


@dataclass(frozen=True)
class Judged:
    """The learning rates of groups of starts, in log2: of every group the best, and the least that arrives.

    Attributes
    ----------
    best, edge : ndarray (groups,)
    """

    best: Floats
    edge: Floats

    @property
    def middle(self) -> tuple[float, float]:
        """The median of the best ones, and the mean of the least."""
        return float(np.median(self.best)), float(np.mean(self.edge))


def judge(losses: Floats) -> Judged:
    """Judge losses (groups, starts, rates) by their geometric means over starts.

    An arithmetic mean would be that of the one start that did not arrive. Between learning rates the loss is taken as a
    power of the learning rate. `edge` is NaN where no learning rate arrives, and the smallest one where that does.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.width.judging import judge
    >>> from normkit.studies.width.network import RATES
    >>> found = judge(np.where(RATES < 0.3, 1.0, 1e-3 * RATES)[None, None])
    >>> found.best.tolist(), bool(-2.0 < found.edge[0] < -1.5)
    ([-1.5], True)
    """
    logs = np.mean(np.log(losses), axis=1)
    return Judged(PLACES[np.argmin(logs, axis=-1)], np.array([_crossing(line) for line in logs]))


def _crossing(logs: Floats) -> float:
    below = np.flatnonzero(logs < np.log(ARRIVED))
    if not len(below):
        return float("nan")
    if not (at := int(below[0])):
        return float(PLACES[0])
    share = (logs[at - 1] - np.log(ARRIVED)) / (logs[at - 1] - logs[at])
    return float(PLACES[at - 1] + share * (PLACES[at] - PLACES[at - 1]))


def exponent(widths: list[int], places: list[float]) -> float:
    """Return the slope of log learning rates over log widths, by least squares."""
    return float(np.polyfit(np.log2(widths), places, 1)[0])
