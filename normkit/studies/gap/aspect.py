r"""S07: many rows. At a fixed aspect ratio m/n the gap does not vanish, however large the matrix.

The singular values of Delta tend to |1 - sqrt(x)|, x of the Marchenko-Pastur law of ratio g = m/n: |Delta|_op to
sqrt(g), and |Delta|_F/sqrt(m) to sqrt(2 - 2 E sqrt(x)).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

import normkit as nk
from normkit.studies.gap import pictures
from normkit.studies.gap.gauss import rule
from normkit.studies.kit.claims import Claim, conditional, measured, within
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run

ROWS = 400
COLUMNS = (400, 800, 1600, 6400)
FROBENIUS_ROOM, OPERATOR_ROOM = 0.01, 0.03
CLOSE = 0.15
"""A relative difference that is called close."""


def mean_root(g: float, nodes: int = 200) -> float:
    """Return E sqrt(x), x of the Marchenko-Pastur law of ratio g <= 1, by quadrature.

    With x = 1 + g + 2 sqrt(g) cos(phi) the density is (2/pi) sin^2(phi)/x on (0, pi).

    Examples
    --------
    >>> import math
    >>> from normkit.studies.gap.aspect import mean_root
    >>> abs(mean_root(1.0) - 8 / (3 * math.pi)) < 1e-12
    True
    """
    points, weights = rule(nodes)
    phi = np.pi * points
    x = 1 + g + 2 * np.sqrt(g) * np.cos(phi)
    return float(weights @ (2 * np.sin(phi) ** 2 / np.sqrt(x)))


def limits(g: float) -> tuple[float, float]:
    """Return the limits of |Delta|_F/sqrt(m) and of |Delta|_op."""
    return float(np.sqrt(2 - 2 * mean_root(g))), float(np.sqrt(g))


def one(rng: Generator, m: int, n: int) -> list[float]:
    """Return |Delta|_F over the norm of Muon's direction, and |Delta|_op, of one Gaussian W, by the library's maps."""
    W = rng.standard_normal((m, n))
    delta = nk.dualize("spectral", W) - nk.dualize("rows(linf, l2)", W)
    return [float(nk.value("fro", delta)) / min(m, n) ** 0.5, float(nk.value("spectral", delta))]


def parts(at: Run) -> Iterator[Claim | Table | Figure]:
    """Yield the gap at fixed aspect ratios, its claims and a figure."""
    sizes = [(ROWS, n) for n in COLUMNS] + [(2 * ROWS, ROWS)]
    *found, tall = at.cells.map("aspect", one, sizes)
    wanted = [limits(ROWS / n) for n in COLUMNS]
    rows = [[n, ROWS / n, *np.ravel(np.column_stack([got, want]))] for n, got, want in zip(COLUMNS, found, wanted,
                                                                                        strict=True)]  # fmt: skip
    yield Table("aspect", f"One Gaussian W of {ROWS} rows",
                ("n", "m/n", "F/sqrt(m)", "limit", "op", "limit "), rows)  # fmt: skip
    for place, (norm, room) in enumerate((("F", FROBENIUS_ROOM), ("op", OPERATOR_ROOM))):
        yield within(f"S07.{norm}", f"at fixed m/n the {norm} norm of the gap tends to a limit that is not 0",
                     [each[place] for each in found], [each[place] for each in wanted], room,
                     confidence="one matrix each")  # fmt: skip
    square, wide = found[0][0], found[-1][0]
    yield conditional("S07.near", "RMNP's direction is near Muon's: it needs many more columns than rows",
                      wide < CLOSE, square < CLOSE, {f"m/n = 1/{COLUMNS[-1] // ROWS}": wide, "m/n = 1": square},
                      f"relative difference below {CLOSE}", confidence="one matrix each")  # fmt: skip
    yield measured("S07.tall", "relative difference for twice as many rows as columns, where A has no inverse",
                   tall[0], confidence="one matrix")  # fmt: skip
    yield Figure("aspect", "The gap of one Gaussian W of 400 rows, and its limits (lines).",
                 pictures.aspect(list(COLUMNS), found, ROWS, limits), (7.0, 4.2))  # fmt: skip
