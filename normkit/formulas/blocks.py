"""Formulas of norms of named arrays: those of the blocks, joined by the formula of the outer norm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sympy import Expr, Integer

from normkit.errors import ShapeError
from normkit.formulas.formula import Formula
from normkit.names import flat, listed, nested


@dataclass(frozen=True)
class BlockFormula:
    """outer(N_a(W_a), N_b(W_b), ...), evaluated exactly on a mapping of small arrays.

    Attributes
    ----------
    outer : Formula
        Of the vector of the numbers of the blocks.
    blocks : mapping of str to Formula
        By name.

    Examples
    --------
    >>> import normkit as nk
    >>> N = nk.Modular({"u": "linf", "v": "l2"}, outer="l2")
    >>> nk.derive(N).dual_norm({"u": [1, -2], "v": [0, 4]})
    5
    """

    outer: Formula
    blocks: Mapping[str, Formula]

    def numbers(self, arrays: Any) -> list[Expr]:
        """Return the number of every block."""
        given = dict(flat(arrays, "a formula of named arrays"))
        if given.keys() != self.blocks.keys():
            raise ShapeError(f"the formula takes the arrays {listed(self.blocks)}; got {listed(given)}")
        return [formula(given[name]) for name, formula in self.blocks.items()]

    def __call__(self, arrays: Any) -> Any:
        """Return the number."""
        return self.outer(self.numbers(arrays))


@dataclass(frozen=True)
class BlockMap:
    """factor * c_l * t_l(G_l) for every name l: c is the outer norm's map at the dual norms of the blocks.

    Attributes
    ----------
    dual_norm : BlockFormula
        N*(G).
    outer : Formula
        c.
    blocks : mapping of str to Formula
        t_l, by name.
    factor : callable
        From N*(G) and the options of the call to what all blocks are multiplied with.
    """

    dual_norm: BlockFormula
    outer: Formula
    blocks: Mapping[str, Formula]
    factor: Callable[..., Expr]

    def __call__(self, arrays: Any, **options: Any) -> dict[str, Any]:
        """Return a mapping of immutable SymPy arrays, nested as the one given."""
        numbers = self.dual_norm.numbers(arrays)
        shares = list(self.outer(numbers))
        factor = self.factor(self.dual_norm.outer(numbers), **options)
        given = dict(flat(arrays, "a formula of named arrays"))
        made = {
            name: factor * share * formula(given[name])
            for (name, formula), share in zip(self.blocks.items(), shares, strict=True)
        }
        return nested(arrays, made)


def one(dual_norm: Expr) -> Expr:
    """Return the factor of the dualize map."""
    return Integer(1)


def descent(dual_norm: Expr, sharpness: Any = 1) -> Expr:
    """Return the factor of the steepest-descent update, -N*(G) / sharpness."""
    return -dual_norm / sharpness
