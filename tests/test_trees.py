"""Trees of modules: the recursion by hand, what atoms compute against loops, texts, and bad input."""

from __future__ import annotations

import doctest
import re
from typing import Any

import numpy as np
import pytest

import normkit as nk
from normkit import modular
from normkit.modular import (
    Add,
    Attention,
    AvgPool,
    Bias,
    Bond,
    CausalMean,
    Conv1d,
    Conv1dPositions,
    Conv2d,
    Conv2dPositions,
    Embed,
    Experts,
    Flatten,
    FusedQKV,
    FusedQKVHeads,
    Gain,
    Gate,
    GeLU,
    Grouped,
    Heads,
    Identity,
    LayerNorm,
    Linear,
    MeanPool,
    MergeHeads,
    Module,
    Multiply,
    ReLU,
    Reshape,
    RMSNorm,
    Route,
    SiLU,
    Softmax,
    SplitHeads,
    Tanh,
    Unembed,
    bonds,
    matrices,
)

# --- the recursion ---------------------------------------------------------------------------------------------------


def test_the_recursion_by_hand() -> None:
    """Composite: max(c2 (p/p1) |w1|, (p/p2) |w2|); tuple and sum: max (p/p_i) |w_i|, c = sum of c_i; scalar: |a|."""
    a, b, c = (Linear(name, 4, 4, mass=mass) for name, mass in (("a", 1.0), ("b", 2.0), ("c", 3.0)))
    assert (b @ a).scales == {"a": 3.0, "b": 1.5}
    assert (b @ (3.0 * Identity()) @ a).scales == {"a": 9.0, "b": 1.5}
    assert (-2.0 * a).scales == {"a": 2.0}
    assert (-2.0 * a).sensitivity == 2.0
    assert (a + b).scales == {"a": 3.0, "b": 1.5}
    assert (a + b).sensitivity == 2.0
    assert (c @ (a + b)).scales == {"a": 2 * 3.0, "b": 2 * 1.5, "c": 2.0}
    assert ((c, a) @ b).scales == {"b": 2 * 6 / 2, "c": 6 / 4 * 4 / 3, "a": 6 / 4 * 4 / 1}
    assert (b @ a).tare(1.0).scales == {"a": 3.0, "b": 1.5}
    assert (c @ (b @ a).tare(1.0)).scales == {"a": 4.0 * 3.0, "b": 4.0 * 1.5, "c": 4 / 3}
    assert (a**3).scales == {"0/a": 3.0, "1/a": 3.0, "2/a": 3.0}
    assert ((0.5 * a) ** 2).scales == {"0/a": 0.5 * 0.5 * 2, "1/a": 0.5 * 2}


def test_frozen_parts_stay_out_of_the_norm() -> None:
    net = Linear("b", 4, 4, mass=0.0) @ Linear("a", 4, 4)
    assert net.scales == {"a": 1.0}
    assert net.frozen == ("b",)
    assert net.norm() == nk.Modular({"a": "rms->rms"})
    with pytest.raises(nk.ParameterError, match="masses of this tree are all zero"):
        net.tare(0.0).norm()


def test_the_tree_compiles_to_a_modular_norm() -> None:
    net = Linear("head", 3, 8) @ ReLU() @ Linear("body", 8, 4, mass=3.0)
    N = net.norm()
    assert N.names == ("body", "head")
    assert [float(norm.factor) for norm in N.norms] == pytest.approx([4 / 3, 4])
    W = net.initialize(seed=0)
    assert {name: w.shape for name, w in W.items()} == net.shapes == {"body": (8, 4), "head": (3, 8)}
    D = nk.lmo(N, W, radius=0.1)
    assert float(N(D)) == pytest.approx(0.1)
    with pytest.raises(nk.ShapeError, match="the tree has the weights"):
        net.project({"body": W["body"]})


def test_names_may_be_nested() -> None:
    """Copies are named 0/a, 1/a; a nested mapping, as JAX has them, holds the same."""
    net = Linear("head/w", 2, 4) @ (ReLU() @ Linear("a", 4, 4)) ** 2
    W, x = net.initialize(seed=0), np.ones(4)
    tree = {"head": {"w": W["head/w"]}, "0": {"a": W["0/a"]}, "1": {"a": 2 * W["1/a"]}}
    assert list(W) == ["0/a", "1/a", "head/w"]
    assert net(net.project(tree), x) == pytest.approx(net(W, x))
    assert net.project(tree)["1"]["a"] == pytest.approx(W["1/a"])
    assert set(nk.dualize(net.norm(), tree)) == {"head", "0", "1"}
    with pytest.raises(nk.ShapeError, match=re.escape("the tree has weights '1/a'; got 'head', '0'")):
        net({"head": tree["head"], "0": tree["0"]}, x)
    with pytest.raises(nk.ShapeError, match=re.escape("the weights '0/a' have shape (4, 4); got (4,)")):
        net(W | {"0/a": np.ones(4)}, x)


# --- what atoms compute, and in which norm ---------------------------------------------------------------------------

draw = np.random.default_rng(0)
X = draw.standard_normal((6, 5))
IMAGE = draw.standard_normal((3, 4, 5))
SHARES = draw.random((4, 5))


def largest_singular(w: Any) -> float:
    return float(np.sqrt(w.shape[1] / w.shape[0]) * np.linalg.norm(w, 2))


def circle(kernel: Any, x: Any) -> Any:
    """A circular convolution by loops over outputs, positions, inputs and offsets."""
    out = np.zeros((kernel.shape[0], *x.shape[1:]))
    for o, *p in np.ndindex(out.shape):
        for i, *d in np.ndindex(kernel.shape[1:]):
            at = tuple((a + b) % length for a, b, length in zip(p, d, x.shape[1:], strict=True))
            out[(o, *p)] += kernel[(o, i, *d)] * x[(i, *at)]
    return out


def positions(kernel: Any) -> float:
    """As many times the largest rms->rms at a position of the kernel."""
    offsets = list(np.ndindex(kernel.shape[2:]))
    return len(offsets) * max(largest_singular(kernel[(slice(None), slice(None), *d)]) for d in offsets)


def cut(w: Any, rows: int) -> list[Any]:
    return [w[start : start + rows] for start in range(0, len(w), rows)]


def heads(w: Any, x: Any, width: int) -> Any:
    return np.stack([block @ x for block in cut(w, width)], axis=1)


def routed(w: Any, x: Any) -> Any:
    return sum(x[1][e] * (w[e] @ x[0]) for e in range(len(w)))


def embedded(w: Any, x: Any) -> Any:
    return sum(row[:, None] * x[v] for v, row in enumerate(w))


def flat(w: Any) -> float:
    return largest_singular(w.reshape(len(w), -1))


ATOMS: dict[str, tuple[Any, list[str], Any, Any, Any]] = {
    "linear": (Linear("w", 3, 6), ["o i", "i o"], X, lambda w, x: w @ x, largest_singular),
    "embed": (Embed("w", 6, 4), ["v d", "d v"], X, embedded, lambda w: max(np.sqrt(np.mean(w**2, axis=1)))),
    "unembed": (
        Unembed("w", 4, 6),
        ["v d", "d v"],
        X,
        lambda w, x: w @ x,
        lambda w: max(np.sqrt(6 * np.sum(w**2, axis=1))),
    ),
    "grouped": (
        Grouped("w", 2, 2, 3),
        ["o i", "i o"],
        X,
        lambda w, x: np.vstack([w[:2] @ x[:3], w[2:] @ x[3:]]),
        lambda w: max(map(largest_singular, cut(w, 2))),
    ),
    "heads": (
        Heads("w", 3, 2, 6),
        ["o i", "i o"],
        X,
        lambda w, x: heads(w, x, 2),
        lambda w: max(map(largest_singular, cut(w, 2))),
    ),
    "fused": (
        FusedQKV("w", 6, 2, 3, groups=1),
        ["o i", "i o"],
        X,
        lambda w, x: (w[:6] @ x, w[6:9] @ x, w[9:] @ x),
        lambda w: max(map(largest_singular, (w[:6], w[6:9], w[9:]))),
    ),
    "fused heads": (
        FusedQKVHeads("w", 6, 2, 3, groups=1),
        ["o i", "i o"],
        X,
        lambda w, x: (heads(w[:6], x, 3), heads(w[6:9], x, 3), heads(w[9:], x, 3)),
        lambda w: max(map(largest_singular, cut(w, 3))),
    ),
    "experts": (
        Experts("w", 4, 3, 6),
        ["e o i", "o e i", "i o e"],
        (X, SHARES),
        routed,
        lambda w: max(map(largest_singular, w)),
    ),
    "conv1d": (Conv1d("w", 4, 6, 3), ["o i t", "t i o"], X, circle, flat),
    "conv1d positions": (Conv1dPositions("w", 4, 6, 3), ["o i t", "t i o"], X, circle, positions),
    "conv2d": (Conv2d("w", 4, 3, (3, 2)), ["o i h w", "h w i o"], IMAGE, circle, flat),
    "conv2d positions": (Conv2dPositions("w", 4, 3, (3, 2)), ["o i h w", "h w i o"], IMAGE, circle, positions),
    "bias": (Bias("w", 6), ["o"], X, lambda w, x: x + w[:, None], lambda w: np.sqrt(np.mean(w**2))),
    "gain": (Gain("w", 6), ["o"], X, lambda w, x: np.diag(w) @ x, lambda w: max(abs(w))),
}
"""Every atom with its layouts, an input, what it computes and its norm, both in the first layout."""


@pytest.mark.parametrize("which", ATOMS)
def test_atoms_in_every_layout(which: str) -> None:
    """Forward, norm, shape, a random start of norm 1 and a projection, the same but for the order of the axes."""
    plain, layouts, x, forward, norm = ATOMS[which]
    w = np.random.default_rng(1).standard_normal(plain.shape)
    for layout in layouts:
        atom = type(plain)(**{**vars(plain), "layout": layout})
        order = [layouts[0].split().index(axis) for axis in layout.split()]
        stored = {"w": w.transpose(order)}
        assert atom.shapes == {"w": stored["w"].shape}
        for one, other in zip(atom(stored, x), forward(w, x), strict=True):
            assert np.allclose(one, other)
        assert float(atom.measure(stored["w"])) == pytest.approx(norm(w))
        start = atom.initialize(seed=2)
        back = np.transpose(start["w"], np.argsort(order))
        assert norm(back) == pytest.approx(1.0)
        assert np.allclose(atom.project({"w": 3 * start["w"]})["w"], start["w"])
        assert np.array_equal(atom.project({"w": 0.5 * start["w"]})["w"], 0.5 * start["w"])


def test_attention_by_loops() -> None:
    q, k, v = draw.standard_normal((2, 4, 3)), draw.standard_normal((2, 2, 3)), draw.standard_normal((2, 2, 3))
    made = Attention(causal=True, inverse_temperature=1.5)({}, (q, k, v))
    for head in range(4):
        for i in range(3):
            scores = [np.exp(1.5 * q[:, head, i] @ k[:, head // 2, j] / 2) for j in range(i + 1)]
            wanted = sum(score * v[:, head // 2, j] for j, score in enumerate(scores)) / sum(scores)
            assert np.allclose(made[:, head, i], wanted)
    one = [x[:, 0] for x in (q, k, v)]
    assert np.allclose(Attention()({}, tuple(one)), Attention()({}, tuple(x[:, None] for x in one))[:, 0])
    with pytest.raises(nk.ShapeError, match="as many heads, or a fraction"):
        Attention()({}, (q[:, :3], k, v))


def test_bonds_by_loops() -> None:
    x = draw.standard_normal((2, 4, 6))
    assert np.allclose(AvgPool((2, 3))({}, x)[:, 1, 0], x[:, 2:4, :3].mean(axis=(1, 2)))
    assert np.allclose(MeanPool()({}, x), [x[0].mean(), x[1].mean()])
    assert np.allclose(CausalMean()({}, x)[:, :, 2], (x[:, :, 0] + x[:, :, 1] + x[:, :, 2]) / 3)
    assert np.array_equal(Flatten()({}, x), x.ravel())
    assert np.array_equal(Reshape((6, 8))({}, x), x.reshape(6, 8))
    split = SplitHeads(2, 3)({}, x.reshape(6, 8))
    assert np.array_equal(split[:, 1], x.reshape(6, 8)[3:])
    assert np.array_equal(MergeHeads()({}, split), x.reshape(6, 8))
    assert np.allclose(Softmax()({}, x)[:, 1, 2], np.exp(x[:, 1, 2]) / np.exp(x[:, 1, 2]).sum())
    assert np.allclose(Softmax()({}, 1e3 * x).sum(axis=0), 1)
    at = x[:, 1, 2]
    assert np.allclose(RMSNorm(0.25)({}, x)[:, 1, 2], at / np.sqrt((at**2).mean() + 0.25))
    assert np.allclose(LayerNorm(0.25)({}, x)[:, 1, 2], (at - at.mean()) / np.sqrt(at.var() + 0.25))
    assert np.allclose(Gate(2)({}, (x, 2 * x)), 2 * x**2)
    with pytest.raises(nk.ShapeError, match=re.escape("Gate(3) takes two arrays of 3 channels; got (2, 4, 6) and")):
        Gate(3)({}, (x, x))
    with pytest.raises(nk.ShapeError, match=re.escape("SplitHeads(2, 3) takes up to 2 heads of 3 channels; got 9")):
        SplitHeads(2, 3)({}, np.ones((9, 2)))
    with pytest.raises(nk.ShapeError, match=re.escape("windows (2, 4) do not tile positions of lengths (4, 6)")):
        AvgPool((2, 4))({}, x)


# --- texts ----------------------------------------------------------------------------------------------------------

A, B, C = Linear("a", 4, 4), Linear("b", 4, 4, layout="i o"), Linear("c", 4, 4, mass=2.0)
TEXTS = [
    "Linear('c', 4, 4, mass=2.0) @ ReLU() @ Linear('b', 4, 4, layout='i o')",
    "0.5 * Identity() + 0.5 * (Linear('a', 4, 4) @ GeLU())",
    "Linear('a', 4, 4) @ (Identity() + Linear('b', 4, 4)) @ Tanh()",
    "(ReLU() + SiLU()) @ Softmax() + Identity() + Linear('a', 4, 4)",
    "Identity() + (ReLU() + SiLU())",
    "Linear('a', 4, 4) @ (ReLU() @ Tanh())",
    "-2.0 * Linear('a', 4, 4) @ Embed('e', 9, 4)",
    "Add() @ (Identity(), ReLU(), Tanh()) @ Linear('a', 4, 4)",
    "Attention(causal=True) @ FusedQKVHeads('qkv', 6, 4, 2, groups=2)",
    "Experts('e', 3, 4, 6) @ (Identity(), Route() @ Unembed('r', 3, 6))",
    "Gain('g', 6) @ RMSNorm(0.01, least=1.0) @ Conv1d('k', 4, 6, 3) @ Conv2dPositions('l', 3, 4, (2, 2))",
    "Gate(4) @ (SiLU() @ Linear('a', 4, 4), Linear('b', 4, 4))",
    "(Multiply(2.0),) @ Reshape((2, 2))",
]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_a_tree_prints_the_expression_that_builds_it(text: str) -> None:
    tree = eval(text, vars(modular))
    assert repr(tree) == text
    assert eval(repr(tree), vars(modular)) == tree


def test_the_table_of_a_tree() -> None:
    net = Linear("head", 3, 8) @ Bond("cube", lambda x: x**3, 3.0) @ Bias("shift", 8, mass=0.0) @ Embed("in", 9, 8)
    rows = [re.split(r"  +", line) for line in net.table().splitlines()]
    assert rows == [
        ["name", "shape", "norm", "mass", "scale", "input", "sensitivity so far"],
        ["in", "9x8", "matricize(l1->rms, 'v d', 'd', 'v')", "1", "6", "1", "1"],
        ["shift", "8", "rms", "0", "frozen", "1", "1"],
        ["head", "3x8", "rms->rms", "1", "2", "6", "3"],
        ["mass 2, sensitivity 3, positions measured by max or mean"],
        ["not proved: the sensitivity 3 of cube is not proved"],
        ["not proved: 'head' may see an input of norm 6, more than 1"],
    ]
    assert len({len(line) for line in net.table().splitlines()[1:4]}) == 1


def test_doubts_are_said() -> None:
    swish = Bond("swish", lambda x: x / (1 + np.exp(-x)), 1.1)
    net = Linear("b", 4, 4) @ swish @ Linear("a", 4, 4)
    assert repr(swish) == "swish(sensitivity 1.1, not proved)"
    assert not net.proved
    assert net.why[0] == "the sensitivity 1.1 of swish is not proved"


DOUBTS: list[tuple[Module, str]] = [
    (Linear("b", 4, 4) @ Bias("shift", 4) @ Linear("a", 4, 4), "'b' may see an input of norm 2, more than 1"),
    (Embed("e", 4, 4) @ Linear("a", 4, 4), "'e' takes an input in l1, and sees one that is bounded in rms"),
    (Route() @ Linear("a", 4, 4), "Route takes an input in linf, and sees one that is bounded in rms"),
    (Experts("e", 4, 3, 6) @ (Identity(), Softmax()), "'e' takes an input in l1, and sees one that is bounded in rms"),
    (Attention() @ (Identity(), 2.0 * Identity(), Identity()), "Attention, for its keys, may see an input of norm 2"),
    (Attention() @ SplitHeads(4, 2) @ FusedQKV("w", 6, 4, 2), "Attention, for its values, may see an input of norm 2"),
    (Gate(4) @ (Identity(), 3.0 * Identity()), "a factor of Gate may see an input of norm 3, more than 1"),
    (RMSNorm(0.0, least=0.5), "RMSNorm assumes that no position has an RMS below 0.5"),
    (Reshape((2, 2)) @ Attention() @ FusedQKV("w", 6, 1, 4), "no way of measuring positions serves all modules"),
]


@pytest.mark.parametrize(("tree", "said"), DOUBTS, ids=range(len(DOUBTS)))
def test_what_is_not_proved_is_said(tree: Module, said: str) -> None:
    assert any(doubt.startswith(said) for doubt in tree.why), tree.why
    assert not tree.proved


def test_examples_run() -> None:
    assert doctest.testmod(matrices).failed == 0
    assert doctest.testmod(bonds).failed == 0


# --- bad input ------------------------------------------------------------------------------------------------------

WRONG: list[tuple[Any, str]] = [
    (lambda: (Linear("a", 2, 2) @ Linear("a", 2, 2)).norm(), "two modules of the tree are named 'a'"),
    (lambda: Linear("a", 2, 2, mass=-1.0), "mass of 'a' is a number that is not negative; got -1.0"),
    (lambda: Linear("a", 2, 2, mass=float("nan")), "mass of 'a' is a number that is not negative; got nan"),
    (lambda: Linear("a", 0, 2), "lengths of 'a' are positive integers"),
    (lambda: Heads("a", 0, 2, 2), "lengths of 'a' are positive integers"),
    (lambda: Linear("a", 2, 2, layout="o j"), "layout of 'a' orders the axes 'o i'; got 'o j'"),
    (lambda: Conv2d("a", 2, 2, (3,)), "kernel of 'a' has a length for each of h w; got (3,)"),
    (lambda: FusedQKV("a", 4, 3, 2, groups=2), "'a': 3 heads do not share 2 keys evenly"),
    (lambda: 0.0 * Linear("a", 2, 2), "a finite number that is not 0"),
    (lambda: Linear("a", 2, 2) ** 0, "a positive number of times; got 0"),
    (lambda: Linear("a", 2, 2) @ 3, "modules and tuples of them; got a int"),
    (lambda: Bond("f", abs, 0.0), "sensitivity of f is a positive number"),
    (lambda: Multiply("2"), "a module is multiplied by a finite number"),
    (lambda: ReLU().norm(), "masses of this tree are all zero"),
    (lambda: RMSNorm(0.0), "RMSNorm without eps is not Lipschitz at 0"),
    (lambda: LayerNorm(-1.0), "the eps of LayerNorm is a number >= 0; got -1.0"),
    (lambda: Attention(inverse_temperature=0.0), "inverse temperature of Attention is a positive number; got 0.0"),
    (lambda: Gate(0), "lengths of Gate are positive integers"),
    (lambda: (Attention() @ (Identity(), ReLU())).why, "takes a tuple of 3 arrays is given 2"),
    (lambda: AvgPool((2, 0)), "lengths of AvgPool are positive integers; got (2, 0)"),
    (lambda: Reshape(()), "lengths of Reshape are positive integers; got ()"),
]


@pytest.mark.parametrize(("make", "said"), WRONG, ids=range(len(WRONG)))
def test_wrong_trees(make: Any, said: str) -> None:
    with pytest.raises(nk.ParameterError, match=re.escape(said)):
        make()


def test_leaves_come_in_the_order_in_which_they_run() -> None:
    assert (Add() @ (A, B, C)).shapes == {"a": (4, 4), "b": (4, 4), "c": (4, 4)}
    assert [type(leaf) for leaf, _ in (Tanh() @ A @ GeLU() @ SiLU()).leaves()] == [SiLU, GeLU, Linear, Tanh]
