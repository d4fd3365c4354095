"""Reads the LaTeX of a formula back and evaluates it: a second, independent meaning of what a derivation shows.

The reader knows arithmetic, sums, maxima, roots, cases, indicators and functions. What is stated in words (the k-th
largest, ranks, splits, singular vectors, searches) it takes from the formula's own run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

import mpmath
from sympy import Integer, Rational, preorder_traversal

from normkit.errors import ShapeError
from normkit.formulas.evaluate import Evaluation
from normkit.formulas.formula import Definition, Formula
from normkit.formulas.inputs import entries
from normkit.formulas.lines import lines
from normkit.formulas.nodes import AtMost, Inside, MaxOver, Node, RootOf, Vanishing, eps, sharpness
from normkit.formulas.printing import expression
from normkit.functional import m, n
from normkit.tex.parse import EMPTY, Tex, parse

DIGITS = 40
ORDERED = "()"
MARKS = "′⋆+*"
PLACES = 6
"""Entries of a named array that are compared."""

Bound = dict[str, Any]


class Unread(Exception):
    """The formula holds words."""


@dataclass(frozen=True)
class Name:
    """A name of the formula as it is printed: stem with its marks, subscript of its own, number of indices."""

    stem: str
    own: str
    count: int
    value: Callable[[tuple[int, ...]], Any]


def disagreements(formula: Formula, array: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield (LaTeX, value printed, value computed) for every statement of a formula that can be read."""
    run = started(formula, array)
    names = [*(named(each, run) for each in (*formula.where, formula.result)), of_variable(formula, run)]
    shown = {left: right for left, _, right in lines(formula)}
    functions = inverted(shown)
    for definition in (formula.result, *formula.where):
        if any(isinstance(part, Node) and printed_in_words(part) for part in preorder_traversal(definition.rhs)):
            continue
        latex, wanted = shown[expression(definition.lhs)], run.named
        if isinstance(definition.rhs, RootOf):
            if not definition.rhs.args[2].is_infinite or definition.rhs.args[3] == 1:
                # The limit, and the point next to a root, are stated in words.
                continue
            latex, wanted = latex.removesuffix("=1"), lambda base, place: Integer(1)
        if isinstance(definition.rhs, Inside):
            latex = latex.partition("=")[2]
        for place in islice(product(*_spans(definition, run)), PLACES):
            bound = {str(index): at for index, at in zip(definition.indices, place, strict=True)}
            with mpmath.workdps(DIGITS):
                yield latex, Reader(names, functions, run, latex).value(bound), number(wanted(definition.base, place))


def inverted(shown: dict[str, str]) -> dict[str, Tex]:
    """Return the functions of r that a formula inverts, by name."""
    stated = {left.removesuffix("(r)"): right for left, right in shown.items() if left.endswith("(r)")}
    return {text(parse(name)): parse(right.partition(r"\ \text")[0]) for name, right in stated.items()}


def printed_in_words(node: Node) -> bool:
    return not isinstance(node, MaxOver | AtMost | Inside | Vanishing | RootOf)


def _spans(definition: Definition, run: Evaluation) -> list[range]:
    return [range(int(run(low, {})), int(run(high, {})) + 1) for _, low, high in definition.ranges]


def started(formula: Formula, array: Any) -> Evaluation:
    """Return a run of the formula, as `Formula.__call__` starts it."""
    shape, values = entries(array, len(formula.lengths))
    sizes = dict(zip(formula.lengths, map(Integer, shape), strict=True))
    sizes.setdefault(m, Integer(shape[0] if len(shape) > 1 else 1))
    sizes.setdefault(n, Integer(1))
    sizes |= {sharpness: Integer(1), eps: Rational(1, 2**52)}
    return Evaluation({formula.variable: values}, (*formula.where, formula.result), sizes)


def number(value: Any) -> Any:
    return mpmath.mpf(value._to_mpmath(mpmath.mp.prec)) if hasattr(value, "_to_mpmath") else mpmath.mpf(int(value))


def named(definition: Definition, run: Evaluation) -> Name:
    node = parse(expression(definition.base if not definition.ranges else definition.lhs))
    stem, subs = split(node)
    count = len(definition.ranges)
    own = "".join(subs[: len(subs) - count])
    return Name(stem, own, count, lambda place: number(run.named(definition.base, place)))


def of_variable(formula: Formula, run: Evaluation) -> Name:
    return Name(
        str(formula.variable), "", len(formula.lengths), lambda place: number(run.arrays[formula.variable][place])
    )


def split(node: Tex) -> tuple[str, list[str]]:
    """Return the stem (with marks) and the subscripts of a printed name."""
    if node.kind == "row":
        # |x|_{(i)} and N^*(g): bars and brackets belong to the name.
        *front, last = node.parts
        stem, subs = split(last)
        return "".join(text(each) for each in front) + stem, subs
    if node.kind != "script":
        return text(node), []
    base, sub, sup = node.parts
    return text(base) + text(sup) + ranked(sub), [text(each) for each in indices(sub)] if sub != EMPTY else []


def ranked(sub: Tex) -> str:
    """Mark the name of an order statistic: its index stands in brackets."""
    return ORDERED if sub.kind == "row" and sub.parts[:1] == (Tex("sign", "("),) else ""


def text(node: Tex) -> str:
    """What a node shows, without its layout."""
    return node.text + "".join(map(text, node.parts))


def indices(sub: Tex) -> list[Tex]:
    """Return the indices of a subscript: between commas, or one by one; (i) is i."""
    parts = list(sub.parts) if sub.kind == "row" else [sub]
    parts = [part for part in parts if part.kind != "space"]
    if parts and parts[0] == Tex("sign", "(") and parts[-1] == Tex("sign", ")"):
        return indices(Tex("row", "", tuple(parts[1:-1])))
    if any(part == Tex("sign", ",") for part in parts):
        found: list[list[Tex]] = [[]]
        for part in parts:
            if part == Tex("sign", ","):
                found.append([])
            else:
                found[-1].append(part)
        return [index for each in found for index in indices(Tex("row", "", tuple(each)))]
    if any(part.kind in ("sign", "frac") for part in parts):
        return [Tex("row", "", tuple(parts))]
    return parts


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sign": mpmath.sign, "log": mpmath.log, "exp": mpmath.exp, "sinh": mpmath.sinh, "cosh": mpmath.cosh,
    "asinh": mpmath.asinh, "acosh": mpmath.acosh, "atanh": mpmath.atanh, "tanh": mpmath.tanh, "max": max, "min": min,
}  # fmt: skip
RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda x, y: x == y,
    "≤": lambda x, y: x <= y,
    "≥": lambda x, y: x >= y,
    "<": lambda x, y: x < y,
    ">": lambda x, y: x > y,
    "≠": lambda x, y: x != y,
}


class Reader:
    """Evaluates one LaTeX expression."""

    def __init__(self, names: list[Name], functions: dict[str, Tex], run: Evaluation, latex: str) -> None:
        self.names, self.functions, self.run = names, functions, run
        self.tree = parse(latex)

    def value(self, bound: Bound) -> Any:
        return self.of(self.tree, bound)

    def of(self, node: Tex, bound: Bound) -> Any:
        """The value of a node that stands alone."""
        return Row(self, node.parts if node.kind == "row" else (node,), bound).whole()


class Row:
    """One row of nodes, read from left to right."""

    def __init__(self, reader: Reader, nodes: tuple[Tex, ...], bound: Bound) -> None:
        self.reader, self.bound, self.at = reader, bound, 0
        self.nodes = [node for node in nodes if node.kind != "space" and node != EMPTY]

    def whole(self) -> Any:
        value = self.total()
        if self.at < len(self.nodes):
            raise Unread(f"what follows is not read: {self.nodes[self.at :]}")
        return value

    def peek(self, ahead: int = 0) -> Tex | None:
        at = self.at + ahead
        return self.nodes[at] if at < len(self.nodes) else None

    def sees(self, *signs: str) -> bool:
        node = self.peek()
        return node is not None and node.kind == "sign" and node.text in signs

    def take(self) -> Tex:
        node = self.nodes[self.at]
        self.at += 1
        return node

    def total(self) -> Any:
        negative = self.sees("−")
        if negative:
            self.take()
        value = -self.term() if negative else self.term()
        while self.sees("+", "−"):
            minus = self.take().text == "−"
            value = value - self.term() if minus else value + self.term()
        return value

    def term(self) -> Any:
        value = self.factor()
        while self.peek() is not None and not self.sees("+", "−", ",", ")", "]", "|", *RELATIONS, "∧", ":"):
            if self.sees("·"):
                self.take()
            value = value * self.factor()
        # |a| |b|: a bar after a factor opens another one.
        while self.sees("|") and self.opens():
            value = value * self.term()
        return value

    def opens(self) -> bool:
        """Whether the bar ahead has a partner."""
        rest = self.nodes[self.at :]
        bars = sum(1 for node in rest if is_bar(node))
        return bars % 2 == 0

    def factor(self) -> Any:
        node = self.take()
        kind = node.kind
        if kind == "number":
            return mpmath.mpf(node.text)
        if kind == "frac":
            above, below = (self.reader.of(part, self.bound) for part in node.parts)
            return above / below
        if kind == "root":
            radicand, index = node.parts
            degree = 2 if index == EMPTY else self.reader.of(index, self.bound)
            return mpmath.root(self.reader.of(radicand, self.bound), int(degree))
        if kind == "fence":
            return self.fence(node)
        if kind == "table":
            return self.cases(node)
        if kind == "bold":
            return self.indicator()
        if kind in ("large", "word"):
            return self.called(node)
        if kind == "script":
            return self.script(node)
        if kind == "sign" and node.text == "(":
            return self.closed(")")
        if kind == "sign" and node.text == "|":
            return self.bars()
        if kind == "letter":
            return self.letter(node)
        if kind == "row":
            return self.reader.of(node, self.bound)
        raise Unread(f"{node}")

    def closed(self, end: str) -> Any:
        value = self.total()
        node = self.take()
        power = EMPTY
        if node.kind == "script":
            node, _, power = node.parts
        assert node.text == end, f"expected {end}, got {node}"
        return value if power == EMPTY else value ** self.reader.of(power, self.bound)

    def bars(self) -> Any:
        """|x|, |x|^p, or an order statistic |x|_{(i)}."""
        close = next(at for at in range(self.at, len(self.nodes)) if is_bar(self.nodes[at]))
        inside, last = self.nodes[self.at : close], self.nodes[close]
        if last.kind == "script" and last.parts[1] != EMPTY:
            self.at = close + 1
            _, sub, sup = last.parts
            stem = "|" + "".join(text(each) for each in inside) + "|"
            marks, power = marked(sup)
            value = self.find(stem + marks + ORDERED, indices(sub))
            return value if power == EMPTY else value ** self.reader.of(power, self.bound)
        value = abs(Row(self.reader, tuple(inside), self.bound).whole())
        self.at = close + 1
        return value if last.kind != "script" else value ** self.reader.of(last.parts[2], self.bound)

    def fence(self, node: Tex) -> Any:
        value = self.reader.of(node.parts[0], self.bound)
        if node.text == "⌊⌋":
            return mpmath.floor(value)
        return abs(value) if node.text == "||" else value

    def letter(self, node: Tex) -> Any:
        if node.text in self.bound:
            return mpmath.mpf(self.bound[node.text])
        sizes = {"m": m, "n": n, "λ": sharpness, "ε": eps}
        if node.text in sizes:
            return number(self.reader.run.given[sizes[node.text]])
        return self.find(node.text, [])

    def script(self, node: Tex) -> Any:
        base, sub, sup = node.parts
        if base.kind in ("large", "word"):
            return self.called(base, sub, sup)
        if base == Tex("letter", "e") and sub == EMPTY:
            return mpmath.exp(self.reader.of(sup, self.bound))
        if text(sup).endswith("−1") and base.text + text(sup).removesuffix("−1") in self.reader.functions:
            return self.inverse(self.reader.functions[base.text + text(sup).removesuffix("−1")])
        marks, power = marked(sup)
        if sup != EMPTY and self.has(base.text + text(sup)):
            marks, power = text(sup), EMPTY
        if base.kind in ("letter", "word"):
            # N^*(g) carries its argument.
            stem = base.text + marks
            if sub == EMPTY and self.peek() == Tex("sign", "(") and self.has(f"{stem}({text(self.peek(1) or EMPTY)})"):
                stem += "(" + text(self.nodes[self.at + 1]) + ")"
                self.at += 3
            bare = not marks and sub == EMPTY
            stem += ranked(sub)
            value = self.letter(base) if bare else self.find(stem, indices(sub) if sub != EMPTY else [])
        elif base.kind == "fence":
            value = self.fence(base)
        else:
            value = self.reader.of(base, self.bound)
        return value if power == EMPTY else value ** self.reader.of(power, self.bound)

    def inverse(self, function: Tex) -> Any:
        """The r >= 0 at which an increasing function takes the value in the brackets ahead, by bisection."""
        (level,) = self.arguments()
        low, high = mpmath.mpf(0), mpmath.mpf(1)
        while self.reader.of(function, self.bound | {"r": high}) < level:
            high *= 2
        for _ in range(4 * DIGITS):
            middle = (low + high) / 2
            below = self.reader.of(function, self.bound | {"r": middle}) < level
            low, high = (middle, high) if below else (low, middle)
        return low

    def has(self, stem: str) -> bool:
        return any(name.stem == stem for name in self.reader.names)

    def find(self, stem: str, subs: list[Tex]) -> Any:
        """Look a name up by its stem, the subscript that belongs to it, and the number of its indices."""
        for name in self.reader.names:
            own = "".join(text(each) for each in subs[: len(subs) - name.count])
            if name.stem == stem and len(subs) >= name.count and own == name.own:
                places = subs[len(subs) - name.count :]
                return name.value(tuple(round(float(self.reader.of(each, self.bound))) for each in places))
        raise Unread(f"the name {stem} with subscripts {[text(each) for each in subs]} is not defined")

    def cases(self, node: Tex) -> Any:
        if node.text != "cases":
            raise Unread(node.text)
        for row in node.parts:
            value, when = row.parts
            nodes = when.parts if when.kind == "row" else (when,)
            if nodes[0].text == "otherwise" or Row(self.reader, nodes[1:], self.bound).holds():
                return self.reader.of(value, self.bound)
        raise AssertionError("no case holds")

    def holds(self) -> bool:
        left = self.total()
        relation = RELATIONS[self.take().text]
        found = relation(left, self.total())
        if self.sees("∧"):
            self.take()
            rest = self.holds()
            return found and rest
        return found

    def indicator(self) -> Any:
        assert self.take().text == "["
        left = self.total()
        assert self.take().text == "="
        right = self.total()
        assert self.take().text == "]"
        return mpmath.mpf(left == right)

    def called(self, node: Tex, sub: Tex = EMPTY, sup: Tex = EMPTY) -> Any:
        if node.text == "∑":
            return self.summed(sub, sup)
        if node.text == "max" and sub != EMPTY:
            return self.largest(sub)
        if node.text not in FUNCTIONS:
            raise Unread(node.text)
        value = FUNCTIONS[node.text](*self.arguments())
        return value if sup == EMPTY else value ** self.reader.of(sup, self.bound)

    def arguments(self) -> list[Any]:
        """The arguments of a function: a fence (maybe with a power), or an opening bracket up to its partner."""
        node = self.take()
        if node.kind == "row" and len(node.parts) == 1:
            node = node.parts[0]
        if node.kind == "fence":
            inside = node.parts[0]
            parts = Row(self.reader, inside.parts if inside.kind == "row" else (inside,), self.bound)
        else:
            assert node == Tex("sign", "("), f"a function without brackets before {node}"
            parts = self
        found = [parts.total()]
        while parts.sees(","):
            parts.take()
            found.append(parts.total())
        if parts is self:
            assert self.take().text == ")"
        return found

    def summed(self, sub: Tex, sup: Tex) -> Any:
        """A sum reaches to the next + or −."""
        name, equals, *low = sub.parts
        assert equals.text == "="
        first = int(self.reader.of(Tex("row", "", tuple(low)), self.bound))
        last = int(self.reader.of(sup, self.bound))
        return mpmath.fsum(self.repeated(text(name), range(first, last + 1)))

    def repeated(self, name: str, span: range) -> list[Any]:
        start, found = self.at, []
        outer = self.bound
        for at in span:
            self.at, self.bound = start, outer | {name: at}
            found.append(self.term())
        if not found:
            self.at, self.bound = start, outer | {name: 1}
            try:
                self.term()
            except (KeyError, ShapeError, ZeroDivisionError):
                raise Unread("an empty sum") from None
        self.bound = outer
        return found

    def largest(self, sub: Tex) -> Any:
        names = [text(each) for each in indices(sub)]
        start, outer = self.at, self.bound
        best: Any = None
        end = start
        for place in product(range(1, 40), repeat=len(names)):
            self.at, self.bound = start, outer | dict(zip(names, place, strict=True))
            try:
                value = self.term()
            except (LookupError, ShapeError):
                # Beyond the end of an array: the ranges of a maximum are not printed.
                continue
            best, end = (value if best is None else max(best, value)), self.at
        self.at, self.bound = end, outer
        return best


def is_bar(node: Tex) -> bool:
    return node == Tex("sign", "|") or (node.kind == "script" and node.parts[0] == Tex("sign", "|"))


def marked(sup: Tex) -> tuple[str, Tex]:
    """Split a superscript into the marks of a name and the power."""
    parts = sup.parts if sup.kind == "row" else (sup,)
    marks = [part for part in parts if part.kind in ("sign", "letter") and re.fullmatch(f"[{MARKS}]+", part.text)]
    rest = tuple(part for part in parts if part not in marks)
    return "".join(part.text for part in marks), (
        rest[0] if len(rest) == 1 else Tex("row", "", rest)
    ) if rest else EMPTY
