"""What the rules make of a checkpoint: norms, dual norms and shares of the step, measured array by array."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from normkit import blockwise
from normkit.descent import dual_value, value
from normkit.errors import NoClosedForm, NormkitError
from normkit.modular.assignment import Assigned, Assignment
from normkit.programs import program

Tell = Callable[[Assigned], None]
"""Is told which array comes next."""


@dataclass(frozen=True)
class Row:
    """What is known of one array; None for what it has not.

    Attributes
    ----------
    given : Assigned
        Its norm and scale, or its pipeline.
    dtype : str
        Of the weight.
    weight : float or None
        N_l(W_l), without the scale; None also where N_l has no closed form.
    dual : float or None
        N_l*(G_l), without the scale.
    share : float or None
        c_l d_l / N*(G) with d_l = N_l*(G_l) / s_l: its share of <G, T>; they add up to 1.
    """

    given: Assigned
    dtype: str
    weight: float | None = None
    dual: float | None = None
    share: float | None = None


@dataclass(frozen=True)
class Inspection:
    """All rows, and the norms of the whole: N(W) and N*(G), None where they are not known."""

    rows: tuple[Row, ...]
    norm: float | None
    dual_norm: float | None


def inspect(
    weights: Mapping[str, Any],
    made: Assignment,
    gradients: Mapping[str, Any] | None = None,
    *,
    dtypes: Mapping[str, str] | None = None,
    backend: str = "auto",
    tell: Tell = lambda _: None,
    called: tuple[str, str] = ("the weights", "the gradients"),
) -> Inspection:
    """Measure every array that has a norm; one weight or gradient is in memory at a time if the mappings are lazy.

    Raises
    ------
    NormkitError
        Of the kind of what is wrong with an array (a NaN, integers, ...), which the message names.
    """
    sizes: dict[str, float | None] = {}
    duals: dict[str, float] = {}
    for each in made.arrays:
        tell(each)
        if each.spec is None:
            continue
        with _naming(called[0], each.name):
            sizes[each.name] = _size(each.spec, weights[each.name], backend)
        if gradients is not None:
            with _naming(called[1], each.name):
                duals[each.name] = float(dual_value(program(each.spec), gradients[each.name], backend=backend))
    shares, dual_norm = _shares(made, duals, backend)
    rows = tuple(
        Row(each, (dtypes or {}).get(each.name, ""), *(held.get(each.name) for held in (sizes, duals, shares)))
        for each in made.arrays
    )
    return Inspection(rows, _whole(made, sizes, backend), dual_norm)


def _size(spec: str, array: Any, backend: str) -> float | None:
    try:
        return float(value(program(spec), array, backend=backend))
    except NoClosedForm:
        return None


@contextmanager
def _naming(where: str, name: str) -> Iterator[None]:
    try:
        yield
    except NormkitError as error:
        raise type(error)(f"{where}, array {name!r}: {error}") from error


def _whole(made: Assignment, sizes: Mapping[str, float | None], backend: str) -> float | None:
    known = [size for size in sizes.values() if size is not None]
    if made.product is None or len(known) < len(made.normed):
        return None
    return float(blockwise.whole(made.product, known, backend))


def _shares(made: Assignment, duals: Mapping[str, float], backend: str) -> tuple[dict[str, float], float | None]:
    if made.product is None or not duals:
        return {}, None
    found = blockwise.measured(made.product, list(duals.values()), backend)
    parts = found.shares * found.dual_norms / found.dual_norm if found.dual_norm > 0 else np.zeros(len(duals))
    return dict(zip(duals, map(float, parts), strict=True)), float(found.dual_norm)
