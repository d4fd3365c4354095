"""Words of the target numpy."""

import math

import numpy as np


def _rows(G, axes, narrow):
    """Return the items of G, one per row: float64; of narrow types float32 if that will do."""
    if not (np.issubdtype(G.dtype, np.floating) or G.dtype.name == "bfloat16"):
        raise TypeError(f"expected floating-point entries; got {G.dtype}. Convert: G.astype(float)")
    if G.ndim < axes:
        raise ValueError(f"expected {axes} or more axes; got shape {G.shape}")
    kind = np.float32 if narrow and G.dtype != np.float64 else np.float64
    return G.astype(kind).reshape((math.prod(G.shape[: G.ndim - axes]), math.prod(G.shape[G.ndim - axes :])))


def _spacing(G):
    """Return the spacing of 1 in the type of G."""
    return 2.0**-7 if G.dtype.name == "bfloat16" else float(np.finfo(G.dtype).eps)


def _scale(x):
    """Return the power of two above the largest magnitude of every row; 1 for a row of zeros."""
    top = np.max(np.abs(x), axis=1, keepdims=True)
    half = top / (2.0 * np.where(top > 0.0, np.frexp(top)[0], 1.0))
    return np.where(top > 0.0, 2.0 * np.minimum(half, 1.0 / np.finfo(x.dtype).tiny), 1.0)


def _finished(t, value, G, axes):
    """Return the map in the shape and type of G, and the values in the shape of the batch."""
    return t.astype(G.dtype).reshape(G.shape), value.reshape(G.shape[: G.ndim - axes])[()]


def _sum(x):
    """Return the sum of every row."""
    return np.sum(x, axis=1, keepdims=True)


def _max(x):
    """Return the largest entry of every row."""
    return np.max(x, axis=1, keepdims=True)


def _first(x):
    """Mark the first largest entry of every row."""
    return np.arange(x.shape[1]) == np.argmax(x, axis=1)[:, None]


def _ranks(n, x):
    """Return 1, ..., n as a row."""
    return np.arange(1.0, n + 1.0, dtype=x.dtype)[None, :]


def _order(a):
    """Return the places of the entries of every row, largest first, ties by place."""
    return np.argsort(-a, axis=1, kind="stable")


def _sorted(a, order):
    """Return the entries of every row in an order."""
    return np.take_along_axis(a, order, axis=1)


def _unsorted(y, order):
    """Put the entries of every row back to where an order took them from."""
    return np.take_along_axis(y, np.argsort(order, axis=1), axis=1)


def _beside(*columns):
    """Return arrays side by side."""
    return np.concatenate(columns, axis=1)


def _swapped(x, m, n):
    """Transpose the m x n matrix in every row."""
    return x.reshape((-1, m, n)).swapaxes(1, 2).reshape((x.shape[0], m * n))


def _permuted(x, sizes, axes):
    """Permute the axes of the array of some sizes that x holds, x itself being the first."""
    return x.reshape(sizes).transpose(axes).reshape(x.shape)


def _constant(values, x):
    """Return numbers as an array of the type of x."""
    return np.asarray(values, dtype=x.dtype)


def _taken(x, places):
    """Return some entries of every row."""
    return x[:, np.array(places)]


def _put(x, places, size):
    """Return rows of zeros with entries at some places."""
    out = np.zeros((x.shape[0], size), x.dtype)
    out[:, np.array(places)] = x
    return out


def _cut(x, first, last):
    """Return the entries from a first place up to a last of every row."""
    return x[:, first:last]


def _among_zeros(x, before, after):
    """Return every row between so many zeros."""
    return np.pad(x, ((0, 0), (before, after)))


def _product(x, A):
    """Return every row times A."""
    return x @ A


def _solved(x, P):
    """Return P^-1 times every row."""
    return np.linalg.solve(P, x.T).T


def _svd(x, m, n):
    """Factor the m x n matrix in every row."""
    return np.linalg.svd(x.reshape((-1, m, n)), full_matrices=False)


def _column(number, x):
    """Return a number for every row."""
    return np.full((x.shape[0], 1), number, x.dtype)


def _running(x):
    """Return the sums of the first 1, ..., n entries of every row."""
    return np.cumsum(x, axis=1)


def _reversed(x):
    """Return every row backwards."""
    return x[:, ::-1]


def _turned(X):
    """Transpose a stack of matrices."""
    return X.swapaxes(1, 2)


def _times(A, X):
    """Return the products of two stacks of matrices."""
    return A @ X


def _stretched(T, factor):
    """Return factors times the map, in its type."""
    return (T * factor).astype(T.dtype)
