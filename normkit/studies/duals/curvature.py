"""S13: the Hessian as an operator from lp to lq, by enumeration, and the descent lemma that its norm belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

import normkit as nk
from normkit.studies.kit.claims import Claim, below, conditional, largest, refuted, within
from normkit.studies.kit.outcome import Table
from normkit.studies.kit.study import Run

Matrix = NDArray[np.float64]
EXACT = 1e-12
DUAL = {"l1": np.inf, "l2": 2, "linf": 1}
"""Norms of the parameters, and the order of the dual norm of the gradients."""
ORDER = {"l1": 1, "l2": 2, "linf": np.inf}
INDEFINITE = np.array([[0.0, 1.0], [1.0, -1.0]])


def signs(n: int) -> Matrix:
    """Return all 2^n vectors of signs, the corners of the unit ball of linf."""
    return np.array(list(product((-1.0, 1.0), repeat=n)))


def enumerated(H: Matrix) -> dict[str, float]:
    """Return Hessian norms by enumeration and iteration, each for the norm of the parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.duals.curvature import enumerated
    >>> found = enumerated(np.array([[0.0, 1.0], [1.0, -1.0]]))
    >>> found["linf, operator"], found["linf, form"]
    (3.0, 1.0)
    """
    corners = signs(len(H))
    power = H @ H / np.linalg.norm(H) ** 2
    for _ in range(40):
        power = power @ power / np.linalg.norm(power @ power)
    x = power[:, np.argmax(np.linalg.norm(power, axis=0))]
    return {
        "linf, operator": float(np.abs(corners @ H).sum(axis=1).max()),
        "linf, form": float(np.einsum("ij,jk,ik->i", corners, H, corners).max()),
        "l1, operator": float(np.abs(H).max()),
        "l1, form": float(np.diag(H).max()),
        "l2, operator": float(np.linalg.norm(H @ x) / np.linalg.norm(x)),
        "l2, form": float(x @ H @ x / (x @ x)),
        "sum": float(np.abs(H).sum()),
    }


def semidefinite(rng: Generator, n: int) -> Matrix:
    """Return a random positive semidefinite matrix of rank about 2n/3."""
    A = rng.standard_normal((n, max(1, 2 * n // 3)))
    return np.asarray(A @ A.T)


def hessians(rng: Generator, n: int) -> dict[str, float]:
    """Return, for one matrix, how far the forms are from the operators, and both from the library's numbers."""
    H = semidefinite(rng, n)
    found = enumerated(H)
    made = {"share": found["linf, operator"] / found["sum"], "form": 0.0, "library": 0.0}
    for name in DUAL:
        operator, form = found[f"{name}, operator"], found[f"{name}, form"]
        made["form"] = largest(made["form"], abs(form / operator - 1))
        known = nk.sharpness(H, name)
        for got, want in ((known.operator, operator), (known.directional, form)):
            made["library"] = largest(made["library"], abs(got.lower / want - 1), abs(got.upper / want - 1))
    return made


def lemma(rng: Generator, n: int, pairs: int) -> dict[str, list[float]]:
    """Return, by norm, the largest share of the descent lemma over random pairs and at the witness of the constant."""
    H, made = semidefinite(rng, n), {}
    for name in DUAL:
        found = nk.sharpness(H, name).directional
        x, y = rng.standard_normal((2, pairs, n))
        y[-1] = x[-1] + found.witness
        gap = _loss(H, y) - _loss(H, x) - np.sum((x @ H) * (y - x), axis=1)
        share = gap / (found.upper / 2 * np.linalg.norm(y - x, ORDER[name], axis=1) ** 2)
        made[name] = [float(share[:-1].max()), float(share[-1])]
    return made


def _loss(H: Matrix, x: Matrix) -> Matrix:
    return np.asarray(np.sum((x @ H) * x, axis=1) / 2)


def parts(at: Run) -> Iterator[Claim | Table]:
    """Yield Hessian norms, the descent lemma, and the inequality that the source prints as an equality."""
    sizes = [(n,) for n in range(2, at.pick(8, 11))]
    found = at.cells.map("hessians", hessians, sizes)
    rows = [[n, *each.values()] for (n,), each in zip(sizes, found, strict=True)]
    yield Table("hessians", "Random H >= 0: linf to l1 over the sum of magnitudes; differences for l1, l2 and linf",
                ("n", "share of the sum", "form and operator", "library and enumeration"), rows)  # fmt: skip
    yield within("S13.form", "for H >= 0 the largest x'Hx is the norm of H from lp to lq, p = 1, 2, inf: differences",
                 [each["form"] for each in found], 0.0, EXACT, confidence="all 2^n signs")  # fmt: skip
    yield within("S13.library", "the library's sharpness is that of the enumeration, both bounds: differences",
                 [each["library"] for each in found], 0.0, EXACT, confidence="all 2^n signs")  # fmt: skip
    yield below("S13.sum", "the norm from linf to l1 is at most the sum of all |H_ij|: shares",
                [each["share"] for each in found], 1.0, confidence="all 2^n signs")  # fmt: skip
    bent = enumerated(INDEFINITE)
    yield conditional("S13.definite", "the constant of the descent lemma is the operator norm of the Hessian: needs "
                      "H >= 0", largest(*(each["form"] for each in found)) < EXACT,
                      bent["linf, form"] == bent["linf, operator"],
                      {"largest x'Hx": bent["linf, form"], "linf to l1": bent["linf, operator"]},
                      "1 and 3 for H = [[0, 1], [1, -1]] under linf", confidence="exact")  # fmt: skip
    yield from _lemma(at)
    yield from _integral(at)
    yield from _softmax(at)


def _lemma(at: Run) -> Iterator[Claim]:
    found = at.cells.map("lemma", lemma, [(n, at.pick(2_000, 20_000)) for n in (3, 6, 9)])
    shares = [each for one in found for each in one.values()]
    yield below("S13.lemma", "descent lemma: F(y) - F(x) - <dF(x), y - x> over (L_p/2)|y - x|_p^2 is at most 1",
                [share for share, _ in shares], 1 + EXACT, confidence="random pairs, quadratics")  # fmt: skip
    yield within("S13.attained", "and L_p is the least such constant: share at its witness",
                 [share for _, share in shares], 1.0, EXACT, confidence="quadratics")  # fmt: skip


def _integral(at: Run) -> Iterator[Claim]:
    """|dF(y) - dF(x)|_q against the norm of the Hessian times |y - x|_p, for a quadratic."""
    H, far = np.diag([1.0, 0.0]), np.array([0.0, 1.0])
    left, right = float(np.linalg.norm(H @ far)), enumerated(H)["l2, operator"] * float(np.linalg.norm(far))
    yield refuted("S13.equality", "|dF(y) - dF(x)|_q = integral of |Hess F|_(p to q) dt times |y - x|_p",
                  left != right, {"left": left, "right": right}, "0 and 1 for Hess F = diag(1, 0), y - x = (0, 1)",
                  confidence="exact")  # fmt: skip
    rng, shares = at.rng("integral"), []
    for name, q in DUAL.items():
        H = semidefinite(rng, 6)
        d = rng.standard_normal((at.pick(2_000, 20_000), 6))
        right = enumerated(H)[f"{name}, operator"] * np.linalg.norm(d, ORDER[name], axis=1)
        shares.append(float(np.max(np.linalg.norm(d @ H, q, axis=1) / right)))
    yield below("S13.inequality", "|dF(y) - dF(x)|_q is at most that integral times |y - x|_p: shares, p = 1, 2, inf",
                shares, 1 + EXACT, confidence="random pairs, quadratics")  # fmt: skip


def _softmax(at: Run) -> Iterator[Claim]:
    """log sum exp: its Hessian at any point has x'Hx = the variance of x under softmax, at most 1 on the linf ball."""
    rng, n = at.rng("softmax"), 6
    x = 3 * rng.standard_normal((at.pick(400, 2_000), n))
    y = x + 10.0 ** rng.uniform(-3, 1, (len(x), 1)) * rng.standard_normal(x.shape)
    quotients = np.abs(_softened(y) - _softened(x)).sum(axis=1) / np.abs(y - x).max(axis=1)
    points = x[: at.pick(20, 100)]
    norms = [enumerated(np.diag(p) - np.outer(p, p))["linf, operator"] for p in _softened(points)]
    path = nk.descent_lemma(
        lambda z: float(np.log(np.exp(z).sum())), lambda z: _softened(z[None])[0], "linf", list(points)
    )
    yield below("S13.softmax", "log sum exp has L = 1 under linf: Hessian norms, quotients of gradients, descent lemma",
                [largest(norms), largest(quotients), path.constant], 1 + 1e-9, confidence="random points")  # fmt: skip


def _softened(x: Matrix) -> Matrix:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))
