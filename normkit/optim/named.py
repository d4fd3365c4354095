"""Pipelines by name, with their options: what rules and configurations call ``update = "adamw"``."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

from normkit.errors import ParameterError
from normkit.names import listed
from normkit.optim.decay import Coupled, Decay, Decoupled
from normkit.optim.momentum import EMA, HeavyBall, LionMomentum, share
from normkit.optim.pipeline import FAR, Pipeline
from normkit.optim.schedules import Schedule
from normkit.optim.stage import Stage
from normkit.optim.stages import (
    Adam,
    Dualize,
    MatchRMS,
    PolarFirst,
    SecondMoment,
    Sign,
    Sinkhorn,
    SpecMuonA,
    SpecMuonB,
    Standardize,
)

Stages = tuple[Stage, ...]
MUON = "spectral/sqrt(Max(1, m/n))"


@dataclass(frozen=True)
class Named:
    """A name: from options to stages, the kind of its weight decay, and what is said of it."""

    stages: Callable[..., Stages]
    decay: type[Decoupled] | type[Coupled] = Decoupled
    note: str = FAR


def _average(beta: float, nesterov: bool = False) -> Stages:
    return (EMA(beta, nesterov=nesterov),) if beta else ()


def _adam(betas: Sequence[float] = (0.9, 0.999), eps: float = 1e-8) -> Stages:
    beta1, beta2 = _pair(betas)
    return (Adam(beta1, beta2, eps),)


def _sgd(momentum: float = 0.0, dampening: float = 0.0, nesterov: bool = False) -> Stages:
    share(dampening, "dampening")
    return (HeavyBall(momentum, nesterov=nesterov, dampening=dampening if momentum else 0.0),)


def _signsgd(momentum: float = 0.0) -> Stages:
    return (*_average(momentum), Sign())


def _lion(betas: Sequence[float] = (0.9, 0.99)) -> Stages:
    return (LionMomentum(*_pair(betas)), Sign())


def _normuon(
    beta: float = 0.95, beta2: float = 0.95, eps: float = 1e-10, nesterov: bool = True, rms: float | None = None
) -> Stages:
    average = _average(beta, nesterov)
    if rms is None:
        return (*average, Dualize(MUON), SecondMoment(beta2, eps, over="rows", keep_length=True))
    return (*average, Dualize("spectral"), SecondMoment(beta2, eps, over="rows"), MatchRMS(rms))


def _adamuon(
    beta: float = 0.95,
    beta2: float = 0.95,
    eps: float = 1e-8,
    nesterov: bool = False,
    sign: bool = True,
    debias: bool = False,
    rms: float = 0.2,
) -> Stages:
    before = (*_average(beta, nesterov), *((Sign(),) if sign else ()))
    return (*before, Dualize("spectral"), SecondMoment(beta2, eps, debias=debias), MatchRMS(rms))


def _swan(rms: float | None = None) -> Stages:
    return (Standardize(), Dualize("spectral"), *(() if rms is None else (MatchRMS(rms),)))


def _sinkgd(steps: int = 5) -> Stages:
    return (Sinkhorn(steps),)


def _polar_first(beta: float = 0.95, norm: str = "spectral") -> Stages:
    return (PolarFirst(norm, beta=beta),)


def _map_first(beta: float = 0.9, norm: str = "spectral") -> Stages:
    return (Dualize(norm), HeavyBall(beta))


def _specmuon_a(beta: float = 0.9, **options: Any) -> Stages:
    return (SpecMuonA(**options), HeavyBall(beta))


def _pair(betas: Any) -> tuple[float, float]:
    if isinstance(betas, str) or not isinstance(betas, Sequence) or len(betas) != 2:
        raise ParameterError(f"betas is a pair such as [0.9, 0.999]; got {betas!r}")
    return betas[0], betas[1]


PIPELINES: dict[str, Named] = {
    "adamw": Named(_adam),
    "adam": Named(_adam, Coupled),
    "sgd": Named(_sgd, Coupled, "the sharp step of fro, for this array alone"),
    "signsgd": Named(_signsgd, note="the lmo step of max, for this array alone"),
    "lion": Named(_lion, note="the lmo step of max, for this array alone"),
    "normuon": Named(_normuon),
    "adamuon": Named(_adamuon),
    "swan": Named(_swan),
    "sinkgd": Named(_sinkgd),
    "polar_first": Named(_polar_first),
    "map_first": Named(_map_first),
    "specmuon_a": Named(_specmuon_a),
    "specmuon_b": Named(lambda **options: (SpecMuonB(**options),)),
}
"""Every name that `pipeline_named` takes."""
_FIELDS = {"specmuon_a": SpecMuonA, "specmuon_b": SpecMuonB}


def options_of(name: str) -> list[str]:
    """Return the options of a named pipeline beside lr, lr_scale and weight_decay."""
    own = [option for option in signature(PIPELINES[name].stages).parameters if option != "options"]
    return own + [field for field in getattr(_FIELDS.get(name), "__dataclass_fields__", ()) if field not in own]


def pipeline_named(
    name: str,
    *,
    lr: float | Schedule | None = None,
    lr_scale: float = 1.0,
    weight_decay: float | Decay | None = None,
    **options: Any,
) -> Pipeline:
    """Return the pipeline of a name: ``adamw``, ``adam``, ``sgd``, ``lion``, ``normuon``, ...; all are in `PIPELINES`.

    Parameters
    ----------
    name : str
        A key of `PIPELINES`.
    lr, lr_scale
        As in `Pipeline`.
    weight_decay : float or Decay, optional
        A number is `Decoupled`, or `Coupled` for adam and sgd, as their papers and torch have it; 0 is none. Where it
        is missing the decay of the optimizer holds.
    **options
        Of the name: ``betas`` and ``eps`` of adamw, for instance; `normkit.optim.named.options_of` lists them.

    Raises
    ------
    ParameterError
        For an unknown name or option, with those that are known.

    Examples
    --------
    >>> from normkit.optim import pipeline_named
    >>> print(pipeline_named("adamw", lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1))
    adamw: Adam (no norm's steepest descent)
    >>> pipeline_named("normuon").stages[1]
    Dualize(norm=norm('1/sqrt(Max(1, m/n))*spectral'), length=None)
    """
    if name not in PIPELINES:
        raise ParameterError(f"unknown pipeline {name!r}{_near(name, PIPELINES)}; known: {listed(PIPELINES, 99)}")
    for option in options:
        if option not in (known := options_of(name)):
            common = "lr, lr_scale, weight_decay"
            raise ParameterError(
                f"the pipeline {name!r} has no option {option!r}{_near(option, known)}; it takes {listed(known, 99)}, "
                f"and {common}"
            )
    entry = PIPELINES[name]
    for option, parameter in signature(entry.stages).parameters.items():
        if isinstance(parameter.default, bool) and not isinstance(options.get(option, False), bool):
            raise ParameterError(f"{option} of the pipeline {name!r} is true or false; got {options[option]!r}")
    decay = weight_decay if weight_decay is None or isinstance(weight_decay, Decay) else entry.decay(weight_decay)
    stages = entry.stages(**options)
    return Pipeline(*stages, name=name, decay=decay, lr=lr, lr_scale=lr_scale, note=entry.note)


def _near(given: Any, known: Any) -> str:
    near = difflib.get_close_matches(str(given), known, 1)
    return f" (did you mean {near[0]!r}?)" if near else ""
