"""`normkit step`: whole checkpoints, with the bits of a step in memory; both files or neither, killed or not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors.numpy import load_file, save_file

import normkit as nk
from normkit.cli import main
from normkit.optim import EMA, PIPELINES, HeavyBall, LionMomentum, Pipeline, SteepestDescent, engine, pipeline_named
from normkit.optim.method import Method
from normkit.optim.variance import MVR1, MVR2

Arrays = dict[str, np.ndarray[Any, Any]]

SHAPES = {
    "wte.weight": (20, 8),
    "h.0.attn.c_attn.weight": (24, 8),
    "h.0.mlp.c_fc.weight": (32, 8),
    "h.0.mlp.c_proj.weight": (8, 32),
    "h.1.mlp.c_fc.weight": (32, 8),
    "h.1.mlp.c_proj.weight": (8, 32),
    "h.0.ln_1.weight": (8,),
    "h.0.ln_1.bias": (8,),
}
STILL: Arrays = {"h.0.attn.masked_bias": np.array(-1e4, np.float32), "tokens": np.array([3, 1 << 40], np.int64)}
META = {"format": "pt", "run": "é"}
RULES = """
outer = "{outer}"
[[rule]]
match = "*c_*.weight"
norm = "rms->rms"
norm_scale = 0.5
[[rule]]
match = "wte.weight"
norm = "l1->rms"
[[rule]]
match = "*ln_*"
update = "adamw"
options = {{ lr = 0.01, betas = [0.9, 0.95] }}
[[rule]]
match = "*masked_bias"
update = "frozen"
optional = true
"""


def draw(seed: int, dtype: Any = np.float32) -> Arrays:
    r = np.random.default_rng(seed)
    return {name: r.standard_normal(shape).astype(dtype) for name, shape in SHAPES.items()}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with weights, gradients of three steps, and rules."""
    monkeypatch.chdir(tmp_path)
    save_file({**draw(0), **STILL}, "w.safetensors", META)
    for step in (1, 2, 3):
        save_file(draw(step), f"g{step}.safetensors")
    for outer in ("linf", "l2"):
        Path(f"{outer}.toml").write_text(RULES.format(outer=outer))
    return tmp_path


def step(
    *args: str, weights: str = "w.safetensors", grads: str = "g1.safetensors", out: str = "o.safetensors"
) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["step", "--weights", weights, "--grads", grads, "-o", out, *args])


def stepped(*args: str, **places: str) -> Result:
    """Run the command, which must end well."""
    told = step(*args, **places)
    assert told.exit_code == 0, told.output
    return told


def refused(*args: str, **places: str) -> str:
    """Run the command, which must refuse in one line and leave everything as it was; return the line."""
    before = {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    told = step(*args, **places)
    assert told.exit_code == 2 and told.stdout == "" and told.stderr.count("\n") == 1, told.output
    assert {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before
    return told.stderr


def same(found: Arrays, wanted: Arrays) -> None:
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape), name
        assert found[name].tobytes() == array.tobytes(), name


def in_memory(rules: str, names: Arrays, **options: Any) -> SteepestDescent:
    """Return the optimizer of the same rules."""
    made = nk.Rules.load(rules).assign({name: array.shape for name, array in names.items()})
    pipelines = {name: pipeline_named(update, **given) for name, (update, given) in made.pipelines.items()}
    return SteepestDescent(made.norm, pipelines=pipelines, frozen=made.frozen, **options)


LMO = ("--rules", "linf.toml", "--radius", "0.02")


# --- the numbers ------------------------------------------------------------------------------------------------------

METHODS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "lmo": ("linf", "--radius 0.02", {"convention": "lmo", "lr": 0.02}),
    "sharp": ("linf", "--convention sharp --sharpness 50", {"convention": "sharp", "lr": 0.02}),
    "sharp under l2": ("l2", "--convention sharp --sharpness 50", {"convention": "sharp", "lr": 0.02}),
    "lmo under l2": ("l2", "--radius 3 --lr 0.1", {"convention": nk.LMO(3.0), "lr": 0.1}),
    "trust": (
        "l2",
        "--convention trust --radius 0.5 --sharpness 40",
        {"convention": nk.TrustRegion(0.5, 40.0), "lr": 1.0},
    ),
    "frank-wolfe": (
        "linf",
        "--convention frank-wolfe --radius 5 --lr 0.1",
        {"convention": nk.FrankWolfe(5.0), "lr": 0.1},
    ),
    "power": ("linf", "--convention power --sharpness 9 --power 3", {"convention": nk.PowerStep(9.0, 3.0), "lr": 1.0}),
    "layerwise": (
        "linf",
        "--convention layerwise --l0 1 --l1 2 --lr 0.5",
        {"convention": nk.LayerwiseSmooth(1.0, 2.0), "lr": 0.5},
    ),
}
FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("", {}),
    "ema": ("--momentum 0.9 --weight-decay 0.1", {"momentum": EMA(0.9), "weight_decay": 0.1}),
    "nesterov": ("--momentum 0.9 --nesterov --maximize", {"momentum": EMA(0.9, nesterov=True), "maximize": True}),
    "heavy ball": ("--momentum 0.9 --heavy-ball --accuracy 1e-2", {"momentum": HeavyBall(0.9), "accuracy": 1e-2}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", METHODS)
def test_three_calls_have_the_bits_of_three_steps_in_memory(name: str, form: str, folder: Path) -> None:
    outer, options, how = METHODS[name]
    words, more = FORMS[form]
    now = {**draw(0), "h.0.attn.masked_bias": STILL["h.0.attn.masked_bias"]}
    opt = in_memory(f"{outer}.toml", now, **how, **more)
    given = [*options.split(), *words.split(), "--rules", f"{outer}.toml", "--state", "s.safetensors"]
    files = [f"{each}.safetensors" for each in "wopq"]
    for place in (1, 2, 3):
        stepped(*given, weights=files[place - 1], grads=f"g{place}.safetensors", out=files[place])
        now = opt.step(now, draw(place))
        same(load_file(files[place]), {**now, "tokens": STILL["tokens"]})
    kept = opt.state_dict()
    found = load_file("s.safetensors")
    assert json.loads(found.pop("normkit.optim").tobytes())["step"] == 3
    same(found, {f"{key}::{slot}": array for key, slots in kept["arrays"].items() for slot, array in slots.items()})


def polar(g: np.ndarray) -> np.ndarray:
    left, _, right = np.linalg.svd(g.astype(np.float64), full_matrices=False)
    return left @ right


@pytest.mark.parametrize("convention", ["lmo", "sharp"])
def test_steps_are_those_of_the_formulas(convention: str, folder: Path) -> None:
    """-radius * t_l / s_l, and -(sum of the dual norms d_l / sharpness) t_l / s_l, from NumPy's singular values."""
    stepped(
        "--rules",
        "linf.toml",
        "--convention",
        convention,
        *(("--radius", "0.02") if convention == "lmo" else ("--sharpness", "50")),
    )
    weights, g, found = draw(0), draw(1), load_file("o.safetensors")
    maps, duals = {}, {}
    for name, (m, n) in [(name, shape) for name, shape in SHAPES.items() if "c_" in name]:
        maps[name] = np.sqrt(m / n) * polar(g[name]) / 0.5
        duals[name] = np.sqrt(m / n) * np.linalg.svd(g[name].astype(np.float64), compute_uv=False).sum() / 0.5
    table = g["wte.weight"].astype(np.float64)  # l1->rms: every column to root mean square 1
    sizes = np.sqrt(np.mean(table**2, axis=0))
    maps["wte.weight"], duals["wte.weight"] = table / sizes, float(np.sum(sizes) * len(table))
    length = 0.02 if convention == "lmo" else sum(duals.values()) / 50
    for name, t in maps.items():
        np.testing.assert_allclose(found[name] - weights[name].astype(np.float64), -length * t, rtol=2e-4, atol=2e-5)
    for name in SHAPES.keys() - maps.keys():  # the first step of Adam is a sign
        np.testing.assert_allclose(found[name], weights[name] - 0.01 * np.sign(g[name]), rtol=1e-5, atol=1e-6)


def test_a_norm_can_stand_for_rules(folder: Path) -> None:
    save_file(
        {name: draw(0)[name] for name in ("wte.weight", "h.0.mlp.c_fc.weight")} | {"n": STILL["tokens"]},
        "v.safetensors",
    )
    save_file({name: draw(1)[name] for name in ("wte.weight", "h.0.mlp.c_fc.weight")}, "h.safetensors")
    stepped("--norm", "max", "--radius", "0.5", weights="v.safetensors", grads="h.safetensors")
    found = load_file("o.safetensors")
    for name in ("wte.weight", "h.0.mlp.c_fc.weight"):
        np.testing.assert_array_equal(found[name], draw(0)[name] - np.float32(0.5) * np.sign(draw(1)[name]))
    same({"n": found["n"]}, {"n": STILL["tokens"]})


def test_the_state_is_that_of_the_optimizer_in_memory(folder: Path) -> None:
    """One step in memory, its state saved, the next one by the command; and the other way round."""
    weights = draw(0)
    opt = in_memory("linf.toml", weights, lr=0.02, momentum=0.9)
    first = opt.step(weights, draw(1))
    opt.save("s.safetensors")
    save_file(first, "v.safetensors")
    stepped(*LMO, "--momentum", "0.9", "--state", "s.safetensors", weights="v.safetensors", grads="g2.safetensors")
    same(load_file("o.safetensors"), second := opt.step(first, draw(2)))
    again = in_memory("linf.toml", weights, lr=0.02, momentum=0.9)
    again.load("s.safetensors")
    same(again.step(second, draw(3)), opt.step(second, draw(3)))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16], ids=["float16", "bfloat16"])
@pytest.mark.parametrize("convention", ["lmo", "sharp"])
def test_half_precision_is_stepped_in_float32_behind_it(dtype: Any, convention: str, folder: Path) -> None:
    now = draw(0, dtype)
    save_file(now, "v.safetensors")
    opt = in_memory("linf.toml", now, lr=0.02, momentum=0.9, convention=convention)
    given = ["--convention", convention, *(("--radius", "0.02") if convention == "lmo" else ("--sharpness", "50"))]
    given += ["--rules", "linf.toml", "--momentum", "0.9", "--state", "s.safetensors"]
    for place, (before, after) in enumerate([("v", "o"), ("o", "p")]):
        save_file(draw(place, dtype), "h.safetensors")
        files = {"weights": f"{before}.safetensors", "grads": "h.safetensors", "out": f"{after}.safetensors"}
        stepped(*given, **files)
        now = opt.step(now, draw(place, dtype))
        same(load_file(f"{after}.safetensors"), now)
    assert load_file("s.safetensors")["wte.weight::master"].dtype == np.float32


FORMS_OF_MOMENTUM = [EMA(0.9), HeavyBall(0.9), HeavyBall(0.0), LionMomentum(), MVR1(0.9), MVR2(0.9)]


@pytest.mark.parametrize("name", [*PIPELINES, *(f"momentum {place}" for place in range(len(FORMS_OF_MOMENTUM)))])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_is_kept_is_what_was_said_before(name: str, dtype: str) -> None:
    """The file of a state has room for what a step keeps before the step is made."""
    shape, kind = (3, 4), np.dtype(dtype)
    place = name.removeprefix("momentum ")
    part: Any = FORMS_OF_MOMENTUM[int(place)] if place != name else pipeline_named(name)
    held: engine.Held = {}
    w, g = np.ones(shape, kind), np.random.default_rng(0).standard_normal(shape).astype(kind)
    arrays = engine.Arrays({"w": w}, {"w": g}, held, {"w": w.copy()})
    method = Method(None, nk.LMO(1.0), None, pipelines={"w": part if isinstance(part, Pipeline) else Pipeline(part)})
    clock = engine.Clock(1, 0.1, previous={"w": g}, loss=1.0, loss_at=lambda name, w: 0.5)
    engine.advance(method, clock, arrays)
    wanted = {slot: (array.shape, array.dtype) for slot, array in held["w"].items()}
    assert engine.keeps(method, "w", kind, g) == wanted


# --- files ------------------------------------------------------------------------------------------------------------


def test_names_dtypes_metadata_and_arrays_that_stay(folder: Path) -> None:
    told = stepped(*LMO)
    from normkit.checkpoint import open_checkpoint

    before, after = open_checkpoint("w.safetensors"), open_checkpoint("o.safetensors")
    assert after.metadata == META and after.shapes == before.shapes
    same({name: after[name] for name in STILL}, STILL)
    assert sorted(os.listdir()) == sorted(
        [*(f"g{n}.safetensors" for n in (1, 2, 3)), "w.safetensors", "o.safetensors", "l2.toml", "linf.toml"]
    )
    assert "10 arrays: " in told.stdout and "2 copied" in told.stdout and "2 by adamw" in told.stdout
    assert "moments begin at zero" in told.stderr
    seen = CliRunner().invoke(main, ["model", "inspect", "w.safetensors", "--rules", "linf.toml"])
    assert seen.exit_code == 0 and "tokens" in seen.stdout, "what a step copies, the table shows"


def sharded(index: str, arrays: Arrays) -> str:
    where = {name: f"model-{1 + place % 2}-of-2.safetensors" for place, name in enumerate(arrays)}
    for file in set(where.values()):
        save_file({name: arrays[name] for name in arrays if where[name] == file}, Path(index).parent / file, META)
    Path(index).write_text(json.dumps({"metadata": {"total_size": 7}, "weight_map": where}))
    return index


def test_sharded_checkpoints_stay_sharded(folder: Path) -> None:
    index = "model.safetensors.index.json"
    (folder / "new").mkdir()
    sharded(index, {**draw(0), **STILL})
    grads = sharded(str(folder / "new" / "g.safetensors.index.json"), draw(1))
    stepped(*LMO, out="one.safetensors")
    (folder / "out").mkdir()
    stepped(*LMO, "--state", "s.safetensors", weights=index, grads=grads, out=f"out/{index}")
    assert json.loads(Path(f"out/{index}").read_text()) == json.loads(Path(index).read_text())
    assert len(os.listdir("out")) == 3
    found: Arrays = {}
    for file in Path("out").glob("*.safetensors"):
        found |= load_file(file)
    same(found, load_file("one.safetensors"))
    assert "exists" in refused(*LMO, weights=index, out=f"out/{index}")


def test_archives_and_single_arrays(folder: Path) -> None:
    np.savez("w.npz", **draw(0), **STILL)
    np.savez("g.npz", **draw(1))
    stepped(*LMO, out="one.safetensors")
    stepped(*LMO, "--state", "s.safetensors", weights="w.npz", grads="g.npz", out="o.npz")
    with np.load("o.npz") as found:
        same(dict(found), load_file("one.safetensors"))
    assert not [name for name in os.listdir() if name.startswith(".")]
    np.save("v.npy", draw(0)["wte.weight"])
    np.savez("h.npz", v=draw(1)["wte.weight"])
    stepped("--norm", "max", "--convention", "sharp", "--sharpness", "9", weights="v.npy", grads="h.npz", out="u.npy")
    wanted = draw(0)["wte.weight"] - np.abs(draw(1)["wte.weight"]).sum() / 9 * np.sign(draw(1)["wte.weight"])
    np.testing.assert_allclose(np.load("u.npy"), wanted, rtol=1e-5, atol=1e-5)


def test_tied_arrays_are_stepped_once(folder: Path) -> None:
    """A .pt file shares memory; in a .safetensors file the rules say so, and the numbers must be the same."""
    torch = pytest.importorskip("torch", reason="torch writes these files")
    Path("tied.toml").write_text(
        '[[rule]]\nmatch = "head.weight"\ntie = "wte.weight"\n'
        + RULES.format(outer="linf").replace('outer = "linf"', "")
    )
    table = {name: torch.from_numpy(array) for name, array in draw(0).items()}
    torch.save({**table, "head.weight": table["wte.weight"], "masked_bias": torch.zeros(2)}, "w.pt")
    told = stepped(*LMO, weights="w.pt", out="p.safetensors")
    found = load_file("p.safetensors")
    np.testing.assert_array_equal(found["head.weight"], found["wte.weight"])
    assert "1 other names" in told.stdout and not np.array_equal(found["head.weight"], draw(0)["wte.weight"])
    weights = {**draw(0), **STILL, "head.weight": draw(0)["wte.weight"].copy()}
    save_file(weights, "v.safetensors")
    stepped("--rules", "tied.toml", "--radius", "0.02", weights="v.safetensors")
    np.testing.assert_array_equal(load_file("o.safetensors")["head.weight"], found["wte.weight"])
    weights["head.weight"][3, 2] += 1
    save_file(weights, "v.safetensors")
    said = refused("--rules", "tied.toml", "--radius", "0.02", "--force", weights="v.safetensors")
    assert "'head.weight' is tied to 'wte.weight', but holds other numbers" in said


def test_weights_can_be_stepped_in_place(folder: Path) -> None:
    stepped(*LMO)
    stepped(*LMO, "--force", out="w.safetensors")
    same(load_file("w.safetensors"), load_file("o.safetensors"))


# --- certificates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("convention", ["lmo", "sharp"])
def test_json_has_the_certificate_of_every_array(convention: str, folder: Path) -> None:
    given = ("--radius", "0.02") if convention == "lmo" else ("--sharpness", "50")
    told = stepped("--rules", "linf.toml", "--convention", convention, *given, "--json", "--accuracy", "1e-2")
    said = json.loads(told.stdout)
    assert (said["outer"], said["step"], said["lr"]) == ("linf", 1, 0.02) and list(said["arrays"]) != []
    assert set(said["arrays"]) == {*SHAPES, *STILL}
    ruled = {name: each for name, each in said["arrays"].items() if "norm" in each}
    assert set(ruled) == {name for name in SHAPES if "ln_" not in name}
    assert sum(each["step"]["share"] for each in ruled.values()) == pytest.approx(1, rel=1e-12)
    weights, g, after = draw(0), draw(1), load_file("o.safetensors")
    for name, each in ruled.items():
        moved = after[name].astype(np.float64) - weights[name]
        assert each["pairing"] == pytest.approx(float(np.sum(moved * g[name])), rel=1e-4)
        assert each["holds"] and each["gap"] < each["tolerance"] == 0.04 and each["shape"] == list(SHAPES[name])
        assert each["dual_norm"]["lower"] <= each["dual_norm"]["upper"] * (1 + 1e-6)
        scaled = nk.dual_value(each["norm"], g[name]) / each["step"]["scale"]
        assert each["step"]["dual_norm"] == pytest.approx(scaled, rel=1e-3)
    assert said["dual_norm"] == pytest.approx(sum(each["step"]["dual_norm"] for each in ruled.values()), rel=1e-12)
    assert said["arrays"]["tokens"]["frozen"] and said["arrays"]["h.0.ln_1.bias"]["update"] == "adamw"


def test_a_certificate_that_does_not_hold_is_exit_1(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = engine.mapped

    def wrong(*args: Any) -> Any:
        maps, measured = right(*args)
        for t in maps.values():
            t[0] *= 0.5
        return maps, measured

    monkeypatch.setattr(engine, "mapped", wrong)
    told = step(*LMO, "--certify")
    assert told.exit_code == 1 and "the certificate does not hold for: " in told.stderr
    assert "wte.weight" in told.stderr and "0 of 6 certificates hold" in told.stdout


# --- refusals ---------------------------------------------------------------------------------------------------------


def without(name: str) -> None:
    save_file({key: array for key, array in draw(1).items() if key != name}, "g1.safetensors")


def changed(**arrays: np.ndarray) -> None:
    save_file({**draw(1), **arrays}, "g1.safetensors")


HEADERS: dict[str, tuple[Any, tuple[str, ...], str]] = {
    "gradients missing": (lambda: without("wte.weight"), LMO, "lack 'wte.weight'"),
    "gradients of strangers": (lambda: changed(wtf=np.ones(3)), LMO, "have 'wtf', which no weights have"),
    "gradients of other shapes": (
        lambda: changed(**{"wte.weight": np.ones((8, 20), np.float32)}),
        LMO,
        r"'wte.weight': (8, 20) for weights (20, 8)",
    ),
    "gradients of integers": (lambda: changed(**{"wte.weight": np.ones((20, 8), np.int32)}), LMO, "int32"),
    "an array without a rule": (
        lambda: Path("linf.toml").write_text('[[rule]]\nmatch = "h.*"\nnorm = "max"\nndim = 2'),
        LMO,
        "no rule covers",
    ),
    "a rule without arrays": (
        lambda: Path("linf.toml").write_text(RULES.format(outer="linf") + '[[rule]]\nmatch = "conv*"\nnorm = "max"'),
        LMO,
        "covers no array of the model",
    ),
    "a norm that does not take its array": (None, ("--norm", "rms->rms", "--radius", "1"), "'h.0.ln_1.weight' (8,)"),
    "options of a pipeline": (
        lambda: Path("linf.toml").write_text(RULES.format(outer="linf").replace("betas", "bates")),
        LMO,
        "has no option 'bates'",
    ),
    "no radius": (None, ("--rules", "linf.toml"), "lmo needs --radius"),
    "a radius of sharp": (None, (*LMO, "--convention", "sharp", "--sharpness", "2"), "--radius belongs to"),
    "a sharpness of zero": (
        None,
        ("--rules", "linf.toml", "--convention", "sharp", "--sharpness", "0"),
        "sharpness must be a positive",
    ),
    "a radius that is none": (None, ("--rules", "linf.toml", "--radius", "nan"), "radius must be a positive"),
    "a rate of Frank-Wolfe": (
        None,
        ("--rules", "linf.toml", "--convention", "frank-wolfe", "--radius", "2", "--lr", "1.5"),
        "lr in (0, 1]",
    ),
    "a momentum of one": (None, (*LMO, "--momentum", "1"), "beta must be in [0, 1)"),
    "a form without momentum": (None, (*LMO, "--nesterov"), "give --momentum"),
    "a negative decay": (None, (*LMO, "--weight-decay", "-1"), "weight decay"),
    "an accuracy of zero": (None, (*LMO, "--accuracy", "0"), "accuracy must be a positive"),
    "rules and a norm": (None, (*LMO, "--norm", "max"), "and not both"),
    "no such back end": (None, (*LMO, "--backend", "abacus"), "abacus"),
    "an output of torch": (None, (*LMO, "-o", "o.pt"), "cannot write"),
    "an output that is there": (None, (*LMO, "-o", "w.safetensors"), "exists"),
    "an output over the gradients": (None, (*LMO, "-o", "g1.safetensors", "--force"), "a file of the gradients"),
    "a state over the output": (None, (*LMO, "--state", "o.safetensors"), "it is the output"),
    "a state over the weights": (None, (*LMO, "--state", "w.safetensors"), "a file of the input"),
    "a state that is none": (None, (*LMO, "--state", "g2.safetensors"), "no state of normkit.optim"),
    "a state of an archive": (None, (*LMO, "--state", "s.npz"), "end it in .safetensors"),
    "a state of another update": (
        lambda: stepped(*LMO, "--momentum", "0.9", "--state", "s.safetensors", out="p.safetensors"),
        (*LMO, "--state", "s.safetensors"),
        "which this update does not use",
    ),
    "no gradients": (lambda: os.unlink("g1.safetensors"), LMO, "cannot read g1.safetensors"),
    "corrupted weights": (lambda: os.truncate("w.safetensors", 900), LMO, "not a whole .safetensors file"),
    "corrupted gradients": (lambda: Path("g1.safetensors").write_bytes(b"none"), LMO, "not a whole .safetensors file"),
    "rules that are no rules": (lambda: Path("linf.toml").write_text("[[rule]"), LMO, "linf.toml is no TOML"),
}


@pytest.mark.parametrize("what", HEADERS)
def test_what_headers_tell_is_refused_before_an_array_is_read(
    what: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, args, said = HEADERS[what]
    if change is not None:
        change()
    if "state" not in what:  # what a state says beside its arrays is an array
        monkeypatch.setattr("normkit.checkpoint.safetensors.read", lambda entry: pytest.fail(f"{entry.name} was read"))
    assert said in refused(*args)


@pytest.mark.parametrize("convention", ["lmo", "sharp"])
@pytest.mark.parametrize("bad", ["gradients", "weights", "state"])
def test_an_entry_that_is_no_number_is_named_and_nothing_is_written(bad: str, convention: str, folder: Path) -> None:
    given = ["--rules", "linf.toml", "--momentum", "0.9", "--state", "s.safetensors", "--convention", convention]
    given += ["--radius", "1"] if convention == "lmo" else ["--sharpness", "1"]
    stepped(*given, out="p.safetensors")
    file, name = {
        "gradients": ("g1", "h.1.mlp.c_fc.weight"),
        "weights": ("w", "h.1.mlp.c_fc.weight"),
        "state": ("s", "h.1.mlp.c_fc.weight::momentum"),
    }[bad]
    held = load_file(f"{file}.safetensors")
    held[name][5, 6] = np.nan
    save_file(held, f"{file}.safetensors")
    said = refused(*given)
    assert f"{file}.safetensors" in said and repr(name) in said and "nan at index [5, 6]" in said


def test_a_step_that_overflows_writes_nothing(folder: Path) -> None:
    assert "overflows" in refused("--rules", "linf.toml", "--radius", "1e39")


# --- killed runs ------------------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from normkit.checkpoint import writer
from normkit.cli import main
left, where = int(sys.argv[1]), sys.argv[2]

def dying(call):
    def run(*args, **options):
        global left
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return call(*args, **options)
    return run

if where == "write":
    writer.Writer.write = dying(writer.Writer.write)
else:
    os.replace = dying(os.replace)
main(["step", *sys.argv[3:]])
"""
KEEPING = ["--momentum", "0.9", "--state", "s.safetensors", "--json"]
COUPLED = ["--rules", "linf.toml", "--convention", "sharp", "--sharpness", "50", *KEEPING]
APART = [*LMO, *KEEPING]


def killed(after: int, where: str, args: list[str]) -> None:
    given = ["--weights", "w.safetensors", "--grads", "g1.safetensors", "-o", "o.safetensors", *args]
    told = subprocess.run([sys.executable, "-c", KILLED, str(after), where, *given], capture_output=True, text=True)
    assert told.returncode == -signal.SIGKILL, told.stderr


@pytest.mark.parametrize(("args", "after"), [(APART, 5), (COUPLED, 5), (COUPLED, 20)], ids=["apart", "maps", "added"])
def test_a_killed_run_is_gone_on_with(
    args: list[str], after: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(after, "write", args)
    assert not Path("o.safetensors").exists() and not Path("s.safetensors").exists()
    made: list[str] = []
    right = engine.mapped
    monkeypatch.setattr(engine, "mapped", lambda m, part, u: made.extend(part.names) or right(m, part, u))
    told = stepped(*args)
    assert len(made) == {5: 5, 20: 0}[after], "what was finished is not made again"
    if after == 20:
        assert "went on with an interrupted run" in told.stderr
    assert not [name for name in os.listdir() if name.startswith(".")]
    found, kept, said = load_file("o.safetensors"), load_file("s.safetensors"), told.stdout
    os.unlink("s.safetensors")
    whole = stepped(*args, "--force")
    same(load_file("o.safetensors"), found)
    same(load_file("s.safetensors"), kept)
    assert whole.stdout == said


@pytest.mark.parametrize("change", ["radius", "rules", "gradients", "weights", "momentum"])
def test_a_run_with_other_options_or_files_begins_anew(change: str, folder: Path) -> None:
    killed(12, "write", APART)
    args = list(APART)
    if change == "radius":
        args[args.index("0.02")] = "0.03"
    elif change == "momentum":
        args[args.index("0.9")] = "0.8"
    elif change == "rules":
        Path("linf.toml").write_text(RULES.format(outer="linf").replace("norm_scale = 0.5", "norm_scale = 0.25"))
    else:
        file = "g1.safetensors" if change == "gradients" else "w.safetensors"
        save_file(load_file(file), file, META)
        os.utime(file, ns=(1, 1))
    assert "went on" not in stepped(*args).stderr
    assert load_file("s.safetensors")["wte.weight::momentum"].any()


@pytest.mark.parametrize("moved", [1, 2], ids=["before the state", "before the weights"])
def test_a_run_killed_while_files_take_their_places_is_finished(moved: int, folder: Path) -> None:
    """The first file to take its place is the record of what is to be done; then state, then weights."""
    stepped(*APART, out="p.safetensors")
    wanted = load_file("p.safetensors")
    kept = load_file("s.safetensors")
    os.unlink("s.safetensors")
    killed(moved, "places", APART)
    assert not Path("o.safetensors").exists() and Path("s.safetensors").exists() == (moved == 2)
    told = stepped(*APART)
    same(load_file("o.safetensors"), wanted)
    same(load_file("s.safetensors"), kept)
    assert json.loads(told.stdout)["step"] == 1 and not [name for name in os.listdir() if name.startswith(".")]
    assert "exists" in refused(*APART), "that run is over: the next one is another step"


# --- memory -----------------------------------------------------------------------------------------------------------

MEASURED = """
import gc, sys
from normkit.cli import main

def memory(what):
    lines = open("/proc/self/status").read().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(what))

def run(folder, *args):
    given = ["--weights", f"{folder}/w.npz", "--grads", f"{folder}/g.npz", "-o", f"{folder}/o.safetensors"]
    assert main(["step", *given, "--state", f"{folder}/s.safetensors", *args], standalone_mode=False) == 0

run(sys.argv[1], *sys.argv[3:])
gc.collect()
before = memory("VmRSS")
open("/proc/self/clear_refs", "w").write("5")  # the highest is the present one
run(sys.argv[2], *sys.argv[3:])
print(memory("VmHWM") - before)
"""
HEAVY = """
[[rule]]
match = "table.*"
norm = "l1->rms"
[[rule]]
match = "square.*"
norm = "rms->rms"
[[rule]]
match = "adam.*"
update = "adamw"
options = { lr = 0.01 }
"""


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="the peak of memory is Linux's to tell")
@pytest.mark.parametrize("convention", ["--radius 0.02", "--convention sharp --sharpness 50"], ids=["lmo", "sharp"])
def test_memory_is_that_of_a_few_arrays(convention: str, folder: Path) -> None:
    """Ten arrays of 16 MB, and matrices of 1 MB beside them: at most 3 times the largest array; the model is 10."""
    largest = 1 << 24
    for where, side in (("small", 64), ("large", 2048)):
        (folder / where).mkdir()
        r = np.random.default_rng(0)
        shapes = {f"{kind}.{place}": (side, side) for kind in ("table", "adam") for place in range(5)}
        shapes |= {f"square.{place}": (512, 512) for place in range(4)}
        for file in ("w", "g"):
            np.savez(folder / where / f"{file}.npz", **{n: r.standard_normal(s, np.float32) for n, s in shapes.items()})
    Path("heavy.toml").write_text(HEAVY)
    args = ["--rules", "heavy.toml", "--momentum", "0.9", "--nesterov", *convention.split()]
    told = subprocess.run([sys.executable, "-c", MEASURED, "small", "large", *args], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert int(told.stdout.splitlines()[-1]) < 3.5 * largest
