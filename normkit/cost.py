"""Cost classes: what the dualize map of a norm costs, read off the stages of its dual's value."""

from __future__ import annotations

from typing import Literal

from normkit.errors import NoClosedForm
from normkit.functional import Functional, Lift, Ranked, Root, Search
from normkit.norm import Norm
from normkit.spec import norm as parse

CostClass = Literal["closed", "sort", "root", "svd", "solver", "hard"]

STAGES: tuple[tuple[type[Functional], CostClass], ...] = (
    (Lift, "svd"),
    (Root, "root"),
    (Search, "root"),
    (Ranked, "sort"),
)
"""The stages that cost more than one pass over the entries, dearest first."""


def cost_class(norm: Norm | str) -> CostClass:
    """Class of the cost of dualize: that of the value of the *dual* norm (its gradient costs a small constant more).

    ``closed``: a few passes over the entries, or one solve with a cached factor. ``sort``: exact after sorting.
    ``root``: one monotone scalar equation. ``svd``: singular values. ``solver``: an optimisation problem of polynomial
    size. ``hard``: NP-hard in general. By Baur and Strassen (1983) a gradient costs a small multiple of its function.

    Examples
    --------
    >>> import normkit as nk
    >>> [nk.cost_class(spec) for spec in ("linf", "dual(owl([2, 1]))", "rms->rms", "linf->l1")]
    ['closed', 'sort', 'svd', 'hard']
    """
    try:
        functional = parse(norm).dual_value()
    except NoClosedForm as error:
        return "hard" if error.cost_class == "hard" else "solver"
    stages = list(functional.walk())
    return next((cost for kind, cost in STAGES if any(isinstance(stage, kind) for stage in stages)), "closed")
