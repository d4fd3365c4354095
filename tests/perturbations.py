"""Adversaries of trees: how far an output moves, at worst, for a change of the weights or of the input.

Norms of inputs and outputs are written out here. The worst change to first order is found as in the power method: a
direction of the output, its gradient by differences, the change of norm 1 that goes furthest along it, and again with
the direction in which the output then moved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import normkit as nk
from normkit.modular import Module

Array = Any
STEP = 1e-6


def channels(x: Array, kind: str) -> Array:
    """The norm at every position."""
    return {
        "rms": lambda: np.sqrt(np.mean(np.square(x), axis=0)),
        "l1": lambda: np.sum(np.abs(x), axis=0),
        "linf": lambda: np.max(np.abs(x), axis=0),
    }[kind]()


def size(x: Any, way: str, kind: str = "rms") -> float:
    """The norm of an array, or the sum of those of a tuple."""
    if isinstance(x, tuple):
        return sum(size(part, way, kind) for part in x)
    each = channels(x, kind)
    return float(np.max(each) if way == "max" else np.sqrt(np.mean(np.square(each))))


def unit(shape: tuple[int, ...], way: str, kind: str, draw: np.random.Generator) -> Array:
    """An input of norm 1: every position of norm 1, or for the mean a single one that holds all."""
    if kind == "l1":
        x = np.zeros(shape)
        for place in np.ndindex(*shape[1:]):
            x[(draw.integers(shape[0]), *place)] = draw.choice([-1.0, 1.0])
        return x
    x = draw.standard_normal(shape)
    if way == "mean" and len(shape) > 1 and draw.integers(2):
        alone = np.zeros(shape[1:])
        alone[tuple(draw.integers(length) for length in shape[1:])] = 1.0
        x = x * alone
        return x / size(x, way, kind)
    return x / channels(x, kind)


def steepest(g: Array, way: str, kind: str) -> Array:
    """The change of norm 1 that goes furthest along g, at every position or over all."""
    if isinstance(g, tuple):
        made = [steepest(part, way, kind) for part in g]
        gains = [float(np.sum(part * t)) for part, t in zip(g, made, strict=True)]
        return tuple(t if place == int(np.argmax(gains)) else np.zeros_like(t) for place, t in enumerate(made))
    norm = {"rms": "rms", "l1": "l1", "linf": "linf"}[kind]
    flat = g.reshape(len(g), -1)
    outer = "linf" if way == "max" else "rms"
    return np.asarray(nk.dualize(f"cols({outer}, {norm})", flat, backend="reference")).reshape(g.shape)


def flatten(x: Any) -> Array:
    return np.concatenate([part.ravel() for part in x]) if isinstance(x, tuple) else np.ravel(x)


def gradient(run: Callable[[Any], Any], at: dict[Any, Array], u: Array) -> dict[Any, Array]:
    """The gradient of <u, run> by differences."""
    base, found = flatten(run(at)), {name: np.zeros_like(x) for name, x in at.items()}
    for name, x in at.items():
        for place in np.ndindex(x.shape):
            moved = x.copy()
            moved[place] += STEP
            found[name][place] = u @ (flatten(run(at | {name: moved})) - base) / STEP
    return found


def toward(moved: Any, way: str, kind: str) -> Array:
    """The direction of the output along which its norm grows: the dualize map of the dual norm, up to a factor."""
    if isinstance(moved, tuple):
        return flatten(tuple(toward(part, way, kind).reshape(part.shape) for part in moved))
    norm = {"rms": "l2", "linf": "l1", "l1": "linf"}[kind]
    flat = moved.reshape(len(moved), -1)
    outer = "l1" if way == "max" else "l2"
    return flatten(np.asarray(nk.dualize(f"cols({outer}, {norm})", flat, backend="reference")))


def worst(
    run: Callable[[Any], Any],
    at: dict[Any, Array],
    best: Callable[[dict[Any, Array]], dict[Any, Array]],
    ask: tuple[str, str],
    draw: np.random.Generator,
    rounds: int,
) -> float:
    """The largest |run(at + step d) - run(at)| / step for changes d of norm 1 that an adversary finds."""
    base = run(at)
    u, most = draw.standard_normal(flatten(base).shape), 0.0
    for _ in range(rounds):
        d = best(gradient(run, at, u))
        away = run({name: at[name] + STEP * d[name] for name in at})
        moved = tuple(a - b for a, b in zip(away, base, strict=True)) if isinstance(base, tuple) else away - base
        most = max(most, size(moved, *ask) / STEP)
        if size(moved, *ask) == 0.0:
            break
        u = toward(moved, *ask)
    return most


def worst_change(tree: Module, x: Any, ask: tuple[str, str], seed: int, rounds: int = 3) -> float:
    """Of the weights: |f(w + D)(x) - f(w)(x)| / N(D)."""
    N, W = tree.norm(), tree.initialize(seed=seed)
    assert all(float(atom.measure(W[name])) < 1 + 1e-9 for name, (atom, _) in tree.atoms().items())
    rest = {name: W[name] for name in tree.frozen}
    trained = {name: W[name] for name in N.names}
    draw = np.random.default_rng([seed, 1])
    random = {name: draw.standard_normal(w.shape) for name, w in trained.items()}
    moved = {name: w + STEP / float(N(random)) * random[name] for name, w in trained.items()}
    difference = flatten(tree(moved | rest, x)) - flatten(tree(trained | rest, x))
    output = tree(W, x)
    plain = 0.0 if isinstance(output, tuple) else size(difference.reshape(output.shape), *ask) / STEP
    return max(plain, worst(lambda w: tree(w | rest, x), trained, lambda g: nk.dualize(N, g), ask, draw, rounds))


def worst_input(tree: Module, W: Any, x: Any, give: tuple[str, str], ask: tuple[str, str], seed: int) -> float:
    """Of the input: |f(w)(x + dx) - f(w)(x)| / |dx|, of which tuples are measured by the sum."""
    draw = np.random.default_rng([seed, 2])
    several = isinstance(x, tuple)
    at = dict(enumerate(x)) if several else {0: x}

    def run(parts: dict[int, Array]) -> Any:
        return tree(W, tuple(parts.values()) if several else parts[0])

    def best(g: dict[int, Array]) -> dict[int, Array]:
        made = steepest(tuple(g.values()) if several else g[0], *give)
        return dict(enumerate(made)) if several else {0: made}

    return worst(run, at, best, ask, draw, 4)
