"""Generated modules: hand-written loops with the scalars of a plan put in, as real files that numba can cache.

A template is a Python file of loops that imports its scalars from a module of stand-ins, `bindings`. The generated
module is the template with that one import replaced by definitions, so what is read and linted is what runs. The
file's name is a digest of its text and of what it imports: equal loops are compiled once, whatever norm they serve.
The text names the dtype, so every function of a file has one signature, and processes that compile it at once write
equal results.
"""

from __future__ import annotations

import ast
import atexit
import hashlib
import importlib.util
import pickle
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from normkit.codegen.cache import folder, installed, write
from normkit.codegen.plan import Scalar

ROOT = Path(__file__).parents[2]
"""The folder that holds the package: modules are read as text without importing them."""
STAND_INS = re.compile(r"^from [\w.]+\.bindings import (?:\([^)]*\)|[^\n(]+)\n", re.MULTILINE)
"""The import in a template that definitions take the place of."""
UNREADABLE = (EOFError, pickle.UnpicklingError, UnicodeDecodeError, AttributeError, ImportError, IndexError)
"""What a damaged cache file of numba raises; a key or type error may be the caller's own and is not caught."""


def names(scalar: Scalar) -> set[str]:
    """Return the names that a scalar's expression uses."""
    return {node.id for node in ast.walk(ast.parse(scalar.source, mode="eval")) if isinstance(node, ast.Name)}


def definition(
    name: str, scalar: Scalar, arguments: Iterable[str] | None = None, lines: Iterable[str] = (), real: str = ""
) -> str:
    """Return the text of a compiled function: `lines` first, then the scalar's expression, as `rooted` writes it."""
    taken = scalar.arguments if arguments is None else tuple(arguments)
    body = "".join(f"    {line}\n" for line in lines)
    return f"@scalar\ndef {name}({', '.join(taken)}):\n{body}    return {rooted(scalar.source, real)}\n"


def rooted(source: str, real: str = "") -> str:
    """Write powers by quarters as products of square roots, which vectorise where `pow` does not, and `where` as if.

    A conditional evaluates one of its branches only. With `real`, the name of a type, numbers and results of functions
    are cast to it, so that no other precision enters: a compiler would take a plain number for a float64.
    """
    faster: ast.AST = _Faster().visit(ast.parse(source, mode="eval"))
    return ast.unparse(_Cast(real).visit(faster) if real else faster)


def functions(text: str) -> tuple[str, ...]:
    """Return the functions of a module as they stand, each marked to be compiled, and its numbers."""
    kept = []
    for node in ast.parse(text).body:
        segment = ast.get_source_segment(text, node) or ""
        if isinstance(node, ast.FunctionDef):
            kept.append(f"@scalar\n{segment}\n\n")
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.BinOp):
            kept.append(f"{segment}\n")
    return tuple(kept)


class _Cast(ast.NodeTransformer):
    TRUTHS = ("logical_and", "logical_or", "logical_not", "isfinite")

    def __init__(self, real: str) -> None:
        self.real = real

    def _cast(self, node: ast.expr) -> ast.expr:
        return ast.Call(ast.Name(self.real), [node], [])

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return node if isinstance(node.value, bool) else self._cast(ast.Constant(float(ast.literal_eval(node))))

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._cast(node) if node.id in ("inf", "nan") else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        made = ast.Call(node.func, [self.visit(argument) for argument in node.args], [])
        return made if isinstance(node.func, ast.Name) and node.func.id in self.TRUTHS else self._cast(made)


class _Faster(ast.NodeTransformer):
    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "where" and len(node.args) == 3:
            return ast.IfExp(node.args[0], node.args[1], node.args[2])
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Pow):
            return node
        try:
            quarters = 4 * float(ast.literal_eval(node.right))
        except ValueError:
            return node
        if quarters != int(quarters) or not 0 < abs(quarters) <= 16:
            return node
        base = ast.unparse(node.left)
        whole, rest = divmod(abs(int(quarters)), 4)
        factors = [f"({base})"] * whole + ([f"sqrt({base})"] if rest >= 2 else [])
        factors += [f"sqrt(sqrt({base}))"] if rest % 2 else []
        product = "*".join(factors)
        return ast.parse(f"({product})" if quarters > 0 else f"(1.0/({product}))", mode="eval").body


def fill(template: str, definitions: Iterable[str]) -> str:
    """Return the text of a template, a module by its full name, with definitions in place of the stand-ins."""
    parts = STAND_INS.split(_module_text(template))
    if len(parts) != 2:
        raise ValueError(f"{template} must import stand-ins once, from a module of bindings")
    return "\n".join(definitions).join(parts)


def digest(text: str) -> str:
    """Return a digest of a module's text, of the modules of normkit that it imports, and of what compiles them."""
    known = hashlib.sha256(f"{sys.version} {installed('numba')} {installed('numpy')}\n{text}".encode())
    found, left = set(), _imports(text)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            imported = _module_text(name)
            known.update(imported.encode())
            left += _imports(imported)
    return known.hexdigest()


def _imports(text: str) -> list[str]:
    return re.findall(r"^from (normkit\.backends\.(?:cpu\.\w+|cuda\.[\w.]+)) import", text, re.MULTILINE)


@cache
def _module_text(name: str) -> str:
    return ROOT.joinpath(*name.split(".")).with_suffix(".py").read_text(encoding="utf-8")


class Loops:
    """A generated module; its functions are attributes. Damaged files of numba's cache are deleted and made anew."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self._name = f"{name}_{digest(text)[:24]}"
        self._load()

    def _load(self) -> None:
        self._path = _file(self._name, self.text)
        self._module = _import(self._name, self._path)
        self._read: set[str] = set()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        function: Callable[..., Any] = getattr(self._module, name)
        if name in self._read:
            return function

        def first_call(*arguments: Any) -> Any:
            try:
                result = function(*arguments)
            except UNREADABLE:
                self._forget()
                return getattr(self._module, name)(*arguments)
            self._read.add(name)
            return result

        return first_call

    def _forget(self) -> None:
        for path in (self._path.parent / "__pycache__").glob(f"{self._name}.*"):
            path.unlink(missing_ok=True)
        self._load()


@cache
def loops(text: str, name: str) -> Loops:
    """Return the module of a text, from the cache folder where it is there, written there where it is not."""
    return Loops(text, name)


@cache
def module(text: str, name: str) -> ModuleType:
    """Return the module of a text, by way of a file of the cache folder."""
    named = f"{name}_{digest(text)[:24]}"
    return _import(named, _file(named, text))


def _file(name: str, text: str) -> Path:
    data = text.encode()
    places: tuple[Callable[[], Path], ...] = (_kernels, _temporary)
    for directory in places:
        path = directory() / f"{name}.py"
        try:
            found = path.read_bytes() == data
        except OSError:
            found = False
        if found or write(path, data):
            return path
    raise OSError(f"neither {folder()} nor {_temporary()} can be written; set NORMKIT_CACHE_DIR to a folder that can")


def _kernels() -> Path:
    return folder().parent / "kernels"


@cache
def _temporary() -> Path:
    path = Path(tempfile.mkdtemp(prefix="normkit-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def _import(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # numba looks modules up by name when it reads its cache
    spec.loader.exec_module(module)
    return module
