r"""Under RMS to RMS the learning rates of a small network nearly stay where they are from width 32 to 256.

A network $2\to D\to D\to2$ with ReLU learns XOR in 32 steps of the linear minimization oracle, whose length falls in a
line to 0, from matrices with singular values $\sqrt{out/in}$. The norms are the one from RMS to RMS, under which a step
of length $\eta$ has the size $\eta$ relative to the start in each layer; the plain spectral and the Frobenius norm; and
the spectral norm with the scale `original` of Muon, $\sqrt{\max(1,m/n)}$.

The loss at the end as a function of the learning rate has a cliff. Below it 32 steps do not reach the minimum; above it
the loss grows slowly. So the best learning rate is next to the least one that arrives, at a loss of 0.1, which is
measured much more sharply. Both are given here.

From width 32 on the least learning rate that arrives changes by less than a tenth when the width doubles under RMS to
RMS, and falls by about a fifth under the others, like $D^{-1/3}$. The best learning rate goes along, on its grid. That
is a statement about this network and this start. The transfer is not exact: narrow networks need longer steps under RMS
to RMS, too; at a learning rate of 1/8 a third of the networks of width 8 do not arrive; and best learning rates of
groups of five starts differ among themselves by a factor of two.

The best learning rates of an earlier run with five starts are all among those of groups of five of the long run; the
one on the rim is 0.125 for RMS to RMS at width 32, where the median is 0.0625. Starts are compared here by the
geometric mean of their losses: an arithmetic one is that of the one start that did not arrive. That run does not say
how it coded the classes; here they are 1 and -1.

Network and numbers are derived for this project.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

import normkit as nk
from normkit.studies.kit.claims import below, conditional, measured, refuted, within
from normkit.studies.kit.outcome import Figure, Outcome, Table
from normkit.studies.kit.study import Run, study
from normkit.studies.width import pictures
from normkit.studies.width.judging import Judged, exponent, judge
from normkit.studies.width.network import Floats, mapped, slope, start, train
from normkit.studies.width.reference import BEST, NORMS, WIDTHS, known

STARTS = 5
"""In a group, whose geometric mean is judged."""
FROM, NARROW, TUNED = 32, 16, 32
DOUBLED = np.log2(1.1)
"""An exponent: a tenth when the width doubles."""
STEP, SPREAD = 0.5, 0.03
"""Of the grid, in log2; and the least standard deviation that is believed of numbers between its places."""
FINDING = (
    "The least learning rate that arrives hardly moves with width under RMS to RMS, and like D^(-1/3) under others."
)
Losses = Mapping[tuple[str, int], Floats]
Found = Mapping[tuple[str, int], Judged]


@study("width-transfer", "learning rates over width", ("S36",), finding=FINDING)
def STUDY(at: Run) -> Outcome:
    """Train at every learning rate, width and norm, and compare where the best ones are."""
    made, widths = Outcome(), at.pick(WIDTHS[:-1], WIDTHS)
    narrow, wide = at.pick((6, 2), (12, 4), (24, 24))
    made.add(*_parts(at))
    losses = _losses(at, {width: narrow if width <= FROM else wide for width in widths})
    found = {key: judge(each) for key, each in losses.items()}
    made.add(*_table(found), *_transfer(found), *_cost(losses, found))
    made.add(
        Figure("places", "The best learning rate, and the least that arrives, by width.",
               partial(pictures.places, found={key: each for key, each in found.items() if key[1] >= NARROW}),
               size=(8.4, 4.0)),
        Figure("curves", "Losses at the end by learning rate; grey: arrived.", partial(pictures.curves, losses=losses),
               size=(8.4, 5.6)),
    )  # fmt: skip
    return made


def _losses(at: Run, groups: Mapping[int, int]) -> dict[tuple[str, int], Floats]:
    """Losses (groups, starts, rates) by norm and width, so many groups at a width; all norms have the same starts."""
    seeds = {width: at.rng("starts", width).integers(2**31, size=count).tolist() for width, count in groups.items()}
    keys = [(name, width, seed) for width in sorted(groups, reverse=True) for name in NORMS for seed in seeds[width]]
    ends = at.cells.map("ends", train, [(NORMS[name], width, seed, STARTS) for name, width, seed in keys])
    losses: dict[tuple[str, int], list[Any]] = {(name, width): [] for name in NORMS for width in groups}
    for (name, width, _), end in zip(keys, ends, strict=True):
        losses[name, width].append(end)
    return {key: np.array(each) for key, each in losses.items()}


def _parts(at: Run) -> Iterator[Any]:
    """Compare the map of thin factors with that of the matrix, and the gradient with differences of the loss."""
    rng = at.rng("parts")
    apart = []
    for spec in NORMS.values():
        for m, n in ((40, 2), (40, 40), (2, 40)):
            A, B = rng.standard_normal((m, 4)), rng.standard_normal((n, 4))
            left, right = mapped(spec, A, B)
            apart.append(float(np.max(np.abs(left @ right.T - nk.dualize(spec, A @ B.T)))))
    yield below("S36.map", "the map of thin factors is that of the matrix: the difference", max(apart), 1e-12,
                confidence="all norms, three shapes")  # fmt: skip
    weights, worst, h = [W[0] for W in start(rng, NARROW, 1)], 0.0, 1e-6
    for place, (A, B) in enumerate(slope(weights)[1]):
        D = rng.standard_normal(weights[place].shape)
        ends = [slope([*weights[:place], weights[place] + s * h * D, *weights[place + 1 :]])[0] for s in (1, -1)]
        along = float(np.sum(A @ B.T * D)) / 4  # the loss is a mean of eight squares
        worst = max(worst, abs(float(ends[0] - ends[1]) / (2 * h) - along) / float(np.linalg.norm(D)))
    yield below("S36.gradient", "gradients are those of the loss: distance from central differences", worst, 1e-7,
                confidence="one direction in every layer")  # fmt: skip


def _table(found: Found) -> Iterator[Any]:
    """Compare with the earlier run and with the long run."""
    rows, once, now = [], [], []
    for (name, width), each in found.items():
        (best, edge), value, printed = each.middle, known()[name, width], BEST[name].get(width)
        rows.append([name, width, len(each.best), 2.0**best, printed, 2.0**value.least, 2.0**value.most, 2.0**edge,
                     edge, float(np.std(each.edge)), value.edge])  # fmt: skip
        middle, half = (value.least + value.most) / 2, (value.most - value.least) / 2
        now.append((best, middle, half + STEP))
        if printed is not None:  # as it is on the grid
            once.append((round(np.log2(printed) / STEP) * STEP, middle, half))
    columns = (
        "norm",
        "width",
        "groups",
        "best",
        "earlier run",
        "long run, from",
        "to",
        "least",
        "log2",
        "sd",
        "long run",
    )
    note = "The best is the median of groups, for the long run their range; the least is a mean of log2."
    yield Table("rates", f"Learning rates of groups of {STARTS} starts: the best, and the least that arrives", columns,
                rows, note)  # fmt: skip
    got, middles, halves = zip(*once, strict=True)
    yield within("S36.best", "best learning rates of an earlier run of five starts are among those of groups of five "
                 "of the long run, in log2", got, middles, halves, confidence="the range of 24 groups")  # fmt: skip
    got, middles, halves = zip(*now, strict=True)
    yield within("S36.groups", "so are those of this run, up to a step of the grid", got, middles, halves,
                 confidence="the range of 24 groups")  # fmt: skip
    keys = [key for key in found if key[1] >= NARROW]
    yield within("S36.long", "the least learning rates that arrive are those of the long run, in log2",
                 [found[key].middle[1] for key in keys], [known()[key].edge for key in keys],
                 [4 * _error(found, *key) for key in keys],
                 confidence="4 standard errors of groups; widths from 16 on")  # fmt: skip


def _error(found: Found, name: str, width: int) -> float:
    """The standard error of the least learning rate, less that of the long run."""
    value = known()[name, width]
    return float(max(value.edge_sd, SPREAD) * np.sqrt(1 / len(found[name, width].edge) + 1 / value.groups))


def _transfer(found: Found) -> Iterator[Any]:
    """Say how learning rates move with width."""
    widths = sorted({width for _, width in found if width >= FROM})
    slopes = {name: exponent(widths, [found[name, width].middle[1] for width in widths]) for name in NORMS}
    best = {name: exponent(widths, [found[name, width].middle[0] for width in widths]) for name in NORMS}
    one, *others = (abs(each) < DOUBLED for each in slopes.values())
    span = f"widths {widths[0]} to {widths[-1]}"
    yield Table("exponents", f"Exponents of the width, {span}", ("norm", "least that arrives", "best"),
                [[name, slopes[name], best[name]] for name in NORMS])  # fmt: skip
    yield conditional("S36.transfer", "from width 32 on the least learning rate that arrives changes by less than a "
                      "tenth when the width doubles (condition: the norm is that from RMS to RMS); exponents", one,
                      any(others), slopes, confidence=f"{span}; a tenth is {DOUBLED:.3f}")  # fmt: skip
    far = np.log2(widths) - np.mean(np.log2(widths))
    yield within("S36.exponents", "the exponents are those of the long run", list(slopes.values()),
                 [exponent(widths, [known()[name, width].edge for width in widths]) for name in NORMS],
                 [4 * float(np.linalg.norm(far / (far @ far) * [_error(found, name, width) for width in widths]))
                  for name in NORMS], confidence=f"4 standard errors; {span}")  # fmt: skip
    ends = [found["RMS to RMS", width].edge for width in (NARROW, widths[-1])]
    moved = float(np.mean(ends[0]) - np.mean(ends[1]))
    room = 2 * _error(found, "RMS to RMS", NARROW)
    yield refuted("S36.exact", "under RMS to RMS the least learning rate that arrives is the same at every width",
                  moved > room, {f"from {widths[-1]} to {NARROW}, log2": moved, "two standard errors": room},
                  confidence=f"{len(ends[0])} groups")  # fmt: skip
    small = {name: (2.0 ** found[name, WIDTHS[0]].best).tolist() for name in NORMS}
    spread = [min(min(each) for each in small.values()), max(max(each) for each in small.values())]
    yield measured("S36.narrow", "the best learning rates of groups at width 8, from least to most", spread,
                   confidence="groups of five starts, many of which do not arrive")  # fmt: skip


def _cost(losses: Losses, found: Found) -> Iterator[Any]:
    """What a learning rate costs that was tuned at another width."""
    last = max(width for _, width in losses)
    ratios = {}
    for name in NORMS:
        mean = {width: np.exp(np.mean(np.log(losses[name, width]), axis=(0, 1))) for width in (TUNED, last)}
        tuned = int(np.argmin(mean[TUNED]))
        ratios[name] = float(mean[last][tuned] / np.min(mean[last]))
    yield measured("S36.cost", f"the loss at width {last} at the best learning rate of width {TUNED}, over the least",
                   ratios, confidence=f"{losses['spectral', last].shape[0] * STARTS} starts, on the grid")  # fmt: skip
