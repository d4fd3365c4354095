"""The spec language: one grammar for Python and the command line; `norm` reads it, `spec` writes it.

    norm     = term { "+" term }            term = [ scalar "*" ] arrow [ "/" scalar ]       arrow = atom [ "->" atom ]
    atom     = name [ "(" argument { "," argument } ")" ] | "(" norm ")"
    argument = norm | scalar | "[" numbers "]" | "@file" | "'" text "'"
    scalar   = rationals, decimals (exact), m, n, + - * / **, sqrt(...), Max(...), Min(...)

The argument of ``orlicz`` and ``amemiya`` is a scalar in the variable x, which may use exp, log, sinh, cosh, ... and
Abs of it.

Limits, so that no text makes the parser hang: LENGTH characters, DEPTH nested brackets, DIGITS digits of a number,
exponents up to EXPONENT with denominators up to ROOT, NODES operations in one coefficient, BITS binary digits of
numerators and denominators (so that they are floats). docs/spec-language.md lists them.
"""

from __future__ import annotations

from normkit.spec.arguments import signature
from normkit.spec.parser import norm
from normkit.spec.printing import spec

__all__ = ["norm", "signature", "spec"]
