"""Words that are made of other words, the same in every target."""

import math


def _beyond(x):
    """Return the sums of every row without its first 0, ..., n entries."""
    return _beside(_reversed(_running(_reversed(x))), _column(0.0, x))


def _within(x):
    """Return the sums of the first 0, ..., n entries of every row."""
    return _beside(_column(0.0, x), _running(x))


def _above(y):
    """Return the entry before each of n + 1 places, infinite before the first."""
    return _beside(_column(math.inf, y), y)


def _below(y):
    """Return the entry after each of n + 1 places, 0 after the last."""
    return _beside(y, _column(0.0, y))


def _increments(x):
    """Return the differences of neighbours of every row, of the first from 0."""
    return x - _beside(_column(0.0, x), x[:, :-1])


def _matrices(x, m, n):
    """Return the m x n matrix in every row, transposed if it is tall."""
    rows = x if m <= n else _swapped(x, m, n)
    return rows.reshape((x.shape[0], min(m, n), max(m, n)))


def _flat(X, m, n):
    """Return matrices, transposed if they are tall, as rows."""
    rows = X.reshape((X.shape[0], m * n))
    return rows if m <= n else _swapped(rows, n, m)


def _gram(X):
    """Return X X'."""
    return _times(X, _turned(X))


def _composed(left, d, right):
    """Return left diag(d) right, one matrix per row."""
    product = _times(left * d.reshape((d.shape[0], 1, d.shape[1])), right)
    return product.reshape((d.shape[0], left.shape[1] * right.shape[2]))
