r"""S30: 1/2 |A X B - C|^2 under PolarGrad's sharp step, Muon's LMO step and gradient descent.

The Hessian is X -> P X Q with P = A'A and Q = BB'. In the Frobenius norm its largest curvature is L, the product of the
largest eigenvalues; in the spectral norm it is L* = sum_i lambda_i(P) lambda_i(Q), both sorted (von Neumann's trace
inequality on sup |A X B|^2 over the orthonormal X; derived for this project). A sharp step of 1/L* lowers f by at least
|G|_nuc^2/(2 L*) >= (mu/L*) (f - f*), so it is linear with factor 1 - mu/L*.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

import normkit as nk
from normkit.optim import SteepestDescent
from normkit.studies.converging import pictures
from normkit.studies.kit.claims import Claim, below, check, measured, refuted, within
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run

Matrix = NDArray[np.float64]
SEED = 42
TIMES = (200, 500, 1000, 2000)
CURVATURE, CONDITION = 6.386e4, 318.0
GAPS = {
    "PolarGrad 0.2/L": (24.5, 2.16, 0.092, 4.7e-4),
    "PolarGrad 0.05/L": (2900.0, 944.0, 390.0, 130.0),
    "Muon 0.1": (540.0, 540.0, 540.0, 540.0),
    "Muon 0.01": (1.4e6, 1.6e5, 135.0, 5.9),
    "Muon 0.1 * 0.99^t": (None, None, None, 124.0),
    "GD 1.9/L": (30.0, 0.14, 1.2e-4, 4.6e-10),
}
"""f - f* at TIMES, where a value is known."""
ROOM = 0.05
SHARES = (0.5, 1.0, 1.5, 1.9, 1.98)
"""Learning rates of sharp steps that are tried, in units of one over the norm's own constant."""
SAFE, LONG, OVER = 1.0, 1.9, 2.02
"""That of the guarantees, a long one, and one above the limit of the guarantees."""
SEEDS = (42, 43, 44)
"""The problem of the source, and two others of its kind."""


class Problem:
    """The quadratic, with its constants; every draw is in the order of the source from one generator."""

    def __init__(self, seed: int = SEED) -> None:
        rng = np.random.default_rng(seed)
        A, B, C = (rng.standard_normal(shape) for shape in ((200, 100), (20, 50), (200, 50)))
        self.A, self.B = A, B
        self.start = rng.uniform(-1, 1, (100, 20))
        self.P, self.Q, self.R = A.T @ A, B @ B.T, A.T @ C @ B.T
        self.best = np.linalg.solve(self.P, np.linalg.solve(self.Q, self.R.T).T)
        p, q = (np.linalg.eigvalsh(each)[::-1] for each in (self.P, self.Q))
        self.largest, self.least = float(p[0] * q[0]), float(p[-1] * q[-1])
        self.spectral = float(np.sum(p[: len(q)] * q))
        self.constants = {"spectral": self.spectral, "fro": self.largest}

    def gradient(self, X: Matrix) -> Matrix:
        """P X Q - A'CB'."""
        return self.P @ X @ self.Q - self.R

    def gap(self, X: Matrix) -> float:
        """f - f*, without the cancellation of a difference."""
        return 0.5 * float(np.sum((self.A @ (X - self.best) @ self.B) ** 2))


def path(problem: Problem, norm: str, steps: int, **options: Any) -> tuple[list[float], list[Matrix]]:
    """Return f - f* and the gradients before every step, and after the last one."""
    optimizer = SteepestDescent(norm, **options)
    X, gaps, gradients = problem.start, [], []
    for step in range(steps + 1):
        gaps.append(problem.gap(X))
        gradients.append(problem.gradient(X))
        if step < steps:
            X = optimizer.step({"X": X}, {"X": gradients[-1]})["X"]
    return gaps, gradients


def sharp(problem: Problem, norm: str, steps: int, share: float) -> list[float]:
    """f - f* under sharp steps of a norm, in units of one over its own constant."""
    return path(problem, norm, steps, convention="sharp", lr=share / problem.constants[norm])[0]


def parts(at: Run) -> Iterator[Claim | Table | Figure]:
    """Yield the table of gaps, the guarantee of the sharp step, and the grid of learning rates."""
    problem, steps = Problem(), at.pick(500, 2000)
    times = [t for t in TIMES if t <= steps]
    L, star = problem.largest, problem.spectral
    gaps = {
        "PolarGrad 0.2/L": sharp(problem, "spectral", steps, 0.2 * star / L),
        "PolarGrad 0.05/L": sharp(problem, "spectral", steps, 0.05 * star / L),
        "Muon 0.1": path(problem, "spectral", steps, lr=0.1)[0],
        "Muon 0.01": path(problem, "spectral", steps, lr=0.01)[0],
        "Muon 0.1 * 0.99^t": path(problem, "spectral", steps, lr=lambda t: 0.1 * 0.99 ** (t - 1))[0],
    }
    gaps["PolarGrad 1.9/L*"], long = path(problem, "spectral", steps, convention="sharp", lr=LONG / star)
    gaps["GD 1.9/L"], slopes = path(problem, "fro", steps, convention="sharp", lr=1.9 / L)
    guaranteed, held = path(problem, "spectral", at.pick(300, 1000), convention="sharp", lr=1 / star)
    yield Table("gaps", "f - f* of the quadratic", ("method", *(f"t = {t}" for t in times)),
                [[name, *(found[t] for t in times)] for name, found in gaps.items()],
                f"L = {L:.4g}, L* = {star:.4g} = {star / L:.3g} L, condition {L / problem.least:.0f}")  # fmt: skip
    yield within("S30.constants", "largest curvature and condition number", [L, L / problem.least],
                 [CURVATURE, CONDITION], [0.5e1, 0.5], confidence="the seed of the source")  # fmt: skip
    pairs = [(gaps[name][t], want) for name, wants in GAPS.items() for t, want in zip(TIMES, wants, strict=True)
             if want is not None and t in times]  # fmt: skip
    yield within("S30.gaps", "f - f* of six runs", [a for a, _ in pairs], [b for _, b in pairs],
                 [ROOM * b for _, b in pairs], confidence="5 %; one seed, that of the source")  # fmt: skip
    yield from _guarantee(problem, guaranteed, held)
    yield from _plateau(gaps)
    yield from _lengths(at)
    runs = {"GD 1.9/L": slopes, "PolarGrad 1/L*": held, "PolarGrad 1.9/L*": long}
    ranks = {name: float(np.median([nuclear_rank(G) for G in found[:300:10]])) for name, found in runs.items()}
    yield measured("S30.rank", "median nuclear rank of the gradient over 300 steps; L*/L, above which the spectral "
                   "guarantee is the larger", ranks | {"L*/L": star / L}, confidence="one seed")  # fmt: skip
    yield Figure("gaps", "f - f* of the quadratic: the sharp step is linear, a constant LMO step ends on a plateau.",
                 pictures.gaps(gaps))  # fmt: skip


def nuclear_rank(G: Matrix) -> float:
    """Return |G|_nuc^2 / |G|_F^2, from 1 to the rank."""
    return float((nk.value("nuclear", G) / nk.value("fro", G)) ** 2)


def _guarantee(problem: Problem, gaps: list[float], gradients: list[Matrix]) -> Iterator[Claim]:
    """Every decrease of the sharp step of 1/L*, over what the descent lemma promises; and the linear rate."""
    L, star = problem.largest, problem.spectral
    promised = np.array([float(nk.value("nuclear", G)) ** 2 / (2 * star) for G in gradients[:-1]])
    won = -np.diff(gaps)
    yield check("S30.decrease", "a sharp step of 1/L* lowers f by at least |G|_nuc^2/(2 L*), at every step",
                bool(np.all(won >= promised * (1 - 1e-9))), {"least ratio": float(np.min(won / promised))}, ">= 1",
                confidence="exact; derived for this project")  # fmt: skip
    linear = gaps[0] * (1 - problem.least / star) ** np.arange(len(gaps))
    yield below("S30.linear", "so f - f* falls at least like (1 - mu/L*)^t: largest ratio",
                float(np.max(np.array(gaps) / linear)), 1 + 1e-9,
                confidence="exact; derived for this project")  # fmt: skip
    X = extreme(problem)
    yield within("S30.attained", "L*/L of X -> P X Q is attained by paired eigenvectors",
                 float(np.sum((problem.A @ X @ problem.B) ** 2)) / L, star / L, 1e-9,
                 confidence="exact; derived for this project")  # fmt: skip


def extreme(problem: Problem) -> Matrix:
    """The X with singular values 1 at which |A X B|^2 is largest."""
    left, right = (np.linalg.eigh(each)[1][:, ::-1] for each in (problem.P, problem.Q))
    return np.asarray(left[:, : right.shape[1]] @ right.T)


def _plateau(gaps: dict[str, list[float]]) -> Iterator[Claim]:
    constant = gaps["Muon 0.1"]
    half = (len(constant) - 1) // 2
    ratio = constant[-1] / constant[half]
    yield refuted("S30.lmo", "an LMO step of constant length converges linearly", ratio > 0.9,
                  f"f - f* over the second half of the run: factor {ratio:.4f}", "below 0.9",
                  confidence="one seed")  # fmt: skip


def _lengths(at: Run) -> Iterator[Claim | Table]:
    """Sharp steps of several lengths on several problems: which norm ends lower, and where steps are too long."""
    steps, seeds = at.pick(500, 1000), at.pick(SEEDS[:1], SEEDS)
    problems = {seed: Problem(seed) for seed in seeds}
    shares = at.pick((SAFE, LONG), SHARES)
    ends = {(norm, seed, share): sharp(problem, norm, steps, share)[-1] for norm in ("spectral", "fro")
            for seed, problem in problems.items() for share in (shares if seed == SEED else (SAFE, LONG))}  # fmt: skip
    yield Table("lengths", f"f - f* after {steps} sharp steps of c/L* (spectral) and of c/L (Euclidean)",
                ("seed", "c", "spectral", "Euclidean"), [[seed, share, end, ends["fro", seed, share]]
                for (norm, seed, share), end in ends.items() if norm == "spectral"])  # fmt: skip
    lead = {share: [ends["spectral", seed, share] / ends["fro", seed, share] for seed in seeds]
            for share in (SAFE, LONG)}  # fmt: skip
    how = f"{len(seeds)} problems of one kind, {steps} steps"
    yield check("S30.safe", "with steps of 1/L* and 1/L gradient descent ends below the spectral sharp step",
                min(lead[SAFE]) > 1, lead[SAFE], "> 1", confidence=how)  # fmt: skip
    yield refuted("S30.order", "gradient descent does so whatever the length: also with 1.9/L* and 1.9/L",
                  max(lead[LONG]) < 1, lead[LONG], "> 1", confidence=how)  # fmt: skip
    grown = []
    for problem in problems.values():
        path = sharp(problem, "spectral", steps, OVER)
        grown.append(path[-1] / path[steps // 2])
    yield check("S30.limit", f"a sharp step of {OVER:g}/L* is too long: f - f* grows, over the second half of the run",
                min(grown) > 1, grown, "> 1", confidence=how)  # fmt: skip
