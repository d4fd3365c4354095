"""The few expressions that formulas of norms need and SymPy lacks: maxima over indices, order, singular values, roots.

All are plain SymPy nodes, so substitution and printing are SymPy's; `normkit.formulas.evaluate` computes them.
A *limit* is ``Tuple(index, low, high)``, as in ``Sum``.
"""

from __future__ import annotations

from typing import Any

from sympy import Expr, Symbol, Tuple, sympify

eps = Symbol("varepsilon", positive=True)
"""Spacing of 1 in the floating-point type: it enters only the rank that counts as numerically nonzero."""
sharpness = Symbol("lambda", positive=True)
"""Sharpness of the model that the update minimises."""


class Node(Expr):  # type: ignore[misc]
    """A real number described by its arguments; the subclasses say how."""

    is_commutative = True
    is_extended_real = True

    def __new__(cls, *args: Any) -> Node:
        """Return the node of the arguments, made symbolic."""
        made: Node = Expr.__new__(cls, *map(sympify, args))
        return made

    @property
    def limits(self) -> tuple[Tuple, ...]:
        """The bound indices with their ranges."""
        return tuple(arg for arg in self.args if isinstance(arg, Tuple) and len(arg) == 3 and arg[0].is_Symbol)

    @property
    def free_symbols(self) -> set[Symbol]:
        """All symbols but the bound indices."""
        bound = {limit[0] for limit in self.limits}
        found: set[Symbol] = set().union(*(arg.free_symbols for arg in self.args))
        return found - bound


class MaxOver(Node):
    """MaxOver(body, limit, ...): the largest value of a body over index ranges (0 over an empty one)."""

    is_extended_nonnegative = True


class FirstArgmax(Node):
    """FirstArgmax(place, body, limit, ...): index number `place` of the first maximiser, last index running fastest."""

    is_integer = True


class Largest(Node):
    """Largest(k, body, limit, ...): the k-th largest value of a body; infinite for k = 0, zero beyond the last."""

    is_extended_nonnegative = True


class RankOf(Node):
    """RankOf(position, body, limit, ...): the rank (from 1) of an entry when sorted decreasingly, ties by index."""

    is_integer = True
    is_extended_positive = True


class SplitIndex(Node):
    """SplitIndex(kind, rule, limit, count): the first / last j in the range with the rule true, or its first maximiser.

    The range is cut to 0..count; where the rule holds nowhere, ``first`` gives its upper end and ``last`` the lower.
    """

    is_integer = True
    is_extended_nonnegative = True


class Singular(Node):
    """Singular(place, row, k, body, rows, columns): of the thin decomposition of the array body_ij.

    place 0: the k-th singular value (infinite for k = 0, zero beyond the last); 1: entry `row` of the k-th left
    vector; 2: entry `row` of the k-th right one.
    """


class Count(Node):
    """Count(condition, limit, ...): for how many values of the indices the condition holds."""

    is_integer = True
    is_extended_nonnegative = True


class Listed(Node):
    """Listed(values, i, ...): an entry of a (nested) tuple, counted from 1."""


class InverseEntry(Node):
    """InverseEntry(rows, i, j): entry i, j of the inverse of the matrix with these rows."""


class RootOf(Node):
    """RootOf(unknown, left, cap, side): the unknown > 0 at which an increasing left-hand side is 1, at most `cap`.

    side 0: the last point found with a left-hand side up to 1; side 1: the first point found above, next to it.
    """

    is_extended_positive = True

    @property
    def free_symbols(self) -> set[Symbol]:
        """All symbols but the unknown."""
        found: set[Symbol] = self.args[1].free_symbols | self.args[2].free_symbols
        return found - {self.args[0]}


class Maximiser(Node):
    """Maximiser(algorithm, k, y, w, v, scalars, limit): the k-th entry of the maximiser that a search finds.

    y (sorted magnitudes) and the weights w, v are bodies in the index of the limit; see `normkit.formulas.search`.
    """

    is_extended_nonnegative = True


class Inside(Node):
    """Inside(entry, projected): an entry that must equal its projection: the norm is one of a subspace."""


class Inverted(Node):
    """Inverted(f, at): the value at a point of the inverse of a named function; it is printed only."""


class AtMost(Node):
    """AtMost(expr, bound): an expression that exceeds its bound by rounding only, and is the bound then."""

    is_extended_nonnegative = True


class Vanishing(Node):
    """Vanishing(expr, size): an expression whose value is 0 where the size of its array is 0 (0/0 otherwise)."""

    is_extended_nonnegative = True
