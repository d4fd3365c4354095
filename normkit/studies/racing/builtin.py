"""Objectives that are built in: a small network on digits, multinomial logistic regression, a factorization."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from normkit.studies.racing.objective import Arrays, Objective

Matrix = NDArray[np.float64]
HIDDEN, BATCH = 32, 128


def digits() -> Objective:
    """Cross-entropy of a network 64-32-10 with ReLU on the digits of scikit-learn, batches of 128; compared on all."""
    X, labels, note = _digits()
    onehot = np.eye(10)[labels]

    def start(seed: int) -> Arrays:
        rng = np.random.default_rng(seed)
        return {
            "hidden": rng.standard_normal((HIDDEN, 64)) * np.sqrt(2 / 64),
            "out": rng.standard_normal((10, HIDDEN)) / np.sqrt(HIDDEN),
        }

    def slope(weights: Arrays, seed: int) -> tuple[float, Arrays]:
        rows = np.random.default_rng(seed).integers(len(X), size=BATCH)
        inputs = X[rows]
        before = inputs @ weights["hidden"].T
        active = np.maximum(before, 0)
        loss, back = _cross_entropy(active @ weights["out"].T, onehot[rows])
        through = (back @ weights["out"]) * (before > 0)
        return loss, {"hidden": through.T @ inputs, "out": back.T @ active}

    def final(weights: Arrays) -> float:
        return _cross_entropy(np.maximum(X @ weights["hidden"].T, 0) @ weights["out"].T, onehot)[0]

    return Objective("digits", start, slope, final, note)


def _digits() -> tuple[Matrix, NDArray[np.int64], str]:
    if find_spec("sklearn"):
        from sklearn.datasets import load_digits

        data = load_digits()
        return data.data / 16.0, np.asarray(data.target), ""
    rng = np.random.default_rng(0)
    centres, labels = rng.random((10, 64)), rng.integers(10, size=1800)
    note = "scikit-learn is not installed: ten clusters of points in place of its digits"
    return centres[labels] + 0.4 * rng.standard_normal((1800, 64)), labels, note


def logistic() -> Objective:
    """Cross-entropy of W x + b for 5 classes of 600 Gaussian points in 30 dimensions of unequal scale; no batches."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 30)) * np.geomspace(1.0, 0.05, 30)
    scores = X @ rng.standard_normal((30, 5)) * 2 + rng.gumbel(size=(600, 5))
    onehot = np.eye(5)[np.argmax(scores, axis=1)]

    def start(seed: int) -> Arrays:
        return {"W": 0.1 * np.random.default_rng(seed).standard_normal((5, 30)), "b": np.zeros(5)}

    def slope(weights: Arrays, seed: int) -> tuple[float, Arrays]:
        loss, back = _cross_entropy(X @ weights["W"].T + weights["b"], onehot)
        return loss, {"W": back.T @ X, "b": back.sum(axis=0)}

    return Objective("logistic", start, slope, lambda weights: slope(weights, 0)[0])


def factorization() -> Objective:
    """1/2 |P Q' - M|_F^2 with M of size 24 x 16 and singular values from 1 down to 1/100, from small Gaussian P, Q."""
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.standard_normal((side, 16)))[0] for side in (24, 16))
    M = (left * np.geomspace(1.0, 0.01, 16)) @ right.T

    def start(seed: int) -> Arrays:
        draw = np.random.default_rng(seed)
        return {"P": 0.1 * draw.standard_normal((24, 16)), "Q": 0.1 * draw.standard_normal((16, 16))}

    def slope(weights: Arrays, seed: int) -> tuple[float, Arrays]:
        P, Q = weights["P"], weights["Q"]
        rest = P @ Q.T - M
        return 0.5 * float(np.sum(rest * rest)), {"P": rest @ Q, "Q": rest.T @ P}

    return Objective("factorization", start, slope, lambda weights: slope(weights, 0)[0])


def _cross_entropy(scores: Matrix, onehot: Matrix) -> tuple[float, Matrix]:
    """The mean cross-entropy, and its gradient with respect to the scores."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return -float(np.sum(logs * onehot)) / len(scores), (np.exp(logs) - onehot) / len(scores)


BUILTIN: dict[str, Callable[[], Objective]] = {
    "digits": digits,
    "logistic": logistic,
    "factorization": factorization,
}
