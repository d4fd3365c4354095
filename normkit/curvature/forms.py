"""What is known of a norm beside its kernels: is it a weighted lp norm of the entries, and how far does its ball reach.

The *reach* of a norm is the largest l2 norm on its unit ball, R with ||x||_2 <= R N(x). It is the norm's own sharpness
of the identity: <x, I x> = ||x||_2^2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sympy import oo

from normkit.calculus.induced import Induced
from normkit.calculus.mixed import Cols, Entries, Max, Rows, Sum
from normkit.calculus.ordered import as_power
from normkit.calculus.transpose import Transposed
from normkit.catalogue.spectral import Frobenius
from normkit.catalogue.weighted import WeightedLinf, WeightedLp
from normkit.curvature.space import Floats, Space, space
from normkit.errors import NoClosedForm
from normkit.norm import Norm, Scaled


@dataclass(frozen=True)
class WeightedPower:
    """N(x) = ||w * x||_p of the flat entries."""

    p: float
    weights: Floats


def weighted_power(of: Space) -> WeightedPower | None:
    """Return a norm as a weighted lp norm of the entries, if it is one; a `Modular` norm is if all levels share p."""
    named = of.norm.named_blocks()
    if named is None:
        p = entry_power(of.norm)
        return None if p is None else WeightedPower(p, _weights(of))
    outer, parts = named
    powers = {entry_power(part) for _, part in parts} | ({entry_power(outer)} if len(parts) > 1 else set())
    if len(powers) > 1 or None in powers:
        return None
    inner = np.concatenate([_weights(space(part, shape)) for (_, part), shape in zip(parts, of.shapes, strict=True)])
    level = np.repeat(_at_units(outer, len(parts)), of.sizes)
    return WeightedPower(float(powers.pop() or 0.0), inner * level)


def entry_power(norm: Norm) -> float | None:
    """Return p of a multiple of the (weighted) lp norm of the entries."""
    if isinstance(norm, Scaled | Transposed | Entries):
        return entry_power(norm.of)
    if isinstance(norm, Frobenius | Max | Sum):
        return {Frobenius: 2.0, Max: np.inf, Sum: 1.0}[type(norm)]
    if isinstance(norm, WeightedLp | WeightedLinf):
        return np.inf if isinstance(norm, WeightedLinf) else float(norm.p)
    if isinstance(norm, Rows | Cols):
        powers = {entry_power(norm.outer), entry_power(norm.inner)}
        return powers.pop() if len(powers) == 1 else None
    if (lowered := _lowered(norm)) is not None:
        return entry_power(lowered)
    power = as_power(norm)
    return None if power is None else float(np.inf if power.p is oo else power.p)


def gauge_power(norm: Norm) -> float | None:
    """Return p of a multiple of the lp norm of the singular values."""
    if isinstance(norm, Scaled):
        return gauge_power(norm.of)
    if (lowered := _lowered(norm)) is not None:
        return gauge_power(lowered)
    return None if norm.gauge is None else entry_power(norm.gauge)


def _lowered(norm: Norm) -> Norm | None:
    if not isinstance(norm, Induced):
        return None
    try:
        return norm.lowered()
    except NoClosedForm:
        return None


def _weights(of: Space) -> Floats:
    """Return N(e_i) of every entry; one evaluation where all are the same."""
    if _weighted(of.norm):
        return np.array([of.value(unit) for unit in np.eye(of.size)])
    return np.full(of.size, of.value(np.eye(1, of.size)[0]))


def _weighted(norm: Norm) -> bool:
    if isinstance(norm, WeightedLp | WeightedLinf):
        return True
    return any(_weighted(part) for part in vars(norm).values() if isinstance(part, Norm))


def _at_units(outer: Norm, count: int) -> Floats:
    """Return the value of a vector norm at every unit vector."""
    return np.asarray(outer(np.eye(count)))


# --- how far a ball reaches -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reach:
    """||T x||_2 <= radius * N(x), T the diagonal of `weights`."""

    weights: Floats
    radius: float


def reach(of: Space) -> Reach:
    """Return a bound of ||T x||_2 / N(x); T is 1 but for named arrays, where it evens out the reaches of the blocks."""
    named = of.norm.named_blocks()
    if named is None:
        return Reach(np.ones(of.size), _radius(of))
    outer, parts = named
    radii = [_radius(space(part, shape)) for (_, part), shape in zip(parts, of.shapes, strict=True)]
    return Reach(np.repeat(1 / np.array(radii), of.sizes), _radius(space(outer, (len(parts),))))


def _radius(of: Space) -> float:
    """Bound sup of ||x||_2 over N(x) <= 1; the true value for (multiples of) lp norms of entries or singular values."""
    unit = of.value(np.eye(1, of.size)[0])
    if (p := entry_power(of.norm)) is not None and not _weighted(of.norm):
        return _of_power(p, of.size) / unit
    if (p := gauge_power(of.norm)) is not None:
        return _of_power(p, min(of.shapes[0])) / unit
    if (found := _of_mixed(of)) is not None:
        return found / unit
    if of.norm.symmetric or of.norm.gauge is not None:
        # ||s||_2^2 <= s_1 ||s||_1, phi(s) >= s_1 phi(e_1), and phi(s) >= phi(1) ||s||_1 / r by averaging permutations
        count = of.size if of.norm.symmetric else min(of.shapes[0])
        ones = np.ones(of.size) if of.norm.symmetric else np.eye(of.shapes[0][0], of.shapes[0][1]).ravel()
        return float(np.sqrt(count / (unit * of.value(ones))))
    return float(np.linalg.norm(entry_bounds(of)))


def _of_power(p: float, count: int) -> float:
    return float(count ** max(0.0, 0.5 - 1 / p))


def _of_mixed(of: Space) -> float | None:
    """Bound rows(p, q), or a multiple: the two reaches multiply."""
    norm = of.norm
    while isinstance(norm, Scaled):
        norm = norm.of
    norm = _lowered(norm) or norm
    while isinstance(norm, Scaled):
        norm = norm.of
    if not isinstance(norm, Rows | Cols) or _weighted(norm):
        return None
    outer, inner = entry_power(norm.outer), entry_power(norm.inner)
    if outer is None or inner is None:
        return None
    long, short = of.shapes[0] if isinstance(norm, Rows) else of.shapes[0][::-1]
    return _of_power(outer, long) * _of_power(inner, short)


def entry_bounds(of: Space) -> Floats:
    """Return N*(e_i), the largest |x_i| of the unit ball, for every entry."""
    return np.array([of.dual_value(unit) for unit in np.eye(of.size)])
