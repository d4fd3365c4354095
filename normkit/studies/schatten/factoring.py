"""Symmetric factorization by Schatten steps: all matrices of a run at once, and the recursion of singular values.

f(X) = 1/4 |X X' - M|_F^2 with M = U diag(l) U', l from 1/kappa to 1 in equal ratios, from X = 1e-3 Q, Q orthogonal.
Such a start has its left singular vectors where those of M are, and every unitarily invariant step keeps them there, so
that X is known by n numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import normkit as nk

Floats = NDArray[np.float64]
SIDE, START, ENOUGH = 32, 1e-3, 1e-6
"""n, the singular values of the start, and the relative error at which a run is done."""


@dataclass(frozen=True)
class Decay:
    """Steps of length first * ratio**t, t = 0, 1, ...: at most `most` of them."""

    first: float
    ratio: float
    most: int


def spec(p: float) -> str:
    """Return the p-mean of the singular values as a norm: all p have the same unit ball along the identity.

    Its dualize map is min(m, n)**(1/p) times that of the Schatten norm.

    Examples
    --------
    >>> import numpy as np
    >>> import normkit as nk
    >>> from normkit.studies.schatten.factoring import spec
    >>> [round(float(nk.value(spec(p), np.eye(3, 5))), 12) for p in (1, 2, 4, np.inf)]
    [1.0, 1.0, 1.0, 1.0]
    """
    if p == 2:
        return "fro/sqrt(Min(m, n))"  # without a decomposition
    return "spectral" if np.isinf(p) else f"schatten({p:g})/Min(m, n)**(1/{p:g})"


def spectrum(kappa: float) -> Floats:
    """Return the eigenvalues of M, the smallest first."""
    return np.geomspace(1 / kappa, 1.0, SIDE)


def turns(rng: np.random.Generator, draws: int) -> Floats:
    """Return orthogonal matrices (draws, n, n), uniform."""
    Q, R = np.linalg.qr(rng.standard_normal((draws, SIDE, SIDE)))
    return np.asarray(Q * np.sign(np.diagonal(R, axis1=-2, axis2=-1))[:, None, :])


def matrices(p: float, kappa: float, decay: Decay, U: Floats, Q: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Yield the matrices X (draws, n, n) and their relative errors (draws,), from the first step on."""
    M = (U * spectrum(kappa)) @ np.swapaxes(U, -1, -2)
    X, norm, size = START * Q, spec(p), np.linalg.norm(spectrum(kappa))
    for t in range(decay.most):
        rest = X @ np.swapaxes(X, -1, -2) - M
        X = X - decay.first * decay.ratio**t * nk.dualize(norm, rest @ X)
        yield X, np.linalg.norm(X @ np.swapaxes(X, -1, -2) - M, axis=(-2, -1)) / size


def numbers(p: float, kappa: float, decay: Decay) -> Iterator[tuple[Floats, Floats]]:
    """Yield the numbers x (1, n) of the recursion that is that of the matrices, and their relative error (1,).

    x_i <- x_i - lr t_i with t the dualize map of the p-mean at g_i = x_i (x_i^2 - l_i); diag(x) stands for X.
    """
    wanted, x = spectrum(kappa), np.full(SIDE, START)
    for t in range(decay.most):
        step = nk.dualize(_mean(p), x * (x * x - wanted))
        x = x - decay.first * decay.ratio**t * step
        yield x[None], np.array([np.linalg.norm(x * x - wanted) / np.linalg.norm(wanted)])


def _mean(p: float) -> str:
    """The p-mean of the entries of a vector, as a norm."""
    return "linf" if np.isinf(p) else f"lp({p:g})/n**(1/{p:g})"


def counts(run: Iterator[tuple[Floats, Floats]]) -> tuple[list[int | None], Floats]:
    """Return when each draw was first done, None if it never was, and the errors by step (steps, draws).

    A run stops where all are done.
    """
    errors: list[Floats] = []
    for _, error in run:
        errors.append(error)
        if np.all(np.min(errors, axis=0) < ENOUGH):
            break
    made = np.array(errors)
    done = made < ENOUGH
    return [int(np.argmax(column)) + 1 if column.any() else None for column in done.T], made
