"""The orthogonal polar factor of arrays: `polar`, what it would do (`polar_plan`) and what it did (`polar_report`)."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from normkit import device_polar
from normkit.arrays import Array, Batch, NanPolicy, as_array, batch, check_finite, check_policy, own_type, result_array
from normkit.backends.precision import eps_of
from normkit.device import on_device
from normkit.errors import BackendError, DTypeError, ParameterError, ShapeError
from normkit.polar import core, planner
from normkit.polar.given import Given, given
from normkit.polar.task import NOTABLE, Outcome, Task, task

if TYPE_CHECKING:
    from normkit.polar.schedule import Schedule

WHAT = "polar"


def polar(
    G: Any,
    accuracy: float | None = None,
    method: str = "auto",
    *,
    steps: int | None = None,
    schedule: Schedule | str | None = None,
    rank_tol: float | None = None,
    precision: str | None = None,
    out: Array | None = None,
    nan_policy: NanPolicy = "raise",
) -> Any:
    r"""U_r V_r' of every matrix G = U diag(s) V': the nearest matrix with orthonormal rows or columns.

    Directions with s_i <= rank_tol * s_1 are dropped: T is a partial isometry, and polar(0) = 0. polar(c G) = polar(G)
    for every c > 0 in range.

    Parameters
    ----------
    G : array_like (..., m, n)
        Matrices of float16, bfloat16, float32 or float64; leading axes are batch axes. Never mutated.
    accuracy : float, optional
        What ``|T - U_r V_r'|_F / sqrt(r)`` may be, for every matrix: the spectrum is looked at, not assumed. Without
        it, working precision: 1e-6 for float32, a backward stable factorization for float64, and a hundredth of their
        roundoff for half precision. A truncated iteration leaves singular values on both sides of 1; see
        `polar_report`.
    method : str
        ``"auto"``, or one of ``ns`` (Newton-Schulz), ``gram`` (the same on the short side), ``qdwh``, ``zolo``,
        ``newton``, ``eigh``, ``svd``. Where an iteration cannot reach the accuracy, a factorization follows.
    steps : int, optional
        Take this many steps of Newton-Schulz, and promise nothing: of `schedule`, or of the best polynomials for
        singular values down to 1e-3 of the largest. Not together with `accuracy`.
    schedule : Schedule or str, optional
        A schedule of `polar_schedule`, or the name of a published one such as ``"muon5"``.
    rank_tol : float, optional
        ``sqrt(max(m, n)) * eps``, at most 1/32, if not given.
    precision : str, optional
        With ``steps`` or `schedule`: what products are made in, ``"bfloat16"``, ``"float32"`` or ``"float64"``.
        For matrices in the memory of a GPU also ``"float16"``, which is the default there; these are divided by their
        Frobenius norms first, others by a bound of the spectral norm.
    out : ndarray, optional
        Where to write; same shape and dtype as G. May overlap G.
    nan_policy : {"raise", "propagate"}
        What a NaN or an infinity does: raise `NonFiniteError`, or make that matrix NaN.

    Returns
    -------
    ndarray
        Shape and dtype of G; an array of another library in its own type.

    Raises
    ------
    ParameterError
        For an unknown method, or an accuracy that is not positive.
    UnsafeSchedule
        If the schedule is not safe in the precision, or shorter than ``steps``.
    ShapeError, DTypeError, NonFiniteError
        If G does not fit.

    Examples
    --------
    >>> import numpy as np, normkit as nk
    >>> T = nk.polar([[3.0, 0.0], [0.0, -4.0]])
    >>> np.round(T, 12) + 0.0
    array([[ 1.,  0.],
           [ 0., -1.]])
    """
    check_policy(nan_policy)
    if on_device(G):
        return device_polar.polar(G, accuracy, method, steps, schedule, rank_tol, precision, out, nan_policy)
    made = _run(G, accuracy, method, steps, schedule, rank_tol, precision, out, nan_policy, proved=False)
    return own_type(made.array, G)


@dataclass(frozen=True)
class PolarReport:
    """What `polar` did, and what is proved of the result; over a batch the numbers are arrays.

    Attributes
    ----------
    method, precision : str or tuple of str
        What served; of a batch, every kind that served some matrix.
    steps : int
        Of the iteration; of a batch, the most.
    flops, seconds : float
        Operations and time, of the whole batch.
    rank : int
        Singular values of T above 1/2.
    error : float
        What the method says of ``|T - U_r V_r'|_F / sqrt(r)``: a bound for iterations, rounding aside; the roundoff for
        factorizations; NaN for a fixed schedule.
    orthogonality : float
        ``|T T' - P|_F / sqrt(rank)`` on the short side, measured; P is the identity, or (T T')^2 below full rank.
    spectral : float
        Proved upper bound of the largest singular value of T. Above 1, T is outside the unit ball by that much.
    lower, upper : float
        Proved bounds of the nuclear norm: <G, T> / spectral, and one without an SVD (`normkit.polar.bounds`).
    gap : float
        1 - lower / upper: T / spectral falls short of the steepest direction by at most this.

    Examples
    --------
    >>> import normkit as nk
    >>> T, report = nk.polar_report([[3.0, 0.0], [0.0, -4.0]])
    >>> report.rank, report.gap < 1e-12
    (2, True)
    """

    method: Any
    precision: Any
    steps: int
    flops: float
    seconds: float
    rank: Any
    error: Any
    orthogonality: Any
    spectral: Any
    lower: Any
    upper: Any
    gap: Any

    def __str__(self) -> str:
        """Return a line for each number."""
        gflops = self.flops / max(self.seconds, 1e-12) / 1e9
        lines = [
            f"method         {self.method} in {self.precision}, {self.steps} steps",
            f"work           {self.flops:.3g} operations in {1e3 * self.seconds:.3g} ms ({gflops:.0f} GFLOP/s)",
            f"rank           {self.rank}",
            f"error          {self.error}",
            f"orthogonality  {self.orthogonality}",
            f"spectral norm  <= {self.spectral}",
            f"nuclear norm   {self.lower} .. {self.upper}, gap {self.gap}",
        ]
        return "\n".join(lines)


def polar_report(
    G: Any,
    accuracy: float | None = None,
    method: str = "auto",
    *,
    steps: int | None = None,
    schedule: Schedule | str | None = None,
    rank_tol: float | None = None,
    precision: str | None = None,
    out: Array | None = None,
) -> tuple[Any, PolarReport]:
    """Return (polar(G), `PolarReport`): how it was computed, and what is proved of it without an SVD.

    Parameters, errors: as in `polar`. The proof costs some float64 products more, which `seconds` does not count.

    Examples
    --------
    >>> import numpy as np, normkit as nk
    >>> G = np.random.default_rng(0).standard_normal((64, 96)).astype("float32")
    >>> T, report = nk.polar_report(G, accuracy=1e-3)
    >>> report.gap < 1e-3
    True
    """
    from normkit.polar.bounds import nuclear_bounds

    if on_device(G):
        raise BackendError(
            "a report is made of matrices in CPU memory; on a GPU take polar(G), and certify('spectral', G, T)"
        )
    start = perf_counter()
    made = _run(G, accuracy, method, steps, schedule, rank_tol, precision, out, "raise", proved=True)
    seconds = perf_counter() - start
    shape = (-1, *made.array.shape[-2:])
    T = np.ascontiguousarray(made.array.reshape(shape) if made.items.items.size else made.items.items, made.given.dtype)
    proof = nuclear_bounds(made.given.scaled, T)
    outcomes = made.outcomes
    numbers = {
        name: _numbers(made.items, getattr(proof, name)) for name in ("rank", "orthogonality", "spectral", "gap")
    }
    lower, upper = (np.ldexp(np.atleast_1d(getattr(proof, name)), made.exponents) for name in ("lower", "upper"))
    report = PolarReport(
        _kinds(outcome.method for outcome in outcomes),
        _kinds(outcome.precision for outcome in outcomes),
        max((outcome.steps for outcome in outcomes), default=0),
        float(sum(outcome.flops for outcome in outcomes)),
        seconds,
        error=_numbers(made.items, [outcome.error for outcome in outcomes]),
        lower=_numbers(made.items, lower),
        upper=_numbers(made.items, upper),
        **numbers,
    )
    return own_type(made.array, G), report


def _numbers(items: Batch, numbers: Any) -> Any:
    array = np.atleast_1d(np.asarray(numbers))
    return array[0].item() if items.leading == () else array.reshape(items.leading)


def _kinds(names: Any) -> Any:
    found = tuple(dict.fromkeys(names))
    return found[0] if len(found) == 1 else found


@dataclass(frozen=True)
class PolarPlan:
    """What `polar` would try for a shape, in this order: it goes on where a method cannot reach the accuracy.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
    accuracy : float
        What is meant by the accuracy asked for.
    attempts : tuple of Attempt
        Method, precision, operations of a typical matrix, and predicted seconds on this machine.

    Examples
    --------
    >>> import normkit as nk
    >>> plan = nk.polar_plan((768, 3072), "float32", accuracy=1e-3)
    >>> plan.attempts[0].method, plan.attempts[-1].method
    ('gram', 'eigh')
    """

    shape: tuple[int, ...]
    dtype: str
    accuracy: float
    attempts: tuple[planner.Attempt, ...]

    def __str__(self) -> str:
        """Return a table."""
        head = f"polar of {'x'.join(map(str, self.shape))} {self.dtype}, accuracy {self.accuracy:.3g}"
        rows = [
            f"  {i}. {attempt.method:<7} {attempt.precision:<9} {attempt.flops:9.3g} operations, "
            f"about {1e3 * attempt.seconds:.3g} ms"
            for i, attempt in enumerate(self.attempts, 1)
        ]
        return "\n".join([head, *rows])


def polar_plan(
    shape: tuple[int, ...], dtype: Any = "float32", accuracy: float | None = None, method: str = "auto"
) -> PolarPlan:
    """Return what `polar` would try for matrices of a shape, with operations and predicted time.

    Parameters
    ----------
    shape : tuple of int
        (..., m, n); leading axes multiply the time.
    dtype : dtype or str
        float16, bfloat16, float32 or float64.
    accuracy, method
        As in `polar`.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.polar_plan((64, 64), "float64").attempts[0].method
    'svd'
    """
    if len(shape) < 2 or any(int(side) < 1 for side in shape):
        raise ShapeError(f"a plan needs the shape (..., m, n) of matrices; got {tuple(shape)}")
    name, eps = _precision_of(dtype)
    wide = np.dtype("float64" if name == "float64" else "float32")
    asked = _asked(shape[-2:], wide, eps, accuracy, method, None)
    m, n = int(shape[-2]), int(shape[-1])
    found = planner.attempts(m, n, wide.name, asked.accuracy, method)
    count = int(np.prod(shape[:-2]))
    priced = tuple(planner.Attempt(item.method, item.precision, count * item.flops) for item in found)
    return PolarPlan(tuple(int(side) for side in shape), name, asked.accuracy, priced)


def _precision_of(dtype: Any) -> tuple[str, float]:
    name = str(dtype) if isinstance(dtype, str) else np.dtype(dtype).name
    if name == "bfloat16":
        return name, 2.0**-7
    try:
        kind = np.dtype(name)
    except TypeError:
        kind = np.dtype(object)
    if kind.name not in ("float16", "float32", "float64"):
        raise DTypeError(f"unknown dtype {name!r}; expected float16, bfloat16, float32 or float64")
    return kind.name, eps_of(kind)


@dataclass(frozen=True)
class _Made:
    """The result, the matrices it came from, and how."""

    array: Array
    items: Batch
    given: Given
    exponents: NDArray[np.int64]
    outcomes: list[Outcome]


def _run(
    G: Any,
    accuracy: float | None,
    method: str,
    steps: int | None,
    schedule: Schedule | str | None,
    rank_tol: float | None,
    precision: str | None,
    out: Array | None,
    nan_policy: NanPolicy,
    proved: bool,
) -> _Made:
    check_policy(nan_policy)
    array = as_array(G, "the matrix")
    items = batch(array, (None, None), WHAT, "the matrix")
    target = result_array(array, G.dtype if isinstance(G, np.ndarray) else array.dtype, out, "the matrix")
    wide = np.dtype(np.float64 if array.dtype.name == "float64" else np.float32)
    fixed = steps is not None or schedule is not None
    if fixed and (accuracy is not None or method not in ("auto", "ns")):
        raise ParameterError(
            "steps= and schedule= take Newton-Schulz steps and promise nothing: leave accuracy= and method="
        )
    if precision is not None and not fixed:
        raise ParameterError("precision= belongs to steps= or schedule=; the planner chooses it for an accuracy")
    asked = _asked(items.items.shape[1:], wide, eps_of(array.dtype), accuracy, method, rank_tol)
    read = not fixed and core.reads_in_place(items.items.shape, wide, asked)
    matrices, e, bad = given(items.items, wide, read)
    if nan_policy == "raise" and bad.any():
        check_finite(np.where(bad, np.nan, 0.0), items, "the matrix")
    again = proved or len(e) > 1 or asked.rank_tol > NOTABLE
    if again and np.may_share_memory(target, matrices.source):
        matrices = Given(matrices.scaled)  # the target is written before the source was read for the last time
    direct = target.dtype == wide and target.flags.carray
    result = target.reshape(matrices.shape) if direct else np.empty(matrices.shape, wide)
    if fixed:
        from normkit.polar.fixed import fixed_steps

        outcomes = fixed_steps(matrices.scaled, schedule, steps, precision or wide.name, result)
    else:
        outcomes = core.polar(matrices, asked, result)
    result[bad] = np.nan
    if not direct:
        with np.errstate(all="ignore"):
            target[...] = result.reshape(array.shape)
    return _Made(target, items, matrices, e, outcomes)


def _asked(
    shape: tuple[int, ...], wide: np.dtype[Any], eps: float, accuracy: float | None, method: str, rank_tol: float | None
) -> Task:
    if method not in planner.METHODS:
        raise ParameterError(f"unknown method {method!r}; known: {', '.join(planner.METHODS)}")
    if accuracy is not None and not (isinstance(accuracy, int | float | np.number) and 0 < accuracy < float("inf")):
        raise ParameterError(f"accuracy must be a positive number such as 1e-3; got {accuracy!r}")
    if rank_tol is not None and not (isinstance(rank_tol, int | float | np.number) and 0 <= rank_tol < 1):
        raise ParameterError(f"rank_tol is a share of the largest singular value, in [0, 1); got {rank_tol!r}")
    return task(shape, wide, eps, accuracy, method=method, rank_tol=rank_tol)
