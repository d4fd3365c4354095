r"""S34: f = 1/2 tr(W'HW), W of m rows and n columns: L against L*, and which step wins.

L = lambda_1(H) is the constant of the gradient in the Frobenius norm, L* that from the spectral to the nuclear norm:
the sum of the min(m, n) largest eigenvalues of H (derived for this project), so L <= L* <= min(m, n) L. With its own
constant each step lowers f at least by |G|_nuc^2/(2 L*), resp. |G|_F^2/(2 L). The first is the larger one where the
nuclear rank |G|_nuc^2/|G|_F^2 is above L*/L. Gradient descent may do up to twice what it is promised, so only twice
that rank settles which step does more (derived for this project).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

import normkit as nk
from normkit.studies.converging import pictures
from normkit.studies.converging.sharp import nuclear_rank
from normkit.studies.kit.claims import Claim, below, check, conditional, largest, refuted, within
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run

Matrix = NDArray[np.float64]
SHAPES = ((6, 9), (9, 6), (8, 8), (12, 4))
HESSIANS = {"identity": 0.0, "power law 1": 1.0, "power law 2": 2.0}
"""Eigenvalues i^-a, by name; "one direction" beside them has an eigenvalue 1 and the others 1e-3."""
ROWS, COLUMNS = 12, 12


def spectrum(name: str, size: int) -> Matrix:
    """Return the eigenvalues of a Hessian of HESSIANS, or of one that bends in one direction."""
    if name == "one direction":
        return np.array([1.0, *[1e-3] * (size - 1)])
    return np.arange(1.0, size + 1) ** -HESSIANS[name]


def turned(rng: Generator, eigenvalues: Matrix) -> tuple[Matrix, Matrix]:
    """Return a symmetric matrix with these eigenvalues, and its eigenvectors."""
    Q = np.linalg.qr(rng.standard_normal((len(eigenvalues),) * 2))[0]
    return (Q * eigenvalues) @ Q.T, Q


def star(eigenvalues: Matrix, columns: int) -> float:
    """Return L* of X -> H X for matrices of so many columns."""
    return float(np.sum(np.sort(eigenvalues)[::-1][: min(len(eigenvalues), columns)]))


def parts(at: Run) -> Iterator[Claim | Table | Figure]:
    """Yield the constants, then single steps."""
    yield from _constants(at)
    yield from _ranges(at)
    yield from _steps(at)


def _constants(at: Run) -> Iterator[Claim | Table]:
    """L* against points of the unit ball, and against the library's bracket."""
    rows, candidates = [], at.pick(2000, 10_000) // len(SHAPES)
    for m, n in SHAPES:
        rng = at.rng("constants", m, n)
        eigenvalues = np.sort(rng.exponential(size=m))[::-1]
        H, Q = turned(rng, eigenvalues)
        want, r = star(eigenvalues, n), min(m, n)
        X = Q[:, :r] @ np.linalg.qr(rng.standard_normal((n, n)))[0][:r]
        most = largest(*(nk.value("nuclear", H @ each) for each in _candidates(rng, X, candidates)))
        found = nk.sharpness(lambda x, H=H: H @ x, "spectral", like=(m, n)).operator
        rows.append([m, n, eigenvalues[0], want, float(nk.value("nuclear", H @ X)) / want, most / want,
                     found.lower / want, found.upper / want])  # fmt: skip
    names = ("m", "n", "L", "L*", "attained / L*", "best candidate / L*", "library, lower", "library, upper")
    yield Table("constants", "L* = sum of the min(m, n) largest eigenvalues", names, rows,
                f"{candidates} candidates a shape")  # fmt: skip
    yield within("S34.attained", "L* is attained at eigenvectors times orthonormal rows", [row[4] for row in rows], 1.0,
                 1e-6, confidence="exact; derived for this project")  # fmt: skip
    yield below("S34.supremum", "no candidate of the unit ball gives more", [row[5] for row in rows], 1 + 1e-12,
                confidence=f"{candidates} candidates a shape")  # fmt: skip
    yield within("S34.library", "nk.sharpness brackets L* from both sides", [row[6:] for row in rows], 1.0, 1e-9,
                 confidence="exact")  # fmt: skip


def _candidates(rng: Generator, X: Matrix, count: int) -> Iterator[Matrix]:
    """Batches of matrices with largest singular value 1: polar factors of noise, noise, and the optimum moved."""
    third = count // 3
    noise = rng.standard_normal((third, *X.shape))
    yield nk.dualize("spectral", noise)
    yield noise / nk.value("spectral", noise)[:, None, None]
    size = 10.0 ** rng.uniform(-4, 0, count - 2 * third)
    yield nk.dualize("spectral", X + size[:, None, None] * rng.standard_normal((len(size), *X.shape)))


def _ranges(at: Run) -> Iterator[Claim | Table]:
    """L*/L for spectra of Hessians, and the stable rank where the Hessian is one of activations."""
    names = ("identity", "power law 1", "power law 2", "one direction")
    ratios = [star(spectrum(name, ROWS), COLUMNS) for name in names]
    rows = list(zip(names, ratios, strict=True))
    yield Table("ratios", f"L*/L for {ROWS} x {COLUMNS} matrices", ("eigenvalues of H", "L*/L"), rows)
    yield check("S34.range", "L*/L is between 1 and min(m, n), and min(m, n) for the identity",
                all(1 <= each <= COLUMNS + 1e-12 for each in ratios) and abs(ratios[0] - COLUMNS) < 1e-12, ratios,
                f"1 to {COLUMNS}", confidence="exact")  # fmt: skip
    rng, pairs = at.rng("activations"), []
    for m, features in ((20, 10), (10, 10), (4, 10)):
        A = rng.standard_normal((features, 40)) * np.geomspace(1, 0.1, features)[:, None]
        eigenvalues = np.linalg.eigvalsh(A @ A.T).astype(float)
        stable = float((nk.value("fro", A) / nk.value("spectral", A)) ** 2)
        pairs.append((star(eigenvalues, m) / float(eigenvalues[-1]), stable, m >= features))
    yield check("S34.activations", "for 1/2 |WA - Y|^2, L*/L is the stable rank of A if W has at least as many rows as "
                "columns, and less otherwise", all(abs(a - s) < 1e-9 if full else a < s for a, s, full in pairs),
                {"L*/L": [a for a, _, _ in pairs], "stable rank": [s for _, s, _ in pairs]},
                confidence="exact; derived for this project")  # fmt: skip


def single(H: Matrix, W: Matrix, L: float, spectral: float) -> tuple[float, float, float]:
    """Return nuclear rank times L/L*, and the decreases of f by the spectral and the Euclidean step, each of 1/L."""
    G = H @ W
    moves = [
        nk.steepest_descent(norm, G, sharpness=constant) for norm, constant in (("spectral", spectral), ("fro", L))
    ]
    won = [-float(np.sum(G * move) + 0.5 * np.sum(move * (H @ move))) for move in moves]
    return nuclear_rank(G) * L / spectral, won[0], won[1]


def _steps(at: Run) -> Iterator[Claim | Table | Figure]:
    """One step of each from many points: gradients of several spectra, Hessians of several kinds."""
    draws, found = at.pick(60, 300), {}
    for name in (*HESSIANS, "one direction"):
        rng = at.rng("steps", name)
        eigenvalues = spectrum(name, ROWS)
        H, _ = turned(rng, eigenvalues)
        L, constant = float(eigenvalues[0]), star(eigenvalues, COLUMNS)
        found[name] = np.array([single(H, W, L, constant) for W in _points(rng, H, draws)])
    rank, ratio = (np.concatenate([each[:, k] / (1 if k == 0 else each[:, 2]) for each in found.values()])
                   for k in (0, 1))  # fmt: skip
    rows = []
    for name, each in found.items():
        x, wins = each[:, 0], each[:, 1] > each[:, 2]
        zones = [wins[low < x] if high is None else wins[(low < x) & (x <= high)]
                 for low, high in ((0.0, 1.0), (1.0, 2.0), (2.0, None))]  # fmt: skip
        rows.append([name, *(f"{int(zone.sum())} of {len(zone)}" for zone in zones)])
    yield Table("steps", "Single steps in which the spectral one lowers f more, by nuclear rank over L*/L",
                ("eigenvalues of H", "up to 1", "1 to 2", "above 2"), rows, f"{draws} starts each")  # fmt: skip
    wide, between, more = rank >= 2, (rank > 1) & (rank < 2), ratio > 1
    counts = {"points": wide.sum(), "wins": more[wide].sum(), "all points": len(rank), "all wins": more.sum()}
    yield conditional("S34.step", "the spectral step lowers f more than the Euclidean one, each with its own constant: "
                      "if the nuclear rank is at least 2 L*/L", bool(wide.any() and more[wide].all()), bool(more.all()),
                      counts, confidence="exact under the condition; derived for this project")  # fmt: skip
    fewer = int(np.sum(ratio[between] < 1))
    yield refuted("S34.guarantee", "the spectral step lowers f more wherever its guarantee is the larger: above L*/L",
                  fewer > 0, f"less in {fewer} of {int(between.sum())} between 1 and 2 times that rank", 0,
                  confidence="counter-examples")  # fmt: skip
    yield below("S34.identity", "for H = I the guarantee of the spectral step is never the larger: nuclear rank / "
                "(L*/L)", found["identity"][:, 0], 1 + 1e-12, confidence="exact")  # fmt: skip
    G = nk.dualize("spectral", at.rng("orthogonal").standard_normal((ROWS, COLUMNS)))
    equal = single(np.eye(ROWS), 3.0 * G, 1.0, float(COLUMNS))
    uneven = single(np.eye(ROWS), 3.0 * G * np.linspace(1, 1.1, COLUMNS), 1.0, float(COLUMNS))[0]
    yield check("S34.equal", "for H = I the two are equal if all singular values are, and else they are not",
                abs(equal[0] - 1) < 1e-12 and abs(equal[1] / equal[2] - 1) < 1e-12 and uneven < 1 - 1e-6,
                [equal[0], uneven], "1 and less", confidence="exact")  # fmt: skip
    yield Figure("steps", "Decrease of f in one step, spectral over Euclidean, against the nuclear rank over L*/L; "
                 "dotted: where the guarantees, and where the steps change sides.", pictures.steps(found))  # fmt: skip


def _points(rng: Generator, H: Matrix, count: int) -> Iterator[Any]:
    """W with gradients whose singular values are i^-a, a drawn from [0, 2], in directions of their own or of H."""
    own = np.linalg.eigh(H)[1][:, ::-1]
    for _ in range(count):
        sigma = np.arange(1.0, ROWS + 1) ** -rng.uniform(0, 2)
        left, right = (np.linalg.qr(rng.standard_normal((ROWS, ROWS)))[0] for _ in range(2))
        left = (left, own, own[:, ::-1])[rng.integers(3)]
        yield np.linalg.solve(H, (left * sigma) @ right.T)
