"""The recursions of single modes, without a matrix, and the bound on their distances from the solution.

Derived for this project. For M = U diag(s) U' and X = U diag(x) Q' with Q orthogonal, Muon moves x alone:
x <- x - lr sign(x (x^2 - s)). For M = U diag(s) V', P = U diag(p) R' and Q = V diag(q) R' it moves
p <- p - lr sign((p q - s) q) and q <- q - lr sign((p q - s) p).
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from normkit.optim.schedules import Schedule
from normkit.studies.factoring.problems import Matrix, length


def symmetric(x: Matrix, spectrum: Matrix, lr: Schedule, steps: int) -> Matrix:
    """Return x_t of Muon for t = 0, ..., steps.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.factoring.scalars import symmetric
    >>> symmetric(np.array([0.25]), np.array([1.0]), lambda step: 0.5**step, 3).ravel().tolist()
    [0.25, 0.75, 1.0, 1.0]
    """
    path = [x]
    for step in range(1, steps + 1):
        path.append(path[-1] - lr(step) * np.sign(path[-1] * (path[-1] ** 2 - spectrum)))
    return np.array(path)


def descent(x: Matrix, spectrum: Matrix, lr: float, steps: int) -> Matrix:
    """Return x_t of gradient descent for t = 0, ..., steps."""
    path = [x]
    for _ in range(steps):
        path.append(path[-1] - lr * path[-1] * (path[-1] ** 2 - spectrum))
    return np.array(path)


def asymmetric(p: Matrix, q: Matrix, spectrum: Matrix, lr: Schedule, steps: int) -> tuple[Matrix, Matrix]:
    """Return p_t and q_t of Muon for t = 0, ..., steps."""
    path = [(p, q)]
    for step in range(1, steps + 1):
        p, q = path[-1]
        rest = p * q - spectrum
        path.append((p - lr(step) * np.sign(rest * q), q - lr(step) * np.sign(rest * p)))
    return np.array([p for p, _ in path]), np.array([q for _, q in path])


def first(products: Matrix, spectrum: Matrix, target: float) -> int | None:
    """Return the first t at which |product - s| / |s| is below a target; None where there is none."""
    rel = np.sqrt(np.sum((products - spectrum) ** 2, axis=1)) / length(spectrum)
    found = np.flatnonzero(rel < target)
    return int(found[0]) if len(found) else None


def bound(spectrum: Matrix, first_rate: float, ratio: float, target: float) -> int:
    """Return a t from which on the residual is below a target, by e_t <= first ratio^t / (1 - ratio) for every mode.

    |x^2 - s| is at most e (2 sqrt(s) + e) at a distance e from sqrt(s) or -sqrt(s).
    """
    t = 0
    while True:
        e = first_rate * ratio**t / (1 - ratio)
        if length(e * (2 * np.sqrt(spectrum) + e)) < target * length(spectrum):
            return t
        t += 1


def excess(rng: Generator, cases: int, low: float, high: float, steps: int = 120) -> float:
    """Return the largest excess of the distance to +-sqrt(s) over its bound, in units of the bound, of random cases.

    Decay ratios are uniform in [low, high], roots and first rates from 1e-2 to 10 and x_0 anywhere in the range of the
    bound; steps at which the bound is below 1e-9 of the numbers are left out, being rounding.
    """
    ratio = rng.uniform(low, high, cases)
    root, rate = (10 ** rng.uniform(-2, 1, cases) for _ in range(2))
    reach = rate / (1 - ratio)
    x = np.where(rng.random(cases) < 0.5, -root, root) + rng.uniform(-1, 1, cases) * reach
    scale, worst = root + np.abs(x), 0.0
    for t in range(steps + 1):
        seen = reach * ratio**t > 1e-9 * scale
        over = np.abs(np.abs(x) - root) / (reach * ratio**t) - 1
        worst = max(worst, float(np.max(over, where=seen, initial=0.0)))
        x = x - rate * ratio**t * np.sign(x * (x**2 - root**2))
    return worst


def fixed_point(d: Matrix, spectrum: Matrix) -> Matrix:
    """Return p > 0 with p (p - d) = s."""
    made: Matrix = (d + np.sqrt(d**2 + 4 * spectrum)) / 2
    return made
