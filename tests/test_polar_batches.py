"""Batches at fine accuracies, a matrix per thread: every item as accurate as alone, whatever its neighbours are."""

import threading

import numba
import numpy as np
import pytest

import normkit as nk
from normkit.backends.cpu import pool


def expected(G, tolerance=1e-6):
    u, s, vt = np.linalg.svd(G.astype(np.float64), full_matrices=False)
    return (u * (s > tolerance * s.max(initial=1e-300))) @ vt


def mixed(side, rng):
    """A Gaussian, a log-spaced, a zero, a rank-deficient, an orthogonal and a huge matrix."""
    Q, W = (np.linalg.qr(rng.standard_normal((side, side)))[0] for _ in range(2))
    low = rng.standard_normal((side, side // 3)) @ rng.standard_normal((side // 3, side))
    plain = rng.standard_normal((side, side))
    made = [plain, (Q * np.geomspace(1, 1e-3, side)) @ W, np.zeros((side, side)), low, Q, 1e30 * plain]
    return np.array(made).astype(np.float32)


@pytest.mark.parametrize("accuracy", [1e-3, 1e-6])
@pytest.mark.parametrize("side", [40, 130])
def test_every_kind_of_matrix_in_one_batch(side, accuracy):
    G = mixed(side, np.random.default_rng(side))
    kept = G.copy()
    T, report = nk.polar_report(G, accuracy)
    assert np.array_equal(G, kept)
    for g, t, rank in zip(G, T, report.rank, strict=True):
        want = expected(g, 1e-5)
        assert np.linalg.norm(t - want) <= accuracy * np.sqrt(max(rank, 1))
    assert report.rank.tolist() == [side, side, 0, side // 3, side, side]
    assert (report.gap < 3 * accuracy).all()


def test_an_item_has_the_same_bits_whatever_the_number_of_threads():
    G = mixed(130, np.random.default_rng(7))
    before = numba.get_num_threads()
    found = []
    try:
        for threads in range(1, before + 1):
            numba.set_num_threads(threads)
            found.append(nk.polar(G, 1e-3))
    finally:
        numba.set_num_threads(before)
    assert all(np.array_equal(found[0], other) for other in found[1:])


def test_tall_and_wide_batches_are_transposes():
    G = np.random.default_rng(3).standard_normal((3, 140, 200)).astype(np.float32)
    wide, tall = nk.polar(G, 1e-4), nk.polar(np.ascontiguousarray(np.swapaxes(G, 1, 2)), 1e-4)
    np.testing.assert_allclose(np.swapaxes(tall, 1, 2), wide, atol=2e-5)


def test_all_shares_run_and_an_error_in_one_is_raised():
    lock, seen = threading.Lock(), []

    def note(i):
        with lock:
            seen.append(i)
        if i == 5:
            raise ValueError("seen")

    pool.share(note, 0)
    assert seen == []
    with pytest.raises(ValueError, match="seen"):
        pool.share(note, 12)
    assert {0, 5} <= set(seen)
    seen.clear()
    pool.share(seen.append, 4)
    assert sorted(seen) == [0, 1, 2, 3]
