"""Bounds of nuclear norms by the products of the polar core, carried out by NumPy: they hold, and are tight."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from host_arrays import HostView, matrix, view

from normkit.backends.cuda.polar import certificate
from normkit.backends.cuda.polar.certificate import nuclear_bounds
from normkit.errors import BackendError, NonFiniteError, ShapeError

KINDS = ["gaussian", "flat", "decay to 1e-4", "half zero", "rank 1 + 1e-2"]


def candidates(G: Any, error: float, dtype: Any) -> tuple[Any, Any]:
    """Return polar factors that are off by a relative error, and the true nuclear norms."""
    U, s, Vt = np.linalg.svd(G.astype(np.float64), full_matrices=False)
    noise = np.random.default_rng(1).standard_normal(G.shape)
    T = U @ Vt + error * noise / np.sqrt(max(G.shape[-2:]))
    return T.astype(dtype), s.sum(axis=-1)


def holds(found: certificate.Bounds, G: Any, T: Any, nuclear: Any) -> None:
    top = np.linalg.norm(T.astype(np.float64), 2, axis=(-2, -1))
    pairing = np.einsum("...ij,...ij->...", G.astype(np.float64), T.astype(np.float64))
    assert (found.lower <= nuclear * (1 + 1e-13)).all() and (nuclear * (1 - 1e-13) <= found.upper).all()
    assert (top <= found.spectral).all() and (found.spectral <= 1.02 * top).all()
    np.testing.assert_allclose(found.pairing, pairing, rtol=1e-4, atol=1e-4 * nuclear.max())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(24, 60), (60, 24), (2, 17, 17)], ids=lambda s: "x".join(map(str, s)))
def test_bounds_hold(shape: tuple[int, ...], dtype: str, kind: str) -> None:
    G = (matrix(np.random.default_rng(0), shape, kind) * 300).astype(dtype)
    for error in (0.0, 1e-3, 0.2):
        T, nuclear = candidates(G, error, dtype)
        found = nuclear_bounds(view(G.reshape(-1, *shape[-2:])), view(T.reshape(-1, *shape[-2:])))
        holds(found, G, T, np.atleast_1d(nuclear))
        if error <= 1e-3 and kind in ("gaussian", "flat"):  # second order in the error, and roundings
            assert (found.gap <= 2 * error + (1e-3 if dtype == "float32" else 1e-9)).all()


def test_any_candidate_gives_bounds() -> None:
    rng = np.random.default_rng(2)
    G = rng.standard_normal((3, 8, 20)).astype(np.float32)
    T = np.stack([rng.standard_normal((8, 20)), np.zeros((8, 20)), -G[2]]).astype(np.float32)
    nuclear = np.linalg.norm(G.astype(np.float64), "nuc", axis=(-2, -1))
    found = nuclear_bounds(view(G), view(T))
    assert (found.lower <= nuclear).all() and (nuclear <= found.upper).all()
    assert found.lower[1] == found.spectral[1] == found.lower[2] == 0


def test_zero_and_scales() -> None:
    G = np.random.default_rng(3).standard_normal((6, 9))
    T, nuclear = candidates(G, 1e-6, "float64")
    for power in (-900, 0, 900):
        found = nuclear_bounds(view(np.ldexp(G, power)), view(T))
        assert np.ldexp(found.lower, -power) <= nuclear <= np.ldexp(found.upper, -power)
        assert found.gap < 1e-4
    zero = nuclear_bounds(view(np.zeros((6, 9))), view(T))
    assert zero.lower == zero.upper == zero.gap == zero.pairing == 0


def test_orthogonality_is_what_it_says() -> None:
    G = np.random.default_rng(4).standard_normal((6, 9))
    T = 1.1 * candidates(G, 0.0, "float64")[0]
    assert nuclear_bounds(view(G), view(T)).orthogonality == pytest.approx(0.21, rel=1e-9)


def test_faults_in_the_factor_do_not_break_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The upper bound holds whatever is factored; only forgetting the residual breaks it."""
    G = np.random.default_rng(5).standard_normal((8, 30))
    T, nuclear = candidates(G, 1e-3, "float64")
    sound, factors = nuclear_bounds(view(G), view(T)), certificate._factors

    def wrong(product: Any) -> Any:
        L, W = factors(product)
        return 0.5 * L, W

    monkeypatch.setattr(certificate, "_factors", wrong)
    found = nuclear_bounds(view(G), view(T))
    assert nuclear <= found.upper and found.upper > sound.upper
    lengths = certificate._Pass._lengths

    def forgetting(self: Any, matrix: Any, b: int) -> Any:
        return lengths(self, matrix, b) * (0.0 if matrix is self.R else 1.0)

    monkeypatch.setattr(certificate._Pass, "_lengths", forgetting)
    assert nuclear_bounds(view(G), view(T)).upper < nuclear


def test_bad_input() -> None:
    G = np.ones((3, 4))
    with pytest.raises(ShapeError, match="one shape"):
        nuclear_bounds(view(G), view(G.T))
    with pytest.raises(BackendError, match="GPU 0 and T on GPU 1"):
        nuclear_bounds(HostView(G, "float64", 0), HostView(G, "float64", 1))
    G[1, 1] = np.nan
    with pytest.raises(NonFiniteError):
        nuclear_bounds(view(G), view(np.ones((3, 4))))
