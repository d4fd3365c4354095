r"""log det of the Gram matrix of some rows, or of some columns, against that of all.

Rows S, |S| = k. Interlacing puts log det G_S between the sums of the k smallest and of the k largest log lambda_i.
On average over all S of a size, log det(G_S)/k falls with k (Han, Szasz), and the mean of det G_S is e_k(lambda) over
the number of S. With e > 0, F(S) = log det(I + G_S/e) grows with S and has diminishing returns, so that
mean F(S) <= F(all) <= (n/k) mean F(S).

Columns P, |P| = p: X_P X_P' <= X X', and the sum of det(X_P X_P') over all P of a size is det(XX') times the number of
ways to add p - n columns to n given ones (Cauchy-Binet).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import comb, log
from typing import Any

import numpy as np

from normkit.studies.grams import pictures
from normkit.studies.grams.matrices import KINDS, Matrix, gram, logdet, rows
from normkit.studies.kit.claims import Claim, below, check, largest, refuted, within
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run

N, D = 10, 16
FEW, WIDE = 4, 9
RIDGE, LEVEL = 0.1, 0.05
EXACT = "exact: all subsets"


def subsets(n: int, k: int) -> Any:
    """Return all index sets of a size, one a row."""
    return np.array(list(combinations(range(n), k)))


def parts_of(G: Matrix, chosen: Any) -> Matrix:
    """Return the principal submatrices of index sets."""
    return np.asarray(G[chosen[:, :, None], chosen[:, None, :]])


def parts(at: Run) -> Iterator[Claim | Table | Figure]:
    """Yield the bounds for subsets of rows, then of columns."""
    found = {kind: gram(rows(at.rng("rows", kind), kind, N, D)) for kind in KINDS}
    means, outside = {}, []
    for kind, G in found.items():
        logs = np.log(np.linalg.eigvalsh(G))
        each = {k: logdet(parts_of(G, subsets(N, k))) for k in range(1, N + 1)}
        outside += [largest(logs[:k].sum() - v, v - logs[N - k :].sum()) for k, v in each.items()]
        means[kind] = {k: (float(v.mean()), float(v.min()), float(v.max())) for k, v in each.items()}
    yield Table("rows", f"Mean of log det G_S/k over all S of k rows of {N}",
                ("kind", *(f"k = {k}" for k in range(2, N + 1))),
                [[kind, *(each[k][0] / k for k in range(2, N + 1))] for kind, each in means.items()])  # fmt: skip
    yield below("gram.interlacing", "log det G_S is between the sums of the k smallest and the k largest log "
                "eigenvalues: by how much the extremes over all S are outside", outside, 1e-9,
                confidence=EXACT)  # fmt: skip
    falls = [float(np.max(np.diff([mean / k for k, (mean, _, _) in each.items()]))) for each in means.values()]
    yield below("gram.mean", "the mean of log det(G_S)/k over all S falls with k: largest rise", falls, 1e-12,
                confidence=EXACT)  # fmt: skip
    guess = {kind: (N / FEW * each[FEW][0], each[N][0]) for kind, each in means.items()}
    yield refuted("gram.linear", f"n/k times the mean log det of {FEW} rows is that of all {N}",
                  all(a - b > 0.1 for a, b in guess.values()), {kind: a - b for kind, (a, b) in guess.items()},
                  "0; it is too large for every kind", confidence=EXACT)  # fmt: skip
    yield from _determinants(found)
    yield from _ridge(at, found)
    yield from _columns(at)
    yield Figure("rows", f"log det G_S over all subsets of k of {N} rows: mean, extremes (bars), interlacing (grey).",
                 pictures.subsets(means, {kind: np.log(np.linalg.eigvalsh(G)) for kind, G in found.items()}),
                 (7.0, 5.4))  # fmt: skip


def _determinants(found: dict[str, Matrix]) -> Iterator[Claim]:
    """Means of determinants are elementary symmetric functions of the eigenvalues."""
    errors = []
    for G in found.values():
        poly = np.abs(np.poly(np.linalg.eigvalsh(G)))
        for k in range(1, N + 1):
            mean = float(np.mean(np.linalg.det(parts_of(G, subsets(N, k)))))
            errors.append(abs(mean * comb(N, k) / poly[k] - 1))
    yield below("gram.determinants", "the mean of det G_S is e_k of the eigenvalues over the number of subsets: "
                "relative difference", largest(errors), 1e-8, confidence=EXACT)  # fmt: skip


def _ridge(at: Run, found: dict[str, Matrix]) -> Iterator[Claim | Table]:
    """F(S) = log det(I + G_S/e): bounds in the mean, and from few subsets with a probability."""
    table, fine = [], []
    for kind, G in found.items():
        F = logdet(np.eye(N) + G / RIDGE)
        for k in (2, FEW, 8):
            mean = float(np.mean(logdet(np.eye(k) + parts_of(G, subsets(N, k)) / RIDGE)))
            table.append([kind, k, mean, float(F), N / k * mean])
            fine.append(mean <= F <= N / k * mean)
    yield Table("ridge", f"F(S) = log det(I + G_S/e), e = {RIDGE:g}: mean over S, F of all rows, n/k times the mean",
                ("kind", "k", "mean", "F", "n/k mean"), table)  # fmt: skip
    yield check("gram.ridge", "with a ridge, the mean over subsets bounds F of all rows from both sides", all(fine),
                f"{sum(fine)} of {len(fine)}", len(fine), confidence=EXACT)  # fmt: skip
    trials, draws = at.pick(200, 2000), 20
    # F(S) is between 0 and, by Hadamard's inequality for I + G_S/e with unit rows, k log(1 + 1/e).
    room = FEW * log(1 + 1 / RIDGE) * np.sqrt(log(1 / LEVEL) / (2 * draws))
    rng, misses = at.rng("few"), {}
    for kind, G in found.items():
        values = logdet(np.eye(FEW) + parts_of(G, subsets(N, FEW)) / RIDGE)
        means = rng.choice(values, size=(trials, draws)).mean(axis=1)
        misses[kind] = float(np.mean(np.abs(means - values.mean()) > room))
    yield below("gram.few", f"the mean of {draws} random subsets, plus and minus Hoeffding's room, has that over all "
                "in it, and so the bounds that follow: share of misses", list(misses.values()), 2 * LEVEL,
                confidence=f"{trials} trials; derived for this project")  # fmt: skip


def _columns(at: Run) -> Iterator[Claim]:
    X = rows(at.rng("columns"), "noise", 3, WIDE)
    whole, errors, above = float(np.linalg.det(gram(X))), [], []
    for p in range(3, WIDE + 1):
        G = gram(np.moveaxis(X[:, subsets(WIDE, p)], 1, 0))
        total = float(np.sum(np.linalg.det(G)))
        errors.append(total / (comb(WIDE - 3, p - 3) * whole) - 1)
        scaled = logdet(WIDE / p * G)
        above += [float(np.max(logdet(G))) - log(whole), float(np.mean(scaled)) - log(whole)]
    yield within("gram.binet", "the sum of det(X_P X_P') over all P is det(XX') times a binomial number: relative "
                 "difference", errors, 0.0, 1e-10, confidence=EXACT)  # fmt: skip
    yield below("gram.columns", "log det of some columns is at most that of all, also scaled by d/p on average",
                above, 1e-12, confidence=EXACT)  # fmt: skip
