"""Young functions: convex phi on [0, oo) with phi(0) = 0, given as a SymPy expression, and their conjugates.

A Young function is cut into *pieces* on which it is smooth; the slope rises within a piece and may jump between two.
The conjugate psi(s) = sup_r (r s - phi(r)) has the derivative psi' = (phi')^-1, constant where phi' jumps, jumping
where phi is affine. Everything that Orlicz norms need is read off the pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sympy import Expr, Function, I, Integer, Piecewise, Pow, Rational, expand_log, log, oo, simplify
from sympy.functions.elementary.hyperbolic import HyperbolicFunction
from sympy.functions.elementary.trigonometric import TrigonometricFunction

from normkit.functional import a
from normkit.inverse import InverseSlope, inverse
from normkit.limits import limit, x

SIMPLE = 40
"""Largest expression, in operations, that is handed to `simplify`."""
NESTED = 2
"""Largest argument of a function in it, in operations."""
WAVES = 8
"""Largest multiple of x in a hyperbolic or trigonometric function, of which `simplify` makes polynomials."""


@dataclass(frozen=True)
class Piece:
    """phi on [low, high]: body and slope in `x`, and the slope's one-sided limits at the two ends."""

    low: Expr
    high: Expr
    body: Expr
    slope: Expr
    start: Expr
    end: Expr

    @property
    def affine(self) -> bool:
        """Whether the slope is constant."""
        return not self.slope.has(x)


@dataclass(frozen=True)
class Conjugate:
    """psi = phi*, its derivative psi', and h(s) = phi(psi'(s)) = s psi'(s) - psi(s), as expressions in `a`."""

    body: Expr
    slope: Expr
    defect: Expr


@dataclass(frozen=True)
class Young:
    """A Young function by its pieces, which follow each other from 0 to the end of the domain.

    Attributes
    ----------
    expr : Expr in `x`
        As given, in the canonical variable.
    top : Expr
        Limit of phi at the end of the domain, possibly infinite.
    """

    expr: Expr
    pieces: tuple[Piece, ...]
    top: Expr

    @property
    def end(self) -> Expr:
        """Where phi becomes infinite; oo if nowhere."""
        return self.pieces[-1].high

    @property
    def steepest(self) -> Expr:
        """Limit of the slope at the end of the domain."""
        return self.pieces[-1].end

    @property
    def kinked(self) -> bool:
        """Whether the slope jumps inside the domain."""
        return any(first.end != second.start for first, second in pairwise(self.pieces)) or self.pieces[0].start != 0

    @property
    def flat(self) -> bool:
        """Whether phi has affine pieces: the slope of the conjugate jumps."""
        return any(piece.affine for piece in self.pieces)

    def _by_piece(self, rule: Callable[[Piece], Expr], beyond: Expr | None = None) -> Expr:
        """Return rule(piece)(a) piece by piece; at a border the piece below, at the end of the domain `beyond`."""
        cases: list[Any] = []
        for piece in self.pieces:
            last = piece.high == self.end
            body = rule(piece).subs(x, a)
            if last and piece.high is not oo and beyond is not None:
                cases += [(body, a < piece.high), (beyond, True)]
            else:
                cases.append((body, True if last else a <= piece.high))
        return Piecewise(*cases)

    def body(self) -> Expr:
        """phi(a), with its limit at the end of the domain."""
        return self._by_piece(lambda piece: piece.body, self.top)

    def slope(self) -> Expr:
        """phi'(a), at a kink the slope from the left."""
        return self._by_piece(lambda piece: piece.slope)

    def defect(self) -> Expr:
        """a phi'(a) - phi(a), which rises from 0."""
        return self._by_piece(lambda piece: shorter(x * piece.slope - piece.body))

    def slope_limit(self) -> Expr:
        """Limit of x phi'(x) - phi(x) at the end of the domain."""
        piece = self.pieces[-1]
        rest = shorter(x * piece.slope - piece.body)
        return rest if not rest.has(x) else limit(rest, piece.high)

    def conjugate(self) -> Conjugate:
        """Return psi, psi' (continuous from the left) and h."""
        cases: list[tuple[Expr, Expr, Any]] = []
        for piece in self.pieces:
            low = piece.body.subs(x, piece.low) if piece.low != 0 else Integer(0)
            if piece.start != 0 or piece.affine:
                cases.append((piece.low, low, a <= piece.start))
            if not piece.affine:
                point = inverse(piece.slope, x, a, piece.low, piece.high)
                value = piece.body.subs(x, point)
                # Where phi ends at a finite value psi' only tends to the end: rounded to it, phi is that value.
                bounded = piece.high is not oo and self.top is not oo
                value = Piecewise((value, point < piece.high), (self.top, True)) if bounded else shorter(value)
                cases.append((point, value, a <= piece.end))
        if self.end is not oo and self.steepest is not oo:
            cases.append((self.end, self.top, True))
        cases[-1] = (*cases[-1][:2], True)
        slope = Piecewise(*((point, when) for point, _, when in cases))
        defect = Piecewise(*((value, when) for _, value, when in cases))
        body = Piecewise(*((_psi(point, value), when) for point, value, when in cases))
        return Conjugate(body, slope, defect)


def shorter(expr: Expr) -> Expr:
    """Return an expression simplified if that shortens it."""
    if not tame(expr):
        return expr
    tried = [expr, one := simplify(expr), expand_log(one, force=True)]
    kept = [one for one in tried if not one.has(I) and not any(log_of_power(node) for node in one.atoms(log))]
    return min(kept or [expr], key=lambda one: one.count_ops())


def tame(expr: Expr) -> bool:
    """Tell whether `simplify` is quick: few operations, small numbers, small exponents, functions not nested deeply."""
    if expr.has(InverseSlope) or expr.count_ops() > SIMPLE:
        return False
    functions = expr.atoms(Function)
    waves = expr.atoms(HyperbolicFunction, TrigonometricFunction)
    if any(abs(number.p) > WAVES for wave in waves for number in wave.args[0].atoms(Rational)):
        return False
    small = all(abs(number.p) <= 1000 and number.q <= 1000 for number in expr.atoms(Rational))
    few = all(abs(power.exp) <= 8 for power in expr.atoms(Pow) if power.exp.is_Rational)
    return small and few and all(function.args[0].count_ops() <= NESTED for function in functions)


def _psi(point: Expr, value: Expr) -> Expr:
    """Return a psi'(a) - h(a), case by case."""
    if isinstance(value, Piecewise):
        return Piecewise(*((_psi(point, one), when) for one, when in value.args))
    return shorter(a * point - value)


def log_of_power(node: Expr) -> bool:
    """Tell whether a logarithm is that of a power whose exponent varies: such powers overflow."""
    return any(power.exp.free_symbols for power in node.args[0].atoms(Pow))
