"""Updates that are no norm's steepest descent: stages one after the other, W <- decay(W) - lr * U."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from normkit.arrays import Array
from normkit.errors import ParameterError
from normkit.lengths import positive
from normkit.optim.decay import Decay
from normkit.optim.schedules import Schedule, as_schedule, at
from normkit.optim.stage import At, Room, Slots, Stage

FAR = "no norm's steepest descent"


@dataclass(frozen=True, init=False)
class Pipeline:
    """U = the last stage of ... the first stage of G; W <- decay(W) - lr * U. It guarantees nothing, and says so.

    Parameters
    ----------
    *stages : Stage
        In the order in which they see the direction.
    name : str
        What it is called in tables.
    decay : Decay, optional
        The decay of these arrays; that of the optimizer where it is missing.
    lr : float or Schedule, optional
        The learning rate of these arrays, in place of the optimizer's.
    lr_scale : float
        Where `lr` is missing, what the optimizer's learning rate is multiplied with.
    note : str
        What `str` says of it: other than ``no norm's steepest descent`` where one array by itself has a norm after all.

    Examples
    --------
    >>> from normkit.optim import EMA, Pipeline
    >>> print(Pipeline(EMA(0.9), name="plain average"))
    plain average: EMA (no norm's steepest descent)
    """

    stages: tuple[Stage, ...]
    name: str
    decay: Decay | None
    lr: Schedule | None
    lr_scale: float
    note: str

    def __init__(
        self,
        *stages: Stage,
        name: str = "pipeline",
        decay: Decay | None = None,
        lr: float | Schedule | None = None,
        lr_scale: float = 1.0,
        note: str = FAR,
    ) -> None:
        if not stages or not all(isinstance(stage, Stage) for stage in stages):
            raise ParameterError(f"a pipeline is made of stages such as EMA(0.9); got {stages!r}")
        positive(lr_scale, "lr_scale")
        own = None if lr is None else as_schedule(lr)
        given = {"stages": stages, "name": name, "decay": decay, "lr": own, "lr_scale": lr_scale, "note": note}
        for field, value in given.items():
            object.__setattr__(self, field, value)

    def rate(self, step: int, lr: float) -> float:
        """Return the learning rate of a step, where the optimizer's is `lr`."""
        return self.lr_scale * lr if self.lr is None else at(self.lr, step)

    def keeps(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[str, Room]:
        """Return what is kept for an array after a step of a gradient of a shape and dtype."""
        rooms = enumerate(stage.keeps(shape, dtype) for stage in self.stages)
        return {f"{place}.{slot}": room for place, held in rooms for slot, room in held.items()}

    def direction(self, u: Array, held: dict[str, Array], now: At) -> Array:
        """Return U for one array, whose kept arrays are `held`."""
        for place, stage in enumerate(self.stages):
            # What a stage returns may be what it keeps.
            u = stage.apply(u, Slots(held, f"{place}."), replace(now, spare=False) if place and now.spare else now)
        return u

    def __str__(self) -> str:
        stages = ", ".join(type(stage).__name__ for stage in self.stages)
        return f"{self.name}: {stages} ({self.note})"
