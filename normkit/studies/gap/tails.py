r"""S04: the printed statement of high probability, refuted, and its repairs R1 to R3.

For two rows the tail of sqrt(n) |Delta|_op is known (`pair.tail`), so that probabilities of 1e-10 need no sampling;
samples confirm it where they can. For more rows quantiles are compared with those of the limit, chi_k / sqrt(2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from scipy import stats

from normkit.studies.gap import pair, pictures
from normkit.studies.gap.concentration import pair_tails
from normkit.studies.gap.sampling import gaps
from normkit.studies.kit.claims import Claim, below, check, refuted, within
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run

THRESHOLDS = (0.5, 1.0, 1.5)
PAIR_TAILS = {
    100: (0.3430, 0.0610, 0.0055),
    1_000: (0.3255, 0.0503, 0.0035),
    10_000: (0.3197, 0.0471, 0.0030),
    100_000: (0.3178, 0.0460, 0.0027),
}
"""P(sqrt(n) |Delta|_op > c) for two rows, of 400,000 samples each, by n and `THRESHOLDS`."""
PAIR_SAMPLES = 400_000
DELAYED = {1.0: 1e2, 2.0: 1e3, 3.0: 1e6, 4.0: 1e9}
"""By c, the power of ten from where on the printed statement fails by a factor of 100."""
SHARES = (0.1, 0.01, 0.001)
"""delta: quantiles are at level 1 - delta."""
COLUMNS = (100, 1_000, 10_000, 100_000)
ROWS = (2, 3, 5, 10)
ROOM = 1.25
"""What the constant of a repair has beyond that of the limit, for n of at least 100."""
SMALL = 50
"""An n whose n^-2 sampling can still see."""


def exceed(rng: Generator, n: int, samples: int) -> list[float]:
    """Return how often sqrt(n) |Delta|_op exceeds each of `THRESHOLDS`, for two rows."""
    op, _ = gaps(rng, 2, n, samples)
    return [float(np.mean(np.sqrt(n) * op > c)) for c in THRESHOLDS]


def quantiles(rng: Generator, m: int, n: int, samples: int) -> dict[str, list[float]]:
    """Return quantiles of sqrt(n) times both norms at `SHARES`, and how far the law of the F norm is from its limit."""
    op, fro = (np.sqrt(n) * norm for norm in gaps(rng, m, n, samples))
    levels = [1 - share for share in SHARES]
    distance = stats.kstest(np.sqrt(2) * fro, stats.chi(m * (m - 1) // 2).cdf).statistic
    return {"op": np.quantile(op, levels).tolist(), "F": np.quantile(fro, levels).tolist(), "law": [float(distance)]}


def rare(rng: Generator, m: int, n: int, samples: int, threshold: float) -> int:
    """Return how many samples have sqrt(n) |Delta|_F above a threshold."""
    return int(np.sum(np.sqrt(n) * gaps(rng, m, n, samples)[1] > threshold))


def limit_quantile(m: int, share: float) -> float:
    """Return the quantile at level 1 - share of chi_k / sqrt(2), the limit of sqrt(n) |Delta|_F."""
    return float(stats.chi(m * (m - 1) // 2).isf(share) / np.sqrt(2))


def constant(m: int) -> float:
    """Return the c with which R2 is checked: `ROOM` times that of the limit, over delta from 1/2 to 1e-16."""
    shares = np.logspace(np.log10(0.5), -16, 60)
    return ROOM * max(limit_quantile(m, share) / math.sqrt(math.log(m / share)) for share in shares)


def logarithmic(m: int) -> float:
    """Return the c with which R1 is checked: `ROOM` times that of the limit at n = `SMALL`, where it is largest."""
    return ROOM * limit_quantile(m, SMALL**-2) / math.sqrt(math.log(SMALL))


def parts(at: Run) -> Iterator[Claim | Table | Figure]:
    """Yield the refutation, the repairs, and a figure."""
    yield from _refutation(at)
    yield from _repairs(at)
    yield Figure("tails", "Two rows: the exact tail, its limit, and the n^-2 that the printed statement needs.",
                 pictures.tails(), (8.2, 4.4))  # fmt: skip


def _refutation(at: Run) -> Iterator[Claim | Table]:
    samples = at.pick(PAIR_SAMPLES // 4, PAIR_SAMPLES)
    sampled = at.cells.map("exceed", exceed, [(n, samples) for n in PAIR_TAILS])
    exact = [[pair.tail(n, c) for c in THRESHOLDS] for n in PAIR_TAILS]
    limit = [2 * float(stats.norm.sf(2 * c)) for c in THRESHOLDS]
    columns = ("n", *(f"c = {c}{kind}" for c in THRESHOLDS for kind in ("", ", exact")), "n^-2")
    rows = [[n, *np.ravel(np.column_stack([got, law])).tolist(), n**-2]
            for n, got, law in zip(PAIR_TAILS, sampled, exact, strict=True)]  # fmt: skip
    rows.append(["limit", *np.ravel([[None, p] for p in limit]).tolist(), 0.0])
    yield Table("pair", "Two rows: how often sqrt(n) |Delta|_op exceeds c", columns, rows)
    law = np.array(exact)
    error = np.sqrt(law * (1 - law) / samples)
    yield within("S04.samples", "sampled tails of two rows are the exact ones", sampled, law, 4.5 * error,
                 confidence="4.5 standard errors, a tail")  # fmt: skip
    yield within("S04.long", "the exact tails of two rows are the long run's", law, list(PAIR_TAILS.values()),
                 4 * np.sqrt(law * (1 - law) / PAIR_SAMPLES) + 5e-5, confidence="4 standard errors")  # fmt: skip
    far = [n > 100 for n in PAIR_TAILS]
    squares = np.array([[float(n) ** -2] for n in PAIR_TAILS])
    against = bool(np.all((law > 100 * squares)[far]) and np.all((np.array(sampled) > 100 * squares)[far]))
    yield refuted("S04.theorem", "for some c, sqrt(n) |Delta|_op is at most c with probability 1 - n^-2 or more",
                  against, {f"c = {c}, n = {n}": p for n, row in zip(PAIR_TAILS, exact, strict=True)
                            for c, p in zip(THRESHOLDS, row, strict=True) if n == 100_000},
                  "n^-2 = 1e-10", confidence="exact tail; more than 100 n^-2 for n >= 1000")  # fmt: skip
    powers = [10.0**k for k in range(2, 12)]
    large = {c: next((n for n in powers if pair.tail(n, c) > 100 * n**-2), math.inf) for c in DELAYED}
    yield check("S04.constants", "a larger c only delays it: n from where the tail is more than 100 n^-2",
                large == DELAYED, {f"c = {c:g}": n for c, n in large.items()}, list(DELAYED.values()),
                confidence="exact tail, powers of ten")  # fmt: skip
    events = [pair.off_diagonal_tail(n, 2.0) for n in PAIR_TAILS]
    yield refuted("S04.event", "3.5: the norm of E is at most 2 sqrt(n) with probability 1 - n^-2 or more",
                  all(p > 100 * n**-2 for p, n in zip(events, PAIR_TAILS, strict=True)),
                  dict(zip(PAIR_TAILS, events, strict=True)), "n^-2", confidence="exact tail of two rows")  # fmt: skip
    yield below("S04.factors", "3.5: its other three parts fail with probability below n^-2 together (two rows)",
                [_other_parts(n) * n**2 for n in (100, 200, 500, 1_000)], 1.0,
                confidence="exact tails over n^-2, n = 100 to 1000")  # fmt: skip


def _other_parts(n: int) -> float:
    """Return at most what the parts of 3.5 on singular values and row norms miss, for two rows: a sum of tails."""
    root = math.sqrt(n)
    largest, _ = pair_tails(n, root - math.sqrt(2))  # 2 sqrt(n) = sqrt(n) + sqrt(2) + t
    _, smallest = pair_tails(n, root / 2 - math.sqrt(2))
    return largest + smallest + 2 * float(stats.chi2.cdf(n / 2, n))


def _repairs(at: Run) -> Iterator[Claim | Table]:
    columns = [10.0**k for k in range(2, 9)]
    yield below("S04.R1", "with probability 1 - n^-2 or more, |Delta|_op is at most sqrt(log(n)/n) (two rows)",
                [pair.tail(n, np.sqrt(np.log(n))) * n**2 for n in columns], 1.0,
                confidence="exact tail over n^-2, n = 1e2 to 1e8")  # fmt: skip
    samples = at.pick(50_000, 200_000)
    many = [m for m in ROWS if m > 2]
    counts = at.cells.map(
        "rare", rare, [(m, SMALL, samples, logarithmic(m) * math.sqrt(math.log(SMALL))) for m in many]
    )
    upper = [float(stats.chi2.isf(1e-3, 2 * count + 2) / 2 / samples) for count in counts]
    yield below("S04.R1.rows", f"with more rows: |Delta|_F is at most c sqrt(log(n)/n), n = {SMALL}", upper,
                SMALL**-2, confidence="99.9 % upper bounds of the frequencies")  # fmt: skip
    ends = (COLUMNS[0], COLUMNS[-1])
    cells = [(m, n, at.pick(20_000, 50_000)) for m in ROWS for n in at.pick(ends, COLUMNS)]
    found = at.cells.map("quantiles", quantiles, cells)
    rows = [[m, n, norm, *each[norm]] for (m, n, _), each in zip(cells, found, strict=True) for norm in ("op", "F")]
    rows += [[m, "limit", "F", *(limit_quantile(m, share) for share in SHARES)] for m in ROWS]
    yield Table("quantiles", "Quantiles of sqrt(n) times the norms", ("m", "n", "norm", *(f"1 - {s}" for s in SHARES)),
                rows)  # fmt: skip
    ratios = {m: max(q / float(np.sqrt(np.log(m / share))) for (row, *_), each in zip(cells, found, strict=True)
                     if row == m for q, share in zip(each["F"], SHARES, strict=True)) for m in ROWS}  # fmt: skip
    yield below("S04.R2", "with probability 1 - delta, |Delta|_F is at most c sqrt(log(m/delta)/n), c of m alone",
                list(ratios.values()), [constant(m) for m in ROWS],
                confidence="quantiles over sqrt(log(m/delta)); c from the limit")  # fmt: skip
    growth = [late / early for m in ROWS for norm in ("op", "F")
              for late, early in zip(found[cells.index((m, COLUMNS[-1], cells[0][2]))][norm],
                                     found[cells.index((m, COLUMNS[0], cells[0][2]))][norm], strict=True)]  # fmt: skip
    yield below("S04.R2.growth", "the quantiles do not grow with n: those at n = 1e5 over those at n = 1e2", growth,
                1.1, confidence="sampled quantiles")  # fmt: skip
    distances = [each["law"][0] for (_, n, _), each in zip(cells, found, strict=True) if n == COLUMNS[-1]]
    yield below("S04.R3", "the law of sqrt(n) |Delta|_F is near that of chi_k/sqrt(2) at n = 1e5", distances,
                2.5 / cells[0][2] ** 0.5, confidence="Kolmogorov distance, 2.5 over sqrt(samples)")  # fmt: skip
