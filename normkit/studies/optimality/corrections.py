"""What the source prints that is not so, each beside its repair, and what the optimum needs to be what it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import normkit as nk
from normkit.studies.kit.claims import Claim, check, conditional, refuted, within
from normkit.studies.kit.study import Run
from normkit.studies.optimality.candidates import RADIUS, SHAPES, Matrices
from normkit.studies.optimality.problem import bound, posed


def parts(at: Run) -> Iterator[Claim]:
    """Yield refuted claims with their repairs."""
    yield from _layer(at)
    yield from _column(at)
    yield from _footnote()
    yield _factors(at)
    yield _unique(at)


def _rms(x: Matrices, axis: int = -1) -> Matrices:
    return np.asarray(np.sqrt(np.mean(x**2, axis=axis)))


def _layer(at: Run) -> Iterator[Claim]:
    """The constraint in terms of outputs: the right side is eta |x|_RMS, and not eta sqrt(m/n) |x|_2."""
    m, n = SHAPES[0]
    _, best = posed(at, m, n)
    far = 0.99 * m**0.5 * best  # of norm 0.99 eta sqrt(m)
    x = at.rng("inputs").standard_normal((at.pick(2_000, 50_000), n))
    x = np.concatenate([x, np.linalg.svd(best)[2]])  # with the directions that are stretched most
    printed = _rms(x @ far.T) / (RADIUS * (m / n) ** 0.5 * np.linalg.norm(x, axis=1))
    norm = float(nk.value("rms->rms", far)) / RADIUS
    yield refuted("S10.layer", "|dW x|_RMS < eta sqrt(m/n) |x|_2 for all x is the constraint |dW|_RMS <= eta",
                  bool(printed.max() < 1) and norm > 1,
                  {"left over right, largest": printed.max(), "|dW|_RMS/eta": norm},
                  "sqrt(m) between the two", confidence=f"one matrix {m} x {n}, {len(x)} x")  # fmt: skip
    repaired = float(np.max(_rms(x @ best.T) / (RADIUS * _rms(x))))
    yield within("S10.output", "the constraint is |dW x|_RMS <= eta |x|_RMS for all x: left over right at the optimum",
                 repaired, 1.0, 1e-14, confidence="exact: equality, so no strict sign")  # fmt: skip


def _column(at: Run) -> Iterator[Claim]:
    """B e_i is column i, entries B_ji; the source prints B_ij, which is row i."""
    B = at.rng("column").standard_normal((4, 4))
    worst = [float(np.max(np.abs(B @ np.eye(4)[i] - part))) for i in range(4) for part in (B[i], B[:, i])]
    yield refuted("S10.row", "for v the i-th coordinate vector, (Bv)_j = B_ij", max(worst[::2]) > 0.1,
                  max(worst[::2]), 0,
                  confidence="one matrix; the row has another norm too")  # fmt: skip
    yield within("S10.column", "(Bv)_j = B_ji, so that |Bv| >= B_ii holds as the argument needs it", max(worst[1::2]),
                 0, 0, confidence="exact")  # fmt: skip


def _footnote() -> Iterator[Claim]:
    """<x, x> of x = (1, 1); and that no Cauchy-Schwarz inequality holds for the largest entry, as the footnote says."""
    x = np.ones(2)
    product, largest = float(x @ x), float(nk.value("linf", x))
    yield refuted("S10.four", "<(1, 1), (1, 1)> = 4", product != 4, product, 2, confidence="exact")
    yield check("S10.cauchy", "for the largest entry <x, x> > |x|^2: no Cauchy-Schwarz inequality but that of the dual",
                largest**2 < product <= largest * float(nk.dual_value("linf", x)),
                {"<x, x>": product, "|x|^2": largest**2, "N*(x) N(x)": largest * float(nk.dual_value("linf", x))},
                "2 > 1")  # fmt: skip


def _factors(at: Run) -> Claim:
    """UV' with the square factors of a full decomposition: a product only where m = n."""
    off = {}
    for m, n in SHAPES:
        G, best = posed(at, m, n)
        U, _, right = np.linalg.svd(G)
        thin = -bound(m, n) * U @ np.eye(m, n) @ right
        defined = m == n and bool(np.allclose(-bound(m, n) * U @ right, best, rtol=0, atol=1e-14))
        off[f"{m} x {n}"] = defined, bool(np.allclose(thin, best, rtol=0, atol=1e-14))
    square = all(plain and thin for (m, n), (plain, thin) in zip(SHAPES, off.values(), strict=True) if m == n)
    wide = any(plain for (m, n), (plain, _) in zip(SHAPES, off.values(), strict=True) if m != n)
    middle = all(thin for _, thin in off.values())
    return conditional("S10.factors", "the optimum is UV' with square U and V of a full decomposition: needs m = n; "
                       "with I of size m x n between them it is so for every shape", square and middle, wide,
                       {name: f"UV' {plain}, U I V' {thin}" for name, (plain, thin) in off.items()},
                       confidence="exact")  # fmt: skip


def _unique(at: Run) -> Claim:
    """The optima of gradients that differ by 1e-9: as near for full rank, a full diameter apart below it."""
    apart = {}
    for name, rank in (("rank 3", 3), ("rank 2", 2)):
        rng = at.rng("unique", rank)
        G = rng.standard_normal((3, rank)) @ rng.standard_normal((rank, 5))
        near = np.asarray(nk.lmo("rms->rms", G + 1e-9 * rng.standard_normal((20, 3, 5)), radius=RADIUS))
        value = np.einsum("bij,ij->b", near, G)
        best = -RADIUS * float(nk.dual_value("rms->rms", G))
        optimal = near[np.abs(value / best - 1) < 1e-8]
        gaps = np.linalg.norm(optimal[:, None] - optimal, axis=(2, 3)) / bound(3, 5)
        apart[name] = {"optima": len(optimal), "farthest two": float(gaps.max()) if len(optimal) > 1 else np.inf}
    unique = {name: each["optima"] > 1 and each["farthest two"] < 1e-6 for name, each in apart.items()}
    return conditional("S10.unique", "the optimum is unique: needs rank G = min(m, n)", unique["rank 3"],
                       unique["rank 2"], {name: each["farthest two"] for name, each in apart.items()},
                       "0, and above 1 in units of eta sqrt(m/n)",
                       confidence="3 x 5, gradients within 1e-9 of one another")  # fmt: skip
