"""A map with an accuracy was divided by a Frobenius bound of its norm: square matrices of QDWH came out 12 % short."""

import numpy as np
import pytest

import normkit as nk


@pytest.mark.parametrize("accuracy", [1e-2, 1e-3])
def test_dualize_reaches_its_accuracy(accuracy: float) -> None:
    G = np.random.default_rng(0).standard_normal((512, 512)).astype(np.float32)
    T = nk.dualize("spectral", G, accuracy=accuracy).astype(np.float64)
    left, _, right = np.linalg.svd(G.astype(np.float64))
    assert np.linalg.norm(T - left @ right) <= accuracy * np.sqrt(len(G))
    assert np.linalg.norm(T, 2) <= 1 + 0.3 * accuracy
