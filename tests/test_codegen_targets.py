"""What `nk.codegen` prints, imported from a file and compared with `nk.dualize` and its certificates."""

from __future__ import annotations

import ast
import inspect
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from printed_files import (
    EVERY,
    FAR,
    LOOPED,
    SHAPES,
    agrees,
    check_maps,
    check_products,
    check_rank,
    check_scale,
    check_steps,
    imported,
    inputs,
    library,
)

import normkit as nk
from normkit.standalone import function
from normkit.targets.vocabulary import TARGETS

IMPORTS = {"numpy": {"numpy"}, "numba": {"numba", "numpy"}, "torch": {"torch"}, "jax": {"jax"}}


@pytest.mark.parametrize("spec", EVERY)
@pytest.mark.parametrize("target", ["numpy", "torch"])
def test_printed_maps_are_those_of_dualize(target: str, spec: str, tmp_path: Path) -> None:
    check_maps(target, spec, tmp_path)


@pytest.mark.parametrize("spec", FAR)
@pytest.mark.parametrize("target", ["numpy", "torch"])
@pytest.mark.parametrize("scale", [1e30, 1e-20])
def test_scales_at_the_ends_of_float32(scale: float, target: str, spec: str, tmp_path: Path) -> None:
    check_scale(scale, target, spec, tmp_path)


# --- polar factors by products --------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["numpy", "torch"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_keep_their_accuracy_on_the_stated_domain(target: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    check_products(target, shape, tmp_path)


@pytest.mark.parametrize("target", ["numpy", "torch"])
def test_products_give_a_partial_isometry(target: str, tmp_path: Path) -> None:
    check_rank(target, tmp_path)


def test_products_are_for_polar_factors_alone() -> None:
    assert "_svd(" in nk.codegen("schatten(4)", "torch") and "_svd(" not in nk.codegen("spectral", "torch")
    assert "_svd(" in nk.codegen("spectral", "torch", exact=True)
    assert "_svd(" in nk.codegen("spectral", "numpy") and "_svd(" not in nk.codegen("spectral", "numpy", accuracy=0.1)


# --- what single targets promise ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_torch_types_and_gradients(dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="the target is torch")
    torch.manual_seed(0)
    kind = getattr(torch, dtype)
    G = torch.randn(6, 4).to(kind).requires_grad_()
    T, size = function("rms->rms", "torch")(G)
    assert T.dtype == kind and size.dtype == (torch.float64 if dtype == "float64" else torch.float32)
    assert not T.requires_grad and G.grad is None
    wanted = nk.dualize("rms->rms", G.detach().double().numpy())
    assert float(np.abs(T.double().numpy() - wanted).max()) < (1e-2 if dtype in ("float16", "bfloat16") else 1e-3)
    W = torch.randn(6, 4, requires_grad=True)
    (W * function("linf", "torch")(W)[0]).sum().backward()
    assert torch.equal(W.grad, torch.sign(W.detach())), "the map is a constant to autograd"


def test_torch_compile() -> None:
    torch = pytest.importorskip("torch", reason="the target is torch")
    G = torch.randn(5, 7, generator=torch.Generator().manual_seed(2))
    for spec in ("rms->rms", "rows(linf, l2)"):
        printed = function(spec, "torch")
        run = torch.compile(printed, backend="eager", fullgraph=True)
        assert torch.allclose(run(G)[0], printed(G)[0])


@pytest.mark.parametrize("spec", ["rms->rms", "max(topk(2), 1/2*l1)", "rowblocks(l1, l1->rms, [1, 3])"])
def test_numba(spec: str) -> None:
    norm, printed = nk.norm(spec), function(spec, "numba")
    for G in inputs(norm, (4, 3) if norm.ndim == 2 else (6,)).values():
        T, size = printed(G)
        agrees(norm, G, T, size, 1e-9)


def test_numba_from_a_file(tmp_path: Path) -> None:
    made = imported(nk.codegen("linf", "numba", map="sharp"), tmp_path)
    step = made.steepest_descent(np.array([3.0, -4.0, 0.0], dtype=np.float32), 2.0)
    assert step.dtype == np.float32 and step.tolist() == [-3.5, 3.5, 0.0]
    with pytest.raises(TypeError, match="floating-point"):
        made.dualize(np.array([1, 2]))


def test_numba_by_products() -> None:
    G = np.random.default_rng(4).normal(size=(4, 7))
    T, size = function("spectral", "numba", accuracy=1e-3)(G)
    np.testing.assert_allclose(T, nk.dualize("spectral", G), atol=2e-3)
    np.testing.assert_allclose(size, nk.dual_value("spectral", G), rtol=1e-3)


@pytest.mark.parametrize("spec", LOOPED)
@pytest.mark.parametrize("target", ["numpy", "torch"])
def test_roots_and_searches_are_printed_where_loops_are(target: str, spec: str, tmp_path: Path) -> None:
    there, back, _ = library(target)
    norm = nk.norm(spec)
    if target == "torch" and "topk" in spec:
        with pytest.raises(nk.NoClosedForm, match=r"not printed for torch; it is for numpy, numba"):
            nk.codegen(norm, target)
        return
    printed = imported(nk.codegen(norm, target), tmp_path).dualize_with_dual_norm
    G = np.stack(list(inputs(norm, (6,)).values()))
    T, size = map(back, printed(there(G)))
    agrees(norm, G, T, size, 1e-9)
    np.testing.assert_allclose(T, nk.dualize(norm, G, backend="reference"), rtol=0, atol=1e-6)


@pytest.mark.parametrize("target", ["numpy", "torch"])
@pytest.mark.parametrize("spec", ["rms->rms", "l2"])
def test_steps_have_their_sign_and_length(target: str, spec: str, tmp_path: Path) -> None:
    check_steps(target, spec, tmp_path)


# --- the text -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_texts_import_their_target_alone_and_are_clean(target: str, tmp_path: Path) -> None:
    names = [*EVERY, *(LOOPED if target in ("numpy", "numba") else [])]
    for at, spec in enumerate(names):
        text = nk.codegen(spec, target)
        roots = {
            (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        assert roots <= IMPORTS[target] | {"math"}
        (tmp_path / f"printed_{at}.py").write_text(text, "utf-8")
    ruff = shutil.which("ruff") or shutil.which("ruff", path=str(Path(sys.executable).parent))
    if ruff is None:
        pytest.skip("ruff is not installed")
    done = subprocess.run([ruff, "check", "--isolated", "--no-cache", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("target", TARGETS)
def test_the_file_imports_without_warnings_or_normkit(target: str, tmp_path: Path) -> None:
    pytest.importorskip(target, reason="the target is not installed")
    (tmp_path / "printed.py").write_text(nk.codegen("rms->rms", target), "utf-8")
    code = "import sys, printed; assert not any(name.startswith('normkit') for name in sys.modules)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("spec", [r"rms->rms", "owl([3,2,1])", "amemiya(x**2 + x)"])
def test_the_head_says_where_the_code_comes_from(spec: str) -> None:
    norm = nk.norm(spec)
    head = ast.get_docstring(ast.parse(nk.codegen(norm, "numpy")))
    assert head is not None
    for said in (
        str(norm),
        str(norm.dual),
        "normkit codegen --norm",
        "Sign:",
        "Zero, ties:",
        "Formula:",
        norm.theorem.name,
    ):
        assert said in head, said
    assert f"[{norm.theorem.source}] " in head


def test_the_head_repeats_the_command() -> None:
    head = " ".join(
        (ast.get_docstring(ast.parse(nk.codegen("spectral", "jax", accuracy=0.1, map="lmo"))) or "").split()
    )
    assert "normkit codegen --norm spectral --target jax --accuracy 0.1 --map lmo" in head
    assert "singular values in [0.001, 1]" in head


# --- the library entry, and errors ----------------------------------------------------------------------------------


def test_function_is_made_once_and_lies_in_the_cache() -> None:
    first = function("rms->rms", "numpy", accuracy=1e-2)
    assert first is function("rms->rms", "numpy", accuracy=1e-2)
    assert Path(inspect.getsourcefile(inspect.unwrap(first)) or "").name.startswith("printed_numpy_")
    T, size = first(np.eye(3))
    assert np.abs(T - np.eye(3)).max() < 1e-2 and abs(size - 3) < 3e-2


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: nk.codegen("l2", "cupy"), nk.ParameterError, "numpy, numba, torch, jax; got the target 'cupy'"),
    (lambda: nk.codegen("l2", "numpy", map="sharpen"), nk.ParameterError, "map is one of dualize, lmo, sharp"),
    (lambda: nk.codegen("spectral", "jax", exact=True, accuracy=0.1), nk.ParameterError, "one or the other"),
    (lambda: nk.codegen("spectral", "numpy", lower=0.1), nk.ParameterError, "belongs to an accuracy"),
    (lambda: nk.codegen("spectral", "numpy", accuracy=2.0), nk.ParameterError, "between 0 and 1"),
    (lambda: nk.codegen("linf->l1", "numpy"), nk.NoClosedForm, "closed form|NP-hard"),
    (lambda: nk.codegen("orlicz(cosh(x) - 1)", "jax"), nk.NoClosedForm, "numpy, numba, torch"),
    (lambda: nk.codegen(nk.Modular({"a": nk.norm("l2")}), "numpy"), nk.SpecError, "named arrays"),
]


@pytest.mark.parametrize(("call", "error", "match"), WRONG, ids=[str(at) for at in range(len(WRONG))])
def test_errors_say_what_works(call: Callable[[], Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()


def test_printed_functions_refuse_what_they_cannot_take() -> None:
    printed = function("owl([3,2,1])", "numpy")
    with pytest.raises(ValueError, match=r"items of shape \(3\)"):
        printed(np.ones(4))
    with pytest.raises(TypeError, match="floating-point"):
        printed(np.ones(3, dtype=int))
    with pytest.raises(ValueError, match="2 or more axes"):
        function("fro", "numpy")(np.ones(3))


# --- the command ----------------------------------------------------------------------------------------------------


def run(folder: Path, *args: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "normkit", "codegen", *args], cwd=folder, capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command_prints_what_the_library_does(tmp_path: Path) -> None:
    code, out, err = run(tmp_path, "--norm", "rms->rms", "--target", "torch", "--map", "sharp", "--accuracy", "0.01")
    assert (code, err) == (0, "")
    assert out == nk.codegen("rms->rms", "torch", map="sharp", accuracy=0.01)


def test_the_command_writes_whole_files_and_overwrites_none(tmp_path: Path) -> None:
    asked = ("--norm", "rows(linf, l2)", "--target", "numpy", "-o", "update.py")
    assert run(tmp_path, *asked) == (0, "", "normkit: wrote update.py\n")
    written = (tmp_path / "update.py").read_text("utf-8")
    assert written == nk.codegen("rows(linf, l2)", "numpy")
    (tmp_path / "update.py").write_text("mine", "utf-8")
    code, out, err = run(tmp_path, *asked)
    assert (code, out) == (2, "") and "update.py exists" in err and err.count("\n") == 1
    assert (tmp_path / "update.py").read_text("utf-8") == "mine"
    assert run(tmp_path, *asked, "--force")[0] == 0
    assert (tmp_path / "update.py").read_text("utf-8") == written


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--norm", "rsm->rms", "--target", "torch"), "unknown norm 'rsm'"),
        (("--norm", "l2", "--target", "cupy"), "'cupy' is not one of"),
        (("--norm", "max(topk(2), 1/2*l1)", "--target", "jax"), "it is for numpy, numba"),
        (("--norm", "spectral", "--target", "jax", "--exact", "--accuracy", "0.1"), "one or the other"),
        (("--norm", "linf->l1", "--target", "numpy"), "NP-hard"),
    ],
    ids=["norm", "target", "search", "contradiction", "hard"],
)
def test_the_command_says_what_is_wrong_and_writes_nothing(tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    code, out, err = run(tmp_path, *args, "-o", "update.py")
    assert (code, out) == (2, "") and err.startswith("normkit: error: ") and says in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())
