"""What a step did to every array: how far it went along which norm's dualize map, and the proof of the map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from normkit.arrays import Array
from normkit.certificate import certify
from normkit.codegen.plan import Program
from normkit.update import SHORT, rounding

Proof = dict[str, Any]
"""The fields of a `Certificate` of a dualize map as plain numbers, ``holds``, and the ``tolerance`` of that."""


@dataclass(frozen=True)
class Stepped:
    """One array.

    Attributes
    ----------
    name, shape, dtype
        Of the weights.
    norm : str or None
        N_l, if it has one.
    scale : float or None
        s_l.
    dual_norm : float or None
        d_l = N_l*(U_l) / s_l.
    share : float or None
        c_l d_l / N*(U), its part of <U, T>.
    factor : float or None
        What was added to the decayed weights is so many times t_l.
    proof : dict or None
        Of t_l, if it was asked for.
    update : str or None
        The pipeline that it has instead.
    frozen : bool
        Whether it was copied.
    same_as : str or None
        The array whose other name this is.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    norm: str | None = None
    scale: float | None = None
    dual_norm: float | None = None
    share: float | None = None
    factor: float | None = None
    proof: Proof | None = None
    update: str | None = None
    frozen: bool = False
    same_as: str | None = None


@dataclass(frozen=True)
class Outcome:
    """A step.

    Attributes
    ----------
    step : int
        Its number.
    lr : float
    convention, outer, backend : str
    dual_norm : float or None
        N*(U) of all arrays that have a norm.
    arrays : tuple of Stepped
    resumed : int
        How many arrays an interrupted run had finished.
    beginning : tuple of str
        Arrays of which the state kept nothing yet.
    """

    step: int
    lr: float
    convention: str
    outer: str
    backend: str
    dual_norm: float | None
    arrays: tuple[Stepped, ...]
    resumed: int = 0
    beginning: tuple[str, ...] = field(default=())

    @property
    def failed(self) -> list[str]:
        """The arrays whose certificates do not hold."""
        return [each.name for each in self.arrays if each.proof is not None and not each.proof["holds"]]

    def plain(self) -> dict[str, Any]:
        """Return what JSON holds."""
        return asdict(self)

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Outcome:
        """Return what `plain` returned, from JSON."""
        arrays = tuple(Stepped(**{**each, "shape": tuple(each["shape"])}) for each in said["arrays"])
        return cls(**{**said, "arrays": arrays, "beginning": tuple(said["beginning"])})


def proof_of(program: Program, direction: Array, t: Array, accuracy: float | None, backend: str) -> Proof:
    """Certify a dualize map as far as an accuracy, or rounding in the dtype of the direction, promises it."""
    found = certify(program, direction, t, backend=backend)
    # A factor with an error of a in each direction may have a gap of 3 a.
    tolerance = max(SHORT * (accuracy or 0.0), rounding(direction.shape, direction.dtype))
    numbers = {name: float(np.float64(getattr(found, name))) for name in ("pairing", "norm", "lower", "upper", "gap")}
    return {**numbers, "kind": found.kind, "holds": found.holds(tolerance), "tolerance": tolerance}
