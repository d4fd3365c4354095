"""Relatives of the polar factor: sign, inverse roots, functions of singular values, leading pairs, whitening."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from normkit.arrays import Array, Batch, NanPolicy, as_array, batch, check_finite, check_policy, own_type
from normkit.backends.cpu.scaling import normalized
from normkit.backends.precision import eps_of, rank_tolerance
from normkit.errors import NonFiniteError, ParameterError, ShapeError

Floats = NDArray[np.float64]
FAR = 40
"""2**FAR is more than any singular value of a matrix whose entries are below 1."""


# --- matrices in and out -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Matrices:
    """Matrices of a call: `work` (B, m, n) is them times 2**-e with entries near 1, 0 where one is not finite."""

    given: Any
    dtype: np.dtype[Any]
    items: Batch
    work: Array
    e: NDArray[np.int64]
    bad: NDArray[np.bool_]

    @property
    def eps(self) -> float:
        return eps_of(self.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.work.shape[1:]

    def back(self, made: Array, e: Any) -> Any:
        """Return made * 2**e, a result for every item, in the caller's type; NaN for items that are not finite."""
        with np.errstate(all="ignore"):
            result = np.ldexp(made, np.asarray(e).reshape(-1, 1, 1)).astype(self.dtype)
        if not np.isfinite(result).all():
            raise NonFiniteError(f"the result overflows {self.dtype}; give the matrix in a wider type")
        result[self.bad] = np.nan
        return own_type(result.reshape(self.items.leading + result.shape[1:]), self.given)


def _matrices(x: Any, name: str, nan_policy: NanPolicy, *, step: int = 1, square: bool = False) -> _Matrices:
    """Take matrices in, as float64; exponents are multiples of `step`."""
    check_policy(nan_policy)
    array = as_array(x, "the matrix")
    items = batch(array, (None, None), name, "the matrix")
    if square and array.shape[-1] != array.shape[-2]:
        raise ShapeError(f"{name} needs a symmetric matrix (m, m); got shape {array.shape}")
    work, e, bad = normalized(items.items, np.dtype(np.float64), step)
    if nan_policy == "raise":
        check_finite(np.where(bad, np.nan, 0.0), items, "the matrix")
    dtype = x.dtype if isinstance(x, np.ndarray) else array.dtype
    return _Matrices(x, dtype, items, work, e, bad)


def _check_symmetric(made: _Matrices, name: str) -> None:
    from normkit.polar.relatives.roots import eigenvalue_tolerance
    from normkit.polar.relatives.sign import asymmetry

    apart, most = asymmetry(made.work), eigenvalue_tolerance(made.shape[0], made.eps)
    for place in np.flatnonzero(apart > most):
        raise ParameterError(
            f"{name} needs a symmetric matrix; {_item(made, place)}max|S - S'| is {apart[place]:.2g} of max|S|, "
            f"expected at most {most:.2g}. If S is symmetric but for noise, give (S + S') / 2"
        )


def _item(made: _Matrices, place: Any) -> str:
    where = np.unravel_index(int(place), made.items.leading) if made.items.leading else ()
    return f"at [{', '.join(str(int(i)) for i in where)}] " if where else ""


def _tolerance(rank_tol: float | None, default: float) -> float:
    if rank_tol is None:
        return default
    return _number(rank_tol, "rank_tol", 1.0)


def _number(value: float, what: str, most: float = float(np.finfo(np.float64).max)) -> float:
    if not (isinstance(value, int | float | np.number) and 0 <= float(value) <= most):
        upper = f" in [0, {most:g}]" if most <= 1 else " that is not negative"
        raise ParameterError(f"{what} must be a finite number{upper}; got {value!r}")
    return float(value)


# --- symmetric matrices ------------------------------------------------------------------------------------------


def matrix_sign(S: Any, *, nan_policy: NanPolicy = "raise") -> Any:
    """Q sign(Lambda) Q' of symmetric S = Q Lambda Q', which is the polar factor of S.

    Parameters
    ----------
    S : array_like (..., m, m)
        Symmetric matrices; leading axes are batch axes. Never mutated.
    nan_policy : {"raise", "propagate"}
        What a NaN or an infinity does: raise, or make that matrix's result NaN.

    Returns
    -------
    array of S's type and dtype
        Symmetric; eigenvalues -1, 1, and 0 where abs(lambda) <= sqrt(m) * eps * max abs(lambda), at most max / 32.

    Raises
    ------
    ParameterError
        If S is not symmetric, by how much.
    ShapeError, DTypeError, NonFiniteError
        If S does not fit.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.matrix_sign([[0.0, 2.0], [2.0, 0.0]])
    array([[0., 1.],
           [1., 0.]])
    """
    from normkit.polar.relatives.sign import sign, symmetric_part

    made = _matrices(S, "matrix_sign", nan_policy, square=True)
    _check_symmetric(made, "matrix_sign")
    wide = np.float64 if made.dtype.itemsize == 8 else np.float32
    return made.back(sign(symmetric_part(made.work).astype(wide), made.eps), np.zeros_like(made.e))


def inverse_root(
    P: Any,
    power: Literal[2, 4] = 2,
    *,
    ridge: float = 0.0,
    rank_tol: float | None = None,
    nan_policy: NanPolicy = "raise",
) -> Any:
    """(P + ridge I)^(-1/power) of symmetric positive semidefinite P: the pseudo-inverse's root on the range.

    Computed in float64 from eigenvalues. With X the result, ||X^power (P + ridge I) - I|| is of the order of
    2^-53 times the condition number, before X is rounded to the dtype.

    Parameters
    ----------
    P : array_like (..., m, m)
        Symmetric positive semidefinite matrices; leading axes are batch axes. Never mutated.
    power : 2 or 4
        Which root.
    ridge : float
        Added to every eigenvalue, in the units of P.
    rank_tol : float, optional
        Eigenvalues of P + ridge I at or below this share of the largest give 0; by default 8 sqrt(m) eps, at most 1/32.
    nan_policy : {"raise", "propagate"}
        As in `matrix_sign`.

    Returns
    -------
    array of P's type and dtype
        Symmetric; 0 for P = 0 without a ridge.

    Raises
    ------
    ParameterError
        If P is not symmetric, or P + ridge I has an eigenvalue that is negative beyond rounding: the message names it.
    ShapeError, DTypeError, NonFiniteError
        If P does not fit, or the result overflows its dtype.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.inverse_root([[4.0, 0.0], [0.0, 0.0]])
    array([[0.5, 0. ],
           [0. , 0. ]])
    """
    from normkit.polar.relatives.roots import eigenvalue_tolerance, inverse_root
    from normkit.polar.relatives.sign import symmetric_part

    if power not in (2, 4):
        raise ParameterError(f"power must be 2 or 4; got {power!r}")
    made = _matrices(P, "inverse_root", nan_policy, step=4, square=True)
    _check_symmetric(made, "inverse_root")
    noise = eigenvalue_tolerance(made.shape[0], made.eps)
    added = _ldexp(_number(ridge, "ridge"), -made.e)
    roots, values = inverse_root(symmetric_part(made.work), power, added, _tolerance(rank_tol, noise))
    for place in np.flatnonzero(values[:, 0] < -noise * np.abs(values).max(axis=1)):
        low, high = (float(_ldexp(values[place, i], made.e[place])) for i in (0, -1))
        raise ParameterError(
            f"inverse_root needs a positive semidefinite matrix; {_item(made, place)}the eigenvalues go from {low:.6g} "
            f"to {high:.6g}. A ridge above {-low:.3g} would make it one"
        )
    return made.back(roots, -made.e // power)


def _ldexp(x: Any, e: Any) -> Floats:
    with np.errstate(all="ignore"):
        return np.asarray(np.clip(np.ldexp(x, e), -(2.0**1000), 2.0**1000))


# --- functions of singular values --------------------------------------------------------------------------------


def spectral_clip(G: Any, low: float, high: float, *, nan_policy: NanPolicy = "raise") -> Any:
    """U min(max(Sigma, low), high) V' of G = U Sigma V'.

    A direction with sigma <= sqrt(max(m, n)) * eps * sigma_1 (at most sigma_1 / 32) is not known: where it would be
    lifted it gives 0, so that 0 stays 0.

    Parameters
    ----------
    G : array_like (..., m, n)
        Matrices; leading axes are batch axes. Never mutated.
    low, high : float
        0 <= low <= high; high may be infinite.
    nan_policy : {"raise", "propagate"}
        As in `matrix_sign`.

    Returns
    -------
    array of G's type and dtype

    Raises
    ------
    ParameterError
        If not 0 <= low <= high.
    ShapeError, DTypeError, NonFiniteError
        If G does not fit, or the result overflows its dtype.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.spectral_clip([[5.0, 0.0], [0.0, 0.5]], 1.0, 2.0)
    array([[2., 0.],
           [0., 1.]])
    """
    from normkit.polar.relatives.functions import clip

    low, high = _number(low, "low"), _number(high, "high", np.inf)
    if low > high:
        raise ParameterError(f"spectral_clip needs low <= high; got {low} and {high}")
    return _function(G, "spectral_clip", nan_policy, clip, low, high)


def spectral_hardcap(G: Any, cap: float, *, nan_policy: NanPolicy = "raise") -> Any:
    """U min(Sigma, cap) V' of G = U Sigma V': the projection to the ball of radius cap of the spectral norm.

    Parameters, result and errors as in `spectral_clip`.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.spectral_hardcap([[5.0, 0.0], [0.0, 0.5]], 1.0)
    array([[1. , 0. ],
           [0. , 0.5]])
    """
    from normkit.polar.relatives.functions import hardcap

    return _function(G, "spectral_hardcap", nan_policy, hardcap, _number(cap, "cap", np.inf))


def spectral_relu(G: Any, level: float, *, nan_policy: NanPolicy = "raise") -> Any:
    """U max(Sigma - level, 0) V' of G = U Sigma V': the proximal map of level times the nuclear norm.

    Parameters, result and errors as in `spectral_clip`.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.spectral_relu([[5.0, 0.0], [0.0, 0.5]], 1.0)
    array([[4., 0.],
           [0., 0.]])
    """
    from normkit.polar.relatives.functions import relu

    return _function(G, "spectral_relu", nan_policy, relu, _number(level, "level"))


def _function(G: Any, name: str, nan_policy: NanPolicy, function: Any, *levels: float) -> Any:
    made = _matrices(G, name, nan_policy)
    out, e = np.empty(made.work.shape), made.e
    if name == "spectral_clip" and levels[0] > 0:
        # A low level far above the matrix is the whole result: it sets the scale, and may not overflow.
        e = np.maximum(e, int(np.frexp(levels[0])[1]) - FAR)
    for shift in np.unique(e):
        some = e == shift
        with np.errstate(over="ignore"):
            near = [float(np.ldexp(level, -shift)) for level in levels]
        out[some] = function(made.work[some], made.eps, *near)
    return made.back(out, e)


# --- leading pairs, whitening ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LeadingPairs:
    """The k leading singular pairs of G, and what is proved of them.

    Attributes
    ----------
    left : array (..., m, k), of G's type and dtype
        Columns u_i.
    sigma : float64 array (..., k)
        Decreasing.
    right : array (..., n, k), of G's type and dtype
        Columns v_i.
    residual : float64 array (..., k)
        max(||G v_i - sigma_i u_i||, ||G' u_i - sigma_i v_i||) of the vectors before they were rounded to the dtype: a
        singular value of G lies within it.
    bound : float or float64 array (...)
        Proved, roundings included: the i-th largest singular value of G is within it of sigma_i, for every i <= k. So
        none was missed.
    certified : bool or array (...)
        Whether bound <= tol * sigma_1. If not, the pairs are those of a full SVD.

    Examples
    --------
    >>> import normkit as nk
    >>> p = nk.leading_pairs([[0.0, 3.0], [1.0, 0.0]], 1)
    >>> abs(p.left.T).round(12), abs(p.right.T).round(12), bool(p.residual[0] < 1e-12)
    (array([[1., 0.]]), array([[0., 1.]]), True)
    """

    left: Any
    sigma: Floats
    right: Any
    residual: Floats
    bound: Any
    certified: Any


def leading_pairs(G: Any, k: int, *, tol: float = 1e-6, nan_policy: NanPolicy = "raise") -> LeadingPairs:
    """The k leading singular triplets, G v_i = sigma_i u_i, with a proof that they are the leading ones.

    By block Lanczos from a seeded start, else by eigenvectors of the Gram matrix, else by an SVD: the first whose bound
    is proved to be at most tol * sigma_1. Of a tie, any vectors of its space are returned.

    Parameters
    ----------
    G : array_like (..., m, n)
        Matrices; leading axes are batch axes. Never mutated.
    k : int
        1 <= k <= min(m, n).
    tol : float
        Asked of the bound, relative to sigma_1. Below about 1e-10 roundings alone exceed it.
    nan_policy : {"raise", "propagate"}
        As in `matrix_sign`.

    Raises
    ------
    ParameterError
        If k or tol is out of range.
    ShapeError, DTypeError, NonFiniteError
        If G does not fit.

    Examples
    --------
    >>> import normkit as nk
    >>> p = nk.leading_pairs([[3.0, 0.0], [0.0, 1.0]], 1)
    >>> p.sigma.round(12), bool(p.bound < 3e-6), bool(p.certified)
    (array([3.]), True, True)
    """
    from normkit.polar.relatives.leading import leading

    made = _matrices(G, "leading_pairs", nan_policy)
    m, n = made.shape
    if not (isinstance(k, int | np.integer) and 1 <= k <= min(m, n)):
        raise ParameterError(f"k must be an integer from 1 to min(m, n) = {min(m, n)}; got {k!r}")
    asked = _number(tol, "tol", 1.0)
    count = len(made.work)
    left, right = np.empty((count, m, k)), np.empty((count, n, k))
    numbers = np.empty((count, 2 * k + 1))
    certified = np.empty(count, bool)
    for i, matrix in enumerate(made.work):
        found = leading(matrix, int(k), asked)
        left[i], right[i] = found.left, found.right
        numbers[i] = np.r_[found.sigma, found.residual, found.bound]
        certified[i] = found.bound <= asked * found.sigma[0] and not made.bad[i]
    numbers = _ldexp(numbers, made.e[:, None])
    numbers[made.bad] = np.nan
    still, lead = np.zeros_like(made.e), made.items.leading
    return LeadingPairs(
        left=made.back(left, still),
        sigma=numbers[:, :k].reshape(*lead, k),
        right=made.back(right, still),
        residual=numbers[:, k : 2 * k].reshape(*lead, k),
        bound=made.items.values(numbers[:, -1]),
        certified=certified.reshape(lead) if lead else bool(certified[0]),
    )


def whiten(
    G: Any,
    *,
    rank_tol: float | None = None,
    side: Literal["auto", "left", "right"] = "auto",
    nan_policy: NanPolicy = "raise",
) -> Any:
    """(G G')^(-1/2) G = G (G' G)^(-1/2), which is the polar factor on the numerical range, by a Gram matrix in float64.

    A Gram matrix squares the condition: the error is about 2^-53 (sigma_1 / sigma_r)^2, and singular values below about
    1e-7 sigma_1 are dropped whatever `rank_tol`. `nk.polar` has neither limit.

    Parameters
    ----------
    G : array_like (..., m, n)
        Matrices; leading axes are batch axes. Never mutated.
    rank_tol : float, optional
        Directions with sigma at or below this share of sigma_1 give 0; by default sqrt(max(m, n)) * eps, at most 1/32.
    side : "auto", "left" or "right"
        Which Gram matrix: G G' (m, m), G' G (n, n), or the smaller.
    nan_policy : {"raise", "propagate"}
        As in `matrix_sign`.

    Returns
    -------
    array of G's type and dtype

    Raises
    ------
    ParameterError
        If rank_tol or side is not one of these.
    ShapeError, DTypeError, NonFiniteError
        If G does not fit.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.whiten([[0.0, 5.0], [0.1, 0.0]]).round(12)
    array([[0., 1.],
           [1., 0.]])
    """
    from normkit.polar.relatives.whiten import whiten

    if side not in ("auto", "left", "right"):
        raise ParameterError(f"side must be 'auto', 'left' or 'right'; got {side!r}")
    made = _matrices(G, "whiten", nan_policy)
    tolerance = _tolerance(rank_tol, rank_tolerance(made.shape, made.eps))
    return made.back(whiten(made.work, tolerance, side), np.zeros_like(made.e))
