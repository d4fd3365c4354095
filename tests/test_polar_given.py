"""What `polar` reads and where it writes: matrices at every scale, of every layout, in place, with entries amiss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import normkit as nk
from normkit.backends.cpu.lines import frozen
from normkit.backends.cpu.scaling import normalized
from normkit.errors import NonFiniteError
from normkit.polar import moves
from normkit.polar.given import given

SCALES: dict[Any, tuple[float, ...]] = {
    np.float32: (1.0, 1e-38, 1e-43, 1e37, 3e-45),
    np.float64: (1.0, 1e-300, 1e300, 1e-320, 5e-324),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaling_on_the_way_gives_the_bits_of_scaling_before(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    for scale in SCALES[dtype]:
        batch = (rng.uniform(-1, 1, (3, 5, 37)) * scale).astype(dtype)
        batch[1] = 0
        work, e, bad = normalized(batch, np.dtype(dtype))
        lazy, same, none = given(batch, np.dtype(dtype), read=True)
        assert lazy.source is batch and not bad.any() and not none.any()
        np.testing.assert_array_equal(e, same)
        np.testing.assert_array_equal(lazy.scaled, work)
        np.testing.assert_array_equal(lazy[2].scaled[0], work[2])
        for b, (f, g) in enumerate(lazy.factors):
            plain, turned = np.empty((5, 37), dtype), np.empty((37, 5), dtype)
            moves.write(frozen(batch[b]), plain, True, f, g)
            moves.write(frozen(batch[b]), turned, False, f, g)
            np.testing.assert_array_equal(plain, work[b])
            np.testing.assert_array_equal(turned, work[b].T)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(48, 200), (200, 48), (64, 64), (3, 40, 40)])
def test_the_factor_is_the_same_at_every_scale(dtype: Any, shape: tuple[int, ...]) -> None:
    G = np.rint(np.random.default_rng(1).standard_normal(shape) * 2**10).astype(dtype)
    low, high = (-149, 110) if dtype == np.float32 else (-1074, 1000)
    for method in ("auto", "ns", "gram"):
        T = nk.polar(G, 0.1, method)
        for e in (low, low // 2, high):
            np.testing.assert_array_equal(nk.polar(np.ldexp(G, e), 0.1, method), T)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(70, 300), (300, 70), (90, 90), (4, 40, 50)])
def test_the_index_of_what_is_not_finite(bad: float, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(2)
    for _ in range(6):
        G = rng.standard_normal(shape).astype(np.float32)
        place = tuple(int(rng.integers(side)) for side in shape)
        G[place] = bad
        with pytest.raises(NonFiniteError, match=rf"\[{', '.join(map(str, place))}\]"):
            nk.polar(G, 0.1)
        T = nk.polar(G, 0.1, nan_policy="propagate")
        inside = np.isnan(T).reshape(-1, T.shape[-2] * T.shape[-1])
        assert inside.all(axis=1).sum() == 1 and (inside.all(axis=1) == inside.any(axis=1)).all()


def matrices() -> dict[str, tuple[np.ndarray, float]]:
    """Inputs with the rank tolerance asked for; products serve the first two alone, and give up the others."""
    rng = np.random.default_rng(3)
    plain = rng.standard_normal((60, 180)).astype(np.float32)
    low = (rng.standard_normal((60, 7)) @ rng.standard_normal((7, 180))).astype(np.float32)
    U, V = np.linalg.qr(rng.standard_normal((60, 60)))[0], np.linalg.qr(rng.standard_normal((180, 60)))[0]
    spread = ((U * np.geomspace(1, 1e-5, 60)) @ V.T).astype(np.float32)
    return {"plain": (plain, 1e-6), "square": (plain[:, :60], 1e-6), "low": (low, 1e-6), "spread": (spread, 1e-6)} | {
        "low, dropped": (low + 1e-3 * plain, 0.02),
        "spread, dropped": (spread, 1e-3),
    }


@pytest.mark.parametrize("name", matrices())
@pytest.mark.parametrize("method", ["auto", "ns", "gram"])
@pytest.mark.parametrize("tall", [False, True])
def test_in_place(name: str, method: str, tall: bool) -> None:
    """The input is read for the last time before it is written over, whatever gives up and what follows it."""
    G, rank_tol = matrices()[name]
    G = np.ascontiguousarray(G.T if tall else G)
    for accuracy in (0.1, 1e-2):
        asked: dict[str, Any] = {"accuracy": accuracy, "method": method, "rank_tol": rank_tol}
        T = nk.polar(G, **asked)
        same = G.copy()
        assert nk.polar(same, out=same, **asked) is same
        np.testing.assert_array_equal(same, T)
        room = np.zeros(G.size + 9, np.float32)  # the result lies some entries further
        given_there, out = room[: G.size].reshape(G.shape), room[9:].reshape(G.shape)
        given_there[...] = G
        nk.polar(given_there, out=out, **asked)
        np.testing.assert_array_equal(out, T)


def test_a_batch_in_place_and_shifted() -> None:
    batch = np.random.default_rng(4).standard_normal((6, 40, 50)).astype(np.float32)
    batch[3] = batch[3, :, :1] * batch[3, :1]  # rank 1: it needs another attempt
    expected = nk.polar(batch, 0.1)
    same = batch.copy()
    nk.polar(same, 0.1, out=same)
    np.testing.assert_array_equal(same, expected)
    for shift in (1, -1):
        room = np.zeros((7, 40, 50), np.float32)
        begin, end = (room[:-1], room[1:])[::shift]
        begin[...] = batch
        nk.polar(begin, 0.1, out=end)
        np.testing.assert_array_equal(end, expected)


def test_a_report_in_place_is_about_the_input() -> None:
    for shape in ((60, 180), (64, 64)):
        G = np.random.default_rng(5).standard_normal(shape).astype(np.float32)
        T, report = nk.polar_report(G, 0.1)
        same = G.copy()
        there, again = nk.polar_report(same, 0.1, out=same)
        assert there is same
        np.testing.assert_array_equal(same, T)
        assert (report.lower, report.upper, report.gap) == (again.lower, again.upper, again.gap)


@pytest.mark.parametrize("low", [1e-2, 3e-3])
def test_in_place_where_the_last_product_shows_that_the_accuracy_is_missed(low: float) -> None:
    """The m x m side takes rounding for a direction, which |T|_F tells only after T has been formed (in bfloat16)."""
    rng = np.random.default_rng(0)
    U, V = np.linalg.qr(rng.standard_normal((48, 48)))[0], np.linalg.qr(rng.standard_normal((200, 48)))[0]
    for count in (1, 3):
        G = ((U * np.r_[np.ones(48 - count), np.full(count, low)]) @ V.T).astype(np.float32)
        for accuracy in (0.1, 0.05):
            T, same = nk.polar(G, accuracy, "gram"), G.copy()
            nk.polar(same, accuracy, "gram", out=same)
            np.testing.assert_array_equal(same, T)
            assert np.linalg.norm(T - U @ V.T) <= accuracy * np.sqrt(48)
