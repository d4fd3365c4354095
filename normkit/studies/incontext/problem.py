r"""A linear transformer of one layer that regresses in context: its loss and gradient in closed form, and by prompts.

A prompt is x_1, ..., x_N, x_q ~ N(0, Lambda) with y_i = w'x_i, w ~ N(0, I); with h = mean(y_i x_i) the layer predicts
x_q' W h, and L(W) = 1/2 E (x_q' W h - w'x_q)^2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
KAPPAS, LENGTHS, SIZE = (1, 10, 100, 1000), (20, 40, 200), 20
"""Condition numbers of the covariance, prompt lengths, and the dimension of S27."""
CELLS = tuple((kappa, length) for kappa in KAPPAS for length in LENGTHS)


@dataclass(frozen=True)
class Problem:
    r"""The covariance Lambda (d, d) of the inputs and the prompt length N.

    Gamma = (1 + 1/N) Lambda + (tr Lambda/N) I, which has E h h' = Lambda Gamma; the minimizer is its inverse.
    """

    covariance: Floats
    length: int

    @property
    def gamma(self) -> Floats:
        """Gamma."""
        identity = np.eye(len(self.covariance))
        return np.asarray((1 + 1 / self.length) * self.covariance + np.trace(self.covariance) / self.length * identity)

    def loss(self, W: Floats) -> float:
        """Return 1/2 tr[Lambda (W Gamma Lambda W' - W Lambda - Lambda W' + I)]."""
        cov, gamma = self.covariance, self.gamma
        return float(np.trace(cov @ (W @ gamma @ cov @ W.T - W @ cov - cov @ W.T + np.eye(len(cov))))) / 2

    def gradient(self, W: Floats) -> Floats:
        """Return Lambda (W Gamma - I) Lambda."""
        return np.asarray(self.covariance @ (W @ self.gamma - np.eye(len(self.covariance))) @ self.covariance)

    def prompts(self, W: Floats, draw: np.random.Generator, count: int) -> tuple[Floats, Floats]:
        """Return the losses (count,) and the gradients (count, d, d) of `count` random prompts."""
        d = len(self.covariance)
        root = np.linalg.cholesky(self.covariance)
        x = draw.standard_normal((count, self.length, d)) @ root.T
        query = draw.standard_normal((count, d)) @ root.T
        w = draw.standard_normal((count, d))
        h = np.einsum("pni,pn->pi", x, np.einsum("pni,pi->pn", x, w)) / self.length
        miss = np.einsum("pi,pi->p", query @ W, h) - np.einsum("pi,pi->p", query, w)
        return miss**2 / 2, miss[:, None, None] * query[:, :, None] * h[:, None, :]


@dataclass(frozen=True)
class Spectrum:
    """The same problem where Lambda and W are diagonal: d numbers each, lambda from 1/kappa to 1 in equal ratios."""

    kappa: float
    length: int

    @property
    def values(self) -> Floats:
        """The eigenvalues lambda of Lambda."""
        return np.geomspace(1 / self.kappa, 1, SIZE)

    @property
    def gamma(self) -> Floats:
        """The eigenvalues of Gamma."""
        return np.asarray((1 + 1 / self.length) * self.values + self.values.sum() / self.length)

    @property
    def curvature(self) -> Floats:
        """The second derivatives lambda^2 gamma of the loss along the diagonal."""
        return np.asarray(self.values**2 * self.gamma)

    @property
    def far(self) -> float:
        """The largest entry of the minimizer, and the unit of errors."""
        return float(np.max(1 / self.gamma))

    def turned(self, basis: Floats) -> tuple[Problem, Floats]:
        """Return the problem in another orthonormal basis, and its minimizer."""
        return Problem((basis * self.values) @ basis.T, self.length), (basis / self.gamma) @ basis.T


def basis(draw: np.random.Generator) -> Floats:
    """Return a random orthogonal matrix."""
    return np.asarray(np.linalg.qr(draw.standard_normal((SIZE, SIZE)))[0])
