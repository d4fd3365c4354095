"""Searches by name: maximisers of <y, t> over the unit balls of two norms' sum or maximum, y the sorted magnitudes.

Numbers are mpmath's at its current precision; the back ends' twins of these searches are in floats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from normkit.formulas.pools import (
    Vector,
    max_dual_l2,
    max_owl_dual,
    max_owl_l2,
    max_owls,
    sum_dual_l2,
    sum_duals,
    sum_owl_dual,
    sum_owl_l2,
)
from normkit.formulas.powers import dual_box, max_l1_lp, max_lps, sum_linf_lp, sum_lps


def maximiser(algorithm: str, y: Vector, w: Vector, v: Vector, scalars: Vector) -> Vector:
    """Return the maximiser t, nonincreasing, N(t) = 1.

    Raises
    ------
    TypeError
        If the algorithm is unknown here.
    """
    if algorithm not in ALGORITHMS:
        raise TypeError(f"no formula for the search {algorithm}; add one to formulas/search.py")
    t, size = ALGORITHMS[algorithm](y, w, v, scalars)
    return [each / size for each in t]


ALGORITHMS: dict[str, Callable[[Vector, Vector, Vector, Vector], tuple[Vector, Any]]] = {
    rule.__name__: rule
    for rule in (
        max_owl_l2, sum_owl_l2, max_dual_l2, sum_dual_l2, max_owl_dual, sum_owl_dual, max_owls, sum_duals, max_lps,
        sum_lps, max_l1_lp, sum_linf_lp, dual_box,
    )
}  # fmt: skip
"""Searches by the name that a `Search` stage gives: each returns t up to scale, and N(t)."""

OWL, OWL2 = r"\sum_k w_k u_k", r"\sum_k w'_k u_k"
GAUGE, GAUGE2 = (rf"\max_k \frac{{u_1+\dots+u_k}}{{{w}_1+\dots+{w}_k}}" for w in ("w", "w'"))
EUCLID = r"<0>\|u\|_2"
POWERS = (r"<0>\|u\|_{<1>}", r"<2>\|u\|_{<3>}")
BALLS: dict[str, tuple[str, ...]] = {
    "max_owl_l2": (r"\max", OWL, EUCLID),
    "sum_owl_l2": ("+", OWL, EUCLID),
    "max_dual_l2": (r"\max", GAUGE, EUCLID),
    "sum_dual_l2": ("+", GAUGE, EUCLID),
    "max_owl_dual": (r"\max", OWL, GAUGE2),
    "sum_owl_dual": ("+", OWL, GAUGE2),
    "max_owls": (r"\max", OWL, OWL2),
    "sum_duals": ("+", GAUGE, GAUGE2),
    "max_lps": (r"\max", *POWERS),
    "sum_lps": ("+", *POWERS),
    "max_l1_lp": (r"\max", r"<0>\|u\|_1", r"<1>\|u\|_{[2]}"),
    "sum_linf_lp": ("+", r"<0>\|u\|_\infty", r"<1>\|u\|_{[2]}"),
    "dual_box": ("+", r"\max_{[0]\le\theta_k\le [1],\ \sum_k\theta_k\le [2]} \sqrt{\sum_k\theta_k u_k^2}"),
}
"""LaTeX of the norm whose ball is searched: operation and parts; <0> is scalar 0 as a factor, [0] as it is."""
