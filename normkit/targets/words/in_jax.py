"""Words of the target jax."""

import math

import jax.numpy as jnp


def _rows(G, axes, narrow):
    """Return the items of G, one per row; half precision as float32."""
    if not jnp.issubdtype(G.dtype, jnp.floating):
        raise TypeError(f"expected floating-point entries; got {G.dtype}. Convert: G.astype(float)")
    if G.ndim < axes:
        raise ValueError(f"expected {axes} or more axes; got shape {G.shape}")
    kind = jnp.float64 if G.dtype == jnp.float64 else jnp.float32
    return G.astype(kind).reshape((math.prod(G.shape[: G.ndim - axes]), math.prod(G.shape[G.ndim - axes :])))


def _spacing(G):
    """Return the spacing of 1 in the type of G."""
    return float(jnp.finfo(G.dtype).eps)


def _scale(x):
    """Return the power of two above the largest magnitude of every row; 1 for a row of zeros."""
    top = jnp.max(jnp.abs(x), axis=1, keepdims=True)
    half = top / (2.0 * jnp.where(top > 0.0, jnp.frexp(top)[0], 1.0))
    return jnp.where(top > 0.0, 2.0 * jnp.minimum(half, 1.0 / jnp.finfo(x.dtype).tiny), 1.0)


def _finished(t, value, G, axes):
    """Return the map in the shape and type of G, and the values in the shape of the batch."""
    return t.astype(G.dtype).reshape(G.shape), value.reshape(G.shape[: G.ndim - axes])


def _sum(x):
    """Return the sum of every row."""
    return jnp.sum(x, axis=1, keepdims=True)


def _max(x):
    """Return the largest entry of every row."""
    return jnp.max(x, axis=1, keepdims=True)


def _first(x):
    """Mark the first largest entry of every row."""
    return jnp.arange(x.shape[1]) == jnp.argmax(x, axis=1)[:, None]


def _ranks(n, x):
    """Return 1, ..., n as a row."""
    return jnp.arange(1, n + 1, dtype=x.dtype)[None, :]


def _order(a):
    """Return the places of the entries of every row, largest first, ties by place."""
    return jnp.argsort(-a, axis=1, stable=True)


def _sorted(a, order):
    """Return the entries of every row in an order."""
    return jnp.take_along_axis(a, order, axis=1)


def _unsorted(y, order):
    """Put the entries of every row back to where an order took them from."""
    return jnp.take_along_axis(y, jnp.argsort(order, axis=1), axis=1)


def _beside(*columns):
    """Return arrays side by side."""
    return jnp.concatenate(columns, axis=1)


def _swapped(x, m, n):
    """Transpose the m x n matrix in every row."""
    return x.reshape((x.shape[0], m, n)).swapaxes(1, 2).reshape((x.shape[0], m * n))


def _permuted(x, sizes, axes):
    """Permute the axes of the array of some sizes that x holds, x itself being the first."""
    return x.reshape(sizes).transpose(axes).reshape(x.shape)


def _constant(values, x):
    """Return numbers as an array of the type of x."""
    return jnp.asarray(values, dtype=x.dtype)


def _taken(x, places):
    """Return some entries of every row."""
    return x[:, jnp.array(places)]


def _put(x, places, size):
    """Return rows of zeros with entries at some places."""
    return jnp.zeros((x.shape[0], size), x.dtype).at[:, jnp.array(places)].set(x)


def _cut(x, first, last):
    """Return the entries from a first place up to a last of every row."""
    return x[:, first:last]


def _among_zeros(x, before, after):
    """Return every row between so many zeros."""
    return jnp.pad(x, ((0, 0), (before, after)))


def _product(x, A):
    """Return every row times A."""
    return jnp.matmul(x, A, precision="highest")


def _solved(x, P):
    """Return P^-1 times every row."""
    return jnp.linalg.solve(P, x.T).T


def _svd(x, m, n):
    """Factor the m x n matrix in every row."""
    return jnp.linalg.svd(x.reshape((x.shape[0], m, n)), full_matrices=False)


def _column(number, x):
    """Return a number for every row."""
    return jnp.full((x.shape[0], 1), number, x.dtype)


def _running(x):
    """Return the sums of the first 1, ..., n entries of every row."""
    return jnp.cumsum(x, axis=1)


def _reversed(x):
    """Return every row backwards."""
    return x[:, ::-1]


def _turned(X):
    """Transpose a stack of matrices."""
    return X.swapaxes(1, 2)


def _times(A, X):
    """Return the products of two stacks of matrices, without short formats on the way."""
    return jnp.matmul(A, X, precision="highest")


def _stretched(T, factor):
    """Return factors times the map, in its type."""
    return (T * factor).astype(T.dtype)
