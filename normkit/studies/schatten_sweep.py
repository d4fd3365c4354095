r"""Steepest descent in Schatten norms, from the nuclear to the spectral one: no order of $p$ serves all problems.

A step along the dualize map of the Schatten norm $p$ has singular values like $\sigma^{q-1}$ with $q=p/(p-1)$: one
direction for $p=1$, the gradient itself for $p=2$, all directions alike for $p\to\infty$. The norms are taken as
$p$-means of the singular values, so that a learning rate means the same for each $p$ where all singular values are
alike.

**Factorization.** On $\frac{1}{4}\Vert XX^\top-M\Vert_F^2$ of side 32, from a small orthogonal start by steps of
$0.1\cdot0.9^t$, the number of steps to a relative error of 1e-6 has no order in $p$: at $\kappa=1000$ it is 65 for
$p=4$ and 114 or more for the spectral norm; at $\kappa=10$ it is 65 for $p=8$ and 105 for $p=4$. Runs with $p=1$ stall,
and from $\kappa=100$ on those with $p=2$ do: the steps become too short before the small eigenvalues are reached. That
is a property of the decay as much as of the norm. With a ratio of 0.99 in place of 0.9 the Frobenius norm arrives at
$\kappa=100$, too, in up to a thousand steps.

The singular values of $X$ follow a recursion of 32 numbers, the same step in the vector norm $\ell_p$. In floating
point the matrices keep to it for some twenty steps. Then rounding turns singular vectors whose values are nearly equal,
and the number of steps depends on the draw by up to ten: at $\kappa=100$ and $p=4$ some draws need 89 steps, as the
recursion does and as one seed of an earlier run did, and others 99 to 107.

**Digits.** On a network of two layers, at the best learning rate of each norm, $p=1$ and $p=2$ end higher than the
norms from $p=8$ on, and these end close together. A network of another shape, another length of the run, or another
momentum may order them otherwise.

Recursion and numbers are derived for this project.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice, product
from typing import Any

import numpy as np

from normkit.studies.kit.claims import below, check, conditional, largest, measured, refuted, within
from normkit.studies.kit.outcome import Figure, Outcome, Table
from normkit.studies.kit.study import Run, study
from normkit.studies.racing.contest import run
from normkit.studies.racing.judging import Score, best
from normkit.studies.schatten import pictures
from normkit.studies.schatten.factoring import Decay, counts, matrices, numbers, spec, turns
from normkit.studies.schatten.pictures import name

EXPONENTS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, np.inf)
COUNTS: dict[float, tuple[int | None, ...]] = {
    10: (None, 98, 105, 65, 97, 93, 115),
    100: (None, None, 89, 96, 103, 104, 115),
    1000: (None, None, 65, 95, 101, 103, 114),
}
"""Steps by condition number, in the order of EXPONENTS, of one seed of an earlier run; None is a stall."""
NEAR = 4
"""Steps that may be between a count and the nearest one of some draws; draws differ by ten."""
STALL, ROOM = 0.04, 0.01
"""Where p = 2 ends for the larger condition numbers."""
FAST, SLOW = Decay(0.1, 0.9, 160), Decay(0.1, 0.99, 1500)
"""What is left to go after the last step of either is below 1e-5 of what there was."""
KEPT = 20
"""Steps for which matrices keep to the recursion."""
RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
FEW, MANY = (1.0, 2.0), (8.0, 16.0, 32.0, np.inf)
APART = 2.0
"""By which factor the ends of MANY may differ."""
FINDING = "No order of p serves both: p = 4 or 8 is fastest on a factorization; on digits all from p = 8 on end close."


@study("schatten-sweep", "steepest descent in Schatten norms", ("S35",), finding=FINDING)
def STUDY(at: Run) -> Outcome:
    """Factorize with every p, then train a network with every p."""
    made, draws = Outcome(), at.pick(4, 16)
    U, Q = turns(at.rng("U"), draws), turns(at.rng("Q"), draws)
    found = {(p, kappa): counts(matrices(p, kappa, FAST, U, Q)) for kappa, p in product(COUNTS, EXPONENTS)}
    steps = {key: done for key, (done, _) in found.items()}
    made.add(*_counted(steps, draws), *_explained(found, U, Q))
    kappa = max(COUNTS)
    errors = {p: found[p, kappa][1] for p in EXPONENTS}
    made.add(
        Figure("factorization", "Errors of the factorization by step, and steps by p.",
               partial(pictures.factorization, counts=steps, errors=errors, kappa=kappa), size=(8.6, 4.2)),
    )  # fmt: skip
    made.add(*_digits(at))
    return made


def _counted(steps: dict[tuple[float, float], list[int | None]], draws: int) -> Iterator[Any]:
    """Compare counts with those of one seed, and p with p."""
    rows, got, wanted = [], [], []
    for (p, kappa), done in steps.items():
        once = COUNTS[kappa][EXPONENTS.index(p)]
        ends = [count for count in done if count is not None]
        middle = float(np.median(ends)) if len(ends) == draws else None
        alone = counts(numbers(p, kappa, FAST))[0]
        least, most, stalled = min(ends, default=None), max(ends, default=None), draws - len(ends)
        rows.append([kappa, name(p), least, middle, most, stalled, *alone, once])
        near = [*ends, *(count for count in alone if count is not None)]
        got.append(min(near, key=lambda count: abs(count - (once or 0)), default=0))
        wanted.append(once or 0)
    columns = ("condition", "p", "least", "median", "most", "stalled", "recursion", "one earlier seed")
    yield Table("steps", f"Steps to a relative error of 1e-6, {draws} draws", columns, rows)
    yield within("S35.counts", "some draw, or the recursion, takes the number of steps of an earlier seed, and none "
                 "arrives where that stalled (0)", got, wanted, NEAR,
                 confidence=f"the nearest of {draws} draws")  # fmt: skip
    slowest, fastest = (end(_numbers(steps[p, max(COUNTS)])) for end, p in ((max, 4.0), (min, np.inf)))
    yield refuted("S35.larger", "a larger p takes fewer steps", slowest < fastest,
                  {"p = 4, most": slowest, "p = inf, least": fastest},
                  confidence=f"condition 1000, {draws} draws")  # fmt: skip
    middles = {(row[0], row[1]): row[3] for row in rows if row[3] is not None}
    first = {f"condition {k:g}": min((m, p) for (kappa, p), m in middles.items() if kappa == k)[1] for k in COUNTS}
    yield measured("S35.best", "the p of the fewest steps", first, confidence=f"medians of {draws} draws")


def _numbers(counts: list[int | None]) -> list[float]:
    return [np.inf if count is None else float(count) for count in counts]


def _explained(found: dict[tuple[float, float], Any], U: Any, Q: Any) -> Iterator[Any]:
    """Say why: the recursion of the singular values, and the decay."""
    apart = []
    for p, kappa in found:
        pair = zip(islice(matrices(p, kappa, FAST, U, Q), KEPT), numbers(p, kappa, FAST), strict=False)
        for (X, _), (x, _) in pair:
            sigma = np.linalg.svd(X, compute_uv=False)
            apart.append(float(np.max(np.abs(np.sort(sigma, axis=-1) - np.sort(np.abs(x), axis=-1)))))
    yield below("S35.modes", f"singular values follow the recursion of numbers for {KEPT} steps: the distance",
                largest(apart), 1e-12, confidence="all p, condition numbers and draws")  # fmt: skip
    ends = [float(np.median(found[2.0, kappa][1][-1])) for kappa in COUNTS if kappa > 10]
    yield within("S35.stall", "where p = 2 ends at the larger condition numbers", ends, STALL, ROOM,
                 confidence="median of the draws")  # fmt: skip
    slow, fast = counts(matrices(2.0, 100, SLOW, U, Q))[0], found[2.0, 100][0]
    yield conditional("S35.decay", "p = 2 arrives at condition number 100 (condition: steps decay by 0.99, not 0.9)",
                      None not in slow, None not in fast,
                      {"0.99, most steps": max(_numbers(slow)), "0.9, arrived": sum(c is not None for c in fast)},
                      confidence="all draws")  # fmt: skip


def _digits(at: Run) -> Iterator[Any]:
    """Train at every learning rate, and compare the best of each p."""
    steps, rates = at.pick(40, 80), at.pick(RATES[1::2], RATES)
    seeds = [int(seed) for seed in at.rng("starts").integers(2**31, size=at.pick(2, 5))]
    places = list(product(EXPONENTS, sorted(rates), seeds))
    runs = at.cells.map("digits", run, [("digits", "", spec(p), lr, seed, steps, "lmo", 0.9) for p, lr, seed in places])
    ends = dict(zip(places, (each["final"] for each in runs), strict=True))
    scores = {
        p: [Score(name(p), lr, tuple(ends[p, lr, seed] for seed in seeds)) for lr in sorted(rates)] for p in EXPONENTS
    }
    top = {p: best(line)[0] for p, line in scores.items()}
    count = f"best of {len(rates)} learning rates, {len(seeds)} seeds, {steps} steps"
    yield Table("digits", "Where the network on digits ends", ("p", "best lr", "mean", "+-"),
                [[name(p), s.lr, s.mean, s.half] for p, s in top.items()], count)  # fmt: skip
    high, low = [min(top[p].mean for p in FEW)], [top[p].mean for p in MANY]
    yield check("S35.digits", "on the digits p = 1 and p = 2 end higher than every p from 8 on", min(high) > max(low),
                {"least of 1, 2": min(high), "most from 8 on": max(low)}, confidence=count)  # fmt: skip
    yield below("S35.close", "from p = 8 on they end close together: the ratio of the highest to the lowest",
                max(low) / min(low), APART, confidence=count)  # fmt: skip
    yield Figure("digits", "Where the network on digits ends, by learning rate, with 95 % intervals.",
                 partial(pictures.digits, scores=scores))  # fmt: skip
