"""Kernels of duality maps without a GPU: their numbers in numba's simulator, their types in PTX for every format."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from normkit.codegen.plan import Missing, Plan, Scalar
from normkit.codegen.source import definition, rooted
from normkit.programs import program

HERE = Path(__file__).parent


def test_numbers_in_the_simulator() -> None:
    """The variable that chooses the simulator is read when numba is imported: it needs a process of its own."""
    pytest.importorskip("numba.cuda.simulator", reason="numba has no CUDA simulator here")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(HERE / "sim_maps.py")]
    made = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}, cwd=HERE.parents[1]
    )
    assert made.returncode == 0, made.stdout[-6000:] + made.stderr[-2000:]
    assert re.search(r"\d+ passed", made.stdout), made.stdout


# --- types ----------------------------------------------------------------------------------------

ATOMS = "atoms([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.5, 0.5], [1.0, -1.0, 0.0]])"
TEMPLATES = {
    "sums": ("lp(3)", 64, "lines chunks settle spread"),
    "signs": ("l1", 64, "lines chunks settle"),
    "peaks": ("linf", 64, "chunks settle mark"),
    "ranked": ("infconv(l1, 2*l2)", 40, "list_keys within scan split settle scatter"),
    "root": ("amemiya(x**2 + x)", 40, "solve spread"),
    "atoms": (ATOMS, 3, "pair choose write"),
    "moves": ("groups(l1, wlinf([1, 2]), [[0, 1], [2, 3]])", 4, "take weigh spoil add"),
}
"""A norm for every template of kernels, the length of its items, and the kernels that must be among those launched."""


def plan(spec: str) -> Plan:
    made = program(spec)
    return made.dual if isinstance(made.value, Missing) else made.value


def loops_in_float64(ptx: str) -> list[str]:
    """Return the arithmetic in float64 between a label and a jump back to it."""
    lines = ptx.splitlines()
    labels = {line.rstrip(":"): place for place, line in enumerate(lines) if line.startswith("$L")}
    found = []
    for place, line in enumerate(lines):
        jump = re.search(r"\bbra(?:\.uni)?\s+(\$L\w+)", line)
        if jump and labels[jump[1]] < place:
            inside = lines[labels[jump[1]] : place]
            found += [each for each in inside if re.search(r"\b(add|sub|mul|fma|div|rcp|sqrt|cvt)\.\S*f64", each)]
    return found


def compiled(monkeypatch: pytest.MonkeyPatch, template: str, kind: str) -> dict[Any, str]:
    """Return the PTX of the kernels of a template; optimised, which takes long, where a test looks into it."""
    pytest.importorskip("numba_cuda", reason="numba-cuda is not installed: pip install 'normkit[cuda]'")
    from dry_runs import compiled as compile_

    try:
        spec, length, _ = TEMPLATES[template]
        files = {"signs": ("sums",), "ranked": ("orders", "ranked")}.get(template, (template,))
        made: dict[Any, str] = compile_(monkeypatch, plan(spec), kind, length, files, template == "sums")
    except Exception as error:
        if type(error).__name__ != "NvvmSupportError":
            raise
        pytest.skip(f"no libNVVM here: {error}")
    return made


FORMATS = ("float32", "float64", "bfloat16")


@pytest.mark.parametrize(
    ("template", "kind"),
    [(template, kind) for template in TEMPLATES for kind in FORMATS if template != "signs" or kind == "float32"],
)
def test_every_template_compiles_to_ptx(template: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = compiled(monkeypatch, template, kind)
    assert set(TEMPLATES[template][2].split()) <= {kernel for _, kernel, _ in made}
    for (_, kernel, _), text in made.items():
        assert ".visible .entry" in text
        if kernel == "spread" and template == "sums":
            assert (loops_in_float64(text) == []) == (kind != "float64")


def test_a_type_that_does_not_fit_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator lets shifts of floats and float indices pass; the compiler does not."""
    pytest.importorskip("numba_cuda", reason="numba-cuda is not installed: pip install 'normkit[cuda]'")
    from normkit.backends.cuda.maps import generated

    true_fill = generated.fill
    monkeypatch.setattr(generated, "fill", lambda *given: true_fill(*given).replace("np.uint64(place)", "float(place)"))
    generated.sums.cache_clear()
    try:
        with pytest.raises(Exception, match="float64"):
            compiled(monkeypatch, "signs", "float32")
    finally:
        generated.sums.cache_clear()


def test_numbers_of_a_type_are_written_as_that_type() -> None:
    """Every constant and every result of a function is cast; truths are not."""
    assert rooted("where(a > 2, sqrt(a)/3.0, a**2.5)", "Real").count("Real(") == 4
    assert rooted("isfinite(a)", "Real") == "isfinite(a)"
    text = definition("body", Scalar(("a", "m", "n"), "1.0 - inf*a"), real="Real")
    assert "return Real(1.0) - Real(inf) * a" in text
