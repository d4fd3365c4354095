"""On the short side rounding was compared with slopes that depended on the scale of the matrix.

A float32 matrix whose largest singular value was far above 1 was followed through too many steps: 1.8e-2 for an
accuracy of 1e-3. At any scale, R' = p(R)^2 R loses digits where the terms of p cancel: half of the singular values at
1e-3 gave 1.1e-3.
"""

from __future__ import annotations

import numpy as np
import pytest

from normkit.polar import workspace

SPECTRA = {
    "log": np.geomspace(1, 1e-3, 128),
    "half": np.r_[np.ones(64), np.full(64, 1e-3)],
    "one": np.r_[np.linspace(1, 0.3, 127), 1e-4],
    "mild": np.geomspace(1, 0.1, 128),
}


def made(name: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    U, V = np.linalg.qr(rng.standard_normal((128, 128)))[0], np.linalg.qr(rng.standard_normal((256, 128)))[0].T
    return (U * SPECTRA[name]) @ V, U @ V


@pytest.mark.parametrize("accuracy", [0.1, 1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("name", SPECTRA)
def test_scale_changes_nothing(name: str, accuracy: float) -> None:
    G, exact = made(name)
    found = []
    for scale in (1.0, 64.0):
        space = workspace.Workspace(128, 256, workspace.PRECISIONS["float32"], True)
        space.X[:] = scale * G
        reached = space.iterate(accuracy, 1e30)
        if reached is not None:
            assert np.linalg.norm(reached.iterate - exact) / np.sqrt(128) <= accuracy
        found.append(reached and (reached.steps, reached.iterate.tobytes()))
    assert found[0] == found[1]


def test_the_short_side_serves_what_it_can() -> None:
    """Giving up everywhere would pass the test above."""
    for name, accuracy in (("log", 0.1), ("log", 1e-2), ("half", 1e-2), ("mild", 1e-2)):
        space = workspace.Workspace(128, 256, workspace.PRECISIONS["float32"], True)
        space.X[:] = made(name)[0]
        assert space.iterate(accuracy, 1e30) is not None
