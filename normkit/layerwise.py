"""Steps that every layer of a model takes by itself, as long as its own smoothness allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from normkit import blockwise
from normkit.conventions import Convention, along
from normkit.descent import dual_value
from normkit.errors import ParameterError
from normkit.foreign import library
from normkit.lengths import positive
from normkit.names import listed
from normkit.programs import product

if TYPE_CHECKING:
    from sympy import Expr

    from normkit.norm import Norm

Constants = float | Mapping[str, float]


@dataclass(frozen=True)
class LayerwiseSmooth(Convention):
    """Every layer by itself, -r_l t_l with r_l = d_l / (L0 + L1 d_l), d_l its dual norm: the radius of Gluon.

    For losses with N_l*(grad_l f(X) - grad_l f(Y)) <= (L0_l + L1_l N_l*(grad_l f(X))) N_l(X_l - Y_l), for which the sum
    over the layers of d_l^2 / (2 (L0_l + L1_l d_l)) is a lower bound of the decrease. L1 = 0 is `Sharp`, layer by
    layer; L0 = 0 a constant radius 1/L1. The constants are numbers, or mappings from the names of a `Modular` norm.
    Its outer norm plays no part, its scales do: layer l is measured in s_l N_l. (Riabinin et al. 2025, Gluon,
    arXiv:2505.13416.)

    Examples
    --------
    >>> import normkit as nk
    >>> nk.LayerwiseSmooth(1.0, 1.0).step("linf", None, [3.0, -1.0])
    array([-0.8,  0.8])
    >>> nk.LayerwiseSmooth(1.0, 1.0).decrease
    d**2/(2*(L_0 + L_1*d))
    """

    L0: Constants
    L1: Constants

    def __post_init__(self) -> None:
        for name in ("L0", "L1"):
            given = getattr(self, name)
            held = tuple(given.items()) if isinstance(given, Mapping) else given
            for number in [each for _, each in held] if isinstance(held, tuple) else [held]:
                if number != 0:
                    positive(number, name)
            object.__setattr__(self, name, held)
        if self.L0 == 0 and self.L1 == 0:
            raise ParameterError("one of L0 and L1 must be positive; got 0 and 0")

    @property
    def length(self) -> Expr:
        """d / (L0 + L1 d), of one layer."""
        from normkit import guarantees as of

        return of.dual_norm / (of.L0 + of.L1 * of.dual_norm)

    @property
    def decrease(self) -> Expr:
        """r d - ((L0 + L1 d)/2) r^2, of one layer; the layers add up."""
        from normkit import guarantees as of

        return of.decrease(self.length, of.L0 + of.L1 * of.dual_norm)

    def step(self, norm: Norm | str, W: Any, G: Any, **options: Any) -> Any:
        """Return -r_l t_l of every layer; W is not looked at, and may be None."""
        if (blocks := product(norm)) is not None:
            self._constants(blocks.names)
        return along(norm, G, lambda dual: self._at(self.length, dual, self._constants(None)), self, options)

    def lengths(self, of: blockwise.Measured, names: tuple[str, ...]) -> Any:
        """Return -r_l of every layer; `names` may be some of those that the constants are given for."""
        constants = tuple(self._held(name, names) for name in ("L0", "L1"))
        return -self._at(self.length, of.dual_norms, constants)

    def apart(self, outer: str) -> bool:
        """Tell that every layer goes by itself, whatever the outer norm is."""
        return True

    def guaranteed(self, norm: Norm | str, W: Any, G: Any, *, smoothness: float | None = None) -> Any:
        """Return the sum of `decrease` over the layers as a number; the constants are the convention's own."""
        if (blocks := product(norm)) is not None:
            each = self._at(self.decrease, blockwise.dual_values(blocks, G), self._constants(blocks.names))
            return np.float64(np.sum(each))
        return self._at(self.decrease, dual_value(norm, G), self._constants(None))

    def _at(self, expr: Expr, dual_norms: Any, constants: tuple[Any, Any]) -> Any:
        """Evaluate an expression for layers, 0 for those whose gradient is 0."""
        where = library(dual_norms).where
        moving = where(dual_norms == 0, 1.0, dual_norms)
        found = self._number(expr, dual_norm=moving, L0=constants[0], L1=constants[1])
        return where(dual_norms == 0, 0.0, found)[()]

    def _constants(self, names: tuple[str, ...] | None) -> tuple[Any, Any]:
        """Return L0 and L1, one number for every name if they are mappings."""
        return self._constant("L0", names), self._constant("L1", names)

    def _constant(self, name: str, names: tuple[str, ...] | None) -> Any:
        held = getattr(self, name)
        if isinstance(held, tuple) and (names is None or dict(held).keys() != set(names)):
            wanted = "a number for a norm of one array" if names is None else f"the names of the norm, {list(names)}"
            raise ParameterError(f"{name} has the names {list(dict(held))}; expected {wanted}")
        return self._held(name, names or ())

    def _held(self, name: str, names: tuple[str, ...]) -> Any:
        """Return the number of a constant, or those of some names."""
        held = getattr(self, name)
        if not isinstance(held, tuple):
            return float(held)
        given = dict(held)
        if missing := [each for each in names if each not in given]:
            raise ParameterError(f"{name} has no number for {listed(missing)}; it has the names {listed(given)}")
        return np.array([given[each] for each in names], dtype=np.float64)
