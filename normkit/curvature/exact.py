r"""The largest <x, Hx> on the unit sphere of lp, p = 1, 2, infinity: exactly.

The sphere of l1 and the surface of the cube are made of faces. At a maximum in the relative interior of a face the
gradient along the face is zero and H is negative semidefinite along it. If it is not negative *definite* along it, one
can walk in a direction of curvature zero, at the same value, to a smaller face. So some maximum is a stationary point
of a face along which H is negative definite: there is one such point per face, and few such faces. For H >= 0 only the
vertices are left. (Both problems are NP-hard for indefinite H, and the cube is for H >= 0, too; hence the budgets.)

Every function takes H and returns (value, x) with value = <x, Hx> at a point x of the unit sphere, or None.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from normkit.curvature.space import Floats

Found = tuple[float, Floats]
"""(the largest value, where)"""

PATTERNS = 1 << 19
"""Most sign patterns that are looked at."""
CHUNK = 1 << 13
"""Patterns that are held at a time."""
FACES = 1 << 14
"""Most faces of the l1 ball that are looked at."""


def largest(H: Floats, p: float) -> Found | None:
    """Return max <x, Hx> over ||x||_p = 1."""
    if p == 2:
        return _at(H, scipy.linalg.eigh(H, subset_by_index=[len(H) - 1, len(H) - 1])[1][:, 0])
    if p == 1:
        return _cross_polytope(H)
    return _cube(H) if np.isinf(p) else None


def largest_operator(H: Floats, p: float) -> Found | None:
    """Return max ||Hx||_q over ||x||_p = 1, 1/p + 1/q = 1; it is attained at vertices for p = 1 and infinity."""
    if p == 2:
        values, vectors = scipy.linalg.eigh(H)
        best = int(np.argmax(np.abs(values)))
        return float(abs(values[best])), vectors[:, best]
    if p == 1:
        column = int(np.argmax(np.abs(H).max(axis=0)))
        return float(np.abs(H[:, column]).max()), np.eye(len(H))[column]
    if not np.isinf(p) or len(H) - 1 > np.log2(PATTERNS):
        return None
    found = (_best(signs, np.abs(signs @ H).sum(axis=1)) for signs in _patterns(len(H)))
    return max(found, key=lambda each: each[0])


def _at(H: Floats, x: Floats) -> Found:
    return float(x @ H @ x), x


# --- the cube -------------------------------------------------------------------------------------------------------


def _cube(H: Floats) -> Found | None:
    """Look at every face on which H is negative definite: the free entries are among those with H_ii < 0."""
    n, falling = len(H), np.flatnonzero(np.diag(H) < 0)
    free = [len(falling)] if len(falling) < n else [n - 1]
    if n - 1 + np.log2(1.5) * free[0] > np.log2(PATTERNS):
        return None
    best: Found = -np.inf, np.zeros(n)
    for count in range(free[0] + 1):
        for inner in combinations(falling.tolist(), count):
            found = _on_faces(H, np.array(inner, dtype=np.intp))
            best = max(best, found, key=lambda each: each[0])
    return best


def _on_faces(H: Floats, inner: NDArray[np.intp]) -> Found:
    """Return the best stationary point whose free entries are `inner`, all others +-1."""
    outer = np.setdiff1d(np.arange(len(H)), inner)
    best: Found = -np.inf, np.zeros(len(H))
    pull: NDArray[np.floating] = np.zeros((0, len(outer)))
    if len(inner):
        block = -H[np.ix_(inner, inner)]
        if not _definite(block):
            return best
        pull = np.linalg.solve(block, H[np.ix_(inner, outer)])
    for signs in _patterns(len(outer)):
        middle = signs @ pull.T
        inside = (np.abs(middle) <= 1).all(axis=1)
        if inside.any():
            x = np.empty((int(inside.sum()), len(H)))
            x[:, outer], x[:, inner] = signs[inside], middle[inside]
            best = max(best, _best(x, np.einsum("ki,ij,kj->k", x, H, x, optimize=True)), key=lambda each: each[0])
    return best


def _patterns(count: int) -> Iterator[Floats]:
    """Yield the 2^(count-1) sign vectors with first entry 1, a chunk at a time."""
    for start in range(0, 2 ** (count - 1), CHUNK):
        numbers = np.arange(start, min(start + CHUNK, 2 ** (count - 1)))
        yield np.hstack([np.ones((len(numbers), 1)), 1.0 - 2.0 * ((numbers[:, None] >> np.arange(count - 1)) & 1)])


def _best(points: Floats, values: Floats) -> Found:
    place = int(np.argmax(values))
    return float(values[place]), points[place]


def _definite(matrix: Floats) -> bool:
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


# --- the cross-polytope ---------------------------------------------------------------------------------------------


def _cross_polytope(H: Floats) -> Found | None:
    """Grow faces vertex by vertex, as long as H is negative definite along them: no larger face of another one is."""
    best, seen = _at(H, np.eye(len(H))[int(np.argmax(np.diag(H)))]), 0
    grown = [([i], [1.0]) for i in range(len(H))]
    while grown:
        places, signs = grown.pop()
        for j in range(places[-1] + 1, len(H)):
            for sign in (1.0, -1.0):
                seen += 1
                if seen > FACES:
                    return None
                face = [*places, j], [*signs, sign]
                if (point := _on_face(H, *face)) is not None:
                    grown.append(face)
                    best = max(best, _at(H, point), key=lambda each: each[0])
    return best


def _on_face(H: Floats, places: list[int], signs: list[float]) -> Floats | None:
    """Return the maximiser on the face's plane, or its first vertex if that is outside; None unless H is definite."""
    s = np.array(signs)
    Q = s[:, None] * H[np.ix_(places, places)] * s
    along = Q[1:, 1:] - Q[1:, :1] - Q[:1, 1:] + Q[0, 0]
    if not _definite(-along):
        return None
    steps = np.linalg.solve(-along, Q[1:, 0] - Q[0, 0])
    shares = np.concatenate([[1 - steps.sum()], steps])
    point = np.zeros(len(H))
    if (shares >= 0).all():
        point[places] = s * shares / shares.sum()
    else:
        point[places[0]] = s[0]
    return point
