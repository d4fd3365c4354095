"""The constrained problem: its warm-up, its reduction to singular values, and its optimum against candidates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from scipy.optimize import linprog

import normkit as nk
from normkit.studies.kit.claims import Claim, below, check, largest, within
from normkit.studies.kit.outcome import Table
from normkit.studies.kit.study import Run
from normkit.studies.optimality.candidates import RADIUS, SHAPES, Matrices, inside, nearby


def bound(m: int, n: int) -> float:
    """Return eta sqrt(m/n), the largest singular value that the ball allows."""
    return float(RADIUS * (m / n) ** 0.5)


def posed(at: Run, m: int, n: int) -> tuple[Matrices, Matrices]:
    """Return the gradient that the study takes for a shape, and the library's solution."""
    return drawn(at.rng("gradient", m, n), m, n)


def drawn(rng: Generator, m: int, n: int) -> tuple[Matrices, Matrices]:
    """Return a Gaussian gradient, and the library's solution of min <G, X> over N(X) <= eta."""
    G = rng.standard_normal((m, n))
    return G, np.asarray(nk.lmo("rms->rms", G, radius=RADIUS))


def parts(at: Run) -> Iterator[Claim | Table]:
    """Yield the claims about the warm-up, the reduction and the optimum."""
    yield from _warm_up(at)
    yield from _reduction(at)
    found = at.cells.map("candidates", shares, [(m, n, at.pick(5_000, 100_000)) for m, n in SHAPES])
    rows = [[f"{m} x {n}", *each.values()] for (m, n), each in zip(SHAPES, found, strict=True)]
    yield Table("candidates", "<-G, X> of feasible X, as a share of eta sqrt(m/n) |G|_nuc",
                ("shape", "candidates of each kind", "random, best", "random, median", "near the optimum, best",
                 "value of the optimum", "nearest random candidate"), rows,
                note="the last column is the distance from the optimum over its Frobenius norm")  # fmt: skip
    best = [largest(each["random"], each["near"]) for each in found]
    yield below("S10.optimum", "no feasible X is better than -eta sqrt(m/n) UV', as a share of its value", best,
                1 + 1e-14, confidence="random and perturbed candidates")  # fmt: skip
    yield within("S10.value", "the optimal value is -eta sqrt(m/n) |G|_nuc", [each["value"] for each in found], 1.0,
                 1e-14, confidence="relative")  # fmt: skip


def shares(rng: Generator, m: int, n: int, count: int) -> dict[str, float]:
    """Return the shares of the optimal value that candidates of both kinds attain."""
    G, best = drawn(rng, m, n)
    exact = bound(m, n) * float(np.sum(np.linalg.svd(G, compute_uv=False)))
    random, near = inside(rng, count, m, n, bound(m, n)), nearby(rng, count, best, bound(m, n))
    value = [-np.einsum("bij,ij->b", X, G) / exact for X in (random, near)]
    distance = np.linalg.norm(random - best, axis=(1, 2)) / np.linalg.norm(best)
    return {
        "count": count,
        "random": float(value[0].max()),
        "median": float(np.median(value[0])),
        "near": float(value[1].max()),
        "value": -float(np.sum(G * best)) / exact,
        "distance": float(distance.min()),
    }


def _warm_up(at: Run) -> Iterator[Claim]:
    """max a'b over |b|_2 <= alpha: b = alpha a/|a|, and whatever is better is too long."""
    rng, alpha = at.rng("warm-up"), 2.0
    a = rng.standard_normal(6)
    length = float(np.sqrt(a @ a))
    b = np.asarray(nk.lmo("l2", -a, radius=alpha))
    yield within("S10.warmup", "warm-up: the best b is alpha a/|a|, of value alpha |a|", [*b, float(a @ b)],
                 [*(alpha * a / length), alpha * length], 1e-14, confidence="exact")  # fmt: skip
    c = b + rng.standard_normal((at.pick(5_000, 100_000), 6)) * 10.0 ** rng.uniform(-4, 1, (at.pick(5_000, 100_000), 1))
    better = c[c @ a > a @ b]
    failed = int(np.sum(np.sqrt(np.sum(better**2, axis=1)) <= alpha))
    yield check("S10.longer", "warm-up: every c with a'c > a'b has |c| > alpha", bool(len(better)) and not failed,
                {"better": len(better), "not longer": failed}, confidence="random c")  # fmt: skip


def _reduction(at: Run) -> Iterator[Claim]:
    """M = -U D V': the problem is a linear program in the diagonal of D, whose solution is a constant vector."""
    identities, spread, values = [], [], []
    for m, n in SHAPES:
        G, best = posed(at, m, n)
        U, sigma, right = np.linalg.svd(G)
        d = at.rng("reduction", m, n).random(min(m, n))
        D = np.zeros((m, n))
        np.fill_diagonal(D, d)
        M = -U @ D @ right
        identities += [float(-np.sum(G * M) - sigma @ d), float(nk.value("rms->rms", M) - (n / m) ** 0.5 * d.max())]
        solved: Any = linprog(-sigma, bounds=[(0.0, bound(m, n))] * len(sigma))
        spread.append(float(np.max(np.abs(solved.x / bound(m, n) - 1))))
        values.append(float(-solved.fun / -np.sum(G * best)))
    yield within("S10.reduction", "with the singular basis of G: <-G, M> = sigma'd, and the norm is sqrt(n/m) max d",
                 identities, 0.0, 1e-14, confidence="exact")  # fmt: skip
    yield within("S10.linear", "the linear program max sigma'd, d_i <= eta sqrt(m/n), has all d_i at the bound", spread,
                 0.0, 1e-12, confidence="solver, relative")  # fmt: skip
    yield within("S10.same", "and its value is that of the matrix problem", values, 1.0, 1e-12,
                 confidence="solver, relative")  # fmt: skip
