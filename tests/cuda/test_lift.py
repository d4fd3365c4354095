"""The polar core as the maps call it: gains, sums, any rank, by NumPy on memory of the CPU."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from host_arrays import matrix, view

from normkit.backends.cuda.polar.lift import LiftedPolar, viewed
from normkit.errors import ShapeError

ONE = ((1, 0),)


def lifted(G: Any, gain: Any, accuracy: float | None = None) -> tuple[Any, Any]:
    T, sums = np.full_like(G, np.nan), np.full(len(G), np.nan)
    LiftedPolar(accuracy).apply(view(G), view(T), view(gain), view(sums))
    return T, sums


@pytest.mark.parametrize("accuracy", [None, 1e-2])
@pytest.mark.parametrize("kind", ["gaussian", "half zero"])
def test_factors_gains_and_sums(kind: str, accuracy: float | None) -> None:
    G = (matrix(np.random.default_rng(0), (2, 9, 14), kind) * 1e20).astype(np.float32)
    gain = np.array([1.0, -3.0])
    T, sums = lifted(G, gain, accuracy)
    U, s, Vt = np.linalg.svd(G.astype(np.float64), full_matrices=False)
    kept = s > 1e-5 * s[:, :1]
    polar = (U * kept[:, None, :]) @ Vt
    limit = (accuracy or 1e-5) * np.sqrt(kept.sum(axis=1)) * np.abs(gain)
    assert (np.linalg.norm(T - gain[:, None, None] * polar, axis=(1, 2)) <= limit).all()
    np.testing.assert_allclose(sums, s.sum(axis=1), rtol=2 * (accuracy or 1e-5))


def test_what_is_not_finite_and_zero() -> None:
    G = np.random.default_rng(1).standard_normal((4, 6, 5)).astype(np.float32)
    G[1], G[2, 0, 0] = 0, np.nan
    G[3, 1] = G[3, 0]  # of lower rank: the whole batch goes to the CPU
    T, sums = lifted(G, np.ones(4))
    assert not T[1].any() and sums[1] == 0 and np.isnan(sums[2]) and np.isnan(T[2]).all()
    np.testing.assert_allclose(sums[[0, 3]], np.linalg.norm(G[[0, 3]], "nuc", axis=(1, 2)), rtol=1e-5)


def test_nothing_to_do() -> None:
    for shape in ((0, 3, 4), (2, 0, 4)):
        assert not lifted(np.zeros(shape, np.float32), np.ones(shape[0]))[1].any()


def test_batches_of_maps() -> None:
    base = np.random.default_rng(2).standard_normal((6, 5, 8)).astype(np.float32)
    data = SimpleNamespace(_ary=base.reshape(-1))
    batch = SimpleNamespace(data=data, kind="float32", start=3, lead=(((2, 120),), ((3, 40),)), item=(ONE, ((8, 1),)))
    made = viewed(batch, -1, 0)  # type: ignore[arg-type]
    assert (made.shape, made.strides, made.address) == ((6, 1, 8), (40, 1, 1), base.ctypes.data + 12)
    batch.item = (((5, 8),), ((4, 2), (2, 5)))
    with pytest.raises(ShapeError, match="one stride"):
        viewed(batch, -1, 0)  # type: ignore[arg-type]
