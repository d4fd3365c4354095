"""Both transcriptions on tr(W'HW)/2 (S32): losses, factors, and what the factors' energy says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import sympy as sp

from normkit.optim import SpecMuonA, SpecMuonB, SteepestDescent, pipeline_named
from normkit.studies.energies.follow import BETA, Floats, Track, Weights, follow, relaxed_a, relaxed_b
from normkit.studies.kit.claims import below, check, conditional, measured, refuted, within
from normkit.studies.kit.outcome import Outcome, Table
from normkit.studies.kit.study import Run

H = np.logspace(0, -2, 8)[:, None]
LR, STEPS, XI = 0.05, 200, 0.2
DRAW = 0
"""The seed of NumPy's generator from which the expected numbers have their W_0; other draws are the run's own."""
A, B = SpecMuonA(k=6, xi=XI), SpecMuonB(k=6, beta=BETA)
LOSSES = {0: 3.3, 40: 4.5e-2, 80: 3.7e-3, 120: 6.0e-3, 160: 6.1e-3}
"""Of A, to two digits."""
PARTED = (0.17, 1.0)
"""The least and the largest r~/E of B within 40 steps."""
ROUNDED = 1e-7
"""What eps = 1e-8 in the denominators of A may move a factor by, in units of the level."""
CLEAR = 1e-6
"""Factors above this share of the level, whose relaxation rounding does not touch."""
STILL = slice(80, 95)
"""Steps at which the loss of A hardly moves, and r is far above eps still."""
LONG, TOO_LONG = 0.2, 0.5
"""Learning rates of B below and above step/sqrt(psi)."""


def run(stage: SpecMuonA | SpecMuonB, lr: float, W: Floats) -> tuple[list[float], Track]:
    """Return losses and factors."""
    losses, tracks = follow(stage, lr, {"W": W}, _gradient, _loss, STEPS)
    return losses, tracks["W"]


def both(at: Run, made: Outcome) -> dict[str, tuple[list[float], Track]]:
    """Follow both on the same start, then on others."""
    start = np.random.default_rng(DRAW).standard_normal((8, 6))
    found = {"A": run(A, LR, start), "B": run(B, LR, start)}
    _first(made, *found["A"])
    _second(made, *found["B"])
    tracks = [track for _, track in found.values()]
    made.add(check("S32.shrinks", "in both, 0 < r' <= r at every step", all(track.shrinks for track in tracks),
                   [float(np.max(track.shrunk / track.before)) for track in tracks],
                   confidence="r' read off the directions"))  # fmt: skip
    _rate(made, start)
    _others(at, made, start, found)
    return found


def _first(made: Outcome, losses: list[float], track: Track) -> None:
    """A: one factor for all modes, which falls to 0 whatever the loss does."""
    least = int(np.argmin(losses))
    ends = track.after[-1] / track.level[-1]
    made.add(
        within("S32.a-loss", "A: the loss after 0, 40, 80, 120, 160 steps", [losses[t] for t in LOSSES],
               list(LOSSES.values()), [0.015 * each for each in LOSSES.values()],
               confidence="the draw of the expected numbers, two digits"),
        below("S32.a-spread", "A: the factors of the modes do not part: largest over smallest, minus 1",
              float(track.spread.max()), 1e-5, confidence="the draw of the expected numbers"),
        below("S32.a-scalar", "A with a factor for every mode is one number times the polar factor",
              float(track.turned.max()), 1e-5, confidence="largest entry of the difference over that number"),
        below("S32.a-rule", "A: the new r is the median of r', sqrt(f) and sqrt(T): distance over sqrt(f)",
              _distance(track, relaxed_a(track, XI)), 1e-6,
              confidence="derived for this project"),
        below("S32.a-energy", "A: no factor ever rises: largest rise over sqrt(f)", track.rise, ROUNDED,
              confidence="follows from that rule, up to eps: derived for this project"),
        refuted("S32.a-dissipation", "A: the loss does not rise, as its energy does not",
                losses[-1] > 1.5 * losses[least], {f"loss after {least} steps": losses[least],
                                                   f"after {STEPS}": losses[-1]},
                "no rise", confidence="the draw of the expected numbers"),
        within("S32.a-rate", "A: while the loss hardly moves, r falls in every step by the factor sqrt(T)/r",
               np.asarray(track.after[STILL, 0] / track.before[STILL, 0]),
               [_standing(LR / (2 * level)) for level in track.level[STILL].tolist()], 1e-3,
               confidence="derived for this project; steps 80 to 95"),
        below("S32.a-freeze", "A stalls since its factors are gone: r/sqrt(f) at the end",
              float(ends.max()), 1e-3, confidence="the draw of the expected numbers"),
    )  # fmt: skip


def _second(made: Outcome, losses: list[float], track: Track) -> None:
    """B: factors that part, those of the dominant modes first to 0."""
    shares = track.shrunk[:41] / track.level[:41, None]
    shrunk, reached, gone, x = sp.symbols("r E D x", positive=True)
    quadratic = sp.expand((x * shrunk + (1 - x) * reached) ** 2 - shrunk**2 - gone)
    found = sp.discriminant(quadratic, x) - 4 * (shrunk - reached) ** 2 * (shrunk**2 + gone)
    made.add(
        within("S32.b-parted", "B: the factors part: least and largest r~/E within 40 steps",
               [float(shares.min()), float(shares.max())], list(PARTED), 0.025,
               confidence="the draw of the expected numbers"),
        check("S32.b-order", "B: those of dominant modes fall first: after 80 steps r grows with the place of its mode",
              bool(np.all(np.diff(track.after[80]) > 0)), track.after[80] / track.level[80],
              confidence="the draw of the expected numbers"),
        below("S32.b-gone", "B: r~/E of the dominant mode after 120 steps",
              float(track.shrunk[119, 0] / track.level[119]), 1e-4, confidence="the draw of the expected numbers"),
        below("S32.b-frozen", "B: the gradient lies in the two modes whose factors are least: the share of the others "
              "in its square", float(np.sum(track.singular[119, 2:] ** 2)), 0.05,
              confidence="the draw of the expected numbers, after 120 steps"),
        below("S32.b-loss", "B: the loss stays above 0.3: 0.3/min f", 0.3 / min(losses), 1.0,
              confidence=f"the draw of the expected numbers, {STEPS} steps"),
        check("S32.b-root", "B: the quadratic of its relaxation has the discriminant 4 (r~ - E+)^2 (r~^2 + psi D)",
              sp.expand(found) == 0, str(sp.expand(found)), "0", confidence="SymPy"),
        below("S32.b-rule", "B: the new r is the lesser of E+ and sqrt(r~^2 + psi D): distance over E",
              _distance(track, relaxed_b(track, B, LR)), 1e-6,
              confidence=f"derived for this project; factors above {CLEAR:g} E"),
    )  # fmt: skip


def _standing(half: float) -> float:
    """Return sqrt(T)/r, for half = lr/(2 sqrt(f))."""
    return math.sqrt(XI + (1 - XI) * (1 + half**2) / (1 + half) ** 2)


def _rate(made: Outcome, start: Floats) -> None:
    """The energy of B under a learning rate below step/sqrt(psi), and above it."""
    rises = {lr: _rise(run(B, lr, start)[1]) for lr in (LR, LONG, TOO_LONG)}
    made.add(
        conditional("S32.b-energy", "B: no factor ever rises", max(rises[LR], rises[LONG]) <= 1e-9,
                    rises[TOO_LONG] <= 1e-9, {f"largest rise over E, lr = {lr:g}": rise for lr, rise in rises.items()},
                    f"lr at most step/sqrt(psi) = {B.step / B.psi**0.5:.3g}",
                    confidence=f"factors above {CLEAR:g} E; sufficient: derived for this project"),
    )  # fmt: skip


def _others(at: Run, made: Outcome, start: Floats, found: dict[str, tuple[list[float], Track]]) -> None:
    """Other starts, and the same method without factors."""
    ends: dict[str, list[float]] = {"A": [], "B": []}
    spreads = []
    for place in range(at.pick(2, 8)):
        W = at.rng("start", place).standard_normal(start.shape)
        for name, stage in (("A", A), ("B", B)):
            losses, track = run(stage, LR, W)
            ends[name].append(losses[-1])
            spreads += [float(track.spread.max())] if name == "A" else []
    plain = {f"Muon, momentum after, lr {LR}": _muon(start, lambda _: LR),
             f"the same, lr {LR} x 0.97^t": _muon(start, lambda step: LR * 0.97 ** (step - 1))}  # fmt: skip
    rows: list[list[Any]] = [[f"SpecMuon {name}", *(losses[t] for t in (*LOSSES, STEPS))]
                             for name, (losses, _) in found.items()]  # fmt: skip
    rows += [[name, *(losses[t] for t in (*LOSSES, STEPS))] for name, losses in plain.items()]
    made.add(
        Table("losses", "Losses on the quadratic, the draw of the expected numbers",
              ("method", *(f"t = {t}" for t in (*LOSSES, STEPS))), rows),
        below("S32.starts", "from other starts, too, the factors of A do not part", spreads, 1e-4,
              confidence=f"{len(spreads)} starts"),
        measured("S32.ends", f"losses after {STEPS} steps from other starts, least and largest",
                 {name: [min(each), max(each)] for name, each in ends.items()}, confidence=f"{len(spreads)} starts"),
    )  # fmt: skip


def _muon(W: Floats, lr: Any) -> list[float]:
    """Losses of the polar factor with momentum after it: A with all factors at 1."""
    optimizer, weights = SteepestDescent(pipeline_named("map_first", beta=BETA), lr=lr), {"W": W}
    losses = [_loss(weights)]
    for _ in range(STEPS):
        weights = optimizer.step(weights, _gradient(weights))
        losses.append(_loss(weights))
    return losses


def _distance(track: Track, rule: Floats) -> float:
    """The largest distance of r from a rule, over the level, where rounding leaves r alone."""
    shares = np.abs(track.after - rule) / track.level[:, None]
    return float(np.max(shares[clear(track)]))


def _rise(track: Track) -> float:
    shares = (track.after - track.before) / track.level[:, None]
    return float(np.max(shares[clear(track)]))


def clear(track: Track) -> Any:
    """Return where factors are clear of rounding."""
    return track.before > CLEAR * track.level[:, None]


def _loss(weights: Any) -> float:
    return 0.5 * float(np.sum(H * weights["W"] ** 2))


def _gradient(weights: Weights) -> Weights:
    return {"W": H * weights["W"]}
