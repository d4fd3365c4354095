"""S14: the modular norm of a linear network bounds, to first order, how far its output moves."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

import normkit as nk
from normkit.modular import Linear, Module
from normkit.studies.kit.claims import Claim, below, measured, within
from normkit.studies.kit.outcome import Table
from normkit.studies.kit.study import Run

Matrix = NDArray[np.float64]
WIDTHS, MASSES = (20, 30, 40, 10), (1.0, 2.0, 0.5)
DRAWS = 300
SCALES = (3.5, 1.75, 7.0)
"""Sum of the masses over each of them: what the recursion of masses gives without sensitivities."""


def network() -> Module:
    """Return the network as a tree of modules; its norm is that of the recursion of masses and sensitivities."""
    first, second, third = (
        Linear(f"W{k}", out, into, mass=mass)
        for k, (into, out, mass) in enumerate(zip(WIDTHS[:-1], WIDTHS[1:], MASSES, strict=True))
    )
    return third @ second @ first


def weights(rng: Generator) -> list[Matrix]:
    """Return weights with orthonormal rows or columns times sqrt(out/in): of norm 1 from rms to rms."""
    made = []
    for into, out in pairwise(WIDTHS):
        Q = np.linalg.qr(rng.standard_normal((max(out, into), min(out, into))))[0]
        made.append((out / into) ** 0.5 * (Q if out >= into else Q.T))
    return made


def _rms(x: Matrix) -> float:
    return float(np.sqrt(np.mean(x**2)))


def moved(W: list[Matrix], dW: list[Matrix], x: Matrix) -> Matrix:
    """Return the derivative of W_3 W_2 W_1 x along dW, by the product rule."""
    return np.asarray(dW[2] @ W[1] @ W[0] @ x + W[2] @ dW[1] @ W[0] @ x + W[2] @ W[1] @ dW[0] @ x)


def shares(rng: Generator, draws: int) -> dict[str, list[float]]:
    """Return |df|_RMS / N(dW) of random dW, of those with s_l N_l = 1 in all layers, and of what a functional wants."""
    norm, W = network().norm(), weights(rng)
    names = list(norm.parts)
    made: dict[str, list[float]] = {"random": [], "level": [], "asked": [], "difference": []}
    for _ in range(draws):
        x = rng.standard_normal(WIDTHS[0])
        x /= _rms(x)
        dW = [rng.standard_normal(w.shape) for w in W]
        made["random"].append(_rms(moved(W, dW, x)) / float(norm(dict(zip(names, dW, strict=True)))))
        level = [d / float(nk.value(norm.parts[name], d)) for name, d in zip(names, dW, strict=True)]
        made["level"].append(_rms(moved(W, level, x)))
        y = rng.standard_normal(WIDTHS[-1])
        hidden = [x, W[0] @ x, W[1] @ W[0] @ x]
        back = [W[1].T @ W[2].T @ y, W[2].T @ y, y]
        G = {name: np.outer(b, h) for name, b, h in zip(names, back, hidden, strict=True)}
        best = nk.dualize(norm, G)
        made["asked"].append(_rms(moved(W, [best[name] for name in names], x)))
        finite = [w + 1e-6 * d for w, d in zip(W, dW, strict=True)], [w - 1e-6 * d for w, d in zip(W, dW, strict=True)]
        quotient = [each[2] @ each[1] @ each[0] @ x for each in finite]
        difference = (quotient[0] - quotient[1]) / 2e-6 - moved(W, dW, x)
        made["difference"].append(_rms(difference) / _rms(moved(W, dW, x)))
    return made


def parts(at: Run) -> Iterator[Claim | Table]:
    """Yield the scales of the network and the shares of its bound."""
    tree = network()
    (found,) = at.cells.map("network", shares, [(at.pick(100, DRAWS),)])
    scales = [float(scale) for scale in tree.scales.values()]
    rows = [[f"{out} x {into}", mass, scale] for into, out, mass, scale in zip(WIDTHS, WIDTHS[1:], MASSES, scales,
                                                                              strict=False)]  # fmt: skip
    yield Table("network", "A linear network, its masses, and the scales s_l of its modular norm",
                ("layer", "mass", "scale"), rows)  # fmt: skip
    yield within("S14.scales", "the scales of the modular norm are the sum of the masses over each", scales,
                 list(SCALES), 0.0, confidence="exact")  # fmt: skip
    top = {name: float(np.max(each)) for name, each in found.items()}
    yield below("S14.bound", "|df|_RMS is at most N(dW), to first order: largest shares of random dW, without and "
                "with s_l N_l the same in all layers", [top["random"], top["level"]], 1.0,
                confidence="random dW and x")  # fmt: skip
    yield below("S14.asked", "also for the dW that moves a functional of the output the most: largest share",
                top["asked"], 1 + 1e-12, confidence="random functionals and x")  # fmt: skip
    yield below("S14.first", "df by the product rule is the difference quotient of the network: relative difference",
                top["difference"], 1e-7, confidence="difference quotients")  # fmt: skip
    yield measured("S14.shares", "mean shares of the bound",
                   {name: float(np.mean(found[name])) for name in ("random", "level", "asked")},
                   confidence=f"{len(found['random'])} draws")  # fmt: skip
