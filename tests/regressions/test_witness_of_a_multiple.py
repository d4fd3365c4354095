"""A synthesis norm inside a product over blocks: its item is a share of its map, and the witness took all of it."""

from __future__ import annotations

import numpy as np
import pytest

import normkit as nk


@pytest.mark.parametrize("outer", ["l2", "orlicz(exp(x) - 1 - x)", "topk(2)"])
def test_a_block_without_value_is_certified(outer: str) -> None:
    norm = nk.norm(f"groups({outer}, ballsum(kp(2, 2), 3*l1), l1, [[0, 1], [2]])")
    for g in ([-1.0, 0.2, 0.3], [1e-9, -1e-3, 2e-9], [1e-200, 3e-201, -2e-200]):
        t = nk.dualize(norm, g, backend="reference")
        certificate = nk.certify(norm, g, t, backend="reference")
        assert certificate.kind == "certified"
        assert certificate.holds(1e-12)
        half = nk.certify(norm, g, 0.5 * t, backend="reference")
        assert half.norm == pytest.approx(0.5, rel=1e-12)
        assert half.gap == pytest.approx(0.0, abs=1e-12)


def test_a_multiple_of_the_map_has_that_norm() -> None:
    norm, g = nk.norm("ballsum(spectral, 2*max)"), np.random.default_rng(0).standard_normal((3, 4))
    t = nk.dualize(norm, g, backend="reference")
    for factor in (1e-3, 0.3, 7.0):
        assert nk.certify(norm, g, factor * t, backend="reference").norm == pytest.approx(factor, rel=1e-12)
