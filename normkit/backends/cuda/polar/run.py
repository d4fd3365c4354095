"""The orthogonal polar factor of matrices in device memory."""

from __future__ import annotations

from collections.abc import Sequence

from normkit.backends.cuda.polar import design
from normkit.backends.cuda.polar.info import Info
from normkit.backends.cuda.polar.job import Job
from normkit.backends.cuda.polar.memory import View
from normkit.errors import ParameterError
from normkit.polar.schedule import Schedule


def polar(
    G: View,
    T: View,
    *,
    schedule: Schedule | str | None = None,
    steps: int | None = None,
    accuracy: float | None = None,
    storage: str | None = None,
    segments: Sequence[int] | None = None,
    gain: View | None = None,
    sums: View | None = None,
    stream: int | None = None,
    graph: bool = False,
) -> Info:
    """Write U_r V_r' of every matrix G = U diag(s) V' to T, in the order of a stream; zero for a zero matrix.

    With ``steps`` or a schedule these steps are taken from G / ||G||_F, and nothing is promised beyond what the
    schedule proves. Otherwise ||T - U V'||_F <= accuracy sqrt(m) is measured before anything is written, which waits
    for the device: schedules are tried from half precision up to float64. A matrix whose rank is below its short side
    cannot be served by polynomials to an accuracy.

    Parameters
    ----------
    G, T : View
        (..., M, N) on one device. T may be G, or lie apart from it.
    schedule : Schedule or str, optional
        See `normkit.polar_schedule`.
    steps : int, optional
        Of the schedule; without one, of ``pe8`` with a safety of 1.05 in half precision, else of the best
        polynomials for singular values down to 1e-3.
    accuracy : float, optional
        By default working precision.
    storage : str, optional
        With steps or a schedule: float16, bfloat16, float32 or float64; float16 by default.
    segments : sequence of int, optional
        Steps between restarts; by default the cheaper of the standard iteration and what
        `normkit.backends.cuda.polar.segments` says. Products accumulate in float32, or in float64 for that.
    gain : View, optional
        A float64 number for every matrix: T is multiplied by it.
    sums : View, optional
        Receives <G, T> without the gain, in float64.
    stream : int, optional
        Handle of a stream; that of G if not given.
    graph : bool
        Launch everything at once, as a CUDA graph, which is kept for this shape, schedule and memory. Only with steps
        or a schedule.

    Returns
    -------
    Info
        Whose `check` raises for a NaN in G.

    Raises
    ------
    ShapeError, DTypeError, ParameterError, UnsafeSchedule
        If an argument does not fit.
    BackendError
        If G and T are on two devices, there is too little memory, or nobody carries out an operation here. Nothing was
        written then.
    """
    job = Job(G, T, gain, sums, stream)
    if schedule is not None or steps is not None:
        if accuracy is not None:
            raise ParameterError("steps and schedules promise nothing: leave accuracy, or leave both of them")
        chosen, kind = design.fixed(schedule, steps, storage)
        return job.run(chosen, kind, segments, graph=graph)
    if segments is not None or storage is not None or graph:
        raise ParameterError("segments=, storage= and graph= belong to steps= or schedule=")
    for chosen, kind in design.attempts(G.shape[-2], G.shape[-1], G.dtype, accuracy):
        info = job.run(chosen, kind, None, accuracy=design.working(G.dtype, accuracy))
        if info.reached:
            break
    return info
