"""The root of a line on the CPU back end once depended on the other lines of the batch, in the last bits."""

from __future__ import annotations

import numpy as np
import pytest
from sympy import Symbol, exp

import normkit as nk

x = Symbol("x", positive=True)


@pytest.mark.parametrize("kind", [nk.Amemiya, nk.Orlicz])
def test_bits_of_an_item_are_the_same_alone_in_a_batch_and_far_away(kind: type[nk.Norm]) -> None:
    norm, draw = kind(exp(x) - 1 - x), np.random.default_rng(0)  # type: ignore[call-arg]
    batch = np.concatenate([draw.integers(-2, 3, (20, 6)), draw.standard_normal((20, 6)), -3.0 * np.eye(6)])
    batch[:, 0] += batch.any(axis=1) == 0
    together = nk.dualize(norm, batch, backend="cpu")
    for item, t in zip(batch, together, strict=True):
        np.testing.assert_array_equal(nk.dualize(norm, item, backend="cpu"), t)
        np.testing.assert_array_equal(nk.dualize(norm, 2.0**301 * item, backend="cpu"), t)
        np.testing.assert_array_equal(nk.dualize(norm, 2.0**-301 * item, backend="cpu"), t)
