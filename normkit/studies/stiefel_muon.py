r"""Muon on matrices with orthonormal columns: the step is found by an ascent, and a gap proves how good it is.

At $W$ with $W^\top W=I$ the step of Muon becomes a problem with two constraints, the ball of the spectral norm and the
tangent space:

$$\min\langle G,A\rangle\quad\text{with}\quad\sigma_1(A)\le\eta,\quad W^\top A+A^\top W=0.$$

For every symmetric $S$ the number $d(S)=-\eta\Vert G+WS\Vert_{nuc}$ is a lower bound, as $\langle WS,A\rangle=0$ on
tangent $A$. An ascent in $S$ raises it; the average of its later iterates, made tangent and scaled into the ball, is a
step $B$ that is feasible whatever the ascent did. So the gap $\langle G,B\rangle-\max d(S)$ is never negative and
bounds what $B$ misses: a step comes with its certificate, also when the ascent was stopped early. Then
$W\to\mathrm{msign}(W+B)$ is well conditioned, since $(W+B)^\top(W+B)=I+B^\top B$.

For square $W$ the step has a closed form, $-\eta$ times the polar factor of the tangent part of $G$: that is $W$ times
the polar factor of a skew matrix, which is skew. For tall $W$ the polar factor of the tangent part is not tangent.

How fast the gap falls depends on the draw and the shape, and so does whether the last iterate becomes tangent: where
$G+WS$ loses rank at the optimum, its polar factor is not unique. Both are reported here and not claimed; so is the last
iterate of the [published ascent](https://thinkingmachines.ai/blog/modular-manifolds/) of 100 steps, next to ours.

A later average can be worse than an earlier one. For square $W$ the start is optimal, and the ascent amplifies rounding
away from it where its steps are long against the small singular values of $G+WS$. So the best feasible step is kept,
and the gap never grows.

The certificate and the numbers are derived for this project. They are for single steps at random points, and say
nothing about how a training run goes.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import normkit as nk
from normkit.orthogonalize import polar
from normkit.studies.kit.claims import below, conditional, largest, measured
from normkit.studies.kit.ink import inks
from normkit.studies.kit.outcome import Figure, Outcome, Table
from normkit.studies.kit.study import Run, study
from normkit.studies.tangent.ascent import NORM, Bracket, Matrix, ascent, normal, off, pairing, tangent, transposed
from normkit.studies.tangent.published import published

SHAPES = {"8 x 4": (8, 4, 4), "8 x 8": (8, 8, 8), "8 x 6, rank 2": (8, 6, 2)}
"""m, n, and the rank of G."""
SQUARE = "8 x 8"
SHOWN = (1, 16, 128, 1024, 8192)
DRAW = {
    "8 x 4": {16: 1.0, 128: 0.56, 1024: 3.3e-3, 8192: 2.4e-4},
    "8 x 8": {16: 0.0, 128: 0.0, 1024: 0.0, 8192: 0.0},
    "8 x 6, rank 2": {16: 0.45, 128: 0.14, 1024: 0.041, 8192: 0.014},
}
"""Gaps of one draw of an earlier run, for comparison: another draw has others."""
ROUNDING, TANGENT = 1e-12, 1e-9
"""Of a gap; and of a polar factor, which amplifies rounding where singular values are small."""
FINDING = "A dual ascent gives tangent steps with a certified gap; how fast the gap falls depends on the draw."


@study("stiefel-muon", "Muon on matrices with orthonormal columns, with a certificate", ("S50",), finding=FINDING)
def STUDY(at: Run) -> Outcome:
    """Run the ascent on random points, check its certificate, and report what it leaves open."""
    made, steps, draws = Outcome(), at.pick(128, 8192), at.pick(8, 16)
    points = {name: _points(at, name, draws) for name in SHAPES}
    paths = {name: list(ascent(*points[name], steps)) for name in SHAPES}
    made.add(*_certificate(at, points, paths), *_exact(points, paths), *_reported(points, paths))
    made.add(
        Figure("gaps", "The gap over draws (those below 1e-16 as 1e-16), and how far the last iterate is from tangent.",
               partial(_draw, paths, points), size=(8.4, 4.0)),
    )  # fmt: skip
    return made


def _points(at: Run, name: str, draws: int) -> tuple[Matrix, Matrix]:
    m, n, rank = SHAPES[name]
    rng = at.rng("points", name)
    W = np.linalg.qr(rng.standard_normal((draws, m, n)))[0]
    return W, rng.standard_normal((draws, m, rank)) @ rng.standard_normal((draws, rank, n))


def _certificate(at: Run, points: dict[str, tuple[Matrix, Matrix]], paths: dict[str, list[Bracket]]) -> list[Any]:
    """Compare steps with the constraints, and bounds with other steps."""
    gaps = [found.gap for path in paths.values() for found in path]
    outside, passed, turned = [], [], []
    for name, path in paths.items():
        W, G = points[name]
        for found in path:
            outside += [float(np.max(off(W, found.step))), float(np.max(nk.value(NORM, found.step))) - 1]
        passed.append(largest(*(path[-1].lower - value for value in _others(at, name, W, G, path[-1].step))))
        moved = W + path[-1].step
        Q = polar(moved)
        turned.append(float(np.max(np.abs(transposed(Q) @ Q - np.eye(W.shape[-1])))))
        turned.append(1 - float(np.min(np.linalg.svd(moved, compute_uv=False))))
    return [
        below("S50.certified", "the gap is not negative, at any number of steps: minus the least",
              largest(*(-gap for gap in gaps)), ROUNDING,
              confidence=f"{len(gaps)} brackets of {len(points[SQUARE][0])} draws, up to rounding"),
        below("S50.feasible", "steps are tangent and in the ball: the excess", largest(outside), 1e-13,
              confidence="all draws and numbers of steps"),
        below("S50.bound", "no other feasible step goes below the lower bound: by how much at most", passed, 0.0,
              confidence="random tangent steps, and steps near the one found"),
        below("S50.retraction", "W + B has no singular value below 1, and its polar factor is on the manifold", turned,
              1e-13, confidence="all draws"),
    ]  # fmt: skip


def _others(at: Run, name: str, W: Matrix, G: Matrix, step: Matrix) -> Any:
    """Yield values of other tangent steps on the sphere: random, downhill, and near the one found."""
    rng = at.rng("candidates", name)
    for draw in range(at.pick(50, 500)):
        noise = rng.standard_normal(G.shape)
        A = tangent(W, (noise, step + 0.03 * noise, 0.1 * noise - G)[draw % 3])
        yield pairing(G, A) / np.asarray(nk.value(NORM, A))


def _exact(points: dict[str, tuple[Matrix, Matrix]], paths: dict[str, list[Bracket]]) -> list[Any]:
    """Square W has a closed form; tall W has not that one."""
    W, G = points[SQUARE]
    skew = transposed(W) @ G - normal(W, G)
    first, size, best = paths[SQUARE][0], nk.dual_value(NORM, G), nk.dual_value(NORM, skew)
    apart = {name: off(*_projected(*points[name])) for name in SHAPES}
    tall = [float(np.min(each)) for name, each in apart.items() if name != SQUARE]
    return [
        below("S50.square", "for square W the first step is optimal: the gap, and the distance from -|skew(W'G)|nuc, "
              "over |G|nuc", [float(np.max(np.abs(each) / size)) for each in (first.gap, first.upper + best)], 1e-14,
              confidence="all draws"),
        conditional("S50.project", "the polar factor of the tangent part of G is tangent (condition: W is square)",
                    bool(np.max(apart[SQUARE]) < TANGENT), min(tall) < TANGENT,
                    {"8 x 8, most": float(np.max(apart[SQUARE])), "tall, least": min(tall)}, confidence="all draws"),
    ]  # fmt: skip


def _projected(W: Matrix, G: Matrix) -> tuple[Matrix, Matrix]:
    return W, np.asarray(nk.dualize(NORM, tangent(W, G)))


def _reported(points: dict[str, tuple[Matrix, Matrix]], paths: dict[str, list[Bracket]]) -> list[Any]:
    """Numbers that depend on the draw."""
    rows, last = [], {}
    for name, path in paths.items():
        for found in (found for found in path if found.steps in SHOWN):
            low, middle, high = np.quantile(np.maximum(found.gap, 0.0), (0.0, 0.5, 1.0)).tolist()
            rows.append([name, found.steps, low, middle, high, DRAW[name].get(found.steps)])
        W, G = points[name]
        last[name] = {"ascent": off(W, path[-1].last), "published": off(W, published(W, G))}
    worse = float(max(np.max(found.mean - found.upper) for found in paths[SQUARE]))
    spread = {
        kind: {name: np.quantile(each[kind], (0.0, 0.5, 1.0)).tolist() for name, each in last.items()}
        for kind in ("ascent", "published")
    }
    count = f"{len(points[SQUARE][0])} draws"
    columns = ("W", "steps", "least gap", "median", "largest", "one earlier draw")
    return [
        Table("gaps", "The gap over draws", columns, rows, "A gap below 0 by rounding is shown as 0."),
        Table("last", "How far the last iterate is from tangent, |sym(W'A)|",
              ("ascent", "W", "least", "median", "most"),
              [[kind, name, *each] for kind, found in spread.items() for name, each in found.items()]),
        measured("S50.last", "the distance of the last iterate from tangent, medians by shape",
                 {name: each[1] for name, each in spread["ascent"].items()}, confidence=count),
        measured("S50.published", "the same of the published ascent of 100 steps",
                 {name: each[1] for name, each in spread["published"].items()}, confidence=count),
        measured("S50.average", "for square W, by how much a later average is worse than the first step, at most",
                 worse, confidence=count),
    ]  # fmt: skip


def _draw(paths: dict[str, list[Bracket]], points: dict[str, tuple[Matrix, Matrix]], canvas: Any) -> None:
    left, right = canvas.subplots(1, 2)
    for ink, (name, path) in zip(inks(), paths.items(), strict=False):
        steps = [found.steps for found in path]
        low, middle, high = (np.quantile([np.maximum(f.gap, 1e-16) for f in path], q, axis=1) for q in (0.1, 0.5, 0.9))
        left.plot(steps, middle, label=name, **ink)
        left.fill_between(steps, low, high, color=ink["color"], alpha=0.12, linewidth=0)
        right.plot(steps, [np.median(off(points[name][0], found.last)) for found in path], label=name, **ink)
    left.set(xscale="log", yscale="log", xlabel="steps of the ascent", ylabel=r"gap $\langle G,B\rangle-\max d(S)$",
             title="median and 80 % of the draws", ylim=(3e-17, 30))  # fmt: skip
    right.set(xscale="log", yscale="log", xlabel="steps of the ascent", title="median of the last iterate",
              ylabel=r"distance from tangent, $\sigma_1$ of sym($W^\top A$)", ylim=(3e-17, 30))  # fmt: skip
    left.legend(loc="center left")
