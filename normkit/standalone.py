"""The dualize map of a norm as a file of its own, for NumPy, Numba, PyTorch or JAX, that needs no normkit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from normkit.codegen.source import loops, module
from normkit.errors import MissingExtra, NoClosedForm, ParameterError
from normkit.programs import program, required
from normkit.targets.assemble import MAIN, Polynomial, assembled, has_polar_factor, has_vectors, written
from normkit.targets.functions import FUNCTIONS, called
from normkit.targets.vocabulary import Target, target_of

if TYPE_CHECKING:
    from normkit.codegen.plan import Plan, Program
    from normkit.norm import Norm
    from normkit.polar.schedule import Schedule

ACCURACY = 1e-3
"""Of a polar factor in the targets that take it by products unless something else is asked for."""


@dataclass(frozen=True)
class Method:
    """How a polar factor is taken: by the steps of a schedule, or exactly, from singular vectors, without one."""

    schedule: Schedule | None
    asked: tuple[tuple[str, Any], ...]
    """What was asked for, in the words of the command."""


def codegen(
    norm: Norm | str,
    target: str,
    *,
    map: str = "dualize",
    accuracy: float | None = None,
    lower: float | None = None,
    exact: bool = False,
) -> str:
    """Return Python source of a file with ``dualize(G)`` and ``dualize_with_dual_norm(G)`` -> (T, N*(G)).

    The file imports its target and nothing else; its head says which norm it is for, by which theorems, and what
    happens at zero, at ties and at rank deficient matrices. It is the map of `normkit.dualize`: same shape and dtype,
    leading axes are batch axes (not for numba, whose function takes one item), dualize(c G) = dualize(G) for c > 0.

    Parameters
    ----------
    norm : Norm or str
        A norm or its spec.
    target : str
        ``"numpy"``, ``"numba"``, ``"torch"`` or ``"jax"``.
    map : str
        ``"dualize"``; ``"lmo"`` adds lmo(G, radius), -radius * dualize(G), and ``"sharp"`` steepest_descent(G,
        sharpness), -(N*(G) / sharpness) * dualize(G).
    accuracy : float, optional
        Take polar factors by matrix products, with a polynomial that is so near to 1 on [lower, 1] times a bound of the
        largest singular value that the function proves. torch and jax do, with 1e-3; numpy and numba only if asked.
    lower : float, optional
        Where the polynomial begins; 1e-3 if not given. Smaller singular values are mapped between 0 and 1.
    exact : bool
        Take polar factors from singular vectors, in torch and jax too.

    Raises
    ------
    NoClosedForm
        If N* has no closed form, or the dualize map takes a search that the target does not print.
    ParameterError
        If the target or the map is none of these, or the numbers contradict each other.

    Examples
    --------
    >>> import numpy as np
    >>> import normkit as nk
    >>> text = nk.codegen("rms->rms", "numpy")
    >>> space = {}
    >>> exec(text, space)
    >>> space["dualize"](np.diag([3.0, -4.0]))
    array([[ 1.,  0.],
           [ 0., -1.]])
    """
    from normkit.heading import heading
    from normkit.spec import norm as parse

    if map not in FUNCTIONS:
        raise ParameterError(f"map is one of {', '.join(FUNCTIONS)}; got {map!r}")
    made, found = parse(norm), target_of(target)
    plan = required(program(made).dual)
    method = _method(plan, found, accuracy, lower, exact)
    asked = (*method.asked, *((("map", map),) if map != "dualize" else ()))
    head = heading(made, found, map, method.schedule, has_vectors(plan, method.schedule is not None), asked)
    return f"{head}\n\n{_body(made, plan, found, method, called(map, found, made.ndim))}"


def function(
    norm: Norm | str | Program,
    target: str,
    *,
    accuracy: float | None = None,
    lower: float | None = None,
    exact: bool = False,
) -> Callable[[Any], tuple[Any, Any]]:
    """Return the printed function itself, G -> (T, N*(G)), imported from the cache folder; options as in `codegen`.

    Equal calls return one function.

    Raises
    ------
    MissingExtra
        If the target is not installed.
    NoClosedForm, ParameterError
        As `codegen`.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.standalone import function
    >>> T, dual_norm = function("linf", "numpy")(np.array([3.0, -4.0]))
    >>> T, float(dual_norm)
    (array([ 1., -1.]), 7.0)
    """
    return _function(norm, target, accuracy, lower, exact)


@lru_cache(maxsize=256)
def _function(
    norm: Norm | str | Program, target: str, accuracy: float | None, lower: float | None, exact: bool
) -> Callable[[Any], tuple[Any, Any]]:
    made, found = program(norm), target_of(target)
    if find_spec(found.name) is None:
        raise MissingExtra(f"functions of {found.name} need an extra: pip install 'normkit[{found.name}]'")
    plan = required(made.dual)
    method = _method(plan, found, accuracy, lower, exact)
    text, name = _body(made, plan, found, method, []), f"printed_{found.name}"
    if found.stored:
        text = text.replace(f"{found.decorator}\n", f"{found.stored}\n")
    result: Callable[[Any], tuple[Any, Any]] = getattr(loops(text, name) if found.stored else module(text, name), MAIN)
    return result


def _body(norm: Any, plan: Plan, target: Target, method: Method, functions: list[str]) -> str:
    """Return the file without its head."""
    schedule = method.schedule
    polynomial = None if schedule is None else Polynomial(schedule.coefficients, schedule.image[1])
    try:
        return assembled(written(plan, norm.shape, target, polynomial), functions)
    except NoClosedForm as error:
        raise NoClosedForm(f"{getattr(norm, 'spec', norm)} is not printed: {error}", error.cost_class) from error


def _method(plan: Plan, target: Target, accuracy: float | None, lower: float | None, exact: bool) -> Method:
    if exact and (accuracy is not None or lower is not None):
        raise ParameterError("exact takes singular vectors, which have no accuracy or lower end; give one or the other")
    if accuracy is None and lower is not None and target.exact:
        raise ParameterError(f"lower belongs to an accuracy, and {target.name} is exact without; give both")
    asked = {"accuracy": accuracy, "lower": lower, "exact": exact or None}
    given = tuple((name, value) for name, value in asked.items() if value is not None)
    if exact or (accuracy is None and target.exact):
        return Method(None, given)
    from normkit.polar.schedule import polar_schedule

    schedule = polar_schedule(accuracy=ACCURACY if accuracy is None else accuracy, lower=lower)
    return Method(schedule if has_polar_factor(plan) else None, given)
