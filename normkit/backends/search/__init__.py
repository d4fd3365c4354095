"""Maximisers found by a one-dimensional search: sums and maxima of two norms on sorted magnitudes.

Every algorithm has the signature ``algorithm(y, w, v, p, t)``: y the magnitudes sorted decreasingly with y[0] > 0, w
and v weights by rank (nonincreasing, first one positive; empty where unused), p scalars, t the nonincreasing maximiser
of <y, t> over N(t) <= 1, which is written. The value is then the sum of y * t. Plain loops on float64: valid Python,
and valid for numba as they stand.

O is owl(w) = sum w_i x_(i), D the dual of an owl: D(x) = max_k (x_(1) + ... + x_(k)) / (w_1 + ... + w_k). The proximal
point u of lambda O at y is the positive part of the nonincreasing regression of y - lambda w (pool adjacent violators,
Bogdan et al. 2015); y - u is the projection of y on lambda times the ball of D (Moreau).

All of them end with t / N(t), N evaluated: t is feasible to rounding, and what an inexact root costs is its optimality.
"""

from __future__ import annotations

from normkit.backends.search import box, pieces, polyhedral, powers, with_l2
from normkit.backends.search.box import dual_box
from normkit.backends.search.polyhedral import max_owl_dual, max_owls, sum_duals, sum_owl_dual
from normkit.backends.search.powers import max_l1_lp, max_lps, sum_linf_lp, sum_lps
from normkit.backends.search.with_l2 import max_dual_l2, max_owl_l2, sum_dual_l2, sum_owl_l2

MODULES = (pieces, with_l2, polyhedral, powers, box)
"""All files, the pieces first: compiled loops take their functions as they stand."""

ALGORITHMS = {
    "max_owl_l2": max_owl_l2,
    "sum_owl_l2": sum_owl_l2,
    "max_dual_l2": max_dual_l2,
    "sum_dual_l2": sum_dual_l2,
    "max_owl_dual": max_owl_dual,
    "sum_owl_dual": sum_owl_dual,
    "max_owls": max_owls,
    "sum_duals": sum_duals,
    "max_lps": max_lps,
    "sum_lps": sum_lps,
    "max_l1_lp": max_l1_lp,
    "sum_linf_lp": sum_linf_lp,
    "dual_box": dual_box,
}
"""What the `algorithm` of a `Search` stage may be."""
