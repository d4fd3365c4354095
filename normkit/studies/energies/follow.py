"""Runs of SpecMuon whose factors are followed: before a step, shrunk by it, and relaxed after it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import normkit as nk
from normkit.optim import HeavyBall, Pipeline, SpecMuonA, SpecMuonB, SteepestDescent
from normkit.optim.stage import At, Slots, Stage

Floats = NDArray[np.float64]
Weights = dict[str, Floats]
BETA = 0.9


@dataclass(frozen=True)
class Tap(Stage):
    """Shows a direction to a listener and passes it on."""

    listener: Callable[[str, Floats], None]

    def apply(self, u: Floats, slots: Slots, at: At) -> Floats:
        """Return the direction."""
        self.listener(at.name, u)
        return u


@dataclass(frozen=True)
class Track:
    """The factors of one matrix over a run; arrays (steps, k), and (steps,) where there is one number a step.

    Attributes
    ----------
    before, shrunk, after : ndarray
        r, r' (as the step used it, read off the direction), and the r that follows.
    level, reached : ndarray
        sqrt(f + kappa) before the step, and with this matrix alone moved.
    singular : ndarray
        Of the gradient over its Frobenius norm.
    along : ndarray
        What the direction would have along each mode if all factors were 1.
    turned : ndarray
        How far the direction is from one number times the polar factor, relative to that number.
    """

    before: Floats
    shrunk: Floats
    after: Floats
    level: Floats
    reached: Floats
    singular: Floats
    along: Floats
    turned: Floats

    @property
    def spread(self) -> Floats:
        """The largest factor over the smallest, minus 1, after each step."""
        return np.asarray(self.after.max(axis=1) / self.after.min(axis=1) - 1)

    @property
    def rise(self) -> float:
        """By how much a factor grew at most in a step, in units of the level."""
        return float(np.max((self.after - self.before) / self.level[:, None]))

    @property
    def shrinks(self) -> bool:
        """Whether 0 < r' <= r at every step, up to rounding."""
        return bool(np.all((self.shrunk > 0) & (self.shrunk <= self.before * (1 + 1e-9))))


def follow(
    stage: SpecMuonA | SpecMuonB,
    lr: float,
    weights: Weights,
    gradient: Callable[[Weights], Weights],
    loss: Callable[[Mapping[str, Any]], float],
    steps: int,
) -> tuple[list[float], dict[str, Track]]:
    """Return the losses of a run, that of the start first, and the tracks of its matrices."""
    seen: Weights = {}
    after = (HeavyBall(BETA),) if isinstance(stage, SpecMuonA) else ()
    optimizer = SteepestDescent(Pipeline(stage, Tap(seen.__setitem__), *after), lr=lr)
    average, losses = {name: np.zeros_like(W) for name, W in weights.items()}, [loss(weights)]
    rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in weights}
    for _ in range(steps):
        level, slopes = math.sqrt(losses[-1] + stage.kappa), gradient(weights)
        moved = optimizer.step(weights, slopes, loss=loss)
        held = optimizer.state_dict()["arrays"]
        for name, G in slopes.items():
            average[name] = BETA * average[name] + (1 - BETA) * G
            count = min(stage.k, *G.shape)
            base = G if isinstance(stage, SpecMuonA) else average[name]
            polar = np.asarray(nk.dualize("spectral", base))
            s, got, along = _modes(G, seen[name], polar, count)
            shrunk = got / along * (level + stage.eps * isinstance(stage, SpecMuonA))
            before = rows[name][-1][2] if rows[name] else np.full(count, level)
            reached = math.sqrt(max(loss({**weights, name: moved[name]}), 0.0) + stage.kappa)
            scale = float(np.vdot(seen[name], polar) / np.vdot(polar, polar))
            turned = float(np.max(np.abs(seen[name] - scale * polar))) / abs(scale)
            rows[name].append((before, shrunk, held[name]["0.factors"], level, reached, s, along, turned))
        weights = moved
        losses.append(loss(weights))
    return losses, {name: Track(*(np.array(column) for column in zip(*row, strict=True))) for name, row in rows.items()}


def _modes(G: Floats, made: Floats, polar: Floats, count: int) -> tuple[Floats, Floats, Floats]:
    """The leading singular values of G/|G|_F, and what two matrices have along its modes."""
    left, s, right = np.linalg.svd(G / np.linalg.norm(G), full_matrices=False)
    got, along = (np.einsum("mi,mn,in->i", left, each, right)[:count] for each in (made, polar))
    return s[:count], got, along


def relaxed_a(track: Track, xi: float) -> Floats:
    """Return the median of r', the level and sqrt(T): what the relaxation of A comes to (derived for this project)."""
    r, shrunk = track.before, track.shrunk
    mixed = np.sqrt((1 - xi) * shrunk**2 + xi * r**2 + (1 - xi) * (shrunk - r) ** 2)
    return np.asarray(np.clip(track.level[:, None], shrunk, mixed))


def relaxed_b(track: Track, stage: SpecMuonB, lr: float) -> Floats:
    """Return min(E+, sqrt(r~^2 + psi D)): what the relaxation of B comes to (derived for this project)."""
    gone = (lr * track.along * track.shrunk / track.level[:, None]) ** 2 * track.singular / stage.step
    return np.asarray(np.minimum(track.reached[:, None], np.sqrt(track.shrunk**2 + stage.psi * gone)))
