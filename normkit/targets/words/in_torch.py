"""Words of the target torch."""

import math

import torch


def _rows(G, axes, narrow):
    """Return the items of G, one per row; half precision as float32."""
    if not G.is_floating_point():
        raise TypeError(f"expected floating-point entries; got {G.dtype}. Convert: G.float()")
    if G.ndim < axes:
        raise ValueError(f"expected {axes} or more axes; got shape {tuple(G.shape)}")
    kind = torch.float64 if G.dtype == torch.float64 else torch.float32
    return G.to(kind).reshape((math.prod(G.shape[: G.ndim - axes]), math.prod(G.shape[G.ndim - axes :])))


def _spacing(G):
    """Return the spacing of 1 in the type of G."""
    return torch.finfo(G.dtype).eps


def _scale(x):
    """Return the power of two above the largest magnitude of every row; 1 for a row of zeros."""
    top = torch.amax(torch.abs(x), dim=1, keepdim=True)
    half = top / (2.0 * torch.where(top > 0.0, torch.frexp(top)[0], 1.0))
    return torch.where(top > 0.0, 2.0 * torch.clamp(half, max=1.0 / torch.finfo(x.dtype).tiny), 1.0)


def _finished(t, value, G, axes):
    """Return the map in the shape and type of G, and the values in the shape of the batch."""
    return t.to(G.dtype).reshape(G.shape), value.reshape(G.shape[: G.ndim - axes])


def _sum(x):
    """Return the sum of every row."""
    return torch.sum(x, dim=1, keepdim=True)


def _max(x):
    """Return the largest entry of every row."""
    return torch.amax(x, dim=1, keepdim=True)


def _first(x):
    """Mark the first largest entry of every row."""
    largest = x == torch.amax(x, dim=1, keepdim=True)
    return largest & (torch.cumsum(largest, dim=1) == 1)


def _ranks(n, x):
    """Return 1, ..., n as a row."""
    return torch.arange(1, n + 1, dtype=x.dtype, device=x.device)[None, :]


def _order(a):
    """Return the places of the entries of every row, largest first, ties by place."""
    return torch.sort(a, dim=1, descending=True, stable=True)[1]


def _sorted(a, order):
    """Return the entries of every row in an order."""
    return torch.gather(a, 1, order)


def _unsorted(y, order):
    """Put the entries of every row back to where an order took them from."""
    return torch.zeros_like(y).scatter(1, order, y)


def _beside(*columns):
    """Return arrays side by side."""
    return torch.cat(columns, dim=1)


def _swapped(x, m, n):
    """Transpose the m x n matrix in every row."""
    return x.reshape((x.shape[0], m, n)).transpose(1, 2).reshape((x.shape[0], m * n))


def _permuted(x, sizes, axes):
    """Permute the axes of the array of some sizes that x holds, x itself being the first."""
    return x.reshape(sizes).permute(axes).reshape(x.shape)


def _constant(values, x):
    """Return numbers as an array of the type of x."""
    return torch.tensor(values, dtype=x.dtype, device=x.device)


def _taken(x, places):
    """Return some entries of every row."""
    return x[:, list(places)]


def _put(x, places, size):
    """Return rows of zeros with entries at some places."""
    out = torch.zeros((x.shape[0], size), dtype=x.dtype, device=x.device)
    out[:, list(places)] = x
    return out


def _cut(x, first, last):
    """Return the entries from a first place up to a last of every row."""
    return x[:, first:last]


def _among_zeros(x, before, after):
    """Return every row between so many zeros."""
    return torch.nn.functional.pad(x, (before, after))


def _product(x, A):
    """Return every row times A."""
    return x @ A


def _solved(x, P):
    """Return P^-1 times every row."""
    return torch.linalg.solve(P, x.T).T


def _svd(x, m, n):
    """Factor the m x n matrix in every row."""
    return torch.linalg.svd(x.reshape((x.shape[0], m, n)), full_matrices=False)


def _column(number, x):
    """Return a number for every row."""
    return x.new_full((x.shape[0], 1), number)


def _running(x):
    """Return the sums of the first 1, ..., n entries of every row."""
    return torch.cumsum(x, dim=1)


def _reversed(x):
    """Return every row backwards."""
    return x.flip(1)


def _turned(X):
    """Transpose a stack of matrices."""
    return X.transpose(1, 2)


def _times(A, X):
    """Return the products of two stacks of matrices."""
    return A @ X


def _stretched(T, factor):
    """Return factors times the map, in its type."""
    return (T * factor).to(T.dtype)
