"""Text -> norm: one pass over the tokens, with limits on all that SymPy is asked to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sympy
from sympy import Expr, Max, Min, Rational, oo, sqrt

from normkit import registry
from normkit.errors import NormkitError, SpecError
from normkit.functional import m, n
from normkit.limits import x as VARIABLE
from normkit.norm import Dual, Norm
from normkit.parameter import Parameter
from normkit.spec.arguments import fit, kind_of
from normkit.spec.printing import known

LENGTH, DEPTH, DIGITS, EXPONENT, ROOT, NODES, BITS = 20_000, 40, 40, 64, 10**6, 60, 1000
SUM_EXPONENT = 8
"""Largest exponent of a sum in the variable of a Young function, and inside Max and Min."""
SAID = 300
"""Longest error, in characters, that is printed in full; a number in it may have hundreds of digits."""
POWERS = f"powers are scalar ** rational, exponent at most {EXPONENT}, its denominator at most {ROOT}"

Loader = Callable[[str], Any]
"""Reads the array behind ``@name``; the command line passes one that reads files."""

TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<arrow>->)|(?P<op>\*\*|[-+*/(),\[\]])"
    r"|(?P<text>'[^']*'|\"[^\"]*\")|(?P<file>@[\w./~+-]+)|(?P<digest>\#[\dx]+:[0-9a-f]{8})|(?P<name>[A-Za-z_]\w*))"
)


@dataclass(frozen=True)
class Token:
    """A piece of the text with the column (from 1) where it stands."""

    kind: str
    text: str
    column: int


def norm(text: str | Norm, *, load: Loader | None = None) -> Norm:
    """Return the norm that a spec names; a `Norm` is returned as it is. ``str(norm(text))`` is the canonical spec.

    Parameters
    ----------
    text : str
        For example ``"rms->rms"``, ``"sqrt(n/m)*spectral"``, ``"max(linf, 3/4*l1)"``, ``"rows(linf, l2)"``.
    load : callable, optional
        Reads the array of an ``@name`` argument; without it such arguments are refused.

    Raises
    ------
    SpecError
        For anything that is not a norm, with the column and the nearest name.

    Examples
    --------
    >>> import normkit as nk
    >>> str(nk.norm("0.5 * spectral"))
    '1/2*spectral'
    """
    if isinstance(text, Norm):
        return text
    if not isinstance(text, str):
        raise SpecError(f"a spec is a text such as 'rms->rms'; got {type(text).__name__}")
    return _Parser(text, load).parse()


def _tokens(text: str) -> list[Token]:
    if len(text) > LENGTH:
        raise SpecError(f"a spec has at most {LENGTH} characters; got {len(text)}. Put long arrays into a file: @w.npy")
    found, at = [], 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if not match:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise SpecError(f"unexpected {text[at]!r} at column {at + 1} of {_short(text)}")
        kind = str(match.lastgroup)
        found.append(Token(kind, match.group(kind), match.start(kind) + 1))
        at = match.end()
    found.append(Token("end", "", len(text) + 1))
    return found


class _Parser:
    """Recursive descent; every value is a Norm, a SymPy scalar, a list of numbers, or a text in quotes."""

    def __init__(self, text: str, load: Loader | None) -> None:
        self.text, self.load, self.tokens, self.at, self.depth = text, load, _tokens(text), 0, 0
        self.variable = False

    def parse(self) -> Norm:
        if self.peek().kind == "end":
            raise SpecError("empty spec. See: normkit norms")
        value = self.sum()
        if self.peek().kind != "end":
            raise self.unexpected()
        if not isinstance(value, Norm):
            kind = kind_of(value)
            raise SpecError(f"{_short(self.text)} is {kind}, not a norm. For a multiple write 2*spectral")
        return value

    # --- reading tokens ---

    def peek(self) -> Token:
        return self.tokens[self.at]

    def take(self, *texts: str) -> Token | None:
        token = self.peek()
        if token.text in texts and token.kind in ("op", "arrow"):
            self.at += 1
            return token
        return None

    def need(self, text: str) -> None:
        if not self.take(text):
            raise self.unexpected(f", expected {text!r}")

    def unexpected(self, more: str = "") -> SpecError:
        token = self.peek()
        what = "end of text" if token.kind == "end" else repr(token.text)
        return SpecError(f"unexpected {what} at column {token.column} of {_short(self.text)}{more}")

    def fail(self, message: str, column: int) -> SpecError:
        short = message if len(message) <= SAID else message[:SAID] + "..."
        return SpecError(f"{short} (column {column} of {_short(self.text)})")

    # --- the grammar ---

    def sum(self) -> Any:
        value = self.product()
        while token := self.take("+", "-"):
            value = self.join(value, token, self.product())
        return value

    def product(self) -> Any:
        value = self.unary()
        while token := self.take("*", "/"):
            value = self.join(value, token, self.unary())
        return value

    def unary(self) -> Any:
        if token := self.take("-"):
            value = self.nested(self.unary)
            if isinstance(value, Expr):
                return -value
            raise self.fail("a norm cannot be negated", token.column)
        return self.arrow()

    def arrow(self) -> Any:
        value = self.power()
        if token := self.take("->"):
            target = self.power()
            if not (isinstance(value, Norm) and isinstance(target, Norm)):
                raise self.fail("an operator norm a->b needs a norm on both sides", token.column)
            value = self.build(registry.lookup("induced"), [value, target], token)
            if self.peek().text == "->":
                raise self.unexpected(": a->b->c is not a norm")
        return value

    def power(self) -> Any:
        value = self.atom()
        if token := self.take("**"):
            exponent = self.nested(self.unary)
            if not (isinstance(value, Expr) and isinstance(exponent, Rational) and _is_exponent(exponent)):
                raise self.fail(POWERS, token.column)
            if value.is_Add and value.has(VARIABLE) and abs(exponent) > SUM_EXPONENT:  # SymPy would multiply it out
                raise self.fail(f"the exponent of a sum in x is at most {SUM_EXPONENT}", token.column)
            if not exponent.is_Integer and value.is_number and value.is_negative:
                raise self.fail("this scalar is not a finite real number", token.column)
            if _factored(value, exponent) > 4 * BITS:
                raise self.fail(f"too large a power; the result has at most {BITS} binary digits", token.column)
            value = self.scalar(lambda: value**exponent, token)
        return value

    def atom(self) -> Any:
        token = self.peek()
        self.at += 1
        if token.kind == "number":
            return self.number(token)
        if token.kind == "file" or token.kind == "digest":
            return self.array(token)
        if token.kind == "text":
            return token.text[1:-1]
        if token.text == "(":
            value = self.nested(self.sum)
            self.need(")")
            return value
        if token.text == "[":
            return self.numbers(token)
        if token.kind == "name":
            return self.named(token)
        self.at -= 1
        raise self.unexpected()

    def nested(self, rule: Callable[[], Any]) -> Any:
        self.depth += 1
        if self.depth > DEPTH:
            raise self.fail(f"nested deeper than {DEPTH}", self.peek().column)
        value = rule()
        self.depth -= 1
        return value

    def number(self, token: Token) -> Expr:
        digits, _, exponent = token.text.lower().partition("e")
        if len(digits) > DIGITS or len(exponent) > 4 or (exponent and abs(int(exponent)) > 400):
            raise self.fail(f"a number has at most {DIGITS} digits and a decimal exponent up to 400", token.column)
        return self.scalar(lambda: Rational(token.text), token)

    def array(self, token: Token) -> Parameter | tuple[Any, ...]:
        if token.kind == "digest":
            if token.text in known:
                return known[token.text]
            raise self.fail(f"unknown array {token.text}; pass the array itself or @file", token.column)
        if self.load is None:
            raise self.fail(f"{token.text} names a file; only the command line reads files", token.column)
        try:
            return Parameter.of(self.load(token.text[1:]))
        except NormkitError as error:
            raise self.fail(str(error), token.column) from error

    def numbers(self, token: Token) -> Parameter | tuple[tuple[float, ...], ...]:
        values: list[Any] = []
        while not self.take("]"):
            values.append(self.nested(self.sum))
            if not self.take(","):
                self.need("]")
                break
        if any(isinstance(value, Norm) for value in values):
            raise self.fail("a list holds numbers", token.column)
        if values and all(isinstance(value, Parameter) and len(value.shape) == 1 for value in values):
            lengths = {len(value) for value in values}
            if len(lengths) > 1:  # groups of indices
                return tuple(value.nested() for value in values)
        try:
            return Parameter.of([v.nested() if isinstance(v, Parameter) else float(v) for v in values])
        except (NormkitError, TypeError, ValueError, OverflowError) as error:
            raise self.fail(f"a list holds numbers in rows of one length: {error}", token.column) from error

    def named(self, token: Token) -> Any:
        arguments = self.arguments(token) if self.take("(") else None
        if self.variable and token.text == "x" and arguments is None:
            return VARIABLE
        if self.variable and token.text in OF_VARIABLE and arguments:
            return self.function(token, arguments)
        if token.text in SYMBOLS and arguments is None:
            return SYMBOLS[token.text]
        if token.text in FUNCTIONS and arguments:
            return self.constant(token, arguments)
        if token.text == "max" and arguments is not None:
            token = Token(token.kind, "maximum", token.column)
        where = f" at column {token.column} of {_short(self.text)}"
        return self.build(registry.lookup(token.text, where), arguments or [], token)

    def arguments(self, token: Token) -> list[Any]:
        values: list[Any] = []
        if self.take(")"):
            return values
        outside, self.variable = self.variable, self.variable or token.text in FUNCTIONALS
        while True:
            values.append(self.nested(self.sum))
            if not self.take(","):
                break
        self.need(")")
        self.variable = outside
        return values

    def constant(self, token: Token, arguments: list[Any]) -> Expr:
        """Apply sqrt, Max or Min; SymPy compares the arguments of a maximum by factoring their difference."""
        if not all(isinstance(argument, Expr) for argument in arguments) or len(arguments) > 8:
            raise self.fail(f"{token.text} takes up to 8 scalars", token.column)
        if token.text == "sqrt" and len(arguments) > 1:
            raise self.fail("sqrt takes one scalar", token.column)
        if token.text == "sqrt" and _factored(arguments[0], Rational(1, 2)) > 4 * BITS:
            raise self.fail(f"too small a root; a number has at most {BITS} binary digits", token.column)
        powers = [power for argument in arguments for power in argument.atoms(sympy.Pow) if power.exp.is_Rational]
        if token.text != "sqrt" and any(abs(power.exp) > SUM_EXPONENT for power in powers):
            raise self.fail(f"exponents in {token.text} are at most {SUM_EXPONENT}", token.column)
        return self.scalar(lambda: FUNCTIONS[token.text](*arguments), token)

    def function(self, token: Token, arguments: list[Any]) -> Expr:
        """Apply a function to an expression in the variable; of constants only log, so that none is astronomical."""
        inner = arguments[0]
        if len(arguments) != 1 or not isinstance(inner, Expr):
            raise self.fail(f"{token.text} takes one scalar", token.column)
        if not inner.has(VARIABLE) and not (token.text == "log" and isinstance(inner, Rational)):
            raise self.fail(f"{token.text} needs an expression in x", token.column)
        return self.scalar(lambda: OF_VARIABLE[token.text](inner), token)

    # --- values ---

    def scalar(self, make: Callable[[], Any], token: Token) -> Expr:
        """Evaluate a scalar, keeping it small, real and finite."""
        try:
            value = make()
        except (ValueError, TypeError, ArithmeticError) as error:  # a maximum of numbers that are not real, say
            raise self.fail(f"this scalar is not a finite real number: {error}", token.column) from error
        if not isinstance(value, Expr) or value.has(sympy.zoo, sympy.nan, sympy.I) or value.is_infinite:
            raise self.fail("this scalar is not a finite real number", token.column)
        if any(_bits(atom) > BITS for atom in value.atoms(Rational)):
            raise self.fail(f"a number has at most {BITS} binary digits", token.column)
        if any(not _is_exponent(power.exp) for power in value.atoms(sympy.Pow) if power.exp.is_Rational):
            raise self.fail(POWERS, token.column)
        if sympy.count_ops(value) > NODES:
            raise self.fail(f"a coefficient has at most {NODES} operations", token.column)
        return value

    def join(self, left: Any, token: Token, right: Any) -> Any:
        scalars = isinstance(left, Expr), isinstance(right, Expr)
        if all(scalars):
            return self.scalar(lambda: OPERATIONS[token.text](left, right), token)
        try:
            if token.text == "*" and scalars[0] and isinstance(right, Norm):
                return left * right
            if token.text == "/" and scalars[1] and isinstance(left, Norm):
                return left * self.scalar(lambda: 1 / right, token)
            if token.text == "+" and isinstance(left, Norm) and isinstance(right, Norm):
                return left + right
        except NormkitError as error:
            raise self.fail(str(error), token.column) from error
        hint = "write scalar*norm, norm/scalar or norm + norm"
        raise self.fail(f"cannot form {kind_of(left)} {token.text} {kind_of(right)}; {hint}", token.column)

    def build(self, cls: type[Norm], arguments: Sequence[Any], token: Token) -> Norm:
        """Call a norm's class with the arguments sorted into its fields."""
        try:
            made = cls(*fit(cls, list(arguments)))
            made = made.of.dual if isinstance(made, Dual) else made
            made.length, made.shape, made.ndim  # noqa: B018  (inconsistent parts show here)
            return made
        except NormkitError as error:
            raise self.fail(str(error), token.column) from error


SYMBOLS: dict[str, Expr] = {"m": m, "n": n, "oo": oo}
FUNCTIONS: dict[str, Callable[..., Any]] = {"sqrt": sqrt, "Max": Max, "Min": Min}
FUNCTIONALS = ("orlicz", "amemiya")
"""The norms whose argument is a scalar in the variable."""
OF_VARIABLE: dict[str, Callable[..., Any]] = {
    **{name: getattr(sympy, name) for name in ("exp", "log", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh")},
    **{name: getattr(sympy, name) for name in ("sin", "cos", "tan", "asin", "acos", "atan", "Abs")},
}
"""Functions of the variable."""
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda u, v: u + v,
    "-": lambda u, v: u - v,
    "*": lambda u, v: u * v,
    "/": lambda u, v: u / v,
}


def _bits(number: Rational) -> int:
    """Return the binary digits of the longer of numerator and denominator."""
    return max(int(number.p).bit_length(), int(number.q).bit_length())


def _factored(value: Expr, exponent: Rational) -> int:
    """Return the binary digits of what SymPy factors for value ** exponent; of 1/a and 1/q that is a ** (q - 1)."""
    exponents = {power.exp for power in value.atoms(sympy.Pow) if power.exp.is_Rational}
    digits = max((_bits(number) - 1 for number in value.atoms(Rational) - exponents), default=0)
    root = max((int(inner.q) for inner in exponents), default=1)
    return digits * root * max(abs(int(exponent.p)), int(exponent.q))


def _is_exponent(number: Rational) -> bool:
    """Return whether SymPy takes powers to it in no time: not so the root 2**(1e-300), which it tells from 1."""
    return bool(abs(number) <= EXPONENT and number.q <= ROOT)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
