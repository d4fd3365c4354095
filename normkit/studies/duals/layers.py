"""S11: the modular problem min sum <G_l, X_l> + (lambda/2) max s_l^2 N_l(X_l)^2, and its spectral instance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.optimize import minimize

import normkit as nk
from normkit.studies.duals import pictures
from normkit.studies.kit.claims import Claim, below, check, largest, within
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run

Matrix = NDArray[np.float64]
EXACT = 1e-12
NORMS = ("rms->rms", "max", "l1->rms", "spectral", "nuclear", "rows(linf, l2)", "schatten(9)", "fro")
SHAPES = ((4, 5), (3, 4), (5, 2))


def model(rng: Generator, count: int) -> tuple[dict[str, str], dict[str, float], dict[str, Matrix], float]:
    """Draw norms, scales, gradients by layer, and a sharpness."""
    names = [f"W{place}" for place in range(count)]
    norms = dict(zip(names, (str(each) for each in rng.choice(NORMS, count)), strict=True))
    scales = dict(zip(names, (float(each) for each in 2.0 ** rng.uniform(-2, 2, count)), strict=True))
    G = {name: rng.standard_normal(shape) for name, shape in zip(names, SHAPES, strict=False)}
    return norms, scales, G, float(10.0 ** rng.uniform(-1, 1))


def objective(norms: Mapping[str, str], scales: Mapping[str, float], G: Mapping[str, Matrix], sharpness: float,
              X: Mapping[str, Matrix]) -> Matrix:  # fmt: skip
    """Return the objective of the source of a batch, by its definition: layer by layer, without a product norm."""
    linear = sum(np.sum(G[name] * X[name], axis=(-2, -1)) for name in G)
    sizes = [scales[name] * np.asarray(nk.value(norm, X[name])) for name, norm in norms.items()]
    return np.asarray(linear + sharpness / 2 * np.max(sizes, axis=0) ** 2)


def least(d: Matrix, s: Matrix, sharpness: float) -> float:
    """Return the minimum of -sum d_l c_l + (lambda/2) max s_l^2 c_l^2 over c >= 0 by quadratic programs.

    The maximum is a variable t of its own, with s_l c_l <= t.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.duals.layers import least
    >>> round(least(np.array([1.0, 2.0]), np.array([1.0, 1.0]), 1.0), 9)
    -4.5
    """
    solve: Any = minimize  # whose stubs do not know options of methods
    solved = solve(
        lambda z: -z[:-1] @ d + sharpness / 2 * z[-1] ** 2,
        np.zeros(len(d) + 1),
        jac=lambda z: np.append(-d, sharpness * z[-1]),
        bounds=[(0.0, None)] * (len(d) + 1),
        constraints={"type": "ineq", "fun": lambda z: z[-1] - s * z[:-1]},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 300},
    )
    return float(solved.fun)


def tried(rng: Generator, count: int, perturbations: int) -> dict[str, float]:
    """Return shares of -(sum N_l*/s_l)^2/(2 lambda) for one model: at the step, around it, and by the reduction."""
    norms, scales, G, sharpness = model(rng, count)
    step = nk.steepest_descent(nk.Modular(norms, outer="linf", scales=scales), G, sharpness=sharpness)
    d = np.array([float(nk.dual_value(norms[name], G[name])) for name in G])
    s = np.array(list(scales.values()))
    exact, eta = float(np.sum(d / s)) ** 2 / (2 * sharpness), float(np.sum(d / s)) / sharpness
    size = 10.0 ** rng.uniform(-7, 1, (perturbations + 1, 1, 1))
    size[0] = 0.0
    X = {
        name: each + size * np.abs(each).max() * rng.standard_normal((perturbations + 1, *each.shape))
        for name, each in step.items()
    }
    values = objective(norms, scales, G, sharpness, X)
    formula = {name: -eta / scales[name] * nk.dualize(norms[name], G[name]) for name in G}
    return {
        "attained": float(values[0]) / -exact,
        "around": float(values[1:].min()) / -exact,
        "solver": least(d, s, sharpness) / -exact,
        "formula": largest(*(np.abs(formula[name] - x) / np.max(np.abs(x)) for name, x in step.items())),
    }


def parts(at: Run) -> Iterator[Claim | Table | Figure]:
    """Yield the claims about the modular problem and its spectral instance."""
    each = at.pick(4, 20)
    found = at.cells.map(
        "layers", _seeded, [(count, at.pick(2_000, 20_000), k) for count in (2, 3) for k in range(each)]
    )
    yield within("S11.modular", "the modular step has the value -(sum N_l*(G_l)/s_l)^2/(2 lambda): share",
                 [one["attained"] for one in found], 1.0, EXACT, confidence="relative, 2 or 3 layers")  # fmt: skip
    yield below("S11.models", "and no perturbation of it has less: the least of each model, as a share",
                [one["around"] for one in found], 1 + EXACT, confidence="random perturbations")  # fmt: skip
    yield within("S11.reduced", "nor has the problem in one length a layer, by a solver: its least, as a share",
                 [one["solver"] for one in found], 1.0, 1e-6, confidence="sequential quadratic programs")  # fmt: skip
    yield within("S11.formula", "the step is -(eta/s_l) D_l(G_l), eta = (1/lambda) sum N_k*(G_k)/s_k: differences",
                 [one["formula"] for one in found], 0.0, EXACT, confidence="relative")  # fmt: skip
    yield from _spectral(at)
    yield from _coupled()


def _seeded(rng: Generator, count: int, perturbations: int, draw: int) -> dict[str, float]:
    return tried(rng, count, perturbations)


def _spectral(at: Run) -> Iterator[Claim]:
    """s_l = 1 and the spectral norm: eta is the sum of all singular values over lambda."""
    rng, sharpness = at.rng("spectral"), 3.0
    G = {f"W{k}": rng.standard_normal(shape) for k, shape in enumerate(SHAPES)}
    step = nk.steepest_descent(nk.Modular(dict.fromkeys(G, "spectral")), G, sharpness=sharpness)
    factors = {name: np.linalg.svd(g, full_matrices=False) for name, g in G.items()}
    eta = sum(float(sigma.sum()) for _, sigma, _ in factors.values()) / sharpness
    far = [float(np.max(np.abs(step[name] + eta * U @ V))) for name, (U, _, V) in factors.items()]
    yield below("S11.spectral", "spectral instance: -eta U_l V_l', eta = (1/lambda) sum tr Sigma_l: largest difference",
                far, EXACT)  # fmt: skip
    T = rng.standard_normal((at.pick(2_000, 20_000), *SHAPES[0]))
    T /= np.linalg.svd(T, compute_uv=False)[:, :1, None]
    g, sigma = G["W0"], factors["W0"][1]
    pairing, trace = np.einsum("bij,ij->b", T, g), float(sigma.sum())
    between = np.linalg.svd(T, compute_uv=False) @ sigma
    yield check("S11.trace", "tr(G'T) <= sum sigma_i(G) sigma_i(T) <= tr Sigma for |T|_op = 1 (von Neumann)",
                bool(np.all(pairing <= between * (1 + EXACT)) and np.all(between <= trace * (1 + EXACT))),
                {"first/second": float(np.max(pairing / between)), "second/third": float(between.max()) / trace},
                "at most 1", confidence=f"{len(T)} random T")  # fmt: skip


TWO = {"first": (np.array([[3.0, 0.0], [0.0, 1.0]]), 1.0), "second": (np.array([[2.0, 0.0], [0.0, 0.0]]), 2.0)}
"""Gradients of dual norms 4 and 2 under the spectral norm, and their scales."""


def _coupled() -> Iterator[Table | Figure | Claim]:
    """Under the maximum all layers share eta; under an l2 sum each has a length of its own."""
    G, scales = {name: g for name, (g, _) in TWO.items()}, {name: s for name, (_, s) in TWO.items()}
    rows: list[list[object]] = []
    for outer in ("linf", "l2"):
        step = nk.steepest_descent(nk.Modular(dict.fromkeys(G, "spectral"), outer=outer, scales=scales), G)
        lengths = [float(nk.value("spectral", step[name])) for name in G]
        rows.append([outer, *lengths, *(s * c for s, c in zip(scales.values(), lengths, strict=True))])
    yield Table("coupling", "Lengths c_l = N_l(X_l) for dual norms 4 and 2, s = (1, 2), lambda = 1",
                ("over the layers", "c_1", "c_2", "s_1 c_1", "s_2 c_2"), rows)  # fmt: skip
    yield within("S11.shared", "under the maximum every s_l c_l is eta = 4/1 + 2/2; under an l2 sum c_l = N_l*/s_l^2",
                 [row[1:] for row in rows], [[5, 2.5, 5, 5], [4, 0.5, 4, 1]], EXACT, confidence="exact")  # fmt: skip
    yield Figure("coupling", "The objective in the lengths of two layers (dual norms 4 and 2, s = (1, 2), lambda = 1) "
                 "under the maximum and under an l2 sum.", pictures.coupling((4.0, 2.0), (1.0, 2.0)),
                 (8.6, 4.0))  # fmt: skip
