"""Norms of arrays whose rows are cut into unequal blocks, against every block by itself and a conic solver."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from oracles import oracle_dual, oracle_value

import normkit as nk

BACKENDS = ["reference", "cpu"]
SIZES = (6, 2, 3)


def polar(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    left, _, right = np.linalg.svd(x, full_matrices=False)
    return np.asarray(left @ right)


def blocks(x: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    return [x[:6], x[6:8], x[8:]]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("outer", ["linf", "l2", "l1"])
def test_every_block_has_the_scale_of_its_own_shape(outer: str, backend: str) -> None:
    x = np.random.default_rng(1).standard_normal((11, 4))
    N = nk.RowBlocks(outer, "rms->rms", SIZES)
    duals = np.array([np.sqrt(len(b) / 4) * np.linalg.svd(b)[1].sum() for b in blocks(x)])
    shares = {"linf": np.ones(3), "l2": duals / np.linalg.norm(duals), "l1": 1.0 * (duals == duals.max())}[outer]
    whole = {"linf": duals.sum(), "l2": np.linalg.norm(duals), "l1": duals.max()}[outer]
    assert float(N.dual(x)) == pytest.approx(whole)
    made = blocks(nk.dualize(N, x, backend=backend))
    for share, block, t in zip(shares, blocks(x), made, strict=True):
        assert np.allclose(t, share * np.sqrt(len(block) / 4) * polar(block), atol=1e-12)
    assert nk.certify(N, x, np.vstack(made)).holds(1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_batches_layouts_and_narrow_entries(backend: str) -> None:
    """A layout (in, out), a batch, float32, views and out=: all the same blocks."""
    x = np.random.default_rng(2).standard_normal((3, 11, 4)).astype(np.float32)
    N = nk.RowBlocks("linf", ("rms->rms", "l1->rms", "rms->linf"), SIZES)
    T = nk.dualize(N, x, backend=backend)
    assert T.dtype == np.float32
    for item, t in zip(x, T, strict=True):
        for spec, block, made in zip(("rms->rms", "l1->rms", "rms->linf"), blocks(item), blocks(t), strict=True):
            assert np.allclose(made, nk.dualize(spec, block, backend=backend), atol=1e-6)
    turned = nk.Transposed(N)
    view, out = x.swapaxes(1, 2), np.empty((3, 4, 11), np.float32)
    nk.dualize(turned, view, out=out, backend=backend)
    assert np.allclose(out.swapaxes(1, 2), T, atol=1e-6)
    assert np.allclose(nk.dualize(N, x, accuracy=1e-2, backend=backend), T, atol=5e-2)


def test_an_outer_norm_with_a_factor() -> None:
    """Every block has the same share, but not 1."""
    x = np.random.default_rng(8).standard_normal((11, 4))
    for backend in BACKENDS:
        T = nk.dualize(nk.RowBlocks("3*linf", "rms->rms", SIZES), x, backend=backend)
        assert np.allclose(3 * T, nk.dualize(nk.RowBlocks("linf", "rms->rms", SIZES), x, backend=backend))


def test_blocks_of_heads_and_of_kernels() -> None:
    """A block may itself be slices, and an array may have more than two axes."""
    x = np.random.default_rng(3).standard_normal((12, 4))
    heads = nk.RowBlocks("linf", (nk.Slices("rms->rms", "(h=4 d) i", over="h"), "rms->rms"), (8, 4))
    T = nk.dualize(heads, x)
    for h in range(4):
        assert np.allclose(T[2 * h : 2 * h + 2], np.sqrt(2 / 4) * polar(x[2 * h : 2 * h + 2]))
    assert np.allclose(T[8:], polar(x[8:]))
    kernel = np.random.default_rng(4).standard_normal((5, 3, 2))
    conv = nk.RowBlocks("l2", nk.Matricize("rms->rms", "o i k", rows="o", cols="i k"), (4, 1))
    assert conv.shape == (5, None, None)
    assert nk.certify(conv, kernel, nk.dualize(conv, kernel)).holds(1e-9)


@pytest.mark.parametrize(
    "norm",
    [
        nk.RowBlocks("l2", "rms->rms", (3, 1)),
        nk.RowBlocks("linf", ("spectral", "2*(l1->rms)"), (1, 3)),
        nk.RowBlocks("lp(3)", ("nuclear + fro", "max"), (2, 2)),
        nk.Transposed(nk.RowBlocks("linf", "rms->rms", (1, 2))),
    ],
    ids=str,
)
def test_against_a_conic_solver(norm: nk.Norm) -> None:
    x = np.random.default_rng(5).standard_normal((4, 3))
    assert float(norm(x)) == pytest.approx(oracle_value(norm, x), rel=2e-6)
    assert float(nk.dual_value(norm, x)) == pytest.approx(oracle_dual(norm, x), rel=2e-6)
    assert norm.dual.dual == norm
    assert nk.norm(str(norm)) == norm


def test_parts_without_a_value_certify_themselves() -> None:
    """The norm of a block may be one whose dual alone is explicit: the map is a decomposition block by block."""
    norm = nk.RowBlocks("linf", ("infconv(rows(l1, l2), 2*max)", "spectral"), (2, 2))
    x = np.random.default_rng(6).standard_normal((4, 3))
    assert nk.certify(norm, x, nk.dualize(norm, x)).holds(1e-9)


def test_a_planted_fault_is_seen() -> None:
    """One scale for the whole array instead of one for each block."""
    x = np.random.default_rng(7).standard_normal((11, 4))
    N = nk.RowBlocks("linf", "rms->rms", SIZES)
    wrong = np.vstack([np.sqrt(11 / 4) * polar(block) for block in blocks(x)])
    assert not nk.certify(N, x, wrong).holds(1e-2)


WRONG: list[tuple[Any, str]] = [
    (lambda: nk.RowBlocks("linf", "rms->rms", ()), "sizes of rowblocks must be positive integers"),
    (lambda: nk.RowBlocks("linf", "rms->rms", (2, 0)), "sizes of rowblocks must be positive integers"),
    (lambda: nk.RowBlocks("linf", ("spectral", "fro"), (2, 1, 1)), "one for each of 3 blocks; got 2"),
    (lambda: nk.RowBlocks("linf", ("spectral", "l2"), (2, 1)), "arrays with equally many axes; got spectral, l2"),
    (lambda: nk.RowBlocks("spectral", "spectral", (2, 1)), "must be monotone"),
    (lambda: nk.RowBlocks("linf", ("owl([2, 1])", "l1"), (3, 1)), r"owl([2.0, 1.0]) takes 2 rows; its block has 3"),
    (lambda: nk.dualize(nk.RowBlocks("linf", "rms->rms", (2, 1)), np.ones((4, 2))), "(3, any); got the gradient of"),
    (lambda: nk.norm("rowblocks(linf, rms->rms)"), "needs 3 arguments"),
]


@pytest.mark.parametrize(("make", "said"), WRONG, ids=range(len(WRONG)))
def test_wrong_blocks(make: Any, said: str) -> None:
    with pytest.raises(nk.NormkitError, match=re.escape(said)):
        make()
