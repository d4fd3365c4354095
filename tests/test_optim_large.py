"""Arrays that compiled loops take: sums on all threads are the plain formulas, and overflows are seen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import normkit as nk
from normkit.optim import EMA, HeavyBall, LionMomentum, SteepestDescent
from normkit.optim.momentum import Momentum
from normkit.optim.stage import LARGE, combine, mix

SHAPE = (520, 511)
DTYPES = [np.float32, np.float64]


def test_the_arrays_are_large() -> None:
    assert np.prod(SHAPE) > LARGE


def arrays(dtype: type, count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).standard_normal((count, *SHAPE)).astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_of_two_arrays(dtype: type) -> None:
    x, y = arrays(dtype, 2)
    wanted, tolerance = 0.75 * x.astype(np.float64) - 1.5 * y, 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(combine(np.empty_like(x), 0.75, x, -1.5, y), wanted, atol=tolerance)
    for place in (x.copy(), y.copy()):
        first, second = (place, y) if np.array_equal(place, x) else (x, place)
        np.testing.assert_allclose(combine(place, 0.75, first, -1.5, second), wanted, atol=tolerance)
    x[3, 5] = np.nan
    np.testing.assert_array_equal(combine(np.empty_like(x), 0.0, x, 2.0, y), 2 * y)


@pytest.mark.parametrize("dtype", DTYPES)
def test_momentum_that_is_averaged_and_mixed(dtype: type) -> None:
    kept, y = arrays(dtype, 2)
    wanted, tolerance = 0.9 * kept.astype(np.float64) + 0.25 * y, 8 * np.finfo(dtype).eps
    made = mix(kept, 0.9, 0.25, y, 0.5, -2.0)
    np.testing.assert_allclose(kept, wanted, atol=tolerance)
    np.testing.assert_allclose(made, 0.5 * wanted - 2.0 * y, atol=tolerance)


@pytest.mark.parametrize("call", [lambda x: combine(x, 1.0, x, 1.0, x), lambda x: mix(x, 1.0, 1.0, x.copy(), 1, 1)])
def test_an_overflow_of_one_entry_is_seen(call: Callable[[np.ndarray], np.ndarray]) -> None:
    x = np.ones(SHAPE, np.float32)
    x[-1, -1] = 3e38
    with pytest.raises(nk.NonFiniteError, match="overflows float32"):
        call(x)


@pytest.mark.parametrize(
    "form",
    [EMA(0.9), EMA(0.9, nesterov=True), HeavyBall(0.8, nesterov=True), LionMomentum()],
    ids=lambda form: str(form),
)
def test_a_large_array_is_stepped_as_its_rows_are(form: Momentum) -> None:
    W, *gradients = arrays(np.float64, 4)
    whole = SteepestDescent("max", lr=0.1, momentum=form, weight_decay=0.3)
    parts = SteepestDescent("linf", lr=0.1, momentum=form, weight_decay=0.3)
    large, rows = {"w": W}, {f"{i}": row for i, row in enumerate(W)}
    for g in gradients:
        large = whole.step(large, {"w": g})
        rows = parts.step(rows, {f"{i}": row for i, row in enumerate(g)})
    np.testing.assert_allclose(large["w"], np.stack(list(rows.values())), rtol=1e-12, atol=1e-13)
