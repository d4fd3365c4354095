"""Stateful updates of named arrays around a norm's steepest descent.

method.py      what an update is made of: norm, convention, momentum, decay, pipelines
engine.py      one step, array by array where the convention allows it
optimizer.py   `SteepestDescent`: method, learning rate and state together, on dicts of NumPy arrays
momentum.py, variance.py, decay.py, schedules.py    the parts, as values
pipeline.py    updates that are no norm's steepest descent
stages/        what those are made of
named.py       pipelines by name
recipes/       published optimizers by name
state.py       saved and restored bit for bit
streaming.py   a step of files, array by array: planning.py makes a job of them, passes.py carries it out
report.py       what a step did, as a table and as a CSV file
translation.py  options of other libraries' optimizers
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_WHERE = {
    "normkit.optim.optimizer": ["SteepestDescent"],
    "normkit.optim.stage": ["Stage"],
    "normkit.optim.momentum": ["Momentum", "EMA", "HeavyBall", "LionMomentum"],
    "normkit.optim.variance": ["MVR1", "MVR2"],
    "normkit.optim.decay": ["Decay", "Decoupled", "Independent", "Coupled", "SpectralClipped", "FrankWolfeDecay"],
    "normkit.optim.pipeline": ["Pipeline"],
    "normkit.optim.stages.maps": ["Dualize", "Sign", "PolarFirst"],
    "normkit.optim.stages.moments": ["Adam", "SecondMoment"],
    "normkit.optim.stages.scales": ["MatchRMS", "Standardize", "Sinkhorn"],
    "normkit.optim.stages.specmuon": ["SpecMuonA", "SpecMuonB"],
    "normkit.optim.named": ["pipeline_named", "PIPELINES"],
    "normkit.optim.translation": ["from_config"],
    "normkit.optim.streaming": ["step_files"],
}
_MODULES = ("recipes", "schedules")
"""Modules that are reached as attributes, too."""
_HOME = {name: module for module, names in _WHERE.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"normkit.optim.{name}")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'normkit.optim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
