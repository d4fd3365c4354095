"""S12: what part B of the source prints that is not so, each with a counter-example in numbers and its repair."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import normkit as nk
from normkit.studies.kit.claims import Claim, check, refuted, within

FAR = (1.0, 10.0, 100.0)


def parts() -> Iterator[Claim]:
    """Yield refuted claims, each followed by its repair."""
    yield from _sign_of_the_integral()
    yield from _argmax()
    yield from _least()
    yield from _trace()


def _sign_of_the_integral() -> Iterator[Claim]:
    """F(x) = x^2/2 from 1 to 2, the integral by Simpson's rule, exact for polynomials of degree three."""
    x, y = 1.0, 2.0
    simpson = [(t, w / 6) for t, w in ((0.0, 1), (0.5, 4), (1.0, 1))]
    left = (y**2 - x**2) / 2
    printed = sum(w * ((x + t * (y - x)) + x) * (y - x) for t, w in simpson)
    repaired = x * (y - x) + sum(w * ((x + t * (y - x)) - x) * (y - x) for t, w in simpson)
    yield refuted("S12.plus", "F(y) - F(x) is the integral of <dF(x + t(y-x)) + dF(x), y - x>",
                  abs(printed - left) > 0.1, printed, left, confidence="F = x^2/2, from 1 to 2")  # fmt: skip
    yield within("S12.minus", "it is <dF(x), y - x> plus the integral of <dF(x + t(y-x)) - dF(x), y - x>", repaired,
                 left, 1e-15, confidence="exact")  # fmt: skip


def _argmax() -> Iterator[Claim]:
    """The objective along any direction has no maximum; its minimum is the step."""
    g, sharpness = np.array([3.0, -4.0]), 2.0
    step = np.asarray(nk.steepest_descent("linf", g, sharpness=sharpness))
    along = [float(-c * g @ step + sharpness / 2 * nk.value("linf", -c * step) ** 2) for c in FAR]
    yield refuted("S12.argmax", "the step is -argmax of <g, x> + (L/2)|x|^2", along[0] < along[1] < along[2] and
                  along[2] > 1e4, along, f"grows without end: c = {', '.join(f'{c:g}' for c in FAR)} along D(g)",
                  confidence="g = (3, -4), linf, L = 2")  # fmt: skip
    grid = np.linspace(-8, 8, 641)
    x = np.stack(np.meshgrid(grid, grid), -1)
    values = x @ g + sharpness / 2 * np.abs(x).max(axis=-1) ** 2
    top = np.unravel_index(np.argmin(values), values.shape)
    yield within("S12.argmin", "it is argmin: where the least value of a grid is, and that value",
                 [*x[top], float(values[top])], [*step, -(7.0**2) / 4], 1e-12,
                 confidence="the grid holds it")  # fmt: skip


def _least() -> Iterator[Claim]:
    """The smallest and the largest g't on the boundary of the linf ball, by going around it."""
    g = np.array([3.0, -4.0])
    side = np.linspace(-1, 1, 201)
    corners = [np.stack([side, np.full_like(side, s)]) for s in (-1, 1)]
    values = np.concatenate([g @ each for each in corners + [each[::-1] for each in corners]])
    dual = float(nk.dual_value("linf", g))
    yield refuted("S12.min", "N*(g) = min of g't over N(t) = 1", abs(values.min() - dual) > 1,
                  float(values.min()), dual, confidence="g = (3, -4), linf")  # fmt: skip
    yield within("S12.max", "N*(g) = max of g't over N(t) = 1", float(values.max()), dual, 1e-14, confidence="exact")


def _trace() -> Iterator[Claim]:
    """<A, B> = tr(AB) and tr(G'W) for the change of a loss."""
    A = np.array([[0.0, 1.0], [0.0, 0.0]])
    product = float(np.sum(A * A))
    yield refuted("S12.trace", "<A, B> = tr(AB)", float(np.trace(A @ A)) != product, float(np.trace(A @ A)), product,
                  confidence="A = B = [[0, 1], [0, 0]]")  # fmt: skip
    yield within("S12.transposed", "<A, B> = tr(A'B), also for matrices that are not square",
                 [float(np.trace(A.T @ A)), float(np.trace(np.ones((3, 2)).T @ np.ones((3, 2))))], [product, 6.0], 0,
                 confidence="exact")  # fmt: skip
    W, dW = np.array([[2.0, 0.0], [0.0, 2.0]]), np.array([[-0.5, 0.0], [0.0, 0.0]])
    change = float(np.sum((W + dW) ** 2) - np.sum(W**2)) / 2 - float(np.sum(dW**2)) / 2
    yield refuted("S12.weights", "tr(G'W) is the first-order change of the loss", float(np.trace(W.T @ W)) != change,
                  float(np.trace(W.T @ W)), change,
                  confidence="loss |W|^2/2 at 2I, so G = W, dW = diag(-1/2, 0)")  # fmt: skip
    yield check("S12.change", "tr(G'dW) is", float(np.trace(W.T @ dW)) == change, float(np.trace(W.T @ dW)), change)
