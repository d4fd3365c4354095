"""Scalar sources as expressions of a target: on plain numbers by `math`, on rows by the target's own functions."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

from normkit.codegen.plan import FUNCTIONS, Scalar
from normkit.errors import NoClosedForm
from normkit.targets.vocabulary import Target

OF_NUMBERS = {name: f"math.{name}" for name in FUNCTIONS}
OF_NUMBERS |= {"absolute": "abs", "maximum": "max", "minimum": "min"}
CONSTANTS = {"inf": "math.inf", "nan": "math.nan"}
ATOMS = (ast.Name, ast.Constant, ast.Call, ast.Subscript, ast.Attribute)


@dataclass(frozen=True)
class Term:
    """A piece of an expression: its text, and whether it stands for rows or for a plain number."""

    text: str
    rows: bool = True

    @property
    def one(self) -> bool:
        """Whether it is the number 1."""
        return not self.rows and self.text in ("1", "1.0")

    @property
    def factor(self) -> str:
        """The text, in brackets where a product needs them."""
        return self.text if isinstance(ast.parse(self.text, mode="eval").body, ATOMS) else f"({self.text})"


def product(*terms: Term) -> Term:
    """Return a product without the factors that are 1."""
    kept = [term for term in terms if not term.one]
    if len(kept) < 2:
        return kept[0] if kept else Term("1.0", rows=False)
    return Term(" * ".join(term.factor for term in kept), any(term.rows for term in kept))


class Translation(ast.NodeTransformer):
    """Puts terms in place of the names of a scalar, and the target's functions in place of its calls.

    `like` names rows whose type the numbers take that a target's functions cannot.
    """

    def __init__(self, target: Target, names: Callable[[str], Term], like: str) -> None:
        self.target, self.names, self.like = target, names, like
        self.rows: list[ast.expr] = []

    def term(self, scalar: Scalar) -> Term:
        """Return a scalar as a term.

        Raises
        ------
        NoClosedForm
            If the target has no such function.
        """
        if scalar.helpers:
            raise NoClosedForm(f"no inverse of a function is printed for {self.target.name}; nk.compile computes it")
        return self._term(self.visit(ast.parse(scalar.source, mode="eval").body))

    def call(self, name: str, *arguments: Term) -> Term:
        """Return a function of terms."""
        return self._term(self._call(name, [self._of_term(argument) for argument in arguments]))

    def _term(self, node: ast.expr) -> Term:
        return Term(ast.unparse(node), self._is_rows(node))

    def _is_rows(self, node: ast.AST) -> bool:
        return any(each is made for each in ast.walk(node) for made in self.rows)

    def _of_term(self, term: Term) -> ast.expr:
        made = ast.parse(term.text, mode="eval").body
        if term.rows:
            self.rows.append(made)
        return made

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Put a term in place of a name."""
        if node.id in CONSTANTS:
            return ast.parse(CONSTANTS[node.id], mode="eval").body
        return self._of_term(self.names(node.id))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Call a function of numbers, or of rows."""
        assert isinstance(node.func, ast.Name)
        return self._call(node.func.id, [self.visit(argument) for argument in node.args])

    def _call(self, name: str, arguments: list[ast.expr]) -> ast.expr:
        if not any(map(self._is_rows, arguments)):
            if name == "where":
                return ast.IfExp(*arguments)
            return ast.Call(ast.parse(OF_NUMBERS[name], mode="eval").body, arguments, [])
        own = self.target.function(name)
        if own is None:
            raise NoClosedForm(f"the target {self.target.name} has no function {name}; torch has")
        if self.target.lifts_numbers:
            arguments = [argument if self._is_rows(argument) else self._lifted(argument) for argument in arguments]
        made = ast.Call(ast.parse(own, mode="eval").body, arguments, [])
        self.rows.append(made)
        return made

    def _lifted(self, node: ast.expr) -> ast.expr:
        return ast.parse(f"{self.like}.new_full((), {ast.unparse(node)})", mode="eval").body
