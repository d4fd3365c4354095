"""The bounds of trees on networks that run: changes of weights, of inputs, and sizes of outputs, at their worst."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from perturbations import size, unit, worst_change, worst_input

import normkit as nk
from normkit import modular
from normkit.modular import (
    GELU,
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
    ReLU,
    Reshape,
    RMSNorm,
    Route,
    SiLU,
    Softmax,
    Tanh,
    Unembed,
)

ROUNDED = 1 + 1e-4
"""Differences of 1e-6 see second derivatives."""


def mlp() -> Module:
    return Linear("c", 5, 8) @ ReLU() @ Linear("b", 8, 8, mass=2.0, layout="i o") @ Tanh() @ Linear("a", 8, 6)


def residual() -> Module:
    block = 0.75 * Identity() + 0.25 * (Linear("v", 6, 9) @ ReLU() @ Linear("u", 9, 6))
    return Linear("out", 4, 6) @ (block**3) @ Linear("in", 6, 6)


def signed() -> Module:
    return Linear("b", 5, 6) @ (Linear("a", 6, 6) * -0.5 + 0.5 * Identity())


def affine() -> Module:
    return Linear("d", 5, 6) @ Gain("g", 6) @ (0.5 * Bias("b", 6)) @ Linear("a", 6, 6)


def words() -> Module:
    return Unembed("out", 7, 6) @ ReLU() @ Linear("a", 6, 6) @ Embed("in", 7, 6, layout="d v")


def grouped() -> Module:
    return Softmax() @ Grouped("g", 2, 3, 2, layout="i o") @ (1 / GELU * GeLU()) @ Grouped("f", 2, 2, 3)


def normalized() -> Module:
    return Linear("b", 4, 6) @ Gain("g", 6) @ RMSNorm(0.01) @ Linear("a", 6, 6) @ LayerNorm(0.04)


def gated() -> Module:
    swiglu = (0.5 * Gate(4)) @ (SiLU() @ Linear("gate", 4, 6), Linear("up", 4, 6))
    return 0.5 * Identity() + 0.5 * (Linear("down", 6, 4) @ swiglu)


def experts() -> Module:
    return Experts("e", 3, 4, 6, layout="e i o") @ (Identity(), Route() @ Unembed("route", 3, 6))


def pooled() -> Module:
    return Linear("b", 3, 4) @ MeanPool() @ ReLU() @ CausalMean() @ Linear("a", 4, 6)


def reshaped() -> Module:
    return Linear("b", 3, 6) @ Reshape((6, 4)) @ Linear("a", 4, 6)


def sound() -> Module:
    return Conv1dPositions("b", 3, 4, 2, layout="t i o") @ ReLU() @ Conv1d("a", 4, 6, 3)


def images() -> Module:
    """A block of a convolution network: two convolutions with a bypass, pooled, and a head on the flattened image."""
    inner = Conv2dPositions("b", 3, 4, (2, 2)) @ ReLU() @ Conv2d("a", 4, 3, (3, 3), layout="h w i o")
    block = AvgPool((2, 2)) @ (0.5 * Identity() + 0.5 * (0.5 * Bias("bias", 3)) @ inner)
    return Linear("head", 3, 12) @ Flatten() @ block


def fused() -> Module:
    return (1 / 3 * Attention(causal=True, inverse_temperature=2.0)) @ FusedQKV("qkv", 6, 1, 4, layout="i o")


def transformer() -> Module:
    """Two residual blocks, attention with shared keys and values and a two-layer perceptron, between word tables."""
    attention = Linear("o", 8, 8) @ MergeHeads() @ (1 / 3 * Attention(causal=True)) @ FusedQKVHeads("qkv", 8, 4, 2, 2)
    perceptron = Linear("down", 8, 16) @ (1 / GELU * GeLU()) @ Linear("up", 16, 8)
    block = (0.5 * Identity() + 0.5 * perceptron) @ (0.5 * Identity() + 0.5 * attention)
    return Unembed("head", 9, 8) @ block.tare(3.0) @ Embed("in", 9, 8)


def separate() -> Module:
    heads = Heads("q", 2, 3, 6), Heads("k", 1, 3, 6, layout="i o"), Heads("v", 1, 3, 6)
    return Linear("o", 6, 6) @ MergeHeads() @ Attention() @ heads


NETS: dict[Any, tuple[tuple[int, ...], str, str]] = {
    mlp: ((6,), "rms", "rms"),
    residual: ((6, 2), "rms", "rms"),
    signed: ((6,), "rms", "rms"),
    affine: ((6, 3), "rms", "rms"),
    words: ((7, 2), "l1", "linf"),
    grouped: ((6, 2), "rms", "rms"),
    normalized: ((6, 2), "rms", "rms"),
    gated: ((6, 2), "rms", "rms"),
    experts: ((6, 2), "rms", "rms"),
    pooled: ((6, 5), "rms", "rms"),
    reshaped: ((6, 6), "rms", "rms"),
    sound: ((6, 5), "rms", "rms"),
    images: ((3, 4, 4), "rms", "rms"),
    fused: ((6, 4), "rms", "rms"),
    transformer: ((9, 5), "l1", "linf"),
    separate: ((6, 4), "rms", "rms"),
}
"""Networks with the shape of an input, and the norms of the channels of inputs and outputs."""


def name(value: Any) -> str | None:
    return value.__name__ if callable(value) else None


@pytest.mark.parametrize("net", NETS, ids=name)
def test_outputs_move_no_more_than_the_norm_of_the_change(net: Any) -> None:
    tree, (shape, kind, out) = net(), NETS[net]
    assert tree.proved, tree.why
    trials = 1 if net is transformer else 3
    found = []
    for seed in range(trials):
        for way in sorted(tree.positions):
            x = unit(shape, way, kind, np.random.default_rng(seed))
            found.append(worst_change(tree, x, (way, out), seed))
    assert 0.05 < max(found) <= ROUNDED


@pytest.mark.parametrize("net", NETS, ids=name)
def test_outputs_move_no_more_than_the_sensitivity_allows(net: Any) -> None:
    tree, (shape, kind, out) = net(), NETS[net]
    found = []
    for seed in range(3):
        for way in sorted(tree.positions):
            W, x = tree.initialize(seed=seed), unit(shape, way, kind, np.random.default_rng(seed))
            found.append(worst_input(tree, W, x, (way, kind), (way, out), seed))
            assert size(tree(W, x), way, out) <= tree.bound(1.0) * (1 + 1e-12)
    assert 1e-3 * tree.sensitivity < max(found) <= tree.sensitivity * ROUNDED


ONES = np.ones((6, 4))
LONE: dict[str, tuple[Module, Any, str]] = {
    "linear": (Linear("w", 3, 6), ONES, "rms"),
    "embed": (Embed("w", 6, 3), np.eye(6)[:, :4], "rms"),
    "unembed": (Unembed("w", 7, 6), ONES, "linf"),
    "grouped": (Grouped("w", 2, 2, 3), ONES, "rms"),
    "heads": (Heads("w", 3, 2, 6), ONES, "rms"),
    "fused": (FusedQKV("w", 6, 4, 2, groups=2), ONES, "rms"),
    "fused heads": (FusedQKVHeads("w", 6, 4, 2, groups=2), ONES, "rms"),
    "experts": (Experts("w", 3, 4, 6), (ONES, np.eye(3)[:, [0, 1, 2, 0]]), "rms"),
    "conv1d": (Conv1d("w", 3, 6, 2), ONES, "rms"),
    "conv1d positions": (Conv1dPositions("w", 3, 6, 2), ONES, "rms"),
    "conv2d": (Conv2d("w", 3, 6, (2, 2)), np.ones((6, 3, 4)), "rms"),
    "conv2d positions": (Conv2dPositions("w", 3, 6, (2, 2)), np.ones((6, 3, 4)), "rms"),
    "bias": (Bias("w", 6), ONES, "rms"),
    "gain": (Gain("w", 6), ONES, "rms"),
}
"""Every atom with an input of norm 1 for which a change of its weights moves the output by all of its norm."""


@pytest.mark.parametrize("which", LONE)
def test_no_smaller_norm_of_an_atom_would_do(which: str) -> None:
    atom, x, out = LONE[which]
    for way in sorted(atom.positions):
        assert 1 - 1e-4 < worst_change(atom, x, (way, out), seed=1, rounds=8) <= ROUNDED


# --- bonds by themselves ----------------------------------------------------------------------------------------------

SHAPED = np.random.default_rng(0).standard_normal((4, 3))
TIGHT: dict[str, tuple[Module, Any]] = {
    "relu": (ReLU(), np.ones(3)),
    "tanh": (Tanh(), np.zeros(3)),
    "gelu": (GeLU(), np.full(3, np.sqrt(2.0))),
    "silu": (SiLU(), np.full(3, 2.39935728)),
    "softmax": (Softmax(), np.zeros(2)),
    "route": (Route(), np.zeros(4)),
    "rmsnorm": (RMSNorm(1e-4), np.zeros(3)),
    "layernorm": (LayerNorm(1e-4), np.zeros(3)),
    "least": (RMSNorm(0.0, least=0.5), np.full(3, 0.5)),
    "gate": (Gate(4), (np.array([2.0, 0, 0, 0]), np.array([2.0, 0, 0, 0]))),
    "attention": (Attention(), (SHAPED / 4, SHAPED / 4, SHAPED / 4)),
    "split": (modular.SplitHeads(4, 2), np.ones((8, 2))),
    "merge": (MergeHeads(), np.ones((2, 3, 2))),
    "mean": (MeanPool(), SHAPED),
    "window": (AvgPool((2, 1)), np.ones((2, 4, 3))),
    "causal": (CausalMean(), SHAPED),
    "flatten": (Flatten(), SHAPED),
    "reshape": (Reshape((2, 6)), SHAPED),
    "times": (-3.0 * Identity(), SHAPED),
}
"""A point at which the constant of each bond is attained, or nearly: no smaller one is a bound."""


@pytest.mark.parametrize("which", TIGHT)
def test_no_smaller_sensitivity_would_do(which: str) -> None:
    bond, x = TIGHT[which]
    kinds = ("linf", "l1") if which == "route" else ("rms", "rms")
    found = [
        worst_input(bond, {}, x, (way, kinds[0]), (way, kinds[1]), seed)
        for seed in range(4)
        for way in sorted(bond.positions)
    ]
    assert 0.999 * bond.sensitivity < max(found) <= bond.sensitivity * ROUNDED


@pytest.mark.parametrize("inverse_temperature", [1.0, 3.0])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_at_many_points(causal: bool, inverse_temperature: float) -> None:
    """Queries, keys and values of norm 1 at every word and head; values of two words that differ most."""
    bond = Attention(causal=causal, inverse_temperature=inverse_temperature)
    found = []
    for seed in range(12):
        draw = np.random.default_rng(seed)
        q = unit((3, 4, 4), "max", "rms", draw)
        k, v = (unit((3, 2, 4), "max", "rms", draw) for _ in range(2))
        if seed % 2:
            k, v = (np.where(np.arange(4) % 2, -k[:, :, :1], k[:, :, :1]) for k in (k, v))
            q = 0.0 * q
        found.append(worst_input(bond, {}, (q, k, v), ("max", "rms"), ("max", "rms"), seed))
    assert 0.9 * bond.sensitivity < max(found) <= bond.sensitivity * ROUNDED


def test_slopes_are_rounded_up_from_thirty_digits() -> None:
    import mpmath

    with mpmath.workdps(30):
        gelu = mpmath.ncdf(mpmath.sqrt(2)) + mpmath.sqrt(2) * mpmath.npdf(mpmath.sqrt(2))
        at = mpmath.findroot(lambda x: x * mpmath.tanh(x / 2) - 2, 2.4)
        silu = mpmath.diff(lambda x: x / (1 + mpmath.exp(-x)), at)
    assert 0 < GELU - gelu < 1e-7
    assert 0 < modular.SILU - silu < 1e-7
    x = np.linspace(-12, 12, 240_001)
    for bond in (GeLU(), SiLU()):
        assert np.max(np.abs(np.diff(bond({}, x)) / np.diff(x))) <= bond.sensitivity
        assert np.all(np.abs(bond({}, x)) <= np.abs(x))


@pytest.mark.parametrize("atom", [Conv2d, Conv2dPositions, Conv1d, Conv1dPositions])
def test_both_norms_of_a_convolution_are_attained(atom: Any) -> None:
    """A constant kernel on a constant image: every position adds as much, so that no smaller multiple is a bound."""
    axes = len(atom.axes.split()) - 2
    conv, kernel, x = atom("k", 1, 1, (3,) * axes), np.full((1, 1, *(3,) * axes), 0.7), np.ones((1, *(6, 5)[:axes]))
    assert size(conv({"k": kernel}, x), "mean") == pytest.approx(float(conv.measure(kernel)) * size(x, "mean"))


# --- what would be wrong --------------------------------------------------------------------------------------------


def test_a_sensitivity_that_is_too_small_is_found_out() -> None:
    """GeLU as if its slope were 1: by the input at its steepest point, and in a chain by the weights."""
    ask, root = ("max", "rms"), 2.0**0.5
    wrong = Bond("GeLU", lambda x: GeLU()({}, x), 1.0)
    assert worst_input(GeLU(), {}, np.full(1, root), ask, ask, 0) <= GELU * ROUNDED
    assert worst_input(wrong, {}, np.full(1, root), ask, ask, 0) > 1.12 * wrong.sensitivity

    def ratio(bond: Module) -> float:
        chain = Linear("b", 1, 1) @ (1 / root * bond) @ (root * Linear("a", 1, 1))
        return max(worst_change(chain, np.ones(1), ask, seed) for seed in range(4))

    assert ratio(GeLU()) < 1.0
    assert ratio(wrong) > 1.02


def test_ways_of_measuring_positions_are_not_exchanged() -> None:
    """Causal means exceed 1 in the root mean square, where one word serves all that follow; so does attention."""
    x = np.zeros((2, 32))
    assert worst_input(CausalMean(), {}, x, ("mean", "rms"), ("mean", "rms"), 0) > 1.2
    keys, queries = np.zeros((2, 16)), np.ones((2, 16))
    keys[:, 0] = 4.0  # one word holds all of a root mean square of 1
    found = worst_input(Attention(), {}, (queries, keys, 0 * keys), ("mean", "rms"), ("mean", "rms"), 0)
    assert size(keys, "mean") == 1.0
    assert found > 2.0
    assert "mean" not in Attention().positions | CausalMean().positions
    assert (Reshape((2, 2)) @ CausalMean()).why == (
        "no way of measuring positions serves all modules: see their `positions`",
    )


def test_planted_faults_break_the_bound() -> None:
    """Sensitivities left out, masses left out: a linear chain of aligned weights moves by more than such a norm."""

    def chain() -> Module:
        return Linear("b", 6, 6) @ (3.0 * Identity()) @ Linear("a", 6, 6)

    right = chain().norm()
    eye = {"a": np.eye(6), "b": np.eye(6)}

    def ratio(N: nk.Modular) -> float:
        change = {name: 1e-6 * w / float(N(eye)) for name, w in eye.items()}
        x = np.ones(6)
        moved = chain()({name: eye[name] + change[name] for name in eye}, x) - chain()(eye, x)
        return size(moved, "max") / float(N(change))

    assert ratio(right) <= 1 + 1e-5
    assert ratio(nk.Modular({"a": "2*(rms->rms)", "b": "2*(rms->rms)"})) > 1.4
    assert ratio(nk.Modular({"a": "3*(rms->rms)", "b": "rms->rms"})) > 1.4


def test_fused_blocks_are_three_atoms() -> None:
    """Scales, sensitivity and output of a fused array are those of a tuple of its blocks."""
    together = FusedQKV("w", 6, 4, 2, groups=2, mass=3.0)
    apart = modular.Identity() @ (Linear("q", 8, 6), Linear("k", 4, 6), Linear("v", 4, 6))
    W = np.random.default_rng(0).standard_normal((16, 6))
    parts = {"q": W[:8], "k": W[8:12], "v": W[12:]}
    x = np.random.default_rng(1).standard_normal((6, 3))
    assert (together.sensitivity, together.mass) == (apart.sensitivity, apart.mass)
    assert set(apart.scales.values()) == set(together.scales.values()) == {3.0}
    assert float(together.norm()({"w": W})) == pytest.approx(float(apart.norm()(parts)))
    for one, other in zip(together({"w": W}, x), apart(parts, x), strict=True):
        assert np.allclose(one, other)
