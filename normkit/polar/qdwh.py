"""QDWH: X <- X (a I + b X'X)(I + c X'X)^-1 with weights from the measured spectrum, in the precision each step needs.

Rounding. A step by Cholesky with unit roundoff u leaves the factor it converges to wrong by

    ||T - polar(X)||_F / sqrt(rank)  <=  0.3 u c  +  0.2 u / l',

l' being the smallest singular value after it. The first term is the rounding of I + c X X': an error of u c in
directions (i, j) reaches the result times a s_j / ((1 + c s_i^2)(1 + c s_j^2)(s_i' + s_j')), at most about 1/2 at
s = 1/sqrt(c), whatever smaller singular values there are. The second is the rounding of the new iterate, which the
polar factor amplifies by 1/(2 l'). Measured on log-spaced, clustered, half tiny and one-tiny spectra of condition 1e2
to 1e5, the first constant lies between 0.0005 (one tiny) and 0.28 (half tiny), the second between 0.02 and 0.17. This
error is skew where what a truncated iteration leaves is symmetric, so that the two add as squares and each may take 0.7
of the accuracy. So float32 serves a step whose weights keep the sum below that; other steps run in float64, there with
c bounded by the same rule. The QR form needs no bound on c, but costs ten times as much as a step by Cholesky.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from normkit.polar.cholesky import (
    add_symmetric,
    factor,
    gram,
    multiply,
    rowwise,
    solve,
    solve_lower,
    tiled_threads,
)
from normkit.polar.zolotarev import Weights, bounded_weights, weights

Matrix = NDArray[Any]
Form = Literal["auto", "cholesky", "qr"]

ROUNDOFF = {np.dtype(np.float32): 2.0**-24, np.dtype(np.float64): 2.0**-53}
SHARE = 0.7
"""Share of the accuracy that rounding, and that truncation, may take: their squares add to at most 1."""
DOUBTS = (0.1, 1e-3, 0.0)
"""Shares of an estimated smallest singular value that are tried in turn where it turns out to be too high."""
NEAR = 0.7
"""Smallest singular value from which a cubic step may be the last."""
MOST_STEPS = 40
PROBES = 32
LONG = 2.0
"""Ratio of the sides from which a reduction to the short side saves products."""


@dataclass(frozen=True)
class Iterations:
    """What a method did.

    Attributes
    ----------
    steps : int
        Steps of the iteration; 0 for a factorization.
    flops : float
        Operations, a multiplication and an addition counting as two.
    residual : float
        Estimate of ||I - T T'||_F / sqrt(min(m, n)) of the result, from random probes or a bound of the last step.
    """

    steps: int
    flops: float
    residual: float


class _Count:
    """Operations so far."""

    def __init__(self) -> None:
        self.steps, self.flops = 0, 0.0


def attainable(accuracy: float, dtype: np.dtype[Any]) -> float:
    """Return the accuracy, or what the dtype can hold: 4 roundoffs of float32, 32 of float64."""
    return max(accuracy, (4.0 if dtype == np.float32 else 32.0) * ROUNDOFF[dtype])


def rounding(c: float, image: float, u: float) -> float:
    """The model of the module: 0.3 u c + 0.2 u / l'."""
    return 0.3 * u * c + 0.2 * u / image


def largest_c(accuracy: float, u: float, size: int) -> float:
    """Return the c up to which rounding stays below the accuracy, and I + c X X' numerically positive definite."""
    return max(min(SHARE * accuracy / (0.3 * u), 1.0 / (8.0 * u * math.sqrt(size))), 16.0)


def qdwh(
    X: Matrix,
    out: Matrix,
    *,
    lower: float,
    upper: float = 1.0,
    accuracy: float = 0.0,
    form: Form = "auto",
    floor: float = 0.0,
) -> Iterations:
    """The polar factor U V' by dynamically weighted Halley steps.

    Parameters
    ----------
    X : C-ordered array (m, n), float32 or float64
        Finite, of entries near 1 and full rank; not changed.
    out : C-ordered array (m, n) of X's dtype
        Receives the factor; must not overlap X.
    lower : float
        Estimate of the smallest singular value. Too small a number costs steps; so does too large a one, since what is
        not yet orthogonal is noticed and worked on.
    upper : float
        Bound of the largest singular value.
    accuracy : float
        ||out - U V'||_F / sqrt(min(m, n)) asked for, by default working precision. In float32 steps run in float64
        where they must.
    floor : float
        Share of `upper`: where singular values below it must be there, the steps by Cholesky end in an error.
    form : "auto", "cholesky" or "qr"
        "qr" takes every step by a Householder factorization in float64; the other two are steps by Cholesky.

    Returns
    -------
    Iterations

    Raises
    ------
    numpy.linalg.LinAlgError
        If the iteration does not converge: X is rank deficient, or has singular values below `floor`, or one above
        `upper`.

    Notes
    -----
    Nakatsukasa, Bai, Gygi, SIAM J. Matrix Anal. Appl. 31 (2010) 2700; Nakatsukasa, Higham, SIAM J. Sci. Comput. 35
    (2013) A1325. The last step is the cubic Newton-Schulz step where a measured ||(I - R)^2||_F allows it. A side twice
    as long as the other is first reduced: X X' = L L' in float64, T = polar(L) L^-1 X.
    """
    short, count = min(X.shape), _Count()
    goal = attainable(accuracy, X.dtype)
    start = min(max(lower / upper, 1e-30), 1.0)
    with tiled_threads():
        if form == "qr":
            residual = _by_qr(X, out, start, upper, goal, count)
        elif max(X.shape) >= LONG * short:
            residual = _reduced(X, out, start, upper, goal, count, floor)
        else:
            residual = _steps(X, out, start, upper, goal, count, floor)
    return Iterations(count.steps, count.flops, residual)


def _steps(
    X: Matrix,
    out: Matrix,
    l: float,  # noqa: E741
    upper: float,
    goal: float,
    count: _Count,
    floor: float,
) -> float:
    """Steps by Cholesky until the residual fits; l is relative to `upper`."""
    short, volume = min(X.shape), float(X.size) * min(X.shape)
    doubts = [min(l, max(l * share, floor, ROUNDOFF[X.dtype])) for share in DOUBTS]
    scale, Y = 1.0 / upper, X
    residual = math.inf
    while count.steps < MOST_STEPS:
        w, dtype = _plan(l, goal, out.dtype, short, narrow=Y.dtype == np.float32)
        Y = Y if Y.dtype == dtype else _cast(Y, dtype)
        R = np.zeros((short, short), dtype)
        gram(Y, R)
        count.flops += volume
        if count.steps and l > NEAR:
            found, left = _look(Y, R, l)
            if _polish(Y, R, out, found, left, goal):
                count.steps, count.flops = count.steps + 1, count.flops + 2.0 * volume
                return 2.0 * left
        Y = _halley(Y, R, w, scale)
        count.flops += 2.0 * volume + short**3 / 3.0
        count.steps += 1
        doubts = [min(w(doubt), 1.0) for doubt in doubts]
        l, scale = min(w(l), 1.0), 1.0  # noqa: E741
        if 1.0 - l <= 30.0 * goal:
            sure = 1.0 - l <= SHARE * goal
            residual = probe(Y)
            if residual <= (2.0 if sure else 2.0 * SHARE) * goal:
                _store(Y, out)
                return residual
            if sure:  # the estimate was too high
                if floor and not doubts:
                    break
                l = doubts[0] if len(doubts) == 1 and not floor else doubts.pop(0)  # noqa: E741
    raise np.linalg.LinAlgError(
        f"QDWH left a residual of {residual:.1e} after {count.steps} steps; is the matrix rank deficient? "
        "Use normkit.polar.exact."
    )


def _plan(l: float, goal: float, kept: np.dtype[Any], short: int, narrow: bool) -> tuple[Weights, np.dtype[Any]]:  # noqa: E741
    """Choose the weights of a step, and float32 if the model allows it and the result is kept in it.

    `narrow` says that the iterate is float32 already: otherwise it is rounded before the step as well as after it.
    """
    best = weights(l)
    if kept == np.float32:
        u = ROUNDOFF[kept]
        stored = 0.5 * best(l) if narrow else min(l, 0.5 * best(l))
        bounded = bounded_weights(l, largest_c(goal - 0.2 * u / (SHARE * stored), u, short))
        if bounded(l) >= 0.5 * best(l) and rounding(bounded.c, stored, u) <= 1.001 * SHARE * goal:
            return bounded, kept
    double = np.dtype(np.float64)
    return bounded_weights(l, largest_c(goal, ROUNDOFF[double], short)), double


def _cast(Y: Matrix, dtype: np.dtype[Any]) -> Matrix:
    other = np.empty(Y.shape, dtype)
    rowwise(Y, lambda rows: np.copyto(other[rows], Y[rows], casting="same_kind"))
    return other


def _store(Y: Matrix, out: Matrix) -> None:
    rowwise(Y, lambda rows: np.copyto(out[rows], Y[rows], casting="same_kind"))


def _halley(Y: Matrix, R: Matrix, w: Weights, scale: float) -> Matrix:
    """s Y (b/c + (a - b/c)(I + c s^2 Y'Y)^-1), R = Y Y' by its lower triangle, which is overwritten."""
    diagonal = np.einsum("ii->i", R)
    diagonal += R.dtype.type(1.0 / (w.c * scale * scale))
    if not factor(R):
        raise np.linalg.LinAlgError("I + c X X' is not positive definite in working precision; `upper` is too small")
    kept, solved = R.dtype.type(w.b / w.c * scale), R.dtype.type((w.a - w.b / w.c) / (w.c * scale))
    Z = np.empty(Y.shape, Y.dtype)
    rowwise(Y, lambda rows: np.multiply(Y[rows], solved, out=Z[rows]))
    solve(R, Z)
    rowwise(Y, lambda rows: _add_scaled(Z[rows], kept, Y[rows]))
    return Z


def _add_scaled(Z: Matrix, weight: Any, Y: Matrix) -> None:
    """Z <- Z + factor Y in pieces that stay in cache."""
    step = max(1, 16384 // Y.shape[1])
    for i in range(0, len(Z), step):
        Z[i : i + step] += weight * Y[i : i + step]


@dataclass(frozen=True)
class _Look:
    """The best scale s of E = I - s R, the norm ||E||_F / sqrt(m), and `lift`, which centres the cubic step.

    With x^2 = 1 - e, x (1 + e/2) = 1 - 3/8 e^2 + O(e^3): adding 3/8 times the mean of e^2 leaves its deviation.
    """

    scale: float
    spread: float

    @property
    def lift(self) -> float:
        """1 + 3/8 of the mean of e^2."""
        return 1.0 + 0.375 * self.spread**2


def _look(Y: Matrix, R: Matrix, l: float) -> tuple[_Look, float]:  # noqa: E741
    """Measure E = I - s R for the s that makes it smallest, and estimate what the cubic step leaves of it.

    Probes estimate it without trusting l; if one direction dominates they may find two thirds of it, so that the bound
    ||E||_2 ||E||_F, which trusts l, is taken up to there.
    """
    m, lowest = len(R), l * l
    d = R.diagonal().astype(np.float64)
    off = _below_diagonal(R)
    s = float(d.sum() / (off + (d * d).sum()))
    spread = math.sqrt((s * s * off + float(((1.0 - s * d) ** 2).sum())) / m)
    bound = max(1.0 - s * lowest, s - 1.0) * spread
    V = np.random.default_rng(0).standard_normal((m, PROBES)).astype(R.dtype)
    for _ in range(2):
        W = V.copy()
        add_symmetric(-s, R, V, W)
        V = W
    found = norm(V) / math.sqrt(PROBES * m)
    square = max(found, min(bound, 1.5 * found)) ** 2
    return _Look(s, spread), 0.375 * math.sqrt(max(square - spread**4, 0.2 * square))


def _below_diagonal(R: Matrix) -> float:
    """Sum of squares off the diagonal; above it R holds zeros."""
    diagonal = np.einsum("ii->i", R)
    kept = diagonal.copy()
    diagonal[:] = 0
    total = 2.0 * sum(float(np.square(rows, dtype=rows.dtype).sum(dtype=np.float64)) for rows in np.array_split(R, 16))
    diagonal[:] = kept
    return total


def _polish(Y: Matrix, R: Matrix, out: Matrix, found: _Look, left: float, goal: float) -> bool:
    """out <- sqrt(s) (lift Y + E Y / 2), E = I - s R, if what that leaves is below the accuracy.

    The correction is a product in float32 also for float64, if its rounding 0.5 u ||E||_F / sqrt(m) does not count.
    """
    if left > SHARE * goal:
        return False
    root, single = math.sqrt(found.scale), np.dtype(np.float32)
    kept = R.dtype.type(root * found.lift)
    narrow = ROUNDOFF[single] * found.spread <= 0.25 * goal
    dtype = single if narrow else R.dtype
    R *= R.dtype.type(-found.scale)
    np.einsum("ii->i", R)[:] += 1
    E, base = _cast(R, dtype), _cast(Y, dtype)
    correction = np.zeros(Y.shape, dtype)
    add_symmetric(0.5 * root, E, base, correction)
    rowwise(Y, lambda rows: np.add(Y[rows] * kept, correction[rows], out=out[rows], casting="same_kind"))
    return True


def norm(A: Matrix) -> float:
    """||A||_F; numpy.linalg.norm calls NumPy's own BLAS, whose threads go on spinning beside those of SciPy's."""
    return math.sqrt(float(np.square(A, dtype=np.float64).sum()))


def probe(Y: Matrix) -> float:
    """Estimate ||I - Y Y'||_F / sqrt(m) from products with a few random vectors."""
    from scipy.linalg import blas

    gemm, wide = blas.sgemm if Y.dtype == np.float32 else blas.dgemm, Y.shape[0] <= Y.shape[1]
    short = min(Y.shape)
    V = np.asfortranarray(np.random.default_rng(1).standard_normal((short, PROBES)), Y.dtype)
    across = gemm(1.0, Y.T, V, trans_a=not wide)  # Y.T is in Fortran's order: nothing is copied
    rest = gemm(-1.0, Y.T, across, beta=1.0, c=V, trans_a=wide)
    return norm(rest) / math.sqrt(PROBES * short)


def _reduced(
    X: Matrix,
    out: Matrix,
    l: float,  # noqa: E741
    upper: float,
    goal: float,
    count: _Count,
    floor: float,
) -> float:
    """T = polar(L) L^-1 X with X X' = L L'; a second Cholesky factorization where the first is not orthogonal enough.

    L^-1 X is orthogonal to u/l^2 (Yamamoto et al., Electron. Trans. Numer. Anal. 44 (2015) 306). Then polar(L) L^-1, of
    the small side, is multiplied with X once, where its norm 1/l does not spoil that product.
    """
    short, volume = min(X.shape), float(X.size) * min(X.shape)
    single = X.dtype == np.float32 and ROUNDOFF[X.dtype] / (l * l) <= SHARE * goal
    dtype = X.dtype if single else np.dtype(np.float64)
    u = ROUNDOFF[dtype]
    if u * short / (l * l) >= 0.1:
        return _steps(X, out, l, upper, goal, count, floor)
    Y = _cast(X, dtype) if X.dtype != dtype else X
    L = np.zeros((short, short), dtype)
    gram(Y, L)
    count.flops += volume + short**3 / 3.0
    if not factor(L):
        return _steps(X, out, l, upper, goal, count, floor)
    if u / (l * l) > SHARE * goal:
        Q, L2 = Y.copy(), np.zeros((short, short), dtype)
        solve_lower(L, Q)
        gram(Q, L2)
        factor(L2)
        count.flops += 2.0 * volume
        Y, L = Q, _lower_product(L, L2)
    else:
        L2 = L
    P = np.empty((short, short), dtype)
    resolved = math.sqrt(u / (SHARE * goal)) if L2 is L else math.sqrt(10.0 * u * short)
    try:
        residual = _steps(L, P, l, upper, goal, count, max(floor, resolved))
    except np.linalg.LinAlgError:  # a singular value that X X' does not show
        return _steps(X, out, l, upper, goal, count, floor)
    _right_solve(L2, P)
    rough = X.dtype == np.float32 and ROUNDOFF[X.dtype] / l <= SHARE * goal
    kept = X.dtype if rough else dtype
    P, Y = P.astype(kept, copy=False), Y if Y.dtype == kept else X
    if out.dtype == kept:
        multiply(P, Y, out)
    else:
        product = np.empty(X.shape, kept)
        multiply(P, Y, product)
        out[...] = product
    count.flops += 2.0 * volume
    return residual


def _lower_product(L: Matrix, L2: Matrix) -> Matrix:
    """L L2, both lower triangular."""
    from scipy.linalg import blas

    trmm = blas.strmm if L.dtype == np.float32 else blas.dtrmm  # (L L2)' = L2' L', of which Fortran sees the upper ones
    return np.asarray(trmm(1.0, L2.T, np.asfortranarray(np.tril(L).T))).T


def _right_solve(L: Matrix, P: Matrix) -> None:
    """P <- P L^-1."""
    import scipy.linalg

    P[...] = scipy.linalg.solve_triangular(L.T, P.T, lower=False, check_finite=False).T


def _by_qr(X: Matrix, out: Matrix, l: float, upper: float, goal: float, count: _Count) -> float:  # noqa: E741
    """[sqrt(c) Y; I] = [Q1; Q2] R, Y <- (b/c) Y + (a - b/c) Q1 Q2' / sqrt(c), in float64 with n >= m."""
    wide = X.shape[0] <= X.shape[1]
    Y = np.array(X.T if wide else X, np.float64, order="F") / upper
    doubts, residual = [min(l, max(l * share, ROUNDOFF[X.dtype])) for share in DOUBTS], math.inf
    while count.steps < MOST_STEPS:
        w = weights(l)
        Y *= w.b / w.c
        Y += (w.a - w.b / w.c) * regularized(Y * (w.c / w.b), 1.0 / w.c) / w.c
        count.steps += 1
        count.flops += X.size * min(X.shape) * 4.0 * (1.0 + min(X.shape) / max(X.shape))
        doubts, l = [min(w(doubt), 1.0) for doubt in doubts], min(w(l), 1.0)  # noqa: E741
        if 1.0 - l <= SHARE * goal:
            residual = probe(Y.T)
            if residual <= 2.0 * goal:
                out[...] = Y.T if wide else Y
                return residual
            l = doubts.pop(0) if len(doubts) > 1 else doubts[0]  # noqa: E741
    raise np.linalg.LinAlgError(
        f"QDWH by QR left a residual of {residual:.1e} after {count.steps} steps; is the matrix rank deficient? "
        "Use normkit.polar.exact."
    )


def regularized(A: Matrix, shift: float) -> Matrix:
    """A (A'A + c I)^-1 = Q1 Q2' / sqrt(c) with [A; sqrt(c) I] = [Q1; Q2] R, A (n, m) Fortran-ordered with n >= m."""
    from scipy.linalg import blas, lapack

    long, short = A.shape
    stack = np.zeros((long + short, short), order="F")
    stack[:long] = A
    np.einsum("ii->i", stack[long:])[:] = math.sqrt(shift)
    size = int(lapack.dgeqrf_lwork(long + short, short)[0])
    packed, tau, _, _ = lapack.dgeqrf(stack, lwork=size, overwrite_a=1)
    Q, _, _ = lapack.dorgqr(packed, tau, lwork=size, overwrite_a=1)
    halves = np.asfortranarray(Q[:long]), np.asfortranarray(Q[long:])
    return np.asarray(blas.dgemm(1.0 / math.sqrt(shift), *halves, trans_b=1))
