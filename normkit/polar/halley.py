"""Halley steps X <- X (a I + b X'X)(I + c X'X)^-1 by Cholesky, and what an iterate shows of its spectrum; compiled.

`arrays` are, in float32 or float64,

    X, Y (m, n), R (m, m), W, room     iterates, Gram matrix, and what `normkit.polar.cholesky` works with
    V, U, T    (m, k), (n, k), (m, k)  probes: k random vectors, and room for their images

with m <= n. Whether the iterate is in X or in Y is in `facts`. All functions are members' shares of what a team does.
Steps are chosen by `normkit.polar.halley_space`, which is all that happens between them.
"""

from __future__ import annotations

from typing import Any

from normkit.backends.cpu.blas import desk as desk_of
from normkit.backends.cpu.blas import times, transposed_times
from normkit.backends.cpu.team import barrier, inner, shared
from normkit.polar.cholesky import factor, solve
from normkit.polar.looks import lanczos, quadrature, total
from normkit.polar.products import gram_by_blas, part

STATUS, STEPS, FLOPS, RESIDUAL, SWAPPED, FORMED, LOWER, UPPER, VERDICT = range(9)
"""Facts: how it ended; steps taken; operations; estimate of |I - T T'|_F / sqrt(m); whether the iterate is in Y;
whether R is its Gram matrix; estimate of its smallest singular value, and of the largest at first; what the last
factorization said."""
FACTS = VERDICT + 1
GOING, CONVERGED, FAILED = 0, 1, 2
GOAL, SURE, ROUGH, LEAST, MOST = range(5)
"""Settings: the accuracy; the share of it that truncation may take; deviation from I up to which the correction of a
cubic step may be made in float32; the smallest singular value that may be there, relative to the largest, or 0; steps
after which the iteration fails."""
NEAR = 0.7
"""Smallest singular value from which a cubic step may be the last."""
EARLY = 30.0
"""How many times the accuracy the smallest singular value may still be off when the residual is measured: most others
are nearer."""
ABOVE = 1.05
"""By how much the largest singular value may pass the largest Ritz value; rational steps take that."""
NOTHING, SEEN = 1e-6, 0.2
"""Shares of the largest: below the first a Ritz value counts as zero, above the second as the smallest singular
value."""
AGAIN = 16
"""Steps of Lanczos on an iterate, whose small singular values lie apart from the others."""
BELOW = 0.6
"""Share of a Ritz value that is taken as the smallest singular value then."""


@shared()
def look(member: int, size: int, state: Any, found: Any, letters: Any, arrays: Any, krylov: Any, facts: Any) -> None:
    """R = X X', and what Lanczos says of the ends of the spectrum; FAILED where X may be singular."""
    X, R = arrays[0], arrays[2]
    start, basis, v, w, alpha, beta, nodes, weights = krylov
    gram_by_blas(desk_of(found, letters, X), member, size, X, R, 1.0, R, 0.0)
    barrier(state, size)
    count = lanczos(member, size, state, R, start, basis, v, w, alpha, beta)
    if member == 0:
        facts[FLOPS] += float(len(R)) * X.size
        facts[FORMED] = 1.0
        lower, upper = ends(alpha, beta, count, nodes, weights, len(R))
        facts[LOWER], facts[UPPER] = lower, upper
        if lower == 0.0:
            facts[STATUS] = FAILED
    barrier(state, size)


@shared()
def ends(alpha: Any, beta: Any, count: int, nodes: Any, weights: Any, m: int) -> Any:
    """Return estimates of the smallest singular value and the largest, from Lanczos on R; 0 where X may be singular.

    Where Lanczos does not find the smallest, a typical one of a square matrix, which is about sigma_1/m, is guessed;
    the iteration notices where that is wrong.
    """
    quadrature(alpha, beta, count, nodes, weights)
    least, most = nodes[0], nodes[0]
    for i in range(1, count):
        least, most = min(least, nodes[i]), max(most, nodes[i])
    largest, smallest = most**0.5, max(least, 0.0) ** 0.5
    lower = min(0.1 * smallest, 0.5 * largest / m)
    if smallest >= SEEN * largest:
        lower = 0.7 * smallest
    elif not smallest > NOTHING * largest:
        lower = 0.0
    return lower, ABOVE * largest


@inner()
def _look_again(member: int, size: int, state: Any, R: Any, krylov: Any, least: Any, settings: Any, facts: Any) -> None:
    """Lower the estimate of the smallest singular value where a Ritz value of an iterate shows that it is too high.

    FAILED where that is below `least`, the image of the smallest that may be there.
    """
    start, basis, v, w, alpha, beta, nodes, weights = krylov
    count = lanczos(member, size, state, R, start, basis, v, w, alpha[:AGAIN], beta[:AGAIN])
    if member == 0:
        quadrature(alpha, beta, count, nodes, weights)
        found = nodes[0]
        for i in range(1, count):
            found = min(found, nodes[i])
        found = max(found, 0.0) ** 0.5
        if found < least and settings[LEAST] > 0.0:
            facts[STATUS] = FAILED
        elif found < facts[LOWER]:
            facts[LOWER] = max(BELOW * found, least)
    barrier(state, size)


@shared()
def advance(
    member: int,
    size: int,
    state: Any,
    found: Any,
    letters: Any,
    arrays: Any,
    krylov: Any,
    weights: Any,
    least: Any,
    sums: Any,
    settings: Any,
    facts: Any,
) -> None:
    """Take a step from s X to Y; or find that a cubic step will do, or that the estimate was too high, R still FORMED.

    `weights` are a, b, c and s.
    """
    X, Y, R, W, room, V, U, T = arrays
    desk = desk_of(found, letters, X)
    if facts[SWAPPED] != 0.0:
        X, Y = Y, X
    m, n = X.shape
    fresh = facts[FORMED] == 0.0
    if fresh:
        gram_by_blas(desk, member, size, X, R, 1.0, R, 0.0)
    barrier(state, size)
    if member == 0 and fresh:
        facts[FLOPS] += float(m) * m * n
        facts[FORMED] = 1.0
    if facts[STEPS] > 0 and fresh:
        lower = facts[LOWER]
        doubtful = lower <= NEAR
        if not doubtful:
            left, square = left_by_cubic(member, size, state, desk, R, V, T, lower * lower, sums)
            barrier(state, size)
            if left <= settings[SURE] * settings[GOAL]:
                if member == 0:
                    facts[STATUS], facts[RESIDUAL] = CONVERGED, 2.0 * left
                barrier(state, size)
                return
            doubtful = square > 1.5 * (1.0 - lower * lower) ** 2
        if doubtful:
            _look_again(member, size, state, R, krylov, least, settings, facts)
            if facts[STATUS] != GOING or facts[LOWER] < lower:
                barrier(state, size)
                return
    _halley(member, size, state, desk, X, Y, R, W, room, weights, facts)
    positive = facts[VERDICT] != 0.0
    a, b, c, _ = weights
    x = facts[LOWER]
    image = min(x * (a + b * x * x) / (1.0 + c * x * x), 1.0)
    measured = positive and 1.0 - image <= EARLY * settings[GOAL]
    residual = probe(member, size, state, desk, Y, V, U, T, sums) if measured else 0.0
    sure = 1.0 - image <= settings[SURE] * settings[GOAL]
    barrier(state, size)
    if member == 0:
        facts[FORMED], facts[SWAPPED], facts[LOWER] = 0.0, 1.0 - facts[SWAPPED], image
        facts[STEPS] += 1
        facts[RESIDUAL] = residual
        if measured and residual <= 2.0 * settings[GOAL] * (1.0 if sure else settings[SURE]):
            facts[STATUS] = CONVERGED
        elif not positive or facts[STEPS] >= settings[MOST]:
            facts[STATUS] = FAILED
    barrier(state, size)


@inner()
def _halley(
    member: int,
    size: int,
    state: Any,
    desk: Any,
    X: Any,
    Y: Any,
    R: Any,
    W: Any,
    room: Any,
    weights: Any,
    facts: Any,
) -> None:
    """Y = s X (b/c + (a - b/c)(I + c s^2 R)^-1), if I + c s^2 R has a Cholesky factor; R is overwritten."""
    (m, n), (a, b, c, s) = X.shape, weights
    first, last = part(m, size, member)
    for i in range(first, last):
        R[i, i] += 1.0 / (c * s * s)
    barrier(state, size)
    factor(member, size, state, desk, R, W, room, facts[VERDICT : VERDICT + 1])
    if facts[VERDICT] != 0.0:
        solve(member, size, desk, R, W, room, X, Y, (a - b / c) / (c * s), b / c * s)
    barrier(state, size)
    if member == 0:
        facts[FLOPS] += 2.0 * m * m * n + float(m) * m * m / 3.0


@inner(fastmath=True)
def _size_of_rows(R: Any, first: int, last: int, sums: Any) -> None:
    """sums[i] = R_ii, and the squares of row i beside it."""
    for i in range(first, last):
        square = 0.0
        for j in range(R.shape[1]):
            square += float(R[i, j]) * float(R[i, j])
        diagonal = float(R[i, i])
        sums[i, 0], sums[i, 1] = diagonal, max(square - diagonal * diagonal, 0.0)


@inner()
def _spread(sums: Any) -> Any:
    """Return the s that makes E = I - s R smallest, and |E|_F / sqrt(m); from the sums of `_size_of_rows`."""
    m, trace, square, off = len(sums), 0.0, 0.0, 0.0
    for i in range(m):
        trace += sums[i, 0]
        square += sums[i, 0] ** 2
        off += sums[i, 1]
    s = trace / (square + off)
    apart = s * s * off
    for i in range(m):
        apart += (1.0 - s * sums[i, 0]) ** 2
    return s, (apart / m) ** 0.5


@inner()
def left_by_cubic(member: int, size: int, state: Any, desk: Any, R: Any, V: Any, T: Any, lowest: Any, sums: Any) -> Any:
    """Estimate what the cubic step leaves of E = I - s R, for the best s, as a deviation from 1; and |E^2|_F / sqrt(m).

    With x^2 = 1 - e, x (1 + e/2) = 1 - 3/8 e^2 + O(e^3); adding 3/8 times the mean of e^2 leaves its deviation from it.
    Probes estimate |E^2|_F without trust in `lowest`, a lower bound of the squared singular values; if one direction
    dominates they may find two thirds of it, so that the bound |E|_2 |E|_F, which trusts it, is taken up to there.
    """
    m = len(R)
    first, last = part(m, size, member)
    _size_of_rows(R, first, last, sums)
    barrier(state, size)
    s, spread = _spread(sums)
    T[first:last] = V[first:last]
    times(desk, R, V, T, (first, last), (0, V.shape[1]), -s, 1.0)
    barrier(state, size)
    for i in range(first, last):  # E (E V), whose rows are only summed
        sums[i, 2] = 0.0
    _probe_again(desk, R, T, s, first, last, sums)
    barrier(state, size)
    found = (total(sums, 2) / (T.shape[1] * m)) ** 0.5
    bound = max(1.0 - s * lowest, s - 1.0) * spread
    square = max(found, min(bound, 1.5 * found)) ** 2
    return 0.375 * max(square - spread**4, 0.2 * square) ** 0.5, found


@inner()
def _probe_again(desk: Any, R: Any, T: Any, s: Any, first: int, last: int, sums: Any) -> None:
    """sums[i, 2] = |row i of (I - s R) T|^2 for this member's rows."""
    image = T[first:last].copy()
    if last > first:
        times(desk, R[first:last], T, image, (0, last - first), (0, T.shape[1]), -s, 1.0)
    for i in range(last - first):
        for j in range(T.shape[1]):
            sums[first + i, 2] += float(image[i, j]) ** 2


@inner()
def probe(member: int, size: int, state: Any, desk: Any, Y: Any, V: Any, U: Any, T: Any, sums: Any) -> Any:
    """Estimate |I - Y Y'|_F / sqrt(m) by the images of a few random vectors."""
    (m, n), k = Y.shape, V.shape[1]
    transposed_times(desk, Y, V, U, part(n, size, member), (0, k), 1.0, 0.0)
    barrier(state, size)
    first, last = part(m, size, member)
    T[first:last] = V[first:last]
    times(desk, Y, U, T, (first, last), (0, k), -1.0, 1.0)
    for i in range(first, last):
        sums[i, 2] = 0.0
        for j in range(k):
            sums[i, 2] += float(T[i, j]) ** 2
    barrier(state, size)
    return (total(sums, 2) / (k * m)) ** 0.5


@shared()
def polish(
    member: int,
    size: int,
    state: Any,
    found: Any,
    letters: Any,
    arrays: Any,
    narrow: Any,
    sums: Any,
    settings: Any,
    facts: Any,
) -> None:
    """Y = sqrt(s) (lift X + E X / 2), E = I - s R: the cubic step that `advance` found to be the last.

    The correction is made in the precision of the other arrays `narrow`, if E is so small that this does not show.
    """
    s, spread = _spread(sums)
    root, lift = s**0.5, 1.0 + 0.375 * spread**2
    X, Y = (arrays[1], arrays[0]) if facts[SWAPPED] != 0.0 else (arrays[0], arrays[1])
    R, m = arrays[2], len(sums)
    rows, columns = part(m, size, member), part(X.shape[1], size, member)
    barrier(state, size)
    if spread > settings[ROUGH]:
        _deviation(R, R, rows, s)
        barrier(state, size)
        _scaled(X, Y, columns, root * lift)
        times(desk_of(found[0], letters, X), R, X, Y, (0, m), columns, 0.5 * root, 1.0)
    else:
        E, Z, correction = narrow[2], narrow[0], narrow[1]
        _deviation(R, E, rows, s)
        for i in range(rows[0], rows[1]):
            Z[i, :] = X[i]
        barrier(state, size)
        times(desk_of(found[1], letters, Z), E, Z, correction, (0, m), columns, 0.5 * root, 0.0)
        _scaled(X, Y, columns, root * lift)
        for i in range(m):
            Y[i, columns[0] : columns[1]] += correction[i, columns[0] : columns[1]]
    barrier(state, size)
    if member == 0:
        facts[STEPS] += 1
        facts[FLOPS] += 2.0 * m * X.size
        facts[SWAPPED] = 1.0 - facts[SWAPPED]
    barrier(state, size)


@inner()
def _deviation(R: Any, E: Any, rows: Any, s: Any) -> None:
    """E = I - s R on some rows; E may be R."""
    for i in range(rows[0], rows[1]):
        source, target = R[i], E[i]
        diagonal = 1.0 - s * source[i]  # in the precision of R: it cancels
        for j in range(len(source)):
            target[j] = -s * source[j]
        target[i] = diagonal


@inner()
def _scaled(X: Any, Y: Any, columns: Any, scale: Any) -> None:
    """Y = scale X on some columns."""
    for i in range(len(X)):
        source, target = X[i, columns[0] : columns[1]], Y[i, columns[0] : columns[1]]
        for j in range(len(source)):
            target[j] = scale * source[j]
