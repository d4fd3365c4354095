"""Words of the target numba: loops over one item, as one row."""

import math

import numba
import numpy as np


@numba.njit
def _rows(G, axes, narrow):
    """Return the entries of G as one row of float64."""
    if G.dtype.type(0.5) != 0.5:
        raise TypeError("expected floating-point entries; convert: G.astype(float)")
    return np.ascontiguousarray(G).reshape((1, G.size)).astype(np.float64)


@numba.njit
def _spacing(G):
    """Return the spacing of 1 in the type of G."""
    return 2.0 ** -(52 if G.itemsize == 8 else 23 if G.itemsize == 4 else 10)


@numba.njit
def _scale(x):
    """Return the power of two above the largest magnitude of every row; 1 for a row of zeros."""
    out = np.ones((x.shape[0], 1))
    for k in range(x.shape[0]):
        top = np.max(np.abs(x[k]))
        if top > 0.0:
            out[k, 0] = 2.0 * min(0.5 * top / math.frexp(top)[0], 2.0**1022)
    return out


@numba.njit
def _finished(t, value, G, axes):
    """Return the map in the shape and type of G, and the value."""
    return t.reshape(G.shape).astype(G.dtype), value[0, 0]


@numba.njit
def _sum(x):
    """Return the sum of every row."""
    out = np.empty((x.shape[0], 1))
    for k in range(x.shape[0]):
        out[k, 0] = np.sum(x[k])
    return out


@numba.njit
def _max(x):
    """Return the largest entry of every row."""
    out = np.empty((x.shape[0], 1))
    for k in range(x.shape[0]):
        out[k, 0] = np.max(x[k])
    return out


@numba.njit
def _first(x):
    """Mark the first largest entry of every row."""
    out = np.zeros(x.shape, np.bool_)
    for k in range(x.shape[0]):
        out[k, np.argmax(x[k])] = True
    return out


@numba.njit
def _ranks(n, x):
    """Return 1, ..., n as a row."""
    return np.arange(1.0, n + 1.0).reshape((1, n))


@numba.njit
def _order(a):
    """Return the places of the entries of every row, largest first, ties by place."""
    out = np.empty(a.shape, np.int64)
    for k in range(a.shape[0]):
        out[k] = np.argsort(-a[k], kind="mergesort")
    return out


@numba.njit
def _sorted(a, order):
    """Return the entries of every row in an order."""
    out = np.empty(a.shape)
    for k in range(a.shape[0]):
        out[k] = a[k][order[k]]
    return out


@numba.njit
def _unsorted(y, order):
    """Put the entries of every row back to where an order took them from."""
    out = np.empty(y.shape)
    for k in range(y.shape[0]):
        for i in range(y.shape[1]):
            out[k, order[k, i]] = y[k, i]
    return out


@numba.njit
def _beside(*columns):
    """Return arrays side by side."""
    return np.concatenate(columns, axis=1)


@numba.njit
def _swapped(x, m, n):
    """Transpose the m x n matrix in every row."""
    out = np.empty((x.shape[0], n, m))
    matrices = x.reshape((x.shape[0], m, n))
    for k in range(x.shape[0]):
        out[k] = matrices[k].T
    return out.reshape((x.shape[0], n * m))


@numba.njit
def _permuted(x, sizes, axes):
    """Permute the axes of the array of some sizes that x holds, x itself being the first."""
    return np.ascontiguousarray(x.reshape(sizes).transpose(axes)).reshape(x.shape)


@numba.njit
def _constant(values, x):
    """Return numbers as an array of the type of x."""
    return values


@numba.njit
def _taken(x, places):
    """Return some entries of every row."""
    return np.ascontiguousarray(x[:, places])


@numba.njit
def _put(x, places, size):
    """Return rows of zeros with entries at some places."""
    out = np.zeros((x.shape[0], size))
    for i, place in enumerate(places):
        out[:, place] = x[:, i]
    return out


@numba.njit
def _cut(x, first, last):
    """Return the entries from a first place up to a last of every row."""
    return np.ascontiguousarray(x[:, first:last])


@numba.njit
def _among_zeros(x, before, after):
    """Return every row between so many zeros."""
    out = np.zeros((x.shape[0], before + x.shape[1] + after))
    out[:, before : before + x.shape[1]] = x
    return out


@numba.njit
def _product(x, A):
    """Return every row times A."""
    return x @ A


@numba.njit
def _solved(x, P):
    """Return P^-1 times every row."""
    return np.ascontiguousarray(np.linalg.solve(P, np.ascontiguousarray(x.T)).T)


@numba.njit
def _svd(x, m, n):
    """Factor the m x n matrix in every row."""
    r = min(m, n)
    left, sigma, right = np.empty((x.shape[0], m, r)), np.empty((x.shape[0], r)), np.empty((x.shape[0], r, n))
    matrices = x.reshape((x.shape[0], m, n))
    for k in range(x.shape[0]):
        left[k], sigma[k], right[k] = np.linalg.svd(matrices[k], False)
    return left, sigma, right


@numba.njit
def _column(number, x):
    """Return a number for every row."""
    return np.full((x.shape[0], 1), float(number))


@numba.njit
def _running(x):
    """Return the sums of the first 1, ..., n entries of every row."""
    out = np.empty(x.shape)
    for k in range(x.shape[0]):
        out[k] = np.cumsum(x[k])
    return out


@numba.njit
def _reversed(x):
    """Return every row backwards."""
    return np.ascontiguousarray(x[:, ::-1])


@numba.njit
def _turned(X):
    """Transpose a stack of matrices."""
    return np.ascontiguousarray(X.transpose((0, 2, 1)))


@numba.njit
def _times(A, X):
    """Return the products of two stacks of matrices."""
    out = np.empty((X.shape[0], A.shape[1], X.shape[2]))
    for k in range(X.shape[0]):
        out[k] = A[k] @ X[k]
    return out


@numba.njit
def _stretched(T, factor):
    """Return a factor times the map, in its type."""
    return (T * factor).astype(T.dtype)
