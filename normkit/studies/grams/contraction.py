r"""Generations: n samples of N(0, S_t) have the second moments S_{t+1}; some of the samples may be fresh, of N(0, I).

Without fresh samples log det S is a random walk with independent steps log det(V/n), V Wishart of n degrees of freedom:
a mean of sum_i psi((n - i + 1)/2) + d log(2/n) a generation, about -d (d + 1)/(2 n), whatever S is. The mean of S stays
what it was. Both derived for this project.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import polygamma, psi

from normkit.studies.grams import pictures
from normkit.studies.grams.matrices import gram, logdet, rows
from normkit.studies.kit.claims import Claim, check, conditional, refuted, within
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run

DIMENSION, SAMPLES, GENERATIONS = 8, 64, 60
FRESH = 0.2
SHRINK, PULL = 0.5, 0.1


def drift() -> tuple[float, float]:
    """Return mean and variance of a step of log det S."""
    half = (SAMPLES - np.arange(DIMENSION)) / 2
    return float(psi(half).sum() + DIMENSION * np.log(2 / SAMPLES)), float(polygamma(1, half).sum())


def generations(rng: Generator, runs: int, fresh: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return log det and trace of S_t, of shape (generations + 1, runs)."""
    new = round(fresh * SAMPLES)
    S = np.tile(np.eye(DIMENSION), (runs, 1, 1))
    logs, traces = [logdet(S)], [np.trace(S, axis1=1, axis2=2)]
    for _ in range(GENERATIONS):
        drawn = np.linalg.cholesky(S) @ rng.standard_normal((runs, DIMENSION, SAMPLES - new))
        S = (gram(drawn) + gram(rng.standard_normal((runs, DIMENSION, new)))) / SAMPLES
        logs.append(logdet(S))
        traces.append(np.trace(S, axis1=1, axis2=2))
    return np.array(logs), np.array(traces)


def parts(at: Run) -> Iterator[Claim | Table | Figure]:
    """Yield both kinds of generations, and contractions that log det cannot tell from others."""
    runs = at.pick(150, 1000)
    paths = {name: generations(at.rng("generations", name), runs, share)
             for name, share in (("own samples alone", 0.0), ("a fifth fresh", FRESH))}  # fmt: skip
    shown = (0, 10, 20, 40, GENERATIONS)
    yield Table("generations", f"Means over {runs} runs, {SAMPLES} samples of {DIMENSION} numbers a generation",
                ("samples", "quantity", *(f"t = {t}" for t in shown)),
                [[name, word, *(float(values[t].mean()) for t in shown)] for name, pair in paths.items()
                 for word, values in zip(("log det", "trace"), pair, strict=True)])  # fmt: skip
    logs, traces = paths["own samples alone"]
    mean, variance = drift()
    error = (variance * GENERATIONS / runs) ** 0.5
    yield within("gram.drift", f"log det of {GENERATIONS} generations of fits falls as the formula has it",
                 float(logs[-1].mean()), mean * GENERATIONS, 4 * error,
                 confidence=f"4 standard errors of {runs} runs; derived for this project")  # fmt: skip
    yield within("gram.rate", "that is about -d (d + 1)/(2 n) a generation", mean,
                 -DIMENSION * (DIMENSION + 1) / (2 * SAMPLES), 0.05, confidence="exact")  # fmt: skip
    deviation = [float((traces[t].mean() - DIMENSION) / (traces[t].std(ddof=1) / runs**0.5)) for t in (10, 20)]
    yield refuted("gram.variance", "the mean of the trace shows a collapse", max(map(abs, deviation)) < 4,
                  {"standard errors from the start, t = 10, 20": deviation, "log det": float(logs[20].mean())},
                  confidence=f"{runs} runs")  # fmt: skip
    half = GENERATIONS // 2
    falls = {name: float(np.mean(log[-1] - log[half])) for name, (log, _) in paths.items()}
    kept = paths["a fifth fresh"][0]
    still = 4 * float(np.std(kept[-1] - kept[half])) / runs**0.5
    yield conditional("gram.collapse", "log det keeps falling from generation to generation: if no samples are fresh",
                      falls["own samples alone"] < mean * half / 2, falls["a fifth fresh"] < -max(still, 0.1), falls,
                      confidence=f"{runs} runs, the second half of {GENERATIONS} generations")  # fmt: skip
    yield from _maps(at)
    yield Figure("generations", "Mean log det and trace over generations of fits (bands: 10 % to 90 % of runs), and "
                 "the formula of the drift.", pictures.generations(paths, mean), (8.0, 4.2))  # fmt: skip


def _maps(at: Run) -> Iterator[Claim]:
    """Linear maps of the rows: towards their mean, and towards 0."""
    X = rows(at.rng("maps"), "noise", 12, 32)
    n = len(X)
    before = float(logdet(gram(X)))
    M = (1 - PULL) * np.eye(n) + PULL / n
    path, Y = [], X
    for _ in range(10):
        Y = M @ Y
        path.append(float(logdet(gram(Y))) - before)
    yield within("gram.pull", "a step of share a towards the mean changes log det by 2 (n - 1) log(1 - a)", path,
                 [2 * (n - 1) * np.log(1 - PULL) * t for t in range(1, 11)], 1e-9,
                 confidence="exact; derived for this project")  # fmt: skip
    Z = SHRINK * X
    lengths = np.linalg.norm(Z, axis=1, keepdims=True)
    change = [float(logdet(gram(Z))) - before, float(logdet(gram(Z / lengths))) - before]
    yield refuted("gram.scale", "a fall of log det is a loss of directions",
                  change[0] < -1 and abs(change[1]) < 1e-10,
                  {"rows halved": change[0], "then of unit length": change[1]},
                  confidence="counter-example")  # fmt: skip
    yield check("gram.unit", "with rows of unit length log det is at most 0, and 0 for orthogonal rows alone",
                before < 0 and abs(float(logdet(gram(np.linalg.qr(X.T)[0].T)))) < 1e-12, before, "< 0",
                confidence="Hadamard")  # fmt: skip
