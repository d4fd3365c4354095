"""Rules files: what they give to the arrays of a model, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import normkit as nk
from normkit.modular import Linear, ReLU
from normkit.modular.schema import updates

Array = np.ndarray[Any, np.dtype[Any]]


def one(**rule: Any) -> dict[str, Any]:
    return {"rule": [rule]}


def rules(*tables: dict[str, Any], **top: Any) -> nk.Rules:
    return nk.Rules.of({**top, "rule": list(tables)})


def gpt(prefix: str = "transformer.", flipped: bool = False) -> dict[str, tuple[int, ...]]:
    """The arrays of a GPT-2 of two layers, linear ones (out, in), or (in, out) as Hugging Face has them."""
    layers = {"attn.c_attn": (24, 8), "attn.c_proj": (8, 8), "mlp.c_fc": (32, 8), "mlp.c_proj": (8, 32)}
    found: dict[str, tuple[int, ...]] = {"wte.weight": (50, 8), "wpe.weight": (16, 8)}
    for block in (0, 1):
        for name, (rows, cols) in layers.items():
            found[f"h.{block}.{name}.weight"] = (cols, rows) if flipped else (rows, cols)
            found[f"h.{block}.{name}.bias"] = (rows,)
        found.update({f"h.{block}.ln_{k}.{what}": (8,) for k in (1, 2) for what in ("weight", "bias")})
        found[f"h.{block}.attn.bias"] = (1, 1, 16, 16)
    found.update({"ln_f.weight": (8,), "ln_f.bias": (8,)})
    return {prefix + name: shape for name, shape in found.items()} | {"lm_head.weight": (50, 8)}


LLAMA: dict[str, tuple[int, ...]] = {
    "model.embed_tokens.weight": (50, 8),
    **{f"model.layers.0.self_attn.{x}_proj.weight": (8, 8) for x in "qkvo"},
    "model.layers.0.mlp.gate_proj.weight": (24, 8),
    "model.layers.0.mlp.up_proj.weight": (24, 8),
    "model.layers.0.mlp.down_proj.weight": (8, 24),
    "model.layers.0.input_layernorm.weight": (8,),
    "model.layers.0.self_attn.rotary_emb.inv_freq": (4,),
    "model.norm.weight": (8,),
    "lm_head.weight": (50, 8),
}
CNN: dict[str, tuple[int, ...]] = {
    "conv1.weight": (8, 3, 7, 7),
    **{f"bn1.{what}": (8,) for what in ("weight", "bias", "running_mean", "running_var")},
    "bn1.num_batches_tracked": (),
    "layer1.0.conv1.weight": (8, 8, 3, 3),
    "layer1.0.bn1.weight": (8,),
    "layer1.0.downsample.0.weight": (8, 8, 1, 1),
    "layer1.0.downsample.1.bias": (8,),
    "fc.weight": (10, 8),
    "fc.bias": (10,),
}
MODELS = {"gpt": gpt(), "gpt-bare": gpt(""), "llama": LLAMA, "cnn": CNN}


def polar(g: Array) -> Array:
    left, _, right = np.linalg.svd(g, full_matrices=False)
    return left @ right


def rows(g: Array) -> Array:
    return g / np.linalg.norm(g, axis=1, keepdims=True)


# --- the ready rules ------------------------------------------------------------------------------------------------


def test_the_ready_rules_are_known_by_name() -> None:
    names = nk.Rules.known()
    assert {"muon", "muon-moonshot", "scion", "modula", "sign", "rmnp"} <= set(names)
    assert not any(name.startswith("_") for name in names)
    with pytest.raises(nk.ParameterError, match=r"'moun'; known: .*Did you mean 'muon'"):
        nk.Rules.ready("moun")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", [name for name in nk.Rules.known() if "gpt2" not in name])
def test_ready_rules_cover_every_array(name: str, model: str) -> None:
    made = nk.Rules.ready(name).assign(MODELS[model])
    assert [each.name for each in made.arrays] == list(MODELS[model])
    parts = {*made.frozen, *made.pipelines, *made.norm.names}  # type: ignore[union-attr]
    assert parts == set(MODELS[model])
    buffers = (".attn.bias", "inv_freq", "running_mean", "running_var", "num_batches_tracked")
    assert set(made.frozen) == {array for array in MODELS[model] if array.endswith(buffers)}


MUON = {
    "transformer.h.1.mlp.c_fc.weight": lambda g: np.sqrt(max(1, 32 / 8)) * polar(g),
    "transformer.h.1.mlp.c_proj.weight": polar,
    "layer1.0.conv1.weight": lambda g: polar(g.reshape(8, -1)).reshape(g.shape),
}
UPDATES_OF: dict[str, dict[str, Callable[[Array], Array]]] = {
    "muon": MUON,
    "muon-moonshot": {
        "transformer.h.1.mlp.c_fc.weight": lambda g: 0.2 * np.sqrt(32) * polar(g),
        "model.layers.0.mlp.down_proj.weight": lambda g: 0.2 * np.sqrt(24) * polar(g),
        "layer1.0.conv1.weight": lambda g: 0.2 * np.sqrt(72) * polar(g.reshape(8, -1)).reshape(g.shape),
    },
    "rmnp": {
        "transformer.h.1.mlp.c_fc.weight": lambda g: 2 * rows(g),
        "conv1.weight": lambda g: rows(g.reshape(8, -1)).reshape(g.shape),
    },
    "scion": {
        "transformer.h.1.mlp.c_fc.weight": lambda g: 50 * 2 * polar(g),
        "transformer.wte.weight": lambda g: 3000 * np.sign(g) / 8,
        "lm_head.weight": lambda g: 3000 * np.sign(g) / 8,
        "model.embed_tokens.weight": lambda g: 50 * np.sqrt(8) * rows(g),
        "transformer.h.0.ln_1.weight": lambda g: 50 * g / np.sqrt(np.mean(g**2)),
        "layer1.0.conv1.weight": lambda g: 8 * np.sqrt(8 / 8) / 9 * polar(g.reshape(8, -1)).reshape(g.shape),
        "conv1.weight": lambda g: 8 * np.sqrt(8 / 3) / 49 * polar(g.reshape(8, -1)).reshape(g.shape),
        "bn1.weight": lambda g: 8 * g / np.sqrt(np.mean(g**2)),
        "fc.weight": lambda g: 128 * np.sign(g) / 8,
    },
    "sign": {"conv1.weight": np.sign, "transformer.wte.weight": np.sign, "fc.bias": np.sign},
}


@pytest.mark.parametrize("name", UPDATES_OF)
def test_ready_rules_step_as_their_papers_do(name: str) -> None:
    """With an outer linf every array moves by its own dualize map over its scale."""
    shapes = {array: next(model[array] for model in MODELS.values() if array in model) for array in UPDATES_OF[name]}
    made = nk.Rules.ready(name).assign(shapes)
    draw = np.random.default_rng(1)
    gradients = {array: draw.standard_normal(shape) for array, shape in shapes.items()}
    step = nk.dualize(made.norm, gradients, backend="reference")
    for array, wanted in UPDATES_OF[name].items():
        np.testing.assert_allclose(step[array], wanted(gradients[array]), rtol=1e-9, atol=1e-12, err_msg=array)


@pytest.mark.parametrize("name", [name for name in nk.Rules.known() if "gpt2" in name])
def test_the_layout_of_hugging_face_gives_the_transposed_step(name: str) -> None:
    straight, turned = gpt(), gpt(flipped=True)
    plain = nk.Rules.ready(name.removesuffix("-gpt2-hf")).assign(straight)
    made = nk.Rules.ready(name).assign(turned)
    array = "transformer.h.0.mlp.c_fc.weight"
    g = np.random.default_rng(2).standard_normal((32, 8))
    norms = made.norm.parts[array], plain.norm.parts[array]  # type: ignore[union-attr]
    one, other = (nk.dualize(norm, x, backend="reference") for norm, x in zip(norms, (g.T, g), strict=True))
    np.testing.assert_allclose(one, other.T, rtol=1e-12)
    assert made.pipelines == plain.pipelines and made.frozen == plain.frozen


def test_modula_shares_its_masses() -> None:
    made = nk.Rules.ready("modula").assign(LLAMA)
    # embedding 1, seven matrices together 5, head 1, two gains together 1
    assert {each.name: each.factor for each in made.normed} == {
        "model.embed_tokens.weight": 8,
        **{name: Fraction(8 * 7, 5) for name in LLAMA if name.endswith("_proj.weight")},
        "model.layers.0.input_layernorm.weight": 16,
        "model.norm.weight": 16,
        "lm_head.weight": 8,
    }
    kernel = np.zeros((8, 3, 7, 7))
    kernel[:, :, 2, 3] = np.random.default_rng(0).standard_normal((8, 3))
    conv = nk.Rules.ready("modula").assign({"conv1.weight": (8, 3, 7, 7)})
    wanted = 49 * np.sqrt(3 / 8) * np.linalg.norm(kernel[:, :, 2, 3], 2)
    np.testing.assert_allclose(conv.norm({"conv1.weight": kernel}), wanted)  # type: ignore[misc]


# --- what a rule says -----------------------------------------------------------------------------------------------


def test_the_first_rule_that_matches_counts() -> None:
    made = rules(
        {"match": "a.*", "norm": "l1"},
        {"regex": r"[ab]\.\d+", "ndim": 1, "norm": "l2"},
        {"match": ["b.*", "c"], "norm": "max"},
    ).assign({"a.1": (3,), "b.2": (3,), "b.x": (2, 3), "b.3": (2, 2), "c": (1, 1)})
    assert [each.index for each in made.arrays] == [0, 1, 2, 2, 2]
    assert {name: str(norm) for name, norm in made.norm.parts.items()} == {  # type: ignore[union-attr]
        "a.1": "l1", "b.2": "l2", "b.x": "max", "b.3": "max", "c": "max",
    }  # fmt: skip
    assert made["b.x"].shape == (2, 3) and str(made["b.x"].norm) == "max" and made["b.x"].scale == 1.0


def test_globs_and_expressions_match_whole_names() -> None:
    made = rules({"match": "w", "norm": "l1"}, {"regex": "v|x", "norm": "l2"}, {"match": "*", "update": "sgd"}).assign(
        {"w": (1,), "ww": (1,), "W": (1,), "v": (1,), "vx": (1,), "x": (1,)}
    )
    assert [each.index for each in made.arrays] == [0, 2, 2, 1, 2, 1]


def test_a_norm_scale_is_the_inverse_of_an_update_scale() -> None:
    made = rules(
        {"match": "a", "norm": "spectral", "norm_scale": 0.1}, {"match": "b", "norm": "spectral", "update_scale": 10}
    ).assign({"a": (2, 2), "b": (2, 2)})
    assert made["a"].factor == made["b"].factor == Fraction(1, 10)
    assert len(set(made.norm.norms)) == 1  # type: ignore[union-attr]
    eye = {"a": np.eye(2), "b": 3 * np.eye(2)}
    np.testing.assert_allclose(nk.dualize(made.norm, eye, backend="reference")["b"], 10 * np.eye(2))


def test_a_scale_may_depend_on_the_lengths_of_the_axes() -> None:
    axes = {"norm": "rms->rms", "axes": "o i h w", "rows": "o", "cols": "i h w"}
    made = rules({"match": "*", "norm_scale": "sqrt(h*w)", **axes}).assign({"a": (4, 2, 3, 3), "b": (4, 2, 1, 2)})
    assert made["a"].factor == 3 and made["b"].scale == pytest.approx(np.sqrt(2))
    kernel = np.random.default_rng(0).standard_normal((4, 2, 3, 3))
    wanted = 3 * np.sqrt(18 / 4) * np.linalg.norm(kernel.reshape(4, 18), 2)
    np.testing.assert_allclose(made.norm.parts["a"](kernel), wanted)  # type: ignore[union-attr]
    turned = rules({"match": "*", "update_scale": "Max(h, w)/2", **axes}).assign({"a": (4, 2, 3, 5)})
    assert turned["a"].factor == Fraction(2, 5)


def test_axes_and_slices() -> None:
    made = rules(
        {"match": "heads", "norm": "rms->rms", "axes": "(h=3 d) i", "over": "h", "inner_outer": "l2"},
        {"match": "turned", "norm": "rms->rms", "axes": "i (h=3 d)", "over": "h", "rows": "d", "cols": "i"},
    ).assign({"heads": (6, 5), "turned": (5, 6)})
    g = np.random.default_rng(0).standard_normal((6, 5))
    sizes = [np.sqrt(5 / 2) * np.linalg.norm(part, 2) for part in np.split(g, 3)]
    heads, turned = made.norm.norms  # type: ignore[union-attr]
    np.testing.assert_allclose(heads(g), np.linalg.norm(sizes))
    np.testing.assert_allclose(turned(g.T), max(sizes))


def test_masses_are_those_of_a_tuple_in_a_tree() -> None:
    tree = (Linear("a", 4, 4, mass=2), ReLU(), Linear("b", 4, 4), Linear("c", 4, 4))
    net = (tree[0] + tree[2]) + tree[3]
    named = rules({"match": "a", "norm": "rms->rms", "mass": 2}, {"match": "[bc]", "norm": "rms->rms", "mass": 1})
    made = named.assign({"a": (4, 4), "b": (4, 4), "c": (4, 4)})
    assert {each.name: each.scale for each in made.arrays} == net.scales == {"a": 2.0, "b": 4.0, "c": 4.0}
    together = rules({"match": "a", "norm": "rms->rms", "tare": 2}, {"match": "[bc]", "norm": "rms->rms", "tare": 2})
    assert together.assign({"a": (4, 4), "b": (4, 4), "c": (4, 4)}).norm == made.norm


def test_frozen_arrays_and_pipelines_are_no_part_of_the_norm() -> None:
    made = rules(
        {"match": "w", "norm": "l2", "mass": 1},
        {"match": "z", "norm": "l2", "mass": 0},
        {"match": "m", "mass": 0},
        {"match": "f", "update": "frozen"},
        {"match": "b", "update": "adamw", "options": {"lr": 3e-4, "betas": [0.9, 0.95]}},
    ).assign({"w": (2,), "z": (2,), "m": (), "f": (1, 1, 1), "b": (2,)})
    assert made.norm == nk.Modular({"w": "l2"}) and made["w"].scale == 1
    assert made.frozen == ("z", "m", "f")
    assert made.pipelines == {"b": ("adamw", {"lr": 3e-4, "betas": [0.9, 0.95]})}


def test_only_pipelines_have_no_norm() -> None:
    made = rules({"match": "*", "update": "sgd"}).assign({"w": (2,)})
    assert made.norm is None and made.product is None


def test_the_outer_norm_and_the_program() -> None:
    made = rules({"match": "*", "norm": "l2", "update_scale": 4}, outer="l2").assign({"a": (3,), "b": (3,), "c": (2,)})
    assert made.norm == nk.Modular({name: nk.norm("1/4*l2") for name in "abc"}, "l2")
    product = made.product
    assert product is not None
    assert (product.names, product.kinds, product.scales) == (("a", "b", "c"), (0, 0, 0), (0.25,) * 3)
    assert (product.programs[0].spec, product.outer.spec) == ("l2", "l2")


def test_thousands_of_arrays_share_their_norms() -> None:
    shapes = {f"layer.{place}.{what}": (4, 4) if what == "w" else (4,) for place in range(3000) for what in "wb"}
    made = rules({"match": "*.w", "norm": "rms->rms", "tare": 1}, {"match": "*.b", "norm": "rms", "tare": 1}).assign(
        shapes
    )
    assert len({id(norm) for norm in made.norm.norms}) == 2  # type: ignore[union-attr]
    assert made.norm.dual is not None and len(made.arrays) == 6000  # type: ignore[union-attr]


# --- tied arrays ----------------------------------------------------------------------------------------------------


def test_arrays_that_are_one_in_memory_are_stepped_once() -> None:
    table = np.ones((5, 3))
    arrays = {"wte": table, "head": table, "copy": table.copy(), "turned": table.T, "part": table[:4]}
    made = rules({"match": "*", "norm": "max"}).assign(arrays)
    assert made.aliases == {"head": "wte"}
    assert made.norm.names == ("wte", "copy", "turned", "part")  # type: ignore[union-attr]


def test_tied_parameters_of_torch_are_found() -> None:
    torch = pytest.importorskip("torch", reason="a model with tied weights")
    wte, head = torch.nn.Embedding(5, 3), torch.nn.Linear(3, 5, bias=False)
    head.weight = wte.weight
    state = torch.nn.ModuleDict({"wte": wte, "head": head}).state_dict()
    made = nk.Rules.ready("scion").assign(
        {"transformer.wte.weight": state["wte.weight"], "lm_head.weight": state["head.weight"]}
    )
    assert made.aliases == {"lm_head.weight": "transformer.wte.weight"}
    assert made["transformer.wte.weight"].scale == 1 / 3000


def test_a_rule_may_tie_arrays() -> None:
    tie = {"match": "head", "tie": "wte"}
    made = rules(tie, {"match": "*", "norm": "max"}).assign({"head": (5, 3), "wte": (5, 3)})
    assert made.aliases == {"head": "wte"} and made.norm.names == ("wte",)  # type: ignore[union-attr]
    for shapes, error, said in (
        ({"head": (5, 3), "wtf": (5, 3)}, nk.ParameterError, "tied to 'wte', which is no array .* mean 'wtf'"),
        ({"head": (5, 3), "wte": (5, 4)}, nk.ShapeError, r"'head' \(5, 3\) is tied to 'wte' \(5, 4\)"),
    ):
        with pytest.raises(error, match=said):
            rules(tie, {"match": "*", "norm": "max"}).assign(shapes)
    with pytest.raises(nk.ParameterError, match="another name itself"):
        rules(tie, {"match": "wte", "tie": "head"}).assign({"head": (5, 3), "wte": (5, 3)})


# --- files ----------------------------------------------------------------------------------------------------------


def test_files_and_their_bases(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(
        'outer = "l2"\n[names]\nbody = ["*.w"]\n[[rule]]\nmatch = "@body"\nnorm = "spectral"\noptional = true\n'
    )
    (tmp_path / "own.toml").write_text(
        'base = "base.toml"\n[[rule]]\nmatch = "first.*"\nupdate = "sgd"\n'
        '[[rule]]\nmatch = ["@body", "v"]\nnorm = "max"\n'
    )
    found = nk.Rules.load(tmp_path / "own.toml")
    assert found.outer == "l2" and len(found.rules) == 3
    made = found.assign({"first.w": (2, 2), "last.w": (2, 2), "v": (1, 1)})
    assert [each.index for each in made.arrays] == [0, 1, 1]
    (tmp_path / "mine.toml").write_text('base = "muon"\n[[rule]]\nmatch = "*wpe.weight"\nupdate = "frozen"\n')
    assert "transformer.wpe.weight" in nk.Rules.find(str(tmp_path / "mine.toml")).assign(gpt()).frozen
    assert nk.Rules.find("muon") == nk.Rules.ready("muon")


def test_rules_are_values() -> None:
    first, second = (rules({"match": "*.w", "norm": "spectral", "mass": 2}) for _ in range(2))
    assert first == second and hash(first) == hash(second)
    assert first != rules({"match": "*.w", "norm": "spectral", "mass": 3})
    with pytest.raises(AttributeError):
        first.outer = "l1"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[rule]]\nmatch = "a"\nnorm = l1\n', r"r\.toml is no TOML: .*line 3"),
        ('a = 1\na = 2\n[[rule]]\nmatch = "a"', r"r\.toml is no TOML: .*line 2"),
        ("", "there is no rule"),
        ("rule = 3", "rule is a list"),
        ("rules = []", r"no key 'rules': the rules are \[\[rule\]\]"),
        ("outr = 'l2'", "no key 'outr': did you mean 'outer'"),
        ("outer = 'spectral'\n[[rule]]\nmatch='a'\nnorm='l1'", r"r\.toml: the outer norm of rules must be monotone"),
        ("outer = 'l3'\n[[rule]]\nmatch='a'\nnorm='l1'", r"r\.toml: unknown norm 'l3'"),
        ("base = 'r.toml'", "go in circles"),
        ("base = 'mun'", "the base 'mun' is none of"),
        ("[names]\na = 3\n[[rule]]\nmatch='@a'\nnorm='l1'", "names.a is a list of globs"),
    ],
    ids=["syntax", "key twice", "empty", "no list", "rules", "outr", "outer", "outer spec", "circle", "base", "names"],
)
def test_files_that_are_no_rules_are_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(nk.NormkitError, match=said):
        nk.Rules.load(tmp_path / "r.toml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(nk.FileError, match=r"cannot read .*no\.toml"):
        nk.Rules.find(str(tmp_path / "no.toml"))
    (tmp_path / "r.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(nk.FileError, match="no text in UTF-8"):
        nk.Rules.load(tmp_path / "r.toml")


BAD_RULES: dict[str, tuple[Any, str]] = {
    "no table": (3, "a rule is a table"),
    "unknown key": ({"match": "a", "nrom": "l1"}, "no key 'nrom': did you mean 'norm'"),
    "bare scale": ({"match": "a", "norm": "l1", "scale": 2}, "norm_scale multiplies the norm, update_scale = 1/"),
    "two scales": ({"match": "a", "norm": "l1", "norm_scale": 2, "update_scale": 2}, "not both: norm_scale multiplies"),
    "negative scale": ({"match": "a", "norm": "l1", "norm_scale": -2}, "norm_scale is a positive number; got -2"),
    "zero scale": ({"match": "a", "norm": "l1", "update_scale": 0.0}, "update_scale is a positive number; got 0"),
    "nan scale": ({"match": "a", "norm": "l1", "norm_scale": float("nan")}, "positive number; got nan"),
    "scale of no axes": ({"match": "a", "norm": "l1", "norm_scale": "h"}, "once it gives axes"),
    "scale of other axes": (
        {"match": "a", "norm": "max", "axes": "a b", "rows": "a", "cols": "b", "norm_scale": "a*c"},
        "the lengths of its axes, a, b;",
    ),
    "negative expression": (
        {"match": "a", "norm": "max", "axes": "a b", "rows": "a", "cols": "b", "norm_scale": "0-a"},
        "positive",
    ),
    "negative mass": ({"match": "a", "norm": "l1", "mass": -1}, "mass is a number that is not negative; got -1"),
    "mass and tare": ({"match": "a", "norm": "l1", "mass": 1, "tare": 1}, "mass or tare, not both"),
    "true for 1": ({"match": "a", "norm": "l1", "mass": True}, "mass is a number or a number; got True"),
    "number for text": ({"match": 3, "norm": "l1"}, "match is a glob such as .*; got 3"),
    "no pattern": ({"norm": "l1"}, "needs match"),
    "two patterns": ({"match": "a", "regex": "a", "norm": "l1"}, "and not both"),
    "empty list": ({"match": [], "norm": "l1"}, "a glob such as"),
    "bad regex": ({"regex": "a(", "norm": "l1"}, r"regex 'a\(' is no regular expression: .*unterminated"),
    "unknown list": ({"match": "@a", "norm": "l1"}, r"stands for a list under \[names\]"),
    "bad spec": ({"match": "a", "norm": "spectrl"}, r"rule 1 \('a'\): unknown norm 'spectrl'.*mean 'spectral'"),
    "nothing": ({"match": "a"}, "got none of them"),
    "two things": ({"match": "a", "norm": "l1", "update": "adamw"}, "got norm and update"),
    "unknown update": ({"match": "a", "update": "adamv"}, "unknown update 'adamv'; known: .*Did you mean 'adam"),
    "options of a norm": ({"match": "a", "norm": "l1", "options": {}}, "options belong to an update"),
    "mass of an update": ({"match": "a", "update": "sgd", "mass": 1}, "mass belongs to a norm"),
    "axes of an update": ({"match": "a", "update": "sgd", "axes": "a b"}, "axes belongs to a norm"),
    "rows without axes": ({"match": "a", "norm": "max", "rows": "a", "cols": "b"}, "rows names axes; give axes too"),
    "rows without cols": ({"match": "a", "norm": "max", "axes": "a b", "rows": "a"}, "give both"),
    "axes alone": ({"match": "a", "norm": "max", "axes": "a b"}, "axes alone change nothing"),
    "outer alone": ({"match": "a", "norm": "max", "inner_outer": "l1"}, "the rule gives no over"),
    "bad axes": ({"match": "a", "norm": "max", "axes": "a, b", "rows": "a", "cols": "b"}, "'a, b' holds ', b'"),
    "misspelt axis": ({"match": "a", "norm": "max", "axes": "a b", "rows": "a", "cols": "c"}, "names the axis 'c'"),
    "negative axes": ({"match": "a", "norm": "l1", "ndim": -1}, "ndim is a number of axes; got -1"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_RULES)
def test_rules_that_contradict_themselves_are_refused(what: str) -> None:
    table, said = BAD_RULES[what]
    with pytest.raises(nk.NormkitError, match=said) as caught:
        rules(table)
    assert str(caught.value).startswith("the rules, rule 1")


def test_every_known_update_is_taken() -> None:
    for name in updates():
        rules({"match": "*", "update": name})


# --- models that do not fit -----------------------------------------------------------------------------------------

MATRIX = {"match": "*.w", "norm": "spectral"}


def test_arrays_that_no_rule_covers_are_all_listed() -> None:
    with pytest.raises(nk.ParameterError, match=r"no rule covers 'a\.b' \(3,\), 'c' \(2, 2\)\. Write one") as caught:
        rules(MATRIX).assign({"a.w": (2, 2), "a.b": (3,), "c": (2, 2)})
    assert str(caught.value).startswith("the rules")


def test_a_rule_that_covers_nothing_is_an_error_unless_optional() -> None:
    idle = {"match": "*.bias", "update": "adamw"}
    with pytest.raises(nk.ParameterError, match=r"rule 2 \('\*\.bias'\): covers no array of the model; correct it"):
        rules(MATRIX, idle).assign({"a.w": (2, 2)})
    with pytest.raises(nk.ParameterError, match="earlier rules take what it matches"):
        rules(MATRIX, {**idle, "match": "a.w"}).assign({"a.w": (2, 2)})
    assert rules(MATRIX, {**idle, "optional": True}).assign({"a.w": (2, 2)}).norm is not None


def test_norms_that_do_not_take_their_arrays_are_all_listed() -> None:
    with pytest.raises(nk.ShapeError) as caught:
        rules(MATRIX).assign({"a.w": (2, 2), "b.w": (3,), "c.w": (4, 2, 3, 3), "d.w": (0, 2)})
    said = str(caught.value)
    assert all(
        f"{name} {shape}" in said for name, shape in (("'b.w'", (3,)), ("'c.w'", (4, 2, 3, 3)), ("'d.w'", (0, 2)))
    )
    assert "'a.w'" not in said and "spectral takes a shape (any, any)" in said and "rule 1 ('*.w')" in said
    heads = {"match": "*", "norm": "spectral", "axes": "(h=3 d) i", "over": "h"}
    with pytest.raises(nk.ShapeError, match=r"'q' \(8, 4\): .*the pattern '\(h=3 d\) i' does not fit"):
        rules(heads).assign({"q": (8, 4)})


def test_empty_models_and_what_is_no_model() -> None:
    with pytest.raises(nk.ParameterError, match="the model has no arrays"):
        rules(MATRIX).assign({})
    with pytest.raises(nk.ParameterError, match="must be a mapping"):
        rules(MATRIX).assign([("a.w", (2, 2))])  # type: ignore[arg-type]
    with pytest.raises(nk.ParameterError, match="names 'a/w' twice"):
        rules({"match": "*", "norm": "max"}).assign({"a": {"w": (2, 2)}, "a/w": (2, 2)})
    with pytest.raises(nk.ShapeError, match=r"'a\.w' is an array, or a shape"):
        rules(MATRIX).assign({"a.w": "2x2"})


@pytest.mark.parametrize(
    "tables",
    [
        [{"match": "*", "norm": "max", "mass": 0}],
        [{"match": "*", "update": "frozen"}],
        [{"match": "a", "norm": "max", "mass": 0}, {"match": "b", "update": "sgd"}],
    ],
    ids=["masses", "frozen", "beside a pipeline"],
)
def test_masses_that_are_all_zero_are_refused(tables: list[dict[str, Any]]) -> None:
    with pytest.raises(nk.ParameterError, match="zero"):
        rules(*tables).assign({"a": (2, 2), "b": (2, 2)})


def test_masses_are_stated_by_all_rules_or_by_none() -> None:
    with pytest.raises(nk.ParameterError, match=r"rule 1 .*states no mass, and other rules do"):
        rules({"match": "a", "norm": "max"}, {"match": "b", "norm": "max", "mass": 2}).assign(
            {"a": (2, 2), "b": (2, 2)}
        )


def test_gradients_are_checked_by_name_and_shape() -> None:
    made = rules({"match": "f", "update": "frozen"}, {"match": "t", "tie": "a"}, {"match": "*", "norm": "max"}).assign(
        {"a": (2, 3), "b": (2, 2), "f": (9,), "t": (2, 3)}
    )
    made.check_gradients({"a": (2, 3), "b": np.zeros((2, 2))})
    made.check_gradients({"a": (2, 3), "b": (2, 2), "f": (9,), "t": (2, 3)})
    for shapes, said in (
        ({"a": (2, 3)}, "the gradients lack 'b'"),
        ({"a": (2, 3), "bb": (2, 2)}, "lack 'b' and have 'bb', which no weights have. Did you mean 'b' by 'bb'"),
        ({"a": (3, 2), "b": (2,)}, r"'a': \(3, 2\) for weights \(2, 3\); 'b': \(2,\) for weights \(2, 2\)"),
    ):
        with pytest.raises(nk.ShapeError, match=said):
            made.check_gradients(shapes)
