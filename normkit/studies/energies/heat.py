r"""A small physics-informed network for the heat equation u_t = NU u_xx on 0 <= x, t <= 1, with gradients by hand.

Layers are a -> tanh(W [a; 1]), the last without tanh, so that all weights are matrices. A value goes through a layer
with its derivatives along x, t and twice along x; the gradient of the loss goes back through all four.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NU, WIDTHS = 0.1, (2, 16, 16, 1)
NAMES = tuple(f"W{place}" for place in range(1, len(WIDTHS)))
Weights = Mapping[str, Floats]


def exact(x: Floats, t: Floats) -> Floats:
    """Return the solution that starts as sin(pi x) + sin(3 pi x)/2."""
    first, third = np.exp(-NU * (np.pi * np.array([1.0, 3.0])) ** 2 * t[..., None]).T
    return np.asarray(first.T * np.sin(np.pi * x) + third.T * np.sin(3 * np.pi * x) / 2)


@dataclass(frozen=True)
class Heat:
    """Points inside (2, n), and points (2, p) of the boundary with the values (p,) that they should have.

    The loss is the mean square of u_t - NU u_xx inside, plus that of the misfit on the boundary.
    """

    inside: Floats
    edge: Floats
    values: Floats

    @classmethod
    def draw(cls, draw: np.random.Generator, inside: int = 120, edge: int = 30) -> Heat:
        """Return random points: `edge` of each side."""
        x, t = draw.random(edge), draw.random(2 * edge)
        start, sides = np.stack([x, np.zeros(edge)]), np.stack([np.repeat([0.0, 1.0], edge), t])
        points = np.concatenate([start, sides], axis=1)
        return cls(draw.random((2, inside)), points, exact(*points))

    @cached_property
    def _points(self) -> Floats:
        return np.concatenate([self.inside, self.edge], axis=1)

    def loss(self, weights: Weights) -> float:
        """Return the loss, which is not negative."""
        return self._loss(_forward(weights, self._points)[-1])[0]

    def _loss(self, last: Floats) -> tuple[float, Floats]:
        """The loss, and its derivatives with respect to u, u_x, u_t, u_xx at all points."""
        count, sides = self.inside.shape[1], self.edge.shape[1]
        residual = last[2, 0, :count] - NU * last[3, 0, :count]
        misfit = last[0, 0, count:] - self.values
        back = np.zeros_like(last)
        back[2, 0, :count] = 2 * residual / count
        back[3, 0, :count] = -NU * back[2, 0, :count]
        back[0, 0, count:] = 2 * misfit / sides
        return float(residual @ residual / count + misfit @ misfit / sides), back

    def loss_and_gradient(self, weights: Weights) -> tuple[float, dict[str, Floats]]:
        """Return the loss and its gradient in every matrix."""
        steps = _forward(weights, self._points)
        value, back = self._loss(steps[-1])
        found: dict[str, Floats] = {}
        for name, before in zip(reversed(NAMES), reversed(steps[:-1]), strict=True):
            if name != NAMES[-1]:
                back = _through_tanh(weights[name] @ before, back)
            found[name] = np.einsum("kip,kjp->ij", back, before)
            back = (weights[name].T @ back)[:, :-1]  # not that of the constant
        return value, {name: found[name] for name in NAMES}

    @staticmethod
    def error(weights: Weights) -> float:
        """Return the relative l2 error of the network against the solution on a grid."""
        x, t = (each.ravel() for each in np.meshgrid(np.linspace(0, 1, 41), np.linspace(0, 1, 21)))
        found, wanted = _forward(weights, np.stack([x, t]))[-1][0, 0], exact(x, t)
        return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def initial(draw: np.random.Generator) -> dict[str, Floats]:
    """Return Gaussian weights of variance 1/fan-in, the biases among them."""
    pairs = zip(NAMES, WIDTHS, WIDTHS[1:], strict=False)
    return {name: draw.standard_normal((m, n + 1)) / math.sqrt(n + 1) for name, n, m in pairs}


def _forward(weights: Weights, points: Floats) -> list[Floats]:
    """What goes into every layer, and u: arrays (4, width, points) of values and their x, t and xx derivatives."""
    into = np.zeros((4, 2, points.shape[1]))
    into[0], into[1, 0], into[2, 1] = points, 1.0, 1.0
    steps = []
    for name in NAMES:
        steps.append(_with_constant(into))
        into = weights[name] @ steps[-1]
        if name != NAMES[-1]:
            a, slope = _tanh(into[0])
            bend = -2 * a * slope
            into = np.stack([a, slope * into[1], slope * into[2], bend * into[1] ** 2 + slope * into[3]])
    return [*steps, into]


def _through_tanh(z: Floats, back: Floats) -> Floats:
    """The derivatives with respect to z, z_x, z_t, z_xx from those with respect to the same of tanh(z)."""
    a, slope = _tanh(z[0])
    bend, third = -2 * a * slope, slope * (6 * a**2 - 2)
    value = back[0] * slope + bend * (back[1] * z[1] + back[2] * z[2] + back[3] * z[3]) + third * back[3] * z[1] ** 2
    return np.stack([value, back[1] * slope + 2 * back[3] * bend * z[1], back[2] * slope, back[3] * slope])


def _tanh(z: Floats) -> tuple[Floats, Floats]:
    a = np.tanh(z)
    return a, 1 - a**2


def _with_constant(into: Floats) -> Floats:
    """A row more, which is 1 and has no derivatives."""
    row = np.zeros((4, 1, into.shape[2]))
    row[0] = 1.0
    return np.concatenate([into, row], axis=1)
