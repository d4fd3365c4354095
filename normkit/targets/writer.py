"""What a printed function is written with: its lines, its names, and the items that its stages see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from normkit.codegen.plan import Scalar
from normkit.targets.scalars import Term, Translation
from normkit.targets.vocabulary import Target

Pull = Callable[[Term], Term]
"""Coefficients of the items, as rows of one entry or as a number -> rows of the map, times them."""


@dataclass(frozen=True)
class Items:
    """Rows that hold items.

    Attributes
    ----------
    text, count : str
        The name of the rows, and how many they are.
    shape : tuple of str
        The lengths of an item's axes.
    signed : bool
        Whether entries may be negative.
    scaled : bool
        Whether the largest magnitude of every row is in [1/2, 1], or 0.
    """

    text: str
    count: str
    shape: tuple[str, ...]
    signed: bool = True
    scaled: bool = False

    @property
    def entries(self) -> str:
        """The number of entries of an item."""
        return length(*self.shape)

    @property
    def matrix(self) -> tuple[str, str]:
        """Rows and columns (m, n) that scalars see: (1, length) of a vector."""
        return (self.shape[0], length(*self.shape[1:])) if len(self.shape) > 1 else ("1", self.shape[0])


def length(*parts: str) -> str:
    """Return the product of lengths."""
    return " * ".join(part for part in parts if part != "1") or "1"


@dataclass
class Writer:
    """Lines of a function for a target.

    Attributes
    ----------
    steps, top : tuple, float
        The polynomial for polar factors and its largest value; none if they come from singular vectors.
    lifted : tuple of str
        Rows and columns of the matrix whose singular values the present stage sees.
    """

    target: Target
    steps: tuple[tuple[float, ...], ...] = ()
    top: float = 1.0
    lines: list[str] = field(default_factory=list)
    constants: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=lambda: {"G", "T"})
    sizes: dict[str, Term] = field(default_factory=dict)
    wholes: dict[str, str] = field(default_factory=dict)
    lifted: tuple[str, str] = ("", "")

    def name(self, stem: str) -> str:
        """Return a name that is not taken."""
        name, count = stem, 1
        while name in self.taken:
            count += 1
            name = f"{stem}_{count}"
        self.taken.add(name)
        return name

    def let(self, stem: str, text: str, rows: bool = True) -> Term:
        """Write an assignment, unless the text is a name already."""
        if text.isidentifier():
            return Term(text, rows)
        name = self.name(stem)
        self.lines.append(f"{name} = {text}")
        return Term(name, rows)

    def size(self, text: str, stem: str) -> Term:
        """Return a length as a float."""
        if text.isdigit():
            return Term(f"{text}.0", rows=False)
        if text not in self.sizes:
            self.sizes[text] = self.let(stem, f"float({text})", rows=False)
        return self.sizes[text]

    def constant(self, values: Any, like: str) -> str:
        """Return a table of numbers, written once above the function, as rows of the type of others."""
        return f"_constant({self.table(values, self.target.table)}, {like})"

    def whole(self, text: str, stem: str) -> str:
        """Return the name of a length that is worked out once."""
        if text not in self.wholes:
            self.wholes[text] = self.let(stem, text, rows=False).text
        return self.wholes[text]

    def table(self, values: Any, form: str = "{}") -> str:
        """Return the name of a table that is written once, above the function."""
        text = form.format(repr(values))
        return self.constants.setdefault(text, f"_C{len(self.constants) + 1}")

    def scalar(self, scalar: Scalar, items: Items, **terms: Term) -> Term:
        """Return a scalar of the given terms, and of the rows and columns of the items."""

        def named(name: str) -> Term:
            if name in terms:
                return terms[name]
            if name in ("rows", "columns"):
                return self.size(self.lifted[name == "columns"], name)
            return self.size(items.matrix[name == "n"], name)

        return Translation(self.target, named, items.text).term(scalar)

    def call(self, like: Items, name: str, *arguments: Term) -> Term:
        """Return a function of rows, entry by entry; the type of numbers is that of the items."""
        return Translation(self.target, lambda known: Term(known, rows=False), like.text).call(name, *arguments)

    def magnitudes(self, x: Items) -> Term:
        """Return the magnitudes of the entries."""
        return self.let("a", self.call(x, "absolute", Term(x.text)).text) if x.signed else Term(x.text)

    def rescaled(self, x: Items) -> tuple[Items, Term]:
        """Return items over a power of two each, so that no power of an entry leaves the range, and these powers."""
        if x.scaled:
            return x, Term("1.0", rows=False)
        scale = self.let("c", f"_scale({x.text})")
        text = self.let(x.text.split("_")[0], f"{x.text} / {scale.text}").text
        return Items(text, x.count, x.shape, x.signed, scaled=True), scale
