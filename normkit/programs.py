"""From a norm to kernels: the one place where a norm of the mathematics tower becomes a program of the machines."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from normkit.backends import Kernel, backend
from normkit.codegen.cache import load_program, store_program
from normkit.codegen.plan import Missing, Operator, Plan, Product, Program, Synthesis
from normkit.errors import BackendError, NoClosedForm, ParameterError, SpecError

if TYPE_CHECKING:
    from normkit.functional import Functional
    from normkit.norm import Norm


def program(norm: Norm | str | Program) -> Program:
    """Return the program of a norm or of a spec text: from the disk cache without SymPy, or derived and stored.

    Only programs of norms that are normkit's own throughout are stored: the folder is keyed by their source, and a norm
    of somebody else may change its meaning, or leave its name to another, from one process to the next.
    """
    return norm if isinstance(norm, Program) else _program(norm if isinstance(norm, str) else _checked(norm))


@lru_cache(maxsize=1024)
def _program(norm: Norm | str) -> Program:
    if not isinstance(norm, str):
        return derive_program(norm)
    stored = load_program(norm)
    if stored is None:
        from normkit.spec import norm as parse

        made = parse(norm)
        stored = derive_program(made)
        if _own(made):
            store_program(norm, stored)
    return stored


def _checked(norm: Any) -> Norm:
    from normkit.norm import Norm

    if isinstance(norm, Norm):
        return norm
    if isinstance(norm, type) and issubclass(norm, Norm):
        raise SpecError(f"expected a norm; got the class {norm.__name__}. Make one: {norm.__name__}(...)")
    raise SpecError(f"expected a norm, or a spec such as 'rms->rms'; got {type(norm).__name__}")


def _own(norm: Norm) -> bool:
    """Tell whether a norm and all its parts are classes of normkit."""
    from normkit.norm import children

    return type(norm).__module__.partition(".")[0] == "normkit" and all(map(_own, children(norm)))


def product(norm: Any) -> Product | None:
    """Return the program of a norm of named arrays, itself if it is one, or None for any other norm."""
    if isinstance(norm, Product):
        return norm
    named = getattr(norm, "named_blocks", None)  # a spec has none: it needs no SymPy to be told from one that has
    return _product(norm) if named is not None and not isinstance(norm, type) and named() is not None else None


@lru_cache(maxsize=64)
def _product(norm: Norm) -> Product:
    blocks = norm.named_blocks()
    assert blocks is not None
    outer, parts = blocks
    bare = [_bare(part) for _, part in parts]
    places = {kind: place for place, kind in enumerate(dict.fromkeys(kind for _, kind in bare))}
    return Product(
        str(norm),
        tuple(name for name, _ in parts),
        tuple(places[kind] for _, kind in bare),
        tuple(_factor(name, part, factor) for (name, part), (factor, _) in zip(parts, bare, strict=True)),
        tuple(map(program, places)),
        program(outer),
    )


def _bare(norm: Norm) -> tuple[Any, Norm]:
    """Return (s, N) of a part s * N; a coefficient that depends on the shape of the array stays with the norm."""
    from normkit.norm import Scaled

    return (norm.factor, norm.of) if isinstance(norm, Scaled) and norm.factor.is_number else (1, norm)


def _factor(name: str, norm: Norm, factor: Any) -> float:
    try:
        number = float(factor)
    except OverflowError:
        number = np.inf
    if not 0 < number < np.inf:
        raise ParameterError(f"the scale of {name!r}, in {norm}, is no float64: its range is about 1e-308 to 1e308")
    return number


def derive_program(norm: Norm) -> Program:
    """Lower the value and the dual's value of a norm, and its parts if it is a synthesis norm."""
    if norm.named_blocks() is not None:
        raise SpecError(f"{norm} is a norm of named arrays; expected one of a single array")
    parts = norm.synthesis()
    synthesis = None
    if parts is not None:
        outer, inner = parts
        synthesis = Synthesis(derive_program(outer), tuple((linear, derive_program(part)) for linear, part in inner))
    return Program(
        str(norm), norm.shape, _plan(norm.value), _plan(norm.dual_value), synthesis, _operator(norm), str(norm.dual)
    )


def _operator(norm: Norm) -> Operator | None:
    known = norm.operator()
    if known is None:
        return None
    p, q = (None if power is None else float(power) for power in (known.p, known.q))
    absolute = known.domain.absolute and known.codomain.absolute
    parts = derive_program(known.domain), derive_program(known.codomain)
    return Operator(*parts, p, q, absolute, known.projective)


def _plan(functional: Callable[[], Functional]) -> Plan | Missing:
    from normkit.codegen.lower import lower
    from normkit.duality import gradient

    try:
        return lower(gradient(functional()))
    except NoClosedForm as error:
        return Missing(str(error), error.cost_class)


def required(plan: Plan | Missing) -> Plan:
    """Return the plan, or raise the `NoClosedForm` that stands in its place."""
    if isinstance(plan, Missing):
        raise NoClosedForm(plan.message, plan.cost_class)
    return plan


def kernel(plan: Plan, dtype: np.dtype[Any], backend_name: str, accuracy: float | None = None) -> Kernel:
    """Return the compiled kernel of a plan; with an accuracy, one that reaches that is enough."""
    if not isinstance(backend_name, str):
        raise BackendError(f"a back end is named by a text such as 'cpu'; got {type(backend_name).__name__}")
    return _kernel(plan, dtype, backend_name, accuracy)


@cache
def _kernel(plan: Plan, dtype: np.dtype[Any], backend_name: str, accuracy: float | None) -> Kernel:
    found = backend(backend_name)
    return found.compile(plan, dtype) if accuracy is None else found.compile(plan, dtype, accuracy)
