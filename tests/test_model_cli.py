"""``normkit model inspect``: its table against numpy.linalg, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file, save_file

from normkit.cli import main
from normkit.cli.model import middle

Run = Callable[..., tuple[int, str, str]]
DRAW = np.random.default_rng(7)
SHAPES: dict[str, tuple[int, ...]] = {
    "embed.weight": (11, 4),
    "block.0.a_name_that_is_long.and_goes_on.for_quite_a_while.linear.weight": (6, 4),
    "conv.weight": (3, 2, 3, 3),
    "head.weight": (11, 4),
    "norm.weight": (6,),
    "norm.steps": (),
    "linear.bias": (6,),
}
LONG = "block.0.a_name_that_is_long.and_goes_on.for_quite_a_while.linear.weight"
RULES = """
outer = "{outer}"
[[rule]]
match = "head.weight"
tie = "embed.weight"
[[rule]]
match = "embed.weight"
norm = "l1->rms"
axes = "v d"
rows = "d"
cols = "v"
norm_scale = 2
[[rule]]
match = "*linear.weight"
norm = "rms->rms"
[[rule]]
match = "conv.weight"
norm = "spectral"
axes = "o i h w"
rows = "o"
cols = "i h w"
update_scale = 5
[[rule]]
match = ["norm.weight", "*.bias"]
update = "adamw"
options = {{ lr = 3e-4 }}
[[rule]]
match = "norm.steps"
update = "frozen"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in ("w", "g"):
        arrays = {name: DRAW.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}
        arrays["norm.steps"] = np.array(3, np.int64)
        save_file(arrays, tmp_path / f"{file}.safetensors", {"format": "pt"})
    for outer in ("linf", "l2", "l1"):
        (tmp_path / f"{outer}.toml").write_text(RULES.format(outer=outer))
    return tmp_path


@pytest.fixture
def inspect(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `normkit model inspect ARGS` inside this process; gives (exit code, stdout, stderr)."""

    def run(*args: str, columns: int = 400) -> tuple[int, str, str]:
        monkeypatch.chdir(folder)
        monkeypatch.setenv("COLUMNS", str(columns))
        result = CliRunner().invoke(main, ["model", "inspect", *args, "--backend", "reference"])
        return result.exit_code, result.stdout, result.stderr

    return run


def grown(folder: Path, file: str, **changes: Any) -> None:
    """Write the arrays of a file again, with changes; None takes one away."""
    arrays = load_file(folder / f"{file}.safetensors") | changes
    save_file({name: array for name, array in arrays.items() if array is not None}, folder / f"{file}.safetensors")


def measured(weights: dict[str, Any], gradients: dict[str, Any]) -> dict[str, tuple[float, float, float]]:
    """Scale, norm of the weight and dual norm of the gradient by numpy.linalg."""
    nuclear = {name: np.linalg.norm(g.reshape(len(g), -1), "nuc") for name, g in gradients.items() if g.ndim > 1}
    return {
        "embed.weight": (
            2.0,
            np.linalg.norm(weights["embed.weight"], axis=1).max() / 2,
            2 * np.linalg.norm(gradients["embed.weight"], axis=1).sum(),
        ),
        LONG: (1.0, np.sqrt(4 / 6) * np.linalg.norm(weights[LONG], 2), np.sqrt(6 / 4) * nuclear[LONG]),
        "conv.weight": (0.2, np.linalg.norm(weights["conv.weight"].reshape(3, 18), 2), nuclear["conv.weight"]),
    }


def shares(outer: str, d: Any) -> tuple[float, Any]:
    """The dual norm of the whole and c_l d_l / N*(G), from the formulas of the outer norms."""
    if outer == "linf":
        return d.sum(), d / d.sum()
    if outer == "l2":
        return np.sqrt((d**2).sum()), d**2 / (d**2).sum()
    return d.max(), (d == d.max()).astype(float)


@pytest.mark.parametrize("outer", ["linf", "l2", "l1"])
def test_the_numbers_are_those_of_numpy(outer: str, inspect: Run, folder: Path) -> None:
    code, out, err = inspect("w.safetensors", "--grads", "g.safetensors", "--rules", f"{outer}.toml", "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    weights, gradients = (load_file(folder / f"{file}.safetensors") for file in "wg")
    wanted = measured(weights, gradients)
    whole, parts = shares(outer, np.array([dual / scale for scale, _, dual in wanted.values()]))
    assert document["outer"] == outer and document["dual_norm"] == pytest.approx(whole, rel=1e-6)
    assert set(document["arrays"]) == set(SHAPES)
    for (name, (scale, size, dual)), share in zip(wanted.items(), parts, strict=True):
        found = document["arrays"][name]
        assert found["shape"] == list(SHAPES[name]) and found["dtype"] == "float32" and not found["frozen"]
        assert found["scale"] == scale
        assert found["norm_of_weight"] == pytest.approx(size, rel=1e-5)
        assert found["dual_norm"] == pytest.approx(dual, rel=1e-5)
        assert found["share"] == pytest.approx(share, rel=1e-5)
    sizes = np.array([scale * size for scale, size, _ in wanted.values()])
    order = {"linf": np.inf, "l2": 2, "l1": 1}[outer]
    assert document["norm_of_weights"] == pytest.approx(np.linalg.norm(sizes, order), rel=1e-5)
    others = {name: document["arrays"][name] for name in SHAPES if name not in wanted}
    assert others["head.weight"]["same_as"] == "embed.weight"
    assert others["norm.steps"]["frozen"] and others["norm.steps"]["dtype"] == "int64"
    assert (others["norm.weight"]["update"], others["norm.weight"]["options"]) == ("adamw", {"lr": 3e-4})
    assert all(each["norm"] is each["share"] is each["scale"] is None for each in others.values())


def test_the_table(inspect: Run) -> None:
    code, out, err = inspect("w.safetensors", "--grads", "g.safetensors", "--rules", "linf.toml")
    assert (code, err) == (0, "")
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert set(SHAPES) < set(lines) and "share" in lines["name"]
    assert "6x4" in lines[LONG] and "rms->rms" in lines[LONG] and lines[LONG].endswith("%")
    assert "= embed.weight" in lines["head.weight"] and "%" not in lines["head.weight"]
    assert "scalar" in lines["norm.steps"] and "frozen" in lines["norm.steps"]
    assert "adamw, no norm" in lines["linear.bias"]
    assert sum(float(line.split()[-2]) for line in out.splitlines() if line.endswith("%")) == pytest.approx(
        100, abs=0.1
    )
    assert lines["outer"].startswith("outer norm linf, N(W) = ") and "N*(G) = " in lines["outer"]


def test_names_give_way_in_the_middle(inspect: Run) -> None:
    code, out, _ = inspect("w.safetensors", "--grads", "g.safetensors", "--rules", "linf.toml", columns=120)
    assert code == 0 and max(map(len, out.splitlines())) <= 120
    (line,) = (line for line in out.splitlines() if line.startswith("block.0"))
    assert "…" in line and line.split()[0].endswith(".weight")
    assert middle("abcdefgh", 8) == "abcdefgh" and middle("abcdefghi", 8) == "abc…fghi"


def test_without_gradients_there_are_no_shares(inspect: Run) -> None:
    code, out, _ = inspect("w.safetensors", "--rules", "linf.toml")
    assert code == 0 and "share" not in out and "N*(G)" not in out and "N(W)" in out
    _, out, _ = inspect("w.safetensors", "--rules", "linf.toml", "--json")
    document = json.loads(out)
    assert document["dual_norm"] is None and document["arrays"][LONG]["dual_norm"] is None
    assert document["arrays"][LONG]["norm_of_weight"] > 0


def test_zero_gradients_have_no_shares_and_are_no_error(inspect: Run, folder: Path) -> None:
    grown(folder, "g", **{name: np.zeros(SHAPES[name], np.float32) for name in ("embed.weight", LONG, "conv.weight")})
    code, out, _ = inspect("w.safetensors", "--grads", "g.safetensors", "--rules", "linf.toml", "--json")
    document = json.loads(out)
    assert (code, document["dual_norm"]) == (0, 0.0)
    assert [document["arrays"][name]["share"] for name in ("embed.weight", LONG)] == [0.0, 0.0]


def test_a_value_without_closed_form_is_left_out(inspect: Run, folder: Path) -> None:
    (folder / "hard.toml").write_text('[[rule]]\nmatch = "w"\nnorm = "linf->l1"\n')
    save_file({"w": np.ones((2, 3))}, folder / "hard.safetensors")
    code, out, _ = inspect("hard.safetensors", "--rules", "hard.toml", "--json")
    assert code == 0 and json.loads(out)["norm_of_weights"] is json.loads(out)["arrays"]["w"]["norm_of_weight"] is None
    code, _, err = inspect("hard.safetensors", "--grads", "hard.safetensors", "--rules", "hard.toml")
    assert code == 2 and "hard.safetensors, array 'w': " in err and "NP-hard" in err


def test_ready_rules_by_name_and_a_torch_file_with_tied_weights(inspect: Run, folder: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch writes this file")
    table, body = torch.randn(50, 8), torch.randn(24, 8)
    state = {"transformer.wte.weight": table, "transformer.h.0.attn.c_attn.weight": body, "lm_head.weight": table}
    torch.save(state, folder / "w.pt")
    np.savez(folder / "g.npz", **{name: tensor.numpy() for name, tensor in state.items() if name != "lm_head.weight"})
    code, out, err = inspect("w.pt", "--grads", "g.npz", "--rules", "scion", "--json")
    assert (code, err) == (0, "")
    arrays = json.loads(out)["arrays"]
    assert arrays["lm_head.weight"]["same_as"] == "transformer.wte.weight"
    dual = 3000 * np.abs(table.numpy()).sum() / 8  # of n*max / 3000
    other = 50 * np.sqrt(24 / 8) * np.linalg.norm(body.numpy(), "nuc")
    assert arrays["transformer.wte.weight"]["share"] == pytest.approx(dual / (dual + other), rel=1e-5)


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "changes", "said"),
    [
        ("g", {"conv.weight": None}, "g.safetensors lack 'conv.weight'"),
        ("g", {"linear.bias": None}, "g.safetensors lack 'linear.bias'"),
        ("g", {"conv.weights": np.ones(2)}, "have 'conv.weights', which no weights have. Did you mean 'conv.weight'"),
        ("g", {LONG: np.ones((4, 6), np.float32)}, "(4, 6) for weights (6, 4)"),
        ("g", {LONG: np.ones((6, 4), np.int64)}, f"g.safetensors, array '{LONG}': the array has dtype int64"),
        ("w", {"other": np.ones(3)}, "no rule covers 'other' (3,)"),
        ("w", {"conv.weight": None}, "rule 4 ('conv.weight'): covers no array of the model"),
        ("w", {"conv.weight": np.ones((3, 18))}, "'conv.weight' (3, 18)"),
        ("w", {"embed.weight": None}, "'head.weight' is tied to 'embed.weight', which is no array of the model"),
    ],
    ids=["no gradient", "no gradient of a pipeline", "stranger", "shape", "integers", "bare", "idle", "axes", "untied"],
)
def test_what_does_not_fit_is_refused(file: str, changes: Any, said: str, inspect: Run, folder: Path) -> None:
    grown(folder, file, **changes)
    code, out, err = inspect("w.safetensors", "--grads", "g.safetensors", "--rules", "linf.toml")
    assert (code, out) == (2, "") and said in err and err.startswith("normkit: error: ")
    assert err.count("\n") == 1


def test_a_nan_is_named_with_its_array_and_index(inspect: Run, folder: Path) -> None:
    bad = np.ones((3, 2, 3, 3), np.float32)
    bad[2, 1, 0, 2] = np.nan
    for file in ("g", "w"):
        grown(folder, file, **{"conv.weight": bad})
        code, out, err = inspect("w.safetensors", "--grads", "g.safetensors", "--rules", "linf.toml")
        assert (code, out) == (2, "") and f"{file}.safetensors, array 'conv.weight': " in err
        assert "holds nan at index [2, 1, 0, 2]" in err


def test_files_that_are_not_whole_are_refused(inspect: Run, folder: Path) -> None:
    os.truncate(folder / "g.safetensors", 900)
    (folder / "empty.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    (folder / "bad.toml").write_text("[[rule]\n")
    for args, said in (
        (("w.safetensors", "--grads", "g.safetensors", "--rules", "linf.toml"), "g.safetensors is not a whole"),
        (("empty.safetensors", "--rules", "linf.toml"), "empty.safetensors holds no arrays"),
        (("none.safetensors", "--rules", "linf.toml"), "cannot read none.safetensors"),
        (("w.safetensors", "--rules", "bad.toml"), "bad.toml is no TOML"),
        (("w.safetensors", "--rules", "moun"), "no rules are called 'moun'"),
        (("w.safetensors", "--rules", "none.toml"), "cannot read none.toml"),
        (("w.bin", "--rules", "linf.toml"), "cannot tell the format of 'w.bin'"),
    ):
        code, out, err = inspect(*args)
        assert (code, out) == (2, "") and said in err, args


# --- real processes -------------------------------------------------------------------------------------------------


def process(folder: Path, *args: str, code: str = "") -> subprocess.CompletedProcess[str]:
    start = ("-c", code) if code else ("-m", "normkit")
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    return subprocess.run(
        [sys.executable, *start, *args], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_a_process_prints_one_document_and_leaves_no_file(folder: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())
    args = ("model", "inspect", "w.safetensors", "--grads", "g.safetensors", "--backend", "reference")
    done = process(folder, *args, "--rules", "linf.toml", "--json")
    assert (done.returncode, done.stderr) == (0, "") and set(json.loads(done.stdout)["arrays"]) == set(SHAPES)
    failed = process(folder, *args, "--rules", "muon")
    assert failed.returncode == 2 and failed.stdout == ""
    assert failed.stderr.startswith("normkit: error: muon: no rule covers ") and failed.stderr.count("\n") == 1
    assert sorted(path.name for path in folder.iterdir()) == before


def test_memory_is_that_of_single_arrays(tmp_path: Path) -> None:
    """Weights and gradients of 2 x 128 MiB in 32 arrays: the process grows by a few of them."""
    size = 4 << 20
    for file in ("w", "g"):
        save_file(
            {f"{k}.bias": np.full(size // 4, k + 1.0, np.float32) for k in range(32)}, tmp_path / f"{file}.safetensors"
        )
    (tmp_path / "r.toml").write_text('[[rule]]\nmatch = "*"\nnorm = "linf"\n')
    code = (
        "import resource, sys\nfrom normkit.cli import main\nimport numpy, normkit as nk\n"
        "g = numpy.ones(4)\n"
        "nk.certify('linf', g, nk.dualize('linf', g, backend='reference'), backend='reference')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "args = ['model', 'inspect', 'w.safetensors', '--grads', 'g.safetensors', '--rules', 'r.toml']\n"
        "main.main([*args, '--backend', 'reference'], standalone_mode=False)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, file=sys.stderr)\n"
    )
    done = process(tmp_path, code=code)
    assert done.returncode == 0 and "N*(G) = " in done.stdout, done.stderr
    # the reference back end itself takes several arrays in float64
    assert 1024 * int(done.stderr) < 12 * size
