"""S11: what part C of the source prints that is not so, or needs a condition, each with numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import normkit as nk
from normkit.studies.duals.layers import TWO, least
from normkit.studies.kit.claims import Claim, conditional, refuted, within


def parts() -> Iterator[Claim]:
    """Yield refuted claims and conditions."""
    yield from _sign()
    yield _singular()
    yield _equal()
    yield _maximum()


def _sign() -> Iterator[Claim]:
    """The objective of the spectral instance at +eta UV' and at -eta UV'."""
    G = np.array([[2.0, 0.0, 1.0], [0.0, -1.0, 1.0]])
    U, sigma, V = np.linalg.svd(G, full_matrices=False)
    eta = float(sigma.sum())
    at = {s: float(np.sum(G * (s * eta * U @ V))) + eta**2 / 2 for s in (1.0, -1.0)}
    yield refuted("S11.sign", "spectral instance: the solution is +eta UV'", at[1.0] > 0, at[1.0] / eta**2, -0.5,
                  confidence="objective over (tr Sigma)^2, lambda = 1; at 0 it is 0")  # fmt: skip
    yield within("S11.minus", "it is -eta UV', of value -(tr Sigma)^2/(2 lambda)",
                 [at[-1.0] / eta**2, float(np.max(np.abs(nk.steepest_descent("spectral", G) + eta * U @ V)))],
                 [-0.5, 0.0], 1e-14, confidence="exact")  # fmt: skip


def _singular() -> Claim:
    """diag(1, 0) has spectral norm 1."""
    T = np.diag([1.0, 0.0])
    sigma = [float(each) for each in np.linalg.svd(T, compute_uv=False)]
    return refuted("S11.ones", "|T|_op = 1, so all singular values of T are 1",
                   float(nk.value("spectral", T)) == 1 and sigma[-1] != 1, sigma, [1, 1],
                   confidence="T = diag(1, 0); only the largest is")  # fmt: skip


def _equal() -> Claim:
    """Change one length by a tenth: with a dual norm of zero, nothing happens."""
    raised = {}
    for name, first in (("all positive", 4.0), ("first is 0", 0.0)):
        d, s = np.array([first, 2.0]), np.array([1.0, 2.0])
        c = float(np.sum(d / s)) / s
        values = [float(-d @ each + np.max(s * each) ** 2 / 2) for each in (c, *(c * [[0.9, 1], [1, 0.9], [0, 1]]))]
        raised[name] = [values[0] - least(d, s, 1.0), *(each - values[0] for each in values[1:])]
    optimal = all(abs(each[0]) < 1e-6 for each in raised.values())
    return conditional("S11.equal", "the minimum is only where all s_l c_l are equal: needs every N_l*(G_l) > 0",
                       optimal and min(raised["all positive"][1:]) > 0, min(raised["first is 0"][1:]) > 0, raised,
                       "above the least value of a solver; rises with c_1 or c_2 a tenth shorter, and c_1 = 0",
                       confidence="exact, two layers")  # fmt: skip


def _maximum() -> Claim:
    """The steps of the same gradients and scales under the maximum and under an l2 sum over the layers."""
    G, scales = {name: g for name, (g, _) in TWO.items()}, {name: s for name, (_, s) in TWO.items()}
    steps = [nk.steepest_descent(nk.Modular(dict.fromkeys(G, "spectral"), outer=outer, scales=scales), G)
             for outer in ("linf", "l2")]  # fmt: skip
    ratios = {name: float(nk.value("spectral", steps[0][name]) / nk.value("spectral", steps[1][name])) for name in G}
    return refuted("S11.max", "the maximum over the layers does not matter for the step",
                   max(ratios.values()) > 2, {f"{name} layer": ratio for name, ratio in ratios.items()}, 1,
                   confidence="lengths under the maximum over those under an l2 sum")  # fmt: skip
