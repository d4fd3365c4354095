"""Newton-Schulz as far as the matrix at hand needs it: look at the spectrum, take steps, look again; compiled.

Nothing is assumed of the smallest singular value. A look costs a matrix R = X X' that the next step needs anyway: its
traces bound the largest singular value, and prove when to stop (`normkit.polar.looks.error`); Lanczos shows how the
singular values are spread.

Rounding is the other half of the accuracy: an error e in the entries of X turns the direction of singular value s by
about e/s. Where the directions that a look finds are too small for the precision, the iteration gives up, and the
caller takes a higher precision or an exact method.
"""

from __future__ import annotations

from typing import Any

from normkit.backends.cpu.team import barrier, shared
from normkit.polar.chains import choose, top_eigenvalue
from normkit.polar.looks import distance, error, lanczos, quadrature, squares_of, total, traces
from normkit.polar.newton_schulz import step, step_on_gram
from normkit.polar.products import gram, long

RESOLVED = 0.2
"""x below which a node of a first look stands for a range of singular values rather than for one."""
MARGIN = 0.9
"""Share of the accuracy that a plan may use up."""
SMALL = 0.5
"""Singular values of an iterate below this are still near their slope times what they were."""
MOST = 30
"""Steps after which what is left is rounding."""
DROWNED = 0.5
"""Share of the square of the accuracy that rounding may use up."""
GAIN = 4.0
"""By how much the steps after it multiply an error of R where R only follows: measured, on spectra of all kinds."""
SUMS = 32.0
"""|T|_F^2 and tr R may differ by this much rounding."""
LEAST = 0.3
"""A Ritz value may be this much above the smallest singular value."""

ACCURACY, ROUNDING, SUMMING, NOISE, LIMIT, MODEST, AHEAD = range(7)
"""Settings: accuracy; relative error of an entry of X in products, and of sums and m x m matrices; relative error of
the traces of R^2; most operations; the chain that first steps follow while the spectrum is not resolved; steps taken
before the next look while a plan is longer than one more than that."""
STATUS, STEPS, FLOPS, ERROR, PLACE, TOP, SLOPE, GATHERED, FLOOR, SPREAD, TURNED, COUNT, ROUGH = range(13)
"""Facts: how it ended; steps taken; operations; bound on |T - polar(X)|_F / sqrt(m); where T is; bound on its
singular values; slope of the composition, and since X was formed; the smallest singular value seen then; root
mean square of the singular values at first; estimate of the square of what rounding turned T by, relative to m; steps
to take next, 0 to form X; whether m x m products may be as rough as those with X."""
FACTS = ROUGH + 1
RUNNING, DONE, GAVE_UP = 0, 1, 2
IN_X, IN_Y, IN_LAST = 0, 1, 2
"""Places of T."""


@shared()
def iterate(
    member: int,
    size: int,
    state: Any,
    outer: Any,
    inner: Any,
    X: Any,
    Y: Any,
    last: Any,
    squares: Any,
    on_gram: bool,
    rows: Any,
    krylov: Any,
    nodes: Any,
    table: Any,
    settings: Any,
    plan: Any,
    facts: Any,
) -> None:
    """Iterate from X until |T - polar(X)|_F <= accuracy sqrt(m), or give up; facts say which of X, Y, last is T.

    Products with X are made at the desk `outer`, those of m x m matrices at `inner`: the same unless `on_gram`.
    X and Y are (m, n) with m <= n, X not zero; both are overwritten. A product that can only be the last one goes to
    `last`, (m, n), or if that is empty to X or Y. `squares` are m x m: R, S, P, and with `on_gram` two more. The rest
    is work of a team: rows (m, 5), krylov (start, basis, v, w, alpha, beta), nodes (4, k) for the first look and the
    last, plan (steps, 4).
    """
    m, n = X.shape
    R, S, P, Q, after = squares
    start, basis, v, w, alpha, beta = krylov
    steps, flops = 0, 0.0
    # not literals: for each of these everything below would be compiled once more
    form, fresh, swapped, away = steps == 0, steps == 0, steps != 0, steps != 0
    while True:
        if form:
            gram(outer, member, size, X, R, 1.0, R, 0.0)
            barrier(state, size)
            flops += float(m) * m * n
        distance(member, size, R, rows)
        barrier(state, size)
        if error(rows, settings[SUMMING]) ** 2 + facts[TURNED] <= settings[ACCURACY] ** 2:
            break
        gram(inner, member, size, R, S, 1.0, S, 0.0)
        barrier(state, size)
        traces(member, size, R, S, rows)
        k = lanczos(member, size, state, R, start, basis, v, w, alpha, beta)
        flops += float(m) * m * (m + 2 * k)
        if member == 0:
            facts[STEPS], facts[FLOPS] = steps, flops
            _decide(m, n, rows, alpha, beta, k, on_gram, fresh or not on_gram, nodes, table, settings, plan, facts)
        barrier(state, size)
        if facts[STATUS] == GAVE_UP:
            return
        count = int(facts[COUNT])
        for i in range(count):
            squared = i == 0
            if on_gram:
                work = outer if facts[ROUGH] else inner
                step_on_gram(member, size, state, work, R, S, P, Q, after, plan[i], squared, fresh)
                Q, after, fresh = after, Q, False
            else:
                if not squared:
                    gram(outer, member, size, X, R, 1.0, R, 0.0)
                    barrier(state, size)
                step(member, size, state, outer, X, Y, R, S, P, plan[i], squared)
                X, Y, swapped = Y, X, not swapped
            flops += _operations(m, n, on_gram, squared, fresh, plan[i])
        steps += count
        form = not on_gram or count == 0
        if form and on_gram:
            long(outer, member, size, Q, X, Y, 0.0)
            barrier(state, size)
            X, Y, swapped, fresh = Y, X, not swapped, True
            flops += 2.0 * m * m * n
    reached = error(rows, settings[SUMMING]) ** 2
    turned = facts[TURNED]
    if not fresh:
        barrier(state, size)
        squares_of(member, size, Q, rows)
        barrier(state, size)
        # Q and X are rounded: T_ij is off by rounding (2 sum_k Q_ik^2 X_kj^2)^(1/2).
        turned += 2 * (settings[ROUNDING] * facts[SPREAD]) ** 2 * total(rows, 1) / m
        if reached + turned <= settings[ACCURACY] ** 2:
            away = len(last) > 0
            into = last if away else Y
            long(outer, member, size, Q, X, into, 0.0)
            barrier(state, size)
            squares_of(member, size, into, rows)
            barrier(state, size)
            # |T|^2 = tr R, unless what R shows of a direction is rounding that X does not have.
            turned += max(abs(total(rows, 1) - total(rows, 0)) / m - SUMS * settings[SUMMING], 0.0)
            swapped = not swapped
            flops += 2.0 * m * m * n
    barrier(state, size)
    if member == 0:
        served = reached + turned <= settings[ACCURACY] ** 2
        facts[STATUS], facts[STEPS], facts[FLOPS] = DONE if served else GAVE_UP, steps, flops
        facts[PLACE] = IN_LAST if away else (IN_Y if swapped else IN_X)
        facts[ERROR], facts[TURNED] = (reached + turned) ** 0.5, turned
    barrier(state, size)


@shared()
def _operations(m: int, n: int, on_gram: bool, squared: bool, fresh: bool, row: Any) -> Any:
    """Return the operations of a step, beyond R and R^2 of a look."""
    cube, extra = float(m) * m * m, 0.0
    if not squared:
        extra = (cube if row[2] != 0.0 else 0.0) + (0.0 if on_gram else float(m) * m * n)
    if row[3] != 0.0:
        extra += cube
    return extra + ((3.0 - fresh) * cube if on_gram else 2.0 * m * m * n)


@shared()
def _decide(
    m: int,
    n: int,
    rows: Any,
    alpha: Any,
    beta: Any,
    k: int,
    on_gram: bool,
    fresh: bool,
    nodes: Any,
    table: Any,
    settings: Any,
    plan: Any,
    facts: Any,
) -> None:
    """Choose the next steps from a look, or to form X (no steps), or to give up."""
    lowers, chains, errors = table
    first = facts[STEPS] == 0
    sigma, weights = nodes[2], nodes[3]
    quadrature(alpha, beta, k, sigma, weights)
    for i in range(len(sigma)):
        sigma[i] = max(sigma[i], 0.0) ** 0.5
    if first:
        facts[TOP] = _top(m, rows, settings[NOISE])
        facts[SPREAD], facts[SLOPE], facts[GATHERED] = (total(rows, 0) / m) ** 0.5, 1.0, 1.0
        nodes[0], nodes[1] = sigma, weights
    accuracy, low = settings[ACCURACY], RESOLVED if first else 0.0
    chain, count, predicted = choose(sigma / facts[TOP], weights, MARGIN * accuracy, lowers, chains, errors, low)
    too_small = predicted > 3 * accuracy and count == chains.shape[1]
    last = 4.0 if on_gram else 1.0  # what the product with a rounded Q adds in the end
    drowned = last * _turned(nodes, fresh, settings, facts) > DROWNED * accuracy * accuracy
    hopeless = count == 0 or too_small or drowned  # no count: the iterate is not finite
    if facts[FLOPS] + 4.0 * count * m * m * m > settings[LIMIT] or facts[STEPS] >= MOST or (hopeless and fresh):
        facts[STATUS] = GAVE_UP
        return
    if hopeless:  # what R shows is the rounding that it gathered: look at X itself
        facts[COUNT] = 0
        return
    if count > settings[AHEAD] + 1:
        count = int(settings[AHEAD])
        if first:
            chain = min(chain, int(settings[MODEST]))
    for i in range(count):
        plan[i, :3] = chains[chain, i]
        plan[i, 3] = 0.0
    plan[0, 0] /= facts[TOP]
    plan[0, 1] /= facts[TOP] ** 3
    plan[0, 2] /= facts[TOP] ** 5
    if on_gram:
        if fresh:
            # Both relative to the largest singular value, as the rounding of R is.
            least = 0.0 if first else LEAST * _least(sigma, k)
            facts[GATHERED], facts[FLOOR] = facts[TOP], least / facts[TOP]
        followed = _followed(plan, count, chain, errors, fresh, settings, facts)
        if first and followed < count:  # methods that are made for such a spectrum take it from here
            facts[STATUS] = GAVE_UP
            return
        count = followed
        # R comes out of a product off by some ROUNDING, which all further steps but the last amplify.
        slope = 1.0
        for i in range(count - 1):
            slope *= chains[chain, i, 0]
        facts[ROUGH] = 4.0 * settings[ROUNDING] * slope * slope <= 0.25 * accuracy
    for i in range(count):
        facts[SLOPE] *= plan[i, 0]
        facts[GATHERED] *= plan[i, 0]
    facts[COUNT] = count
    if count:
        facts[TOP] = 1 + errors[chain, count - 1]


@shared()
def _top(m: int, rows: Any, noise: float) -> Any:
    """Return a bound on the largest singular value."""
    p1, p2, p3, p4 = total(rows, 0), total(rows, 1), total(rows, 2), total(rows, 3)
    return top_eigenvalue(m, p1, p2, p3, p4, noise) ** 0.5 * (1 + noise)


@shared()
def _least(sigma: Any, k: int) -> Any:
    least = sigma[0]
    for i in range(1, k):
        least = min(least, sigma[i])
    return least


@shared()
def _followed(plan: Any, count: int, chain: int, errors: Any, fresh: bool, settings: Any, facts: Any) -> int:
    """Return how many steps the m x m side can follow before X must be formed: 0 if now.

    R is off by `SUMMING`, which grows by the square of the slope of all steps but the last, as long as there are
    singular values that small, and then turns directions by as much. Besides, R <- p(R)^2 R is what is left of terms of
    size k^2, k = |a| u + |b| u^3 + |c| u^5 at the largest singular value u, and off by `SUMMING` of that.
    """
    slope, floor = 1.0 if fresh else facts[GATHERED], max(facts[FLOOR], 1e-30)
    u, cancelled = facts[TOP], 0.0
    for i in range(count):
        harm = GAIN * settings[SUMMING] * (min(slope, 1 / floor) ** 2 + cancelled)
        if harm > 0.5 * settings[ACCURACY] and (i > 0 or not fresh):
            return i
        slope *= plan[i, 0] * (facts[TOP] if fresh and i == 0 else 1.0)
        cancelled = max(cancelled, (abs(plan[i, 0]) * u + abs(plan[i, 1]) * u**3 + abs(plan[i, 2]) * u**5) ** 2)
        u = 1 + errors[chain, i]
    return count


@shared()
def _turned(nodes: Any, fresh: bool, settings: Any, facts: Any) -> Any:
    """Estimate the square of what rounding turns the directions by, relative to m; the part that lasts goes to facts.

    Entries are off by e = rounding |X|_F / sqrt(m n), which turns direction i by about e sqrt(n/2) / sigma_i.
    Directions that a later look still finds small were that much smaller at first. Where R only follows, unless
    `fresh`, it is off by `SUMMING`, which turns a direction by that over the square of what its singular value was when
    X was formed.
    """
    size = settings[ROUNDING] * facts[SPREAD]
    largest, share, gathered = 0.0, 0.0, 0.0
    for i in range(nodes.shape[1]):
        largest = max(largest, nodes[0, i] * (nodes[1, i] > 0))
    for i in range(nodes.shape[1]):
        share += nodes[1, i] * 0.5 * (size / max(nodes[0, i], 0.05 * largest)) ** 2
        if facts[STEPS] > 0 and nodes[2, i] < SMALL:
            sigma = max(nodes[2, i], 1e-30)
            share += nodes[3, i] * min(0.5 * (size * facts[SLOPE] / sigma) ** 2, 1.0)
            if not fresh:
                off = GAIN * settings[SUMMING] * (facts[GATHERED] / sigma) ** 2
                gathered += nodes[3, i] * min(0.5 * off**2, 1.0)
    facts[TURNED] = max(facts[TURNED], share)
    return share + gathered
