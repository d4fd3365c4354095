r"""Bounds of log det G from norms of X, and from the trace and |G|_F with one end of the spectrum.

    (1/n) log det XX' <= 2 log(|X|_nuc/n) <= 2 log(|X|_F/sqrt(n)) <= 2 log |X|_op

by the inequality of the means, with equality throughout at multiples of a matrix with orthonormal rows: of its polar
factor. With mu_1 = tr G, mu_2 = |G|_F^2 and a bound b of the spectrum, the quadrature with nodes b and t and the
moments n, mu_1, mu_2 bounds tr log G, from above if b is an upper bound, and from below if a lower one (Bai and Golub).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import normkit as nk
from normkit.studies.grams.matrices import KINDS, Matrix, gram, logdet, norms, rows
from normkit.studies.kit.claims import Claim, below, check, largest, refuted, within
from normkit.studies.kit.outcome import Table
from normkit.studies.kit.study import Run

SHAPE = (24, 48)
SHARES = (0.0, 0.5, 0.9, 0.99)


def quadrature(G: Matrix, end: float) -> float:
    """Return the bound of log det G from its first two moments and an end of its spectrum."""
    n, first, second = len(G), float(np.trace(G)), float(np.sum(G * G))
    if n * end == first:
        return float(n * np.log(end))
    node = (end * first - second) / (end * n - first)
    if node == end:
        return float(n * np.log(end))
    weight = (first - n * node) / (end - node)
    return float(weight * np.log(end) + (n - weight) * np.log(node))


def parts(at: Run) -> Iterator[Claim | Table]:
    """Yield the two kinds of bounds, and what they see of a contraction."""
    table, chain, sides = [], [], []
    for kind in KINDS:
        X = rows(at.rng("moments", kind), kind, *SHAPE)
        G, n = gram(X), SHAPE[0]
        nuclear, frobenius, top = norms(X)
        per_row = float(logdet(G)) / n
        above = [2 * np.log(nuclear / n), 2 * np.log(frobenius / n**0.5), 2 * np.log(top)]
        spectrum = np.linalg.eigvalsh(G)
        rough = float(nk.value("linf->linf", G))
        low, high, wide = (quadrature(G, end) / n for end in (float(spectrum[0]), float(spectrum[-1]), rough))
        table.append([kind, low, per_row, high, wide, *above])
        chain.append(bool(per_row <= above[0] <= above[1] + 1e-12 and above[1] <= above[2] + 1e-12))
        sides.append(largest(low - per_row, per_row - high, high - wide))
    names = ("kind", "from below", "log det/n", "moments, lambda_1", "moments, row sums", "nuclear", "Frobenius", "op")
    yield Table("bounds", f"log det(G)/n of {SHAPE[0]} unit rows of {SHAPE[1]} numbers, and its bounds", names, table)
    yield check("gram.norms", "log det/n <= 2 log(nuc/n) <= 2 log(fro/sqrt(n)) <= 2 log(op)", all(chain),
                f"{sum(chain)} of {len(chain)}", len(chain), confidence="exact; derived for this project")  # fmt: skip
    yield below("gram.moments", "trace, |G|_F and one end of the spectrum bound log det from both sides, a rougher end "
                "more roughly: by how much they fail", sides, 1e-12, confidence="exact")  # fmt: skip
    P = nk.polar(at.rng("polar").standard_normal(SHAPE))
    equal = [float(logdet(gram(P))), *(2 * np.log(np.array(norms(P)) / (SHAPE[0], SHAPE[0] ** 0.5, 1.0)))]
    yield within("gram.polar", "at a polar factor log det is 0 and all three bounds are equal to it", equal, 0.0, 1e-10,
                 confidence="exact")  # fmt: skip
    yield from _family()


def _family() -> Iterator[Claim | Table]:
    """Unit rows with the same cosine c between any two."""
    n, table = SHAPE[0], []
    for c in SHARES:
        G = (1 - c) * np.eye(n) + c * np.ones((n, n))
        exact = (n - 1) * np.log1p(-c) + np.log1p((n - 1) * c)
        table.append([c, exact, quadrature(G, 1 - c), quadrature(G, 1 + (n - 1) * c), n * np.log(np.trace(G) / n)])
    yield Table("family", f"log det of {n} unit rows with equal cosines, and bounds",
                ("cosine", "log det", "from below", "from above", "trace alone"), table)  # fmt: skip
    yield within("gram.family", "the bounds from moments meet where all cosines are equal",
                 [row[2:4] for row in table], [row[1:2] * 2 for row in table], 1e-9,
                 confidence="exact; derived for this project")  # fmt: skip
    yield refuted("gram.trace", "the bound n log(tr G/n) shows how unit rows contract",
                  max(abs(row[4]) for row in table) < 1e-12 and table[-1][1] < -50,
                  {"bound": table[-1][4], "log det": table[-1][1]},
                  confidence="counter-example: cosine 0.99")  # fmt: skip
