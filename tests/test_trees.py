"""Trees of modules: the recursion by hand, and the perturbation bound on networks that run."""

from __future__ import annotations

import doctest
from typing import Any

import numpy as np
import pytest

import normkit as nk
from normkit.modular import (
    Bias,
    Bond,
    Conv2d,
    Conv2dPositions,
    Embed,
    Gain,
    Identity,
    Linear,
    Module,
    ReLU,
    Unembed,
    matrices,
)


def rms(x: Any) -> float:
    return float(np.sqrt(np.mean(np.square(x))))


def largest(x: Any) -> float:
    return float(np.max(np.abs(x)))


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
    assert all(float(nk.value("rms->rms", w)) == pytest.approx(1.0) for w in W.values())
    big = {name: 3 * w for name, w in W.items()}
    assert all(np.allclose(v, W[name]) for name, v in net.project(big).items())
    D = nk.lmo(N, W, radius=0.1)
    assert float(N(D)) == pytest.approx(0.1)
    with pytest.raises(nk.ShapeError, match="the tree has the weights"):
        net.project({"body": W["body"]})


# --- the perturbation bound ---------------------------------------------------------------------------------------


def mlp() -> Module:
    return Linear("c", 5, 8) @ ReLU() @ Linear("b", 8, 8, mass=2.0) @ ReLU() @ Linear("a", 8, 6)


def residual() -> Module:
    block = 0.75 * Identity() + 0.25 * (Linear("v", 6, 9) @ ReLU() @ Linear("u", 9, 6))
    return Linear("out", 4, 6) @ (block**3) @ Linear("in", 6, 6)


def signed() -> Module:
    return Linear("b", 5, 6) @ (Linear("a", 6, 6) * -0.5 + 0.5 * Identity())


def affine() -> Module:
    return Linear("d", 5, 6) @ Gain("g", 6) @ (0.5 * Bias("b", 6)) @ Linear("a", 6, 6)


def words() -> Module:
    return Unembed("out", 7, 6) @ ReLU() @ Linear("a", 6, 6) @ Embed("in", 7, 6)


def convolutions() -> Module:
    return Conv2dPositions("b", 3, 4, (2, 2)) @ ReLU() @ Conv2d("a", 4, 2, (3, 3))


NETS = [mlp, residual, signed, affine, words, convolutions]


def unit_input(net: Any, draw: np.random.Generator) -> Any:
    if net is words:
        return np.eye(7)[draw.integers(7)]
    x = draw.standard_normal((2, 5, 4) if net is convolutions else 6)
    return x / rms(x)


def worst_ratio(net: Any, N: Any, trials: int, size: float = 1e-6) -> float:
    """Return the largest |f(w + dw)(x) - f(w)(x)| / N(dw), over random weights of norm 1, inputs and changes.

    Half of the changes are the norm's own dualize map of the gradient of a random output: the worst ones, to first
    order, found by differences.
    """
    tree, measure, worst = net(), largest if net is words else rms, 0.0
    for seed in range(trials):
        draw = np.random.default_rng(seed)
        W, x = tree.initialize(seed=seed), unit_input(net, draw)
        base = tree(W, x)
        if seed % 2:
            change = {name: draw.standard_normal(w.shape) for name, w in W.items()}
        else:
            u = draw.standard_normal(base.shape)
            change = {name: np.zeros_like(w) for name, w in W.items()}
            for name, w in W.items():
                for at in np.ndindex(w.shape):
                    moved = w.copy()
                    moved[at] += 1e-6
                    change[name][at] = np.sum(u * (tree(W | {name: moved}, x) - base))
            change = nk.dualize(N, change)
        step = size / float(N(change))
        away = tree({name: W[name] + step * change[name] for name in W}, x) - base
        worst = max(worst, measure(away) / size)
    return worst


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_outputs_move_no_more_than_the_norm_of_the_change(net: Any) -> None:
    tree = net()
    assert tree.proved, tree.why
    worst = worst_ratio(net, tree.norm(), 24)
    assert 0.02 < worst <= 1 + 1e-4


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_outputs_move_no_more_than_the_sensitivity_allows(net: Any) -> None:
    tree, measure = net(), largest if net is words else rms
    for seed in range(40):
        draw = np.random.default_rng(seed)
        W, x = tree.initialize(seed=seed), unit_input(net, draw)
        dx = 1e-6 * draw.standard_normal(x.shape)
        size = float(np.sum(np.abs(dx))) if net is words else rms(dx)
        assert measure(tree(W, x + dx) - tree(W, x)) <= tree.sensitivity * size * (1 + 1e-4)
        assert measure(tree(W, x)) <= tree.bound(1.0) * (1 + 1e-12)


@pytest.mark.parametrize("atom", [Conv2d, Conv2dPositions])
def test_both_norms_of_a_convolution_are_attained(atom: Any) -> None:
    """A constant kernel on a constant image: every position adds as much, so that no smaller multiple is a bound."""
    conv, kernel, x = atom("k", 1, 1, (3, 3)), np.full((1, 1, 3, 3), 0.7), np.ones((1, 6, 5))
    assert rms(conv({"k": kernel}, x)) == pytest.approx(float(conv.measure(kernel)) * rms(x))


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
        return rms(moved) / float(N(change))

    assert ratio(right) <= 1 + 1e-5
    assert ratio(nk.Modular({"a": "2*(rms->rms)", "b": "2*(rms->rms)"})) > 1.4
    assert ratio(nk.Modular({"a": "3*(rms->rms)", "b": "rms->rms"})) > 1.4


def test_examples_run() -> None:
    assert doctest.testmod(matrices).failed == 0


# --- what is not proved, and bad input -----------------------------------------------------------------------------


def test_doubts_are_said() -> None:
    swish = Bond("swish", lambda x: x / (1 + np.exp(-x)), 1.1)
    net = Linear("b", 4, 4) @ swish @ Linear("a", 4, 4)
    assert repr(swish) == "swish(sensitivity 1.1, not proved)"
    assert not net.proved
    assert net.why[0] == "the sensitivity 1.1 of swish is not proved"
    shifted = Linear("b", 4, 4) @ Bias("shift", 4) @ Linear("a", 4, 4)
    assert shifted.why == ("'b' may see an input of norm 2, more than 1",)
    assert repr(ReLU()) == "ReLU()"


WRONG: list[tuple[Any, str]] = [
    (lambda: (Linear("a", 2, 2) @ Linear("a", 2, 2)).norm(), "two modules of the tree are named 'a'"),
    (lambda: Linear("a", 2, 2, mass=-1.0), "mass of 'a' is a number that is not negative; got -1.0"),
    (lambda: Linear("a", 0, 2), "lengths of 'a' are positive integers"),
    (lambda: 0.0 * Linear("a", 2, 2), "a finite number that is not 0"),
    (lambda: Linear("a", 2, 2) ** 0, "a positive number of times; got 0"),
    (lambda: Linear("a", 2, 2) @ 3, "modules and tuples of them; got a int"),
    (lambda: Bond("f", abs, 0.0), "sensitivity of f is a positive number"),
    (lambda: ReLU().norm(), "masses of this tree are all zero"),
]


@pytest.mark.parametrize(("make", "said"), WRONG)
def test_wrong_trees(make: Any, said: str) -> None:
    with pytest.raises(nk.ParameterError, match=said):
        make()
