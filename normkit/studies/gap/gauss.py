"""Gauss's rule on (0, 1), found once for every number of nodes: its nodes are eigenvalues."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray


@cache
def rule(nodes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points in (0, 1) and weights of sum 1, which cannot be written to.

    Examples
    --------
    >>> from normkit.studies.gap.gauss import rule
    >>> points, weights = rule(5)
    >>> round(float(weights @ points**9), 12)
    0.1
    """
    points, weights = np.polynomial.legendre.leggauss(nodes)
    made = (points + 1) / 2, weights / 2
    for each in made:
        each.flags.writeable = False
    return made
