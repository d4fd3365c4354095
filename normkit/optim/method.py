"""What an update is made of, apart from weights and state: norm, convention, momentum, decay, pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from normkit.codegen.plan import Product
from normkit.conventions import LMO, Convention, Sharp
from normkit.errors import ParameterError
from normkit.lengths import positive
from normkit.optim.decay import Decay, Decoupled, check_rate
from normkit.optim.momentum import EMA, Momentum
from normkit.optim.pipeline import Pipeline

CONVENTIONS: dict[str, Convention] = {"lmo": LMO(1.0), "sharp": Sharp(1.0)}
"""Conventions by name: times a learning rate they are an LMO of that radius, and a sharp step of its inverse."""


@dataclass(frozen=True)
class Method:
    """What `engine.advance` carries out.

    Attributes
    ----------
    product : Product or None
        The norm of the arrays that have one.
    pipelines : mapping of str to Pipeline
        Of the other arrays.
    frozen : frozenset of str
        Arrays that stay as they are.
    """

    product: Product | None
    convention: Convention
    momentum: Momentum | None = None
    decay: Decay | None = None
    accuracy: float | None = None
    backend: str = "auto"
    maximize: bool = False
    pipelines: Mapping[str, Pipeline] = field(default_factory=dict)
    frozen: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """The arrays that move: those of the norm first, then those of pipelines."""
        return (self.product.names if self.product else ()) + tuple(self.pipelines)

    @property
    def apart(self) -> bool:
        """Whether every array can be stepped without a look at the others."""
        if self.product is None or len(self.product.names) == 1:
            return True
        return self.convention.apart(self.product.outer.spec)


def as_convention(given: Any) -> Convention:
    """Return a convention: itself, or the one of a name."""
    if isinstance(given, Convention):
        return given
    if isinstance(given, str) and given in CONVENTIONS:
        return CONVENTIONS[given]
    known = ", ".join(map(repr, CONVENTIONS))
    raise ParameterError(f"unknown convention {given!r}; known: {known}, or an object such as nk.LMO(0.02)")


def as_momentum(given: Any) -> Momentum | None:
    """Return a momentum form: itself, `EMA` of a number, None for 0 and None."""
    if given is None or isinstance(given, Momentum):
        return given
    if isinstance(given, int | float) and not isinstance(given, bool):
        return EMA(float(given)) if given else None
    raise ParameterError(f"momentum is a number in [0, 1), or a form such as HeavyBall(0.9); got {given!r}")


def as_decay(given: Any) -> Decay | None:
    """Return a weight decay: itself, `Decoupled` of a number, None for 0 and None."""
    if given is None or isinstance(given, Decay):
        return given
    return Decoupled(check_rate(given, "weight decay")) if given else None


def check_accuracy(accuracy: Any) -> float | None:
    """Return an accuracy as a float, or None."""
    if accuracy is None:
        return None
    positive(accuracy, "accuracy")
    return float(accuracy)
