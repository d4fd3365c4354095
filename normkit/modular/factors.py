"""What a rule multiplies its norm with: a number, or an expression in the lengths of the axes that it names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from normkit.errors import ParameterError
from normkit.patterns import Pattern

NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
FUNCTIONS = ("sqrt", "Max", "Min")
TRIAL = 7
"""The length at which an expression is tried when the rules are read."""


@dataclass(frozen=True)
class Factor:
    """A positive number, exact, or its inverse.

    Attributes
    ----------
    held : Fraction or str
        The number, or an expression such as ``sqrt(h*w)``.
    inverse : bool
        Whether the norm is divided by it.
    """

    held: Fraction | str = Fraction(1)
    inverse: bool = False

    def at(self, axes: Pattern | None, shape: tuple[int, ...]) -> Any:
        """Return the factor for an array of a shape, as a `Fraction` or an exact SymPy number."""
        number: Any = self.held
        if isinstance(number, str):
            assert axes is not None
            sizes = axes.sizes(shape)
            number = _number(number, tuple(zip((axis.name for axis in axes.named), sizes, strict=True)))
        return 1 / number if self.inverse else number


ONE = Factor()


def factor_of(table: Mapping[str, Any], axes: Pattern | None) -> Factor:
    """Return the factor of a rule's table: ``norm_scale``, or the inverse of ``update_scale``; 1 if it has neither.

    Raises
    ------
    ParameterError
        For what is not positive and finite, or an expression in anything but the rule's axes.
    """
    key = next((key for key in ("norm_scale", "update_scale") if key in table), None)
    if key is None:
        return ONE
    held = table[key]
    if isinstance(held, str):
        names = [axis.name for axis in axes.named] if axes is not None else []
        strange = [name for name in NAME.findall(held) if name not in (*names, *FUNCTIONS)]
        if strange or not names:
            known = f"the lengths of its axes, {', '.join(names)}" if names else "lengths of axes, once it gives axes"
            raise ParameterError(f"{key} = {held!r} is an expression of a rule in {known}; m and n belong in the norm")
        _number(held, tuple((name, TRIAL) for name in names))
        return Factor(held, key == "update_scale")
    if not 0 < held < float("inf"):
        raise ParameterError(f"{key} is a positive number; got {held}")
    return Factor(Fraction(repr(held)), key == "update_scale")


@lru_cache(maxsize=1024)
def _number(text: str, sizes: tuple[tuple[str, int], ...]) -> Any:
    """Return an expression at lengths of axes, read by the grammar of coefficients."""
    from normkit.norm import Scaled
    from normkit.spec import norm

    lengths = dict(sizes)
    filled = NAME.sub(lambda found: str(lengths.get(found[0], found[0])), text)
    made = norm(f"({filled})*l1")
    if not isinstance(made, Scaled):
        return Fraction(1)
    return Fraction(int(made.factor.p), int(made.factor.q)) if made.factor.is_Rational else made.factor
