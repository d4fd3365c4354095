"""Networks as trees of modules, from which the norm of all weights follows."""

from normkit.modular.atoms import (
    Add,
    Bias,
    Bond,
    Conv2d,
    Conv2dPositions,
    Embed,
    Gain,
    Identity,
    Linear,
    Multiply,
    ReLU,
    Unembed,
)
from normkit.modular.tree import Module

__all__ = [
    "Add",
    "Bias",
    "Bond",
    "Conv2d",
    "Conv2dPositions",
    "Embed",
    "Gain",
    "Identity",
    "Linear",
    "Module",
    "Multiply",
    "ReLU",
    "Unembed",
]
