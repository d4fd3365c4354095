"""Bounds on nuclear and spectral norms against mpmath at 50 digits, exact rationals and float64 singular values."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from scipy.linalg import blas, expm

from normkit.errors import DTypeError, NonFiniteError, ShapeError
from normkit.polar import bounds
from normkit.polar.bounds import largest_eigenvalue_bound, nuclear_bounds, spectral_bound

SPECTRA = {
    "flat": lambda r: np.ones(r),
    "log2": lambda r: np.geomspace(1, 1e-2, r),
    "log12": lambda r: np.geomspace(1, 1e-12, r),
    "clusters": lambda r: np.where(np.arange(r) < r // 2 + 1, 1.0, 1e-3) * (1 + 1e-9 * np.arange(r)),
    "one tiny": lambda r: np.r_[np.ones(r - 1), 1e-12],
    "rank 1": lambda r: np.r_[1.0, np.zeros(r - 1)],
    "rank half": lambda r: np.where(np.arange(r) < r // 2 + 1, 1.0, 0.0),
}
SMALL = [(1, 7), (7, 1), (1, 1), (4, 4), (3, 8), (8, 3), (8, 8)]
LARGE = [(40, 40), (24, 300), (300, 24)]


def orthonormal(rng, rows, columns):
    return np.linalg.qr(rng.standard_normal((rows, columns)))[0]


def draw(name, shape, seed=0):
    """Return G and its polar factor, of the directions that are not 0."""
    rng = np.random.default_rng(seed)
    r = min(shape)
    if name == "gauss":
        left, s, right = np.linalg.svd(rng.standard_normal(shape), full_matrices=False)
    else:
        left, s, right = orthonormal(rng, shape[0], r), SPECTRA[name](r), orthonormal(rng, shape[1], r).T
    real = s > 0
    return (left * s) @ right, left[:, real] @ right[real]


def rotation(size, angle, seed=1):
    skew = np.random.default_rng(seed).standard_normal((size, size))
    skew -= skew.T
    return expm(angle * skew / max(np.linalg.norm(skew, 2), 1e-300))


def newton_schulz(G, triples):
    X = G / (np.linalg.norm(G) or 1.0)
    for a, b, c in triples:
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X


def candidates(G, T):
    """Yield candidates near the polar factor T of G, loose ones, and ones that have nothing to do with it."""
    yield T
    for angle in (1e-1, 1e-3, 1e-5, 1e-8):
        yield rotation(len(G), angle) @ T
    yield newton_schulz(G, [(3.4445, -4.7750, 2.0315)] * 5)
    yield newton_schulz(G, [(1.5, -0.5, 0.0)] * 5)
    yield T.astype(np.float32).astype(np.float64)
    yield -T
    yield G
    yield np.random.default_rng(5).standard_normal(G.shape)
    yield np.zeros_like(G)
    yield np.eye(*G.shape)


def exact_singular_values(A):
    """Return the singular values at 50 digits."""
    with mpmath.workdps(50):
        wide = A if A.shape[0] <= A.shape[1] else A.T
        return mpmath.svd_r(mpmath.matrix(wide.astype(np.float64).tolist()), compute_uv=False)


def exact_pairing(G, T):
    return sum(Fraction(float(g)) * Fraction(float(t)) for g, t in zip(G.flat, T.flat, strict=True))


def check_exactly(G, T, found, nuclear=None):
    """Check every promise with 50 digits; nothing is forgiven."""
    with mpmath.workdps(50):
        values = exact_singular_values(G)
        nuclear, largest = mpmath.fsum(values), max(exact_singular_values(T))
        tiny = mpmath.mpf(10) ** -40 * nuclear
        assert found.lower <= nuclear + tiny
        assert nuclear <= found.upper + tiny
        assert largest <= found.spectral * (1 + mpmath.mpf(10) ** -40)
        if largest:
            pairing = exact_pairing(G, T)
            assert found.lower <= max(0, mpmath.mpf(pairing.numerator) / pairing.denominator / largest) + tiny
    assert 0 <= found.gap <= 1


@pytest.mark.parametrize("shape", SMALL)
@pytest.mark.parametrize("name", ["gauss", *SPECTRA])
def test_bounds_hold_at_50_digits(name, shape):
    G, T = draw(name, shape)
    for candidate in candidates(G, T):
        check_exactly(G, candidate, nuclear_bounds(G, candidate))


@pytest.mark.parametrize("shape", LARGE)
@pytest.mark.parametrize("name", ["gauss", *SPECTRA])
def test_bounds_hold_for_larger_matrices(name, shape):
    G, T = draw(name, shape)
    s = np.linalg.svd(G, compute_uv=False)
    slack = 1e-13 * s.sum()
    for candidate in candidates(G, T):
        found = nuclear_bounds(G, candidate)
        largest = np.linalg.norm(candidate, 2)
        assert found.lower - slack <= s.sum() <= found.upper + slack
        assert largest * (1 - 1e-13) <= found.spectral <= max(1.01 * largest, 0)
        assert found.pairing == pytest.approx(np.sum(G * candidate), abs=1e-13 * s.sum() * (1 + largest))
        assert found.lower == pytest.approx(max(0, np.sum(G * candidate) / (largest or 1)), rel=0.01, abs=slack)
        assert found.gap == pytest.approx(1 - found.lower / found.upper, abs=1e-15)


@pytest.mark.parametrize("shape", LARGE)
@pytest.mark.parametrize("name", ["gauss", *SPECTRA])
def test_the_polar_factor_leaves_no_gap(name, shape):
    """Rank deficiency and singular values of 1e-12 cost nothing; 1e-12 is the count of roundings, not the error."""
    G, T = draw(name, shape)
    found = nuclear_bounds(G, T)
    assert found.gap <= 1e-12
    assert found.spectral - 1 <= 1e-12
    assert found.rank == round(np.sum(T * T))
    assert found.orthogonality <= 1e-14


def test_a_larger_matrix_leaves_little_gap():
    G, T = draw("gauss", (256, 256))
    found = nuclear_bounds(G, T)
    assert found.gap <= 4e-12
    assert found.spectral - 1 <= 4e-12


@pytest.mark.parametrize(("name", "constant"), [("gauss", 0.3), ("log2", 1.0)])
@pytest.mark.parametrize("angle", [1e-1, 1e-2, 1e-3, 1e-4, 1e-5])
def test_a_rotation_enters_the_upper_bound_squared(name, constant, angle):
    G, T = draw(name, (40, 90))
    found = nuclear_bounds(G, rotation(40, angle) @ T)
    assert found.upper / np.linalg.norm(G, "nuc") - 1 <= constant * angle**2 + 1e-12


@pytest.mark.parametrize("name", ["log12", "one tiny", "rank 1", "rank half"])
@pytest.mark.parametrize("angle", [1e-1, 1e-3, 1e-5, 1e-8])
def test_directions_below_the_error_cost_no_more_than_twice_the_error(name, angle):
    G, T = draw(name, (40, 90))
    found = nuclear_bounds(G, rotation(40, angle) @ T)
    assert found.upper / np.linalg.norm(G, "nuc") - 1 <= 2 * angle + 1e-12


def test_a_loose_factor_gives_a_close_upper_bound():
    """Singular values in [0.7, 1.2]: Kantorovich's 1.0367 at worst, where a first-order remainder gives 1.3."""
    rng = np.random.default_rng(0)
    left, right = orthonormal(rng, 60, 60), orthonormal(rng, 100, 60).T
    s, t = rng.uniform(0.1, 1, 60), rng.uniform(0.7, 1.2, 60)
    G, T = (left * s) @ right, (left * t) @ right
    found = nuclear_bounds(G, T)
    assert s.sum() <= found.upper <= np.sqrt((s @ t) * (s @ (1 / t))) * (1 + 1e-11) <= 1.0367 * s.sum()
    assert t.max() <= found.spectral <= 1.01 * t.max()
    assert found.rank == 60
    assert found.orthogonality == pytest.approx(np.linalg.norm(t**2 - 1) / np.sqrt(60))


@pytest.mark.parametrize("name", ["gauss", "log2", "rank half"])
def test_five_newton_schulz_steps(name):
    G, _ = draw(name, (48, 96))
    found = nuclear_bounds(G, newton_schulz(G, [(3.4445, -4.7750, 2.0315)] * 5))
    assert 1 - 1e-13 <= found.upper / np.linalg.norm(G, "nuc") <= 1.03


def test_unrelated_candidates_fall_back_to_sums_of_rows_or_columns():
    rng = np.random.default_rng(0)
    G = rng.standard_normal((12, 30))
    rows = np.linalg.norm(G, axis=1).sum()
    for T in (np.zeros_like(G), -G, rng.standard_normal(G.shape)):
        assert nuclear_bounds(G, T).upper <= rows * (1 + 1e-12)
    column = np.zeros((5, 9))
    column[:, 3] = 1.0
    assert nuclear_bounds(column, np.zeros((5, 9))).upper == pytest.approx(math.sqrt(5))


def test_zero():
    for T in (np.zeros((3, 5)), np.eye(3, 5)):
        found = nuclear_bounds(np.zeros((3, 5)), T)
        assert (found.pairing, found.lower, found.upper, found.gap) == (0.0, 0.0, 0.0, 0.0)
    assert (found.rank, found.orthogonality) == (3, 0.0)
    found = nuclear_bounds(np.eye(3, 5), np.zeros((3, 5)))
    assert (found.pairing, found.spectral, found.lower, found.gap, found.rank) == (0.0, 0.0, 0.0, 1.0, 0)
    assert found.orthogonality == 0.0
    assert 3 <= found.upper <= 3 * (1 + 1e-12)
    assert spectral_bound(np.zeros((4, 2))) == 0.0


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0)])
def test_empty_matrices(shape):
    found = nuclear_bounds(np.zeros(shape), np.zeros(shape))
    assert (found.lower, found.upper, found.gap, found.rank) == (0.0, 0.0, 0.0, 0)
    assert spectral_bound(np.zeros(shape)) == 0.0
    assert nuclear_bounds(np.zeros((0, *shape)), np.zeros((0, *shape))).upper.shape == (0,)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e-30, 1e30, 1e160, 1e300])
def test_scales_over_the_range_of_float64(scale):
    G, T = draw("log2", (6, 9))
    plain, found = nuclear_bounds(G, T), nuclear_bounds(G * scale, T)
    assert found.gap == pytest.approx(plain.gap, abs=1e-13)
    assert found.upper == pytest.approx(plain.upper * scale, rel=1e-12)
    assert (found.rank, found.spectral) == (plain.rank, plain.spectral)
    check_exactly(G * scale, T, found)
    # the candidate's scale cancels in the lower bound
    other = nuclear_bounds(G, T * scale)
    assert other.lower == pytest.approx(plain.lower, rel=1e-12)
    assert other.upper == pytest.approx(plain.upper, rel=1e-12)
    assert other.spectral == pytest.approx(scale, rel=1e-12)
    assert other.rank == (6 if scale > 1 else 0)
    assert spectral_bound(G * scale) == pytest.approx(scale, rel=0.01)


def test_entries_of_extreme_sizes_in_one_matrix():
    G = np.diag([1e300, 1.0, 1e-300, 5e-324]) @ rotation(4, 0.3)
    for T in (rotation(4, 0.3), np.eye(4), np.diag([1e-300, 1.0, 1e300, 1.0])):
        check_exactly(G, T, nuclear_bounds(G, T))
    largest = np.finfo(np.float64).max
    found = nuclear_bounds(np.full((4, 4), largest), np.full((4, 4), 0.25))
    assert found.lower == largest
    assert found.upper == np.inf
    assert found.gap <= 1e-12
    subnormal = nuclear_bounds(np.full((1, 2), 5e-324), np.full((1, 2), 1.0))
    assert subnormal.lower <= 5e-324 * math.sqrt(2)
    assert subnormal.upper >= 1e-323


def test_float32_is_computed_in_float64():
    G, T = (A.astype(np.float32) for A in draw("gauss", (30, 50)))
    found, wide = nuclear_bounds(G, T), nuclear_bounds(G.astype(np.float64), T.astype(np.float64))
    assert found == wide
    assert found.gap <= 1e-6
    assert isinstance(found.upper, float)


def test_a_batch_is_its_items():
    pairs = [draw(name, (5, 8)) for name in ("gauss", "log12", "rank half")]
    G, T = (np.stack(part) for part in zip(*pairs, strict=True))
    found = nuclear_bounds(G, T)
    for i, (g, t) in enumerate(pairs):
        one = nuclear_bounds(g, t)
        for name in vars(one):
            assert getattr(found, name)[i] == getattr(one, name)
    assert found.rank.dtype == np.int64
    assert found.rank.tolist() == [5, 5, 3]


def test_layouts_are_accepted_and_left_alone():
    G, T = draw("gauss", (9, 20))
    expected = nuclear_bounds(G, T)
    for view in (np.asfortranarray, lambda A: np.repeat(np.repeat(A, 2, 0), 3, 1)[::2, ::3], lambda A: A[::-1][::-1]):
        g, t = view(G), view(T)
        g.flags.writeable = t.flags.writeable = False
        assert nuclear_bounds(g, t) == expected
        assert spectral_bound(g) == spectral_bound(G)
        np.testing.assert_array_equal(g, G)
    turned = nuclear_bounds(G.T, T.T)
    assert turned == expected


@pytest.mark.parametrize("shape", [*SMALL, *LARGE, (200, 200)])
@pytest.mark.parametrize("name", ["gauss", *SPECTRA])
def test_spectral_bound(name, shape):
    X = draw(name, shape)[0] * 3.7
    found = spectral_bound(X)
    if max(shape) <= 8:
        assert max(exact_singular_values(X)) <= found
    assert np.linalg.norm(X, 2) * (1 - 1e-14) <= found <= 1.01 * np.linalg.norm(X, 2)
    assert isinstance(found, float)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_spectral_bound_when_the_estimate_is_deceived(dtype, monkeypatch):
    """The proof does not depend on the estimate: one that misses the largest direction only loosens the bound."""
    X = np.diag(np.r_[3.0, np.linspace(1, 2, 49)]).astype(dtype)
    for least, most, residual in ((1.0, 1.5, 0.0), (0.0, 0.0, 0.0), (4.0, 4.0, 1e-30), (9.0, 9.0, 0.0)):
        monkeypatch.setattr(bounds, "_lanczos", lambda A, answer=(least / 16, most / 16, residual): answer)
        assert 3.0 <= spectral_bound(X) <= 3 * 50**0.5


def test_eigenvalue_bound_of_indefinite_matrices():
    rng = np.random.default_rng(0)
    for size in (1, 2, 5, 60):
        Q = orthonormal(rng, size, size)
        for values in (rng.uniform(-1, 1, size), -rng.uniform(0.5, 1, size), np.full(size, 0.3)):
            A = (Q * values) @ Q.T
            A = (A + A.T) / 2
            most = np.linalg.eigvalsh(A)[-1]
            assert most - 1e-14 <= largest_eigenvalue_bound(A) <= most + 0.02 * np.ptp(values) + 1e-11


def test_errors():
    good = np.eye(3)
    with pytest.raises(ShapeError, match=r"one shape.*\(3, 3\) and \(2, 3\)"):
        nuclear_bounds(good, good[:2])
    with pytest.raises(ShapeError, match=r"got \(3,\)"):
        nuclear_bounds(good[0], good[0])
    with pytest.raises(ShapeError, match=r"a matrix \(m, n\)"):
        spectral_bound(good[None])
    with pytest.raises(DTypeError, match="float16"):
        nuclear_bounds(good.astype(np.float16), good)
    with pytest.raises(DTypeError, match="int"):
        spectral_bound(good.astype(int))
    for bad in (np.nan, np.inf, -np.inf):
        wrong = good.copy()
        wrong[1, 2] = bad
        with pytest.raises(NonFiniteError, match=r"T holds -?(nan|inf) at index \(1, 2\)"):
            nuclear_bounds(good, wrong)
        with pytest.raises(NonFiniteError, match=r"G\[1\] holds"):
            nuclear_bounds(np.stack([good, wrong]), np.stack([good, good]))
        with pytest.raises(NonFiniteError):
            spectral_bound(wrong)


def test_the_triangular_solve_is_not_trusted(monkeypatch):
    """A wrong solution makes the bound looser, never wrong."""
    G, T = draw("gauss", (20, 40))
    solve = blas.dtrsm
    for fault in (0.0, 0.5, 1.01):
        monkeypatch.setattr(blas, "dtrsm", lambda *args, fault=fault, **options: fault * solve(*args, **options))
        found = nuclear_bounds(G, T)
        assert found.upper >= np.linalg.norm(G, "nuc")


@pytest.mark.parametrize("long", [2000, 40000])
def test_worst_rounding_is_covered(long):
    """One large entry, then many whose squares are all rounded down: the norm of the row is known exactly."""
    row = np.full(long, 1 + 2.0**-27)
    row[0] = 2.0**26
    exact_square = Fraction(2) ** 52 + (long - 1) * Fraction(1 + 2.0**-27) ** 2
    for X in (row[None], row[:, None]):
        found = nuclear_bounds(X, X)
        assert Fraction(found.spectral) ** 2 >= exact_square
        assert Fraction(spectral_bound(X)) ** 2 >= exact_square
        assert Fraction(found.upper) ** 2 >= exact_square
        assert Fraction(found.lower) ** 2 <= exact_square
        assert found.gap <= 1e-12


def rounded_worst(monkeypatch, sign):
    """Let sums of products be off by as much as k roundings allow; sums of squares for the Gram matrix downwards."""
    einsum, syrk = np.einsum, blas.dsyrk

    def off(formula, a, b):
        length = a.shape[1 if formula.endswith("i") else 0]
        return einsum(formula, a, b) + sign * length * 2.0**-53 * einsum(formula, np.abs(a), np.abs(b))

    def lowered(alpha, a, **options):
        return syrk(alpha, a, **options) * (1 - len(a) * 2.0**-53)

    monkeypatch.setattr(np, "einsum", off)
    monkeypatch.setattr(blas, "dsyrk", lowered)


@pytest.mark.parametrize("strips", [1, 4])
@pytest.mark.parametrize("sign", [1, -1])
def test_bounds_hold_for_the_worst_sums_of_products(monkeypatch, sign, strips):
    """Rounding in practice is far below what is allowed for; here it is not."""
    X = np.random.default_rng(0).uniform(0.5, 1, (1, bounds.STRIP * strips))
    square = sum(Fraction(float(x)) ** 2 for x in X.flat)
    rounded_worst(monkeypatch, sign)
    found = nuclear_bounds(X, X)
    assert Fraction(found.lower) ** 2 <= square
    assert Fraction(found.spectral) ** 2 >= square
    assert Fraction(found.upper) ** 2 >= square
    assert Fraction(spectral_bound(X)) ** 2 >= square


def test_the_lower_bound_is_attained_where_lengths_underflow(monkeypatch):
    G, T = np.zeros((2, bounds.STRIP)), np.zeros((2, bounds.STRIP))
    G[0, 0], G[1], T[1] = 1.0, 1e-200, 1.0
    exact = exact_pairing(G, T)
    rounded_worst(monkeypatch, 1)
    assert (Fraction(nuclear_bounds(G, T).lower)) ** 2 <= exact**2 / bounds.STRIP


def test_rounding_of_the_residual_is_counted(monkeypatch):
    """A solution that is too small, beside a product that is too large by as much as its roundings allow."""
    rng = np.random.default_rng(0)
    size = 40
    L, Y = np.asfortranarray(np.tril(rng.uniform(0.5, 1, (size, size)))), rng.uniform(0.5, 1, (size, 50))
    G = L @ Y
    share = 0.98 * size * 2.0**-53
    solve, times, solutions = blas.dtrsm, blas.dtrmm, []

    def short(*args, **options):
        solutions.append(solve(*args, **options) * (1 - share))
        return solutions[-1]

    monkeypatch.setattr(blas, "dtrsm", short)
    monkeypatch.setattr(blas, "dtrmm", lambda *args, **options: times(*args, **options) * (1 + share))
    scaled = bounds._scaled(G, "G")
    found = bounds._factored(scaled, L, np.arange(size))
    wide = np.longdouble
    solved = solutions[0].T.astype(wide)
    rest = np.ldexp(G.astype(wide), -scaled.exponent) - L.astype(wide) @ solved
    products = np.sqrt((L.astype(wide) ** 2).sum(axis=0)) @ np.sqrt((solved**2).sum(axis=1))
    assert found * (1 + 2.0**-52 * size) >= products + np.sqrt((rest**2).sum(axis=1)).sum()


def test_the_error_of_the_factorization_is_counted(monkeypatch):
    """A factorization that succeeds for a matrix with an eigenvalue as negative as its rounding errors allow."""
    size = 40
    A = np.diag(np.r_[1.0, np.full(size - 1, 0.5)])
    allowed = (size + 1) * 2.0**-53

    def lenient(C, lower):
        return C, int(np.linalg.eigvalsh(C)[0] < -allowed * np.trace(C))

    beta = 1 - 0.9 * allowed * size / 2
    most = beta / (1 + 16 * size * 2.0**-53)
    monkeypatch.setattr(bounds.lapack, "dpotrf", lenient)
    monkeypatch.setattr(bounds, "_lanczos", lambda A: (0.5, most, 0.0))
    assert 1 <= largest_eigenvalue_bound(A) <= 1 + 1e-12


def test_factors_of_huge_entries_are_discarded(monkeypatch):
    G = np.diag([1.0, 2.0, 3.0])
    monkeypatch.setattr(bounds, "pivoted_factor", lambda product: (2.0**101 * np.eye(3), np.arange(3)))
    monkeypatch.setattr(bounds, "_factored", lambda *args: pytest.fail("a factor of huge entries is used"))
    assert 6 <= nuclear_bounds(G, np.eye(3)).upper <= 6 + 1e-12
