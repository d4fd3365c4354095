"""The table of targets: what each calls the functions of scalars, and the words that its rows are worked on with."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType

from normkit.codegen.plan import FUNCTIONS
from normkit.errors import ParameterError

WORDS = Path(__file__).parent / "words"
SEARCHES = Path(__file__).parents[1] / "backends" / "search"
ARC = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh"}


@dataclass(frozen=True)
class Target:
    """One library that printed functions are for.

    Attributes
    ----------
    name, needs : str
        As the user names it, and what must be installed.
    prefix : str
        In front of the functions of arrays.
    renamed : mapping
        Where those are called otherwise than in `normkit.codegen.plan.FUNCTIONS`; None where there is none.
    decorator, guard : str
        What stands above each word, and above each function that is called from outside.
    stored : str
        What takes the place of the decorator in files that stay in the cache folder.
    table : str
        How a table of numbers is held.
    lifts_numbers : bool
        Whether functions of arrays take no plain numbers.
    loops : bool
        Whether loops over single entries may be printed.
    branches : bool
        Whether a loop may end when numbers say so.
    batches : bool
        Whether leading axes are batch axes; else a function takes one item.
    exact : bool
        Whether a polar factor is taken from singular vectors unless something else is asked for.
    """

    name: str
    needs: str
    prefix: str
    renamed: MappingProxyType[str, str | None] = field(default_factory=lambda: MappingProxyType({}))
    decorator: str = ""
    guard: str = ""
    stored: str = ""
    table: str = "{}"
    lifts_numbers: bool = False
    loops: bool = False
    branches: bool = True
    batches: bool = True
    exact: bool = True

    def function(self, name: str) -> str | None:
        """Return what a function of scalars is called on arrays; None if the target has none."""
        own = self.renamed.get(name, name)
        return None if own is None else own if "." in own else f"{self.prefix}.{own}"

    def __hash__(self) -> int:
        return hash(self.name)


_NUMPY = MappingProxyType[str, str | None](ARC | {"erf": None})
_NJIT = "@numba.njit"
TARGETS = {
    target.name: target
    for target in (
        Target("numpy", "numpy", "np", _NUMPY, guard='@np.errstate(all="ignore")', loops=True),
        Target(
            "numba",
            "numba, numpy, scipy",
            "np",
            _NUMPY,
            decorator=_NJIT,
            guard=_NJIT,
            stored="@numba.njit(cache=True)",
            table="np.array({})",
            loops=True,
            batches=False,
        ),
        Target("torch", "torch", "torch", guard="@torch.no_grad()", lifts_numbers=True, exact=False),
        Target("jax", "jax", "jnp", _NUMPY, branches=False, exact=False),
    )
}
"""The targets by name."""
assert all(set(target.renamed) <= set(FUNCTIONS) for target in TARGETS.values())


def target_of(name: str) -> Target:
    """Return a target by its name.

    Raises
    ------
    ParameterError
        If there is none.
    """
    if name not in TARGETS:
        raise ParameterError(f"code is printed for {', '.join(TARGETS)}; got the target {name!r}")
    return TARGETS[name]


@dataclass(frozen=True)
class Words:
    """The text of a file of words: its imports, and each word with those that it uses, in the order of the file."""

    imports: tuple[tuple[str, str], ...]
    texts: MappingProxyType[str, str]
    uses: MappingProxyType[str, frozenset[str]]


@cache
def words(name: str, decorator: str = "") -> Words:
    """Read a file of words; what types it states is left out."""
    text = Path(name).read_text("utf-8")
    lines = text.split("\n")
    imports: list[tuple[str, str]] = []
    texts: dict[str, str] = {}
    uses: dict[str, frozenset[str]] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import):
            imports += [(alias.asname or alias.name, ast.unparse(node)) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "math":
            imports += [(alias.name, f"from math import {alias.name}") for alias in node.names]
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _is_number(node.value):
            texts[node.targets[0].id] = ast.unparse(node)
            uses[node.targets[0].id] = frozenset()
        elif isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            own = decorator + "\n" if decorator else ""
            head, start = "\n".join(lines[first - 1 : node.lineno - 1]), node.body[0].lineno
            head += "\n" if head else ""
            signature = f"def {node.name}({_bare(node.args)}):\n"
            texts[node.name] = own + head + signature + "\n".join(lines[start - 1 : node.end_lineno])
            uses[node.name] = frozenset(used(texts[node.name]))
    return Words(tuple(imports), MappingProxyType(texts), MappingProxyType(uses))


def _bare(arguments: ast.arguments) -> str:
    names = [each.arg for each in arguments.args]
    return ", ".join(names + ([f"*{arguments.vararg.arg}"] if arguments.vararg else []))


def _is_number(node: ast.expr) -> bool:
    kinds = ast.Constant | ast.BinOp | ast.UnaryOp | ast.operator | ast.unaryop
    return all(isinstance(each, kinds) for each in ast.walk(node))


def used(text: str) -> set[str]:
    """Return the names that a text uses."""
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def spoken(target: Target, text: str) -> tuple[list[str], list[str]]:
    """Return the imports and the words that a text of a target needs."""
    files = [words(str(WORDS / f"in_{target.name}.py")), words(str(WORDS / "shared.py"), target.decorator)]
    if target.loops:
        files += [words(str(path), target.decorator) for path in sorted(SEARCHES.glob("[!_]*.py"))]
    texts = {name: text for file in files for name, text in file.texts.items()}
    uses = {name: others for file in files for name, others in file.uses.items()}
    found, left = set(), used(text)
    while left:
        name = left.pop()
        if name in texts and name not in found:
            found.add(name)
            left |= uses[name]
    kept = [text for name, text in texts.items() if name in found]
    names = used("\n".join([text, *kept]))
    lines = dict.fromkeys(line for file in files for name, line in file.imports if name in names)
    return list(lines), kept
