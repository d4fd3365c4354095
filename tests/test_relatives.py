"""Relatives of the polar factor against matrices built from known factors, and mpmath at 40 digits."""

import mpmath
import numpy as np
import pytest

import normkit as nk
from normkit.backends.cpu import leading as direct
from normkit.errors import DTypeError, NonFiniteError, ParameterError, ShapeError
from normkit.polar.relatives import functions, leading

SHAPES = [(1, 1), (5, 5), (3, 9), (9, 3), (40, 64)]
SPECTRA = {
    "log2": lambda r: np.geomspace(1, 1e-2, r),
    "log12": lambda r: np.geomspace(1, 1e-12, r),
    "clusters": lambda r: np.where(np.arange(r) < r // 2 + 1, 1.0, 1e-3) * (1 - 1e-9 * np.arange(r)),
    "rank 1": lambda r: np.r_[1.0, np.zeros(r - 1)],
    "zero": lambda r: np.zeros(r),
}


def orthonormal(rng, rows, columns):
    return np.linalg.qr(rng.standard_normal((rows, columns)))[0]


def draw(sigma, shape, seed=0):
    """Return U, sigma, V' of the product that is made of them."""
    rng = np.random.default_rng(seed)
    return orthonormal(rng, shape[0], len(sigma)), sigma, orthonormal(rng, shape[1], len(sigma)).T


def symmetric(values, seed=0):
    Q = orthonormal(np.random.default_rng(seed), len(values), len(values))
    S = (Q * values) @ Q.T
    return Q, (S + S.T) / 2


def close(found, expected, tolerance):
    scale = np.linalg.norm(expected, 2) or 1.0
    return np.linalg.norm(found - expected, 2) <= tolerance * scale


# --- symmetric matrices ---


@pytest.mark.parametrize("size", [1, 6, 300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sign_of_known_eigenvalues(size, dtype):
    values = np.where(np.arange(size) % 3 == 0, -1.0, 1.0) * np.geomspace(1, 0.05, size)
    values[size // 2 + 1 :: 7] = 0.0
    Q, S = symmetric(values)
    T = nk.matrix_sign((1e-10 * S).astype(dtype))
    assert T.dtype == dtype and np.array_equal(T, T.T)
    assert close(T, (Q * np.sign(values)) @ Q.T, 2e3 * np.finfo(dtype).eps)
    for power in (-60, 60):
        np.testing.assert_array_equal(nk.matrix_sign((1e-10 * S * 2.0**power).astype(dtype)), T)


def test_what_is_not_symmetric_is_refused_by_how_much():
    S = np.eye(3)
    S[0, 2] = 0.25
    with pytest.raises(ParameterError, match=r"at \[1\] max\|S - S'\| is 0.25 of max\|S\|"):
        nk.matrix_sign(np.stack([np.eye(3), S]))
    with pytest.raises(ShapeError, match=r"symmetric matrix \(m, m\); got shape \(2, 3\)"):
        nk.inverse_root(np.zeros((2, 3)))
    noisy = np.eye(3) + 1e-16 * np.arange(9).reshape(3, 3)
    np.testing.assert_allclose(nk.matrix_sign(noisy), np.eye(3), atol=1e-14)


@pytest.mark.parametrize("power", [2, 4])
@pytest.mark.parametrize("condition", [1.0, 1e4, 1e12])
def test_inverse_roots_invert(power, condition):
    values = np.geomspace(1, 1 / condition, 30)
    Q, P = symmetric(values)
    for scale in (1.0, 1e-300, 1e300):
        X = nk.inverse_root(P * scale, power)
        root = (Q * (values * scale) ** (1 / power)) @ Q.T
        assert np.linalg.norm(X @ root - np.eye(30), 2) < 1e-14 * max(condition, 10.0) and np.array_equal(X, X.T)


def test_inverse_root_to_many_digits():
    P = [[2.0, 1.0, 0.5], [1.0, 3.0, -0.25], [0.5, -0.25, 1.5]]
    for power in (2, 4):
        found = nk.inverse_root(P, power, ridge=0.125)
        with mpmath.workdps(40):
            values, vectors = mpmath.eigsy(mpmath.matrix(P) + mpmath.eye(3) / 8)
            root = vectors * mpmath.diag([v ** (-mpmath.mpf(1) / power) for v in values]) * vectors.T
        np.testing.assert_allclose(found, np.array(root.tolist(), dtype=float), rtol=1e-14, atol=1e-15)


def test_inverse_root_on_the_range():
    G = np.random.default_rng(3).standard_normal((20, 6))
    values, vectors = np.linalg.eigh(G.T @ G)
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-4)):
        X = nk.inverse_root((G @ G.T).astype(dtype))
        range_ = G @ vectors / np.sqrt(values)
        assert X.dtype == dtype and close(X, (range_ / np.sqrt(values)) @ range_.T, tolerance)
    assert not nk.inverse_root(np.zeros((2, 3, 3))).any()
    np.testing.assert_allclose(nk.inverse_root(np.zeros((3, 3)), 4, ridge=16.0), np.eye(3) / 2)
    np.testing.assert_allclose(nk.inverse_root(np.diag([1.0, 0.5]), rank_tol=0.6), np.diag([1.0, 0.0]))


def test_indefinite_matrices_are_refused():
    with pytest.raises(ParameterError, match=r"the eigenvalues go from -2 to 3\. A ridge above 2 "):
        nk.inverse_root(np.diag([3.0, -2.0]))
    nk.inverse_root(np.diag([3.0, -2.0]), ridge=2.5)
    with pytest.raises(ParameterError, match="from -1 to -1"):
        nk.inverse_root([[-1.0]])
    for wrong in ({"power": 3}, {"ridge": -1.0}, {"rank_tol": 2.0}):
        with pytest.raises(ParameterError):
            nk.inverse_root(np.eye(2), **wrong)
    with pytest.raises(NonFiniteError, match="overflows float16"):
        nk.inverse_root(np.zeros((1, 1), np.float16), ridge=1e-12)


# --- functions of singular values ---


def mapped(U, sigma, Vt, f):
    return (U * np.where(sigma > 0, f(sigma), 0.0)) @ Vt


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("shape", SHAPES)
def test_functions_of_known_singular_values(shape, name):
    U, sigma, Vt = draw(SPECTRA[name](min(shape)), shape)
    G = (U * sigma) @ Vt
    for scale in (1.0, 2.0**-990, 2.0**990):
        X = G * scale
        before = X.copy()
        cases = [
            (nk.spectral_hardcap(X, 0.3 * scale), lambda s: np.minimum(s, 0.3)),
            (nk.spectral_relu(X, 0.3 * scale), lambda s: np.maximum(s - 0.3, 0.0)),
            (nk.spectral_clip(X, 0.0, 0.5 * scale), lambda s: np.minimum(s, 0.5)),
        ]
        for found, f in cases:
            assert np.linalg.norm(found / scale - mapped(U, sigma, Vt, f), 2) < 1e-14
        np.testing.assert_array_equal(X, before)
    if name != "log12":  # lifting a direction of 1e-12 amplifies the rounding of G
        found = nk.spectral_clip(G, 0.2, 0.5)
        assert np.linalg.norm(found - mapped(U, sigma, Vt, lambda s: np.clip(s, 0.2, 0.5)), 2) < 1e-12


@pytest.mark.parametrize("shape", [(80, 300), (300, 80)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_by_the_gram_matrix(shape, dtype):
    U, sigma, Vt = draw(np.geomspace(1, 1e-4, 80), shape)
    G = ((U * sigma) @ Vt).astype(dtype)
    eps = float(np.finfo(dtype).eps)
    assert functions._by_gram(G.astype(float), eps, lambda s: np.minimum(s, 0.5), 0.5) is not None
    assert (functions._by_gram(G.astype(float), eps, lambda s: np.clip(s, 0.1, 1), 0.0) is None) == (eps < 1e-10)
    for found, f in [
        (nk.spectral_hardcap(G, 0.5), lambda s: np.minimum(s, 0.5)),
        (nk.spectral_hardcap(G, 1e-3), lambda s: np.minimum(s, 1e-3)),
        (nk.spectral_relu(G, 0.5), lambda s: np.maximum(s - 0.5, 0.0)),
    ]:
        assert found.dtype == dtype and close(found, mapped(U, sigma, Vt, f), 100 * eps / f(1.0))
    assert close(nk.spectral_clip(G, 0.1, 0.5), mapped(U, sigma, Vt, lambda s: np.clip(s, 0.1, 0.5)), 1e4 * eps)


def test_hardcap_by_a_polar_factor_and_a_sign():
    """min(s, c) = (s + c - |s - c|) / 2: G = U H gives (G + c U - U |H - c I|) / 2, |A| = A sign(A)."""
    G, c = np.random.default_rng(1).standard_normal((30, 20)), 4.0
    T = nk.whiten(G)
    H = (T.T @ G + G.T @ T) / 2
    apart = H - c * np.eye(20)
    capped = (G + c * T - T @ (apart @ nk.matrix_sign(apart))) / 2
    np.testing.assert_allclose(nk.spectral_hardcap(G, c), capped, atol=1e-13)
    np.testing.assert_allclose(nk.spectral_relu(G, c), G - capped, atol=1e-13)


def test_directions_that_are_not_known_are_not_lifted():
    G = np.diag([1.0, 1e-20, 0.0])
    np.testing.assert_allclose(nk.spectral_clip(G, 0.5, 2.0), np.diag([1.0, 0.0, 0.0]), atol=1e-16)
    np.testing.assert_allclose(nk.spectral_clip(G * 2.0**-1000, 1.0, np.inf), np.diag([1.0, 0.0, 0.0]), atol=1e-16)
    found = nk.spectral_clip(G * 2.0**-1060, 2.0**500, np.inf)
    np.testing.assert_allclose(found, np.diag([2.0**500, 0.0, 0.0]), rtol=1e-15)
    for wrong in ((2.0, 1.0), (-1.0, 1.0), (np.nan, 1.0), (np.inf, np.inf)):
        with pytest.raises(ParameterError):
            nk.spectral_clip(G, *wrong)
    np.testing.assert_allclose(nk.spectral_hardcap(G, np.inf), G, atol=1e-16)


# --- leading pairs ---


def assert_pairs(G, pairs, k, tol=1e-6):
    true = np.linalg.svd(G.astype(float), compute_uv=False)[:k]
    assert np.all(np.abs(pairs.sigma - true) <= pairs.bound + 1e-14 * true[0])
    assert pairs.certified and pairs.bound <= tol * max(pairs.sigma[0], 1e-300)
    eps = np.finfo(pairs.left.dtype).eps
    for vectors in (pairs.left, pairs.right):
        assert np.allclose(vectors.T @ vectors, np.eye(k), atol=20 * k * eps)
    apart = np.linalg.norm(G @ pairs.right - pairs.left * pairs.sigma, axis=0)
    assert np.all(apart <= pairs.residual + 100 * eps * true[0])
    assert np.all(pairs.residual <= tol * true[0])


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("shape", SHAPES)
def test_leading_pairs_of_known_spectra(shape, name):
    U, sigma, Vt = draw(SPECTRA[name](min(shape)), shape)
    for k in {1, min(3, min(shape))}:
        assert_pairs((U * sigma) @ Vt, nk.leading_pairs((U * sigma) @ Vt, k), k)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_leading_pairs_by_every_method(dtype):
    sigma = 1.0 / np.arange(1, 201)
    U, _, Vt = draw(sigma, (200, 320))
    power, tied = (U * sigma) @ Vt, (U * np.r_[1.0, np.full(199, 0.5)]) @ Vt
    gauss = np.random.default_rng(7).standard_normal((200, 240))
    for G, k, method in ((power, 2, "krylov"), (gauss.T, 2, "gram"), (tied, 3, "svd")):
        assert leading.leading(G / 8, k, 1e-6).method == method
        assert_pairs(G.astype(dtype), nk.leading_pairs(G.astype(dtype), k), k)


def test_a_missed_pair_is_not_certified():
    U, sigma, Vt = draw(np.array([1.0, 0.9, 0.5, 0.1]), (4, 6))
    G, some = (U * sigma) @ Vt, [0, 2]
    assert leading._proved(G, U[:, :2], sigma[:2], Vt[:2].T, 1e-6, "").bound < 1e-6
    assert leading._proved(G, U[:, some], sigma[some], Vt[some].T, 1e-6, "").bound >= 0.4
    wrong = sigma[:2] + 1e-3
    assert leading._proved(G, U[:, :2], wrong, Vt[:2].T, 1e-6, "").bound >= 1e-3
    twice = [0, 0]
    assert leading._proved(G, U[:, twice], sigma[twice], Vt[twice].T, 1e-6, "").bound >= 0.1
    assert not nk.leading_pairs(G, 2, tol=1e-17).certified


# --- the map of the nuclear norm, by its first pair ---


@pytest.mark.parametrize("shape", [(70, 300), (300, 70)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("spec", "k"), [("nuclear", 1), ("lift(ksupport(3))", 3), ("dual(kyfan(2))", 2)])
def test_maps_of_few_pairs(spec, k, dtype, shape, monkeypatch):
    U, sigma, Vt = draw(np.linspace(1, 0.1, 70), shape)
    G = ((U * sigma) @ Vt).astype(dtype)
    weights = {"nuclear": np.ones(1), "dual(kyfan(2))": np.ones(2)}.get(spec, sigma[:k] / np.linalg.norm(sigma[:k]))
    T, value = nk.compile(spec, backend="cpu").with_value(G)
    assert close(T, (U[:, :k] * weights) @ Vt[:k], 500 * np.finfo(dtype).eps)
    assert value == pytest.approx(weights @ sigma[:k], rel=10 * float(np.finfo(dtype).eps))
    assert direct.leading(G, k) is not None
    monkeypatch.setattr(direct, "FEW", 10**6)
    np.testing.assert_allclose(nk.dualize(spec, G, backend="cpu"), T, atol=500 * np.finfo(dtype).eps)


def test_ties_are_left_to_the_svd():
    U, _, Vt = draw(np.ones(70), (70, 300))
    for sigma in (np.r_[1.0, 1.0, np.full(68, 0.5)], np.r_[1.0, 1.0 - 1e-8, np.full(68, 0.5)], np.zeros(70)):
        G = (U * sigma) @ Vt
        assert direct.leading(G, 1) is None
        T = nk.dualize("nuclear", G, backend="cpu")
        assert np.vdot(G, T) == pytest.approx(sigma[0], rel=1e-13)
    small = np.r_[1.0, 0.1, np.zeros(68)]
    assert direct.leading((U * small) @ Vt, 2) is None


# --- whitening ---


@pytest.mark.parametrize("side", ["auto", "left", "right"])
@pytest.mark.parametrize("shape", SHAPES)
def test_whitening_is_the_polar_factor_on_the_range(shape, side):
    for sigma in (np.geomspace(1, 1e-3, min(shape)), np.r_[1.0, np.full(min(shape) - 1, 1e-9)]):
        U, _, Vt = draw(sigma, shape)
        real = sigma > 1e-7
        found = nk.whiten((U * sigma) @ Vt * 1e-200, side=side)
        assert np.linalg.norm(found - U[:, real] @ Vt[real], 2) < 1e-8
    assert not nk.whiten(np.zeros(shape), side=side).any()


def test_whitening_cuts_where_it_is_told(monkeypatch):
    np.testing.assert_allclose(nk.whiten(np.diag([1.0, 0.5, 0.1]), rank_tol=0.2), np.diag([1.0, 1.0, 0.0]))
    shapes = []
    monkeypatch.setattr(np.linalg, "eigh", lambda A, found=np.linalg.eigh: shapes.append(A.shape) or found(A))
    for side in ("auto", "left", "right"):
        nk.whiten(np.eye(2, 3), side=side)
    assert shapes == [(2, 2), (2, 2), (3, 3)]
    with pytest.raises(ParameterError, match="side must be"):
        nk.whiten(np.eye(2), side="both")


# --- what all of them do with arrays ---

CALLS = {
    "matrix_sign": lambda X, **options: nk.matrix_sign(X, **options),
    "inverse_root": lambda X, **options: nk.inverse_root(X, **options),
    "spectral_clip": lambda X, **options: nk.spectral_clip(X, 0.5, 1.5, **options),
    "spectral_hardcap": lambda X, **options: nk.spectral_hardcap(X, 1.5, **options),
    "spectral_relu": lambda X, **options: nk.spectral_relu(X, 0.5, **options),
    "leading_pairs": lambda X, **options: nk.leading_pairs(X, 2, **options).left,
    "whiten": lambda X, **options: nk.whiten(X, **options),
}


@pytest.mark.parametrize("name", CALLS)
def test_batches_dtypes_and_bad_entries(name):
    call, rng = CALLS[name], np.random.default_rng(0)
    A = rng.standard_normal((2, 3, 4, 4))
    A = A @ A.swapaxes(-1, -2)
    A.flags.writeable = False
    made = call(A)
    assert made.shape[:3] == (2, 3, 4) and made.dtype == np.float64
    for place in np.ndindex(2, 3):
        np.testing.assert_array_equal(call(A[place]), made[place])
    for dtype in ("float16", "bfloat16", "float32"):
        kind = pytest.importorskip("ml_dtypes").bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
        given = (A + 8 * np.eye(4)).astype(kind)
        given = (given + given.swapaxes(-1, -2)) / kind(2) if dtype == "bfloat16" else given
        found = call(given)
        assert found.dtype == given.dtype
        wide = call(given.astype(np.float64))
        np.testing.assert_allclose(found.astype(float), wide, atol=0.1 if dtype == "bfloat16" else 2e-2)
    assert call(np.zeros((0, 4, 4))).shape[0] == 0
    bad = np.array(A)
    bad[1, 2, 0, 3] = np.nan
    with pytest.raises(NonFiniteError, match=r"\[1, 2, 0, 3\]"):
        call(bad)
    left = call(bad, nan_policy="propagate")
    assert np.isnan(left[1, 2]).all()
    np.testing.assert_array_equal(left[0], made[0])
    with pytest.raises(DTypeError):
        call(np.eye(3, dtype=int))
    with pytest.raises(ShapeError):
        call(np.ones(3))


def test_arrays_of_other_libraries():
    torch = pytest.importorskip("torch")
    X = torch.eye(3, dtype=torch.bfloat16) * 4
    assert torch.equal(nk.inverse_root(X), torch.eye(3, dtype=torch.bfloat16) / 2)
    assert isinstance(nk.leading_pairs(X.double(), 1).right, torch.Tensor)


def test_numbers_of_leading_pairs():
    with pytest.raises(ParameterError, match="k must be an integer from 1 to min"):
        nk.leading_pairs(np.eye(3), 4)
    made = nk.leading_pairs(np.full((2, 3, 5), np.nan), 2, nan_policy="propagate")
    assert np.isnan(made.sigma).all() and np.isnan(made.bound).all() and not made.certified.any()
    made = nk.leading_pairs(2.0**900 * np.eye(3, 5), 3)
    np.testing.assert_allclose(made.sigma, 2.0**900)
