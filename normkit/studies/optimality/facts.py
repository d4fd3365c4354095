"""The RMS operator norm by iteration, and the source's facts 1 to 3: by SymPy for 2 x 2, at random for other shapes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

import normkit as nk
from normkit.studies.kit.claims import Claim, below, check, within
from normkit.studies.kit.study import Run
from normkit.studies.optimality.candidates import SHAPES, Matrices, orthonormal

SQUARINGS = 40


def largest_gain(A: Matrices) -> Matrices:
    """Return the largest |Ax|_RMS / |x|_RMS of each matrix of a batch by power iteration.

    The power is taken by squaring A'A some forty times, so that no gap between singular values is needed.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.optimality.facts import largest_gain
    >>> largest_gain(np.array([[[3.0, 0.0, 0.0, 0.0]]]))
    array([6.])
    """
    power = np.swapaxes(A, 1, 2) @ A
    for _ in range(SQUARINGS):
        power = power @ power / np.linalg.norm(power, axis=(1, 2), keepdims=True) ** 2
    column = np.argmax(np.linalg.norm(power, axis=1), axis=1)
    x = np.take_along_axis(power, column[:, None, None], axis=2)
    return _rms(A @ x) / _rms(x)


def _rms(x: Matrices) -> Matrices:
    return np.asarray(np.sqrt(np.mean(x[..., 0] ** 2, axis=-1)))


def parts(at: Run) -> Iterator[Claim]:
    """Yield the claims about the norm and the facts."""
    count = at.pick(100, 1000)
    gains, sampled, products, norms = [], [], [], []
    for m, n in SHAPES:
        rng = at.rng("facts", m, n)
        A, B = rng.standard_normal((2, count, m, n))
        values = nk.value("rms->rms", A)
        gains.append(float(np.max(np.abs(largest_gain(A) / values - 1))))
        x = rng.standard_normal((count, n, 200))
        each = np.sqrt(np.mean((A @ x) ** 2, axis=1) / np.mean(x**2, axis=1))
        sampled.append(float(np.max(each / values[:, None])))
        U, V = orthonormal(rng, count, m, m), np.swapaxes(orthonormal(rng, count, n, n), 1, 2)
        before, after = np.sum(A * B, axis=(1, 2)), np.sum((U @ A @ V) * (U @ B @ V), axis=(1, 2))
        products.append(float(np.max(np.abs(after - before))))
        norms.append(float(np.max(np.abs(nk.value("rms->rms", U @ A @ V) / values - 1))))
    yield within("S10.fact1", "fact 1: the largest gain of the RMS norm is sqrt(n/m) sigma_1 (power iteration)", gains,
                 0.0, 1e-13, confidence="relative, largest of the draws, a shape")  # fmt: skip
    yield below("S10.gain", "no sampled x is stretched by more, as a share of the norm", sampled, 1 + 1e-14)
    yield check("S10.symbols", "facts 2 and 3 for 2 x 2: <UAV', UBV'> = <A, B>; UAV' has the singular values of A",
                _symbols(), "differences simplify to 0")  # fmt: skip
    yield within("S10.fact2", "fact 2: the Frobenius product does not change under orthogonal matrices", products, 0.0,
                 1e-13, confidence="largest of the draws, a shape")  # fmt: skip
    yield within("S10.fact3", "fact 3: nor does the RMS operator norm", norms, 0.0, 1e-13,
                 confidence="relative, largest of the draws, a shape")  # fmt: skip


def _symbols() -> bool:
    """Check both facts with all entries and both angles symbols: determinant and trace of B'B fix sigma."""
    a, b = sp.Matrix(2, 2, sp.symbols("a:4", real=True)), sp.Matrix(2, 2, sp.symbols("b:4", real=True))
    turns = [sp.Matrix([[sp.cos(t), -sp.sin(t)], [sp.sin(t), sp.cos(t)]]) for t in sp.symbols("s t", real=True)]
    flip = sp.diag(1, -1)
    for U in (turns[0], turns[0] * flip):
        moved, other = U * a * turns[1].T, U * b * turns[1].T
        differences = [
            (moved.T * other).trace() - (a.T * b).trace(),
            (moved.T * moved).trace() - (a.T * a).trace(),
            (moved.T * moved).det() - (a.T * a).det(),
        ]
        if any(sp.simplify(sp.expand(each)) != 0 for each in differences):
            return False
    return True
