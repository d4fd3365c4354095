"""Scalar sources as NumPy functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from normkit.codegen.plan import FUNCTIONS, Scalar


def _erf(x: Any) -> Any:
    """Return the error function; SciPy's special functions are slow to import and rarely asked for."""
    import scipy.special

    return scipy.special.erf(x)


_RENAMED = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh"}
_RENAMED["atanh"] = "arctanh"


def _names(library: Any) -> dict[str, Any]:
    names = {name: getattr(library, _RENAMED.get(name, name), None) for name in FUNCTIONS}
    return names | {"erf": _erf, "nan": np.nan, "inf": np.inf, "__builtins__": {}}


@cache
def function(scalar: Scalar, library: Any = np) -> Callable[..., Any]:
    """Return a scalar as a function of arrays of NumPy or a library like it; arguments in the scalar's order."""
    names = _names(library)
    for source in scalar.helpers:
        before = set(names)
        exec(source, names)
        (name,) = set(names) - before
        # A helper loops over one number; within a helper it is called as it is, from the expression entry by entry.
        names[name] = _entrywise(names[name])
    made: Callable[..., Any] = eval(f"lambda {', '.join(scalar.arguments)}: {scalar.source}", names)
    return made


def _entrywise(helper: Callable[[float], float]) -> Callable[[Any], Any]:
    """Return a function of one float as a function of arrays."""

    def over(x: Any) -> Any:
        if isinstance(x, float):
            return helper(x)
        entries = np.asarray(x, dtype=np.float64)
        return np.array([helper(float(entry)) for entry in entries.reshape(-1)]).reshape(entries.shape)

    return over
