"""The laws of norms, duals and dualize maps, by their number; one group of laws per file."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from normkit.testing.laws import agreement, equivalences, gradient, honesty, pairing, policies, scaling, size
from normkit.testing.report import Finding
from normkit.testing.subject import Subject

Law = Callable[[Subject, Subject], Iterator[Finding]]
"""A law takes a subject and the same subject on the first back end, and yields what it finds."""

LAWS: dict[int, tuple[Law, ...]] = {
    1: (size.norm, size.dual_norm),
    2: (pairing.feasible, pairing.tight),
    3: (pairing.holder, pairing.holder_nearby),
    4: (scaling.odd, scaling.scale_free, scaling.extremes),
    5: (policies.zero, policies.signs_of_zero, policies.first_of_ties, policies.rank_cut, policies.not_finite),
    6: (pairing.involution, pairing.bidual),
    7: (gradient.subgradient, gradient.jacobian),
    8: (gradient.recogniser, gradient.recogniser_nearby),
    10: (equivalences.scale_rule, equivalences.transpose_rule, equivalences.gauge_rule, equivalences.spec_rule),
    12: (agreement.back_ends, agreement.batch_is_loop, agreement.layouts, agreement.precisions),
    13: (honesty.bracket, honesty.loss, honesty.own_answer),
}
