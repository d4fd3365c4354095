"""The two towers and the bridge: imports point down, inside one tower; heavy libraries load where they are used."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import normkit

PACKAGE = Path(normkit.__file__).parent

FLOORS: dict[str, tuple[str, int]] = {
    # shared vocabulary
    "errors": ("shared", 0),
    "parameter": ("shared", 1),
    "linear": ("shared", 1),
    "names": ("shared", 1),
    "patterns": ("shared", 1),
    "functional": ("shared", 1),
    "inverse": ("shared", 1),
    # mathematics
    "coefficients": ("mathematics", 2),
    "elimination": ("mathematics", 2),
    "refusals": ("mathematics", 1),
    "limits": ("mathematics", 1),
    "references": ("mathematics", 1),
    "style": ("mathematics", 1),
    "guarantees": ("mathematics", 1),
    "young": ("mathematics", 2),
    "duality": ("mathematics", 2),
    "registry": ("mathematics", 2),
    "constants": ("mathematics", 1),
    "norm": ("mathematics", 3),
    "catalogue": ("mathematics", 4),
    "calculus": ("mathematics", 4),
    "cost": ("mathematics", 6),
    "young_reading": ("mathematics", 4),
    "tex": ("mathematics", 4),
    "spec": ("mathematics", 5),
    "linear_forms": ("mathematics", 5),
    "recognise": ("mathematics", 6),
    "formulas": ("mathematics", 5),
    "latex": ("mathematics", 5),
    "report": ("mathematics", 5),
    "derive": ("mathematics", 6),
    "derive_blocks": ("mathematics", 6),
    # machines
    "codegen": ("machines", 4),
    "polar": ("machines", 5),
    "backends": ("machines", 5),
    "targets": ("machines", 6),
    # the bridge and what stands on it
    "foreign": ("bridge", 6),
    "arrays": ("bridge", 7),
    "textformat": ("bridge", 7),
    "formats": ("bridge", 7),
    "files": ("bridge", 7),
    "named": ("bridge", 7),
    "memory": ("bridge", 7),
    "checkpoint": ("bridge", 8),
    "lengths": ("bridge", 7),
    "blockwise": ("bridge", 7),
    "programs": ("bridge", 7),
    "device": ("bridge", 7),
    "device_polar": ("bridge", 7),
    "descent": ("bridge", 7),
    "orthogonalize": ("bridge", 8),
    "generation": ("bridge", 8),
    "witness": ("bridge", 8),
    "operator_bounds": ("bridge", 8),
    "surrogate": ("bridge", 8),
    "relatives": ("bridge", 8),
    "compiled": ("bridge", 8),
    "update": ("bridge", 8),
    "bounds": ("bridge", 8),
    "certificate": ("bridge", 8),
    "heading": ("bridge", 8),
    "standalone": ("bridge", 8),
    "conventions": ("bridge", 8),
    "averaging": ("bridge", 8),
    "layerwise": ("bridge", 8),
    "points": ("bridge", 8),
    "curvature": ("bridge", 8),
    "doctor": ("bridge", 8),
    "testing": ("bridge", 8),
    "plot": ("bridge", 8),
    "polar_plot": ("bridge", 8),
    "modular": ("bridge", 9),
    "optim": ("bridge", 9),
    "studies": ("bridge", 10),
    "pytrees": ("bridge", 9),
    "rosetta": ("bridge", 8),
    "torch": ("bridge", 10),
    "torch_groups": ("bridge", 10),
    "torch_modules": ("bridge", 10),
    "torch_state": ("bridge", 10),
    "torch_tensors": ("bridge", 10),
    "torch_views": ("bridge", 10),
    "optax": ("bridge", 10),
    "cli": ("bridge", 11),
    "__main__": ("bridge", 12),
}
"""Tower and floor of every module or package of normkit; a new one is placed here when it is written."""

NUMERIC = {"numpy", "numba", "scipy", "matplotlib", "llvmlite"}
LATE = {("normkit.descent", "evaluate"), ("normkit.spec", "spec"), ("normkit.calculus.sums", "plus")}
LATE |= {("normkit.latex", "latex"), ("normkit.spec", "norm")}
"""What `normkit.norm.late` may bind: evaluating, printing, adding, reading a spec."""
LOADING = {("normkit.registry", "normkit.catalogue"), ("normkit.registry", "normkit.calculus")}
"""The registry imports the built-in norms when it is first asked, so that they register themselves."""


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Yield (dotted name, syntax tree) of every module."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imports(module: str, tree: ast.Module) -> Iterator[str]:
    """Yield what a module imports, also inside functions; not what it names for type checkers alone."""
    hidden = {id(inner) for node in ast.walk(tree) if _is_type_checking(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} uses a relative import"
            base = str(node.module)
            yield from (_resolved(base, alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) == "import_module" and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _resolved(base: str, name: str) -> str:
    """Return base.name if that is a module of normkit, else base."""
    path = PACKAGE.parent.joinpath(*base.split("."), name)
    return f"{base}.{name}" if path.is_dir() or path.with_suffix(".py").exists() else base


def place(module: str) -> tuple[str, int] | None:
    """Tower and floor of a module of normkit; None for the package itself, whose names are lazy, and for strangers."""
    parts = module.split(".")
    return FLOORS.get(parts[1]) if len(parts) > 1 else None


MODULES = dict(sources())
EDGES = [(module, target) for module, tree in MODULES.items() for target in imports(module, tree)]


def inside(edges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(a, b) for a, b in edges if b.split(".")[0] == "normkit" and place(a) and place(b)]


def test_every_module_has_a_floor() -> None:
    heads = {module.split(".")[1] for module in MODULES if "." in module}
    assert heads - set(FLOORS) == set(), "give the new module a tower and a floor in FLOORS"


def test_imports_point_down_inside_one_tower() -> None:
    wrong = []
    for module, target in inside(EDGES):
        (tower, floor), (other, below) = place(module), place(target)  # type: ignore[misc]
        # Within the machines codegen and back ends share the plan; catalogue and calculus may use each other's names.
        neighbours = floor == below and tower == other
        reachable = other in (tower, "shared") or tower == "bridge"
        if (module, target) not in LOADING and not (reachable and (below < floor or neighbours)):
            wrong.append(f"{module} ({tower} {floor}) imports {target} ({other} {below})")
    assert wrong == []


def test_the_mathematics_never_compute_with_numpy() -> None:
    towers = {"mathematics", "shared"}
    pure = [(a, b) for a, b in EDGES if place(a) and place(a)[0] in towers]  # type: ignore[index]
    assert [edge for edge in pure if edge[1].split(".")[0] in NUMERIC] == []


def test_the_machines_never_know_a_norm() -> None:
    above = {"norm", "spec", "catalogue", "calculus", "registry", "duality", "derive", "cost"}
    machines = [(a, b) for a, b in inside(EDGES) if place(a)[0] == "machines"]  # type: ignore[index]
    assert [edge for edge in machines if edge[1].split(".")[1] in above] == []


def test_among_machines_only_codegen_knows_sympy() -> None:
    users = {place(a) for a, b in EDGES if b.split(".")[0] == "sympy" and place(a)}
    assert {spot for spot in users if spot and spot[0] == "machines"} <= {FLOORS["codegen"]}


def test_the_only_upward_look_is_the_late_hook() -> None:
    found = set()
    for module, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _called(node) == "late":
                assert module == "normkit.norm", f"{module} binds late; only normkit.norm may"
                assert all(isinstance(argument, ast.Constant) for argument in node.args), "late binds constants only"
                found.add(tuple(argument.value for argument in node.args))  # type: ignore[attr-defined]
    assert found
    assert found <= LATE


def test_dynamic_imports_are_the_known_ones() -> None:
    """`import_module` of a name that is computed hides an edge from this test: only these places may do that."""
    allowed = {"normkit", "normkit.norm", "normkit.catalogue", "normkit.calculus", "normkit.optim", "normkit.studies"}
    allowed |= {"normkit.backends.cpu.generated", "normkit.formats"}  # own loops by their name; optional libraries
    computed = {
        module
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and _called(node) in ("import_module", "__import__")
        and not isinstance(node.args[0], ast.Constant)
    }
    assert computed <= allowed


def test_only_the_adapters_know_other_frameworks() -> None:
    """`foreign` finds the library of an array among those that are loaded, so that nothing else has to import one."""
    theirs = (
        "normkit.torch",
        "normkit.optax",
        "normkit.pytrees",
        "normkit.targets.words",
        "normkit.checkpoint.pickled",
    )
    users = {module for module, target in EDGES if target.split(".")[0] in ("torch", "jax", "optax")}
    assert {module for module in users if not module.startswith(theirs)} == set()


def test_the_layer_test_sees_a_wrong_import() -> None:
    """Plant imports inside a function and behind an alias; both are seen."""
    tree = ast.parse("def f():\n    import numpy as np\n    from normkit.backends import cpu\n    return np, cpu\n")
    assert set(imports("normkit.norm", tree)) == {"numpy", "normkit.backends.cpu"}
    assert place("normkit.backends.cpu") == ("machines", 5)


def loaded(code: str, *names: str) -> set[str]:
    """Run code in a fresh interpreter and return which of the names it has imported."""
    show = f"import sys\nprint(*[name for name in {names!r} if name in sys.modules])"
    made = subprocess.run([sys.executable, "-c", f"{code}\n{show}"], capture_output=True, text=True, check=True)
    return set(made.stdout.splitlines()[-1].split())


HEAVY = ("sympy", "numba", "matplotlib", "scipy")


def test_import_normkit_is_light() -> None:
    assert loaded("import normkit", *HEAVY, "numpy") == set()


def test_errors_and_names_are_light() -> None:
    assert loaded("import normkit; normkit.NormkitError; dir(normkit); normkit.__all__", *HEAVY, "numpy") == set()


@pytest.mark.parametrize("spec", ["rms->rms", "l1", "topk(2)"])
def test_the_warm_path_imports_no_sympy(spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORMKIT_CACHE_DIR", str(tmp_path))
    code = (
        "import numpy as np, normkit as nk\n"
        f"g = np.eye(3) if '>' in {spec!r} else np.ones(3)\n"
        f"t = nk.dualize({spec!r}, g, backend='reference')\n"
        f"assert nk.certify({spec!r}, g, t, backend='reference').holds(1e-12)"
    )
    assert "sympy" in loaded(code, "sympy"), "the cold path derives the program with SymPy"
    assert loaded(code, "sympy", "numba", "matplotlib") == set()


def test_the_gpu_is_imported_when_it_is_asked_for() -> None:
    """Not by normkit on the CPU, nor by asking whether there is one."""
    heavy = ("numba.cuda", "normkit.backends.cuda.polar", "normkit.backends.cuda.compat")
    code = "import normkit as nk; nk.dualize('l1', [1.0, 2.0]); nk.polar([[1.0, 2.0]])"
    assert loaded(code, *heavy) == set()
    ask = "from normkit.backends.cuda import CUDA; CUDA().why_not(); import normkit.device as d; d.on_device([1.0])"
    assert loaded(ask, *heavy) == set()
