"""Networks as trees of modules, from which the norm of all weights follows."""

from normkit.modular.activations import GELU, SILU, Gate, GeLU, ReLU, SiLU, Tanh
from normkit.modular.attention import Attention, MergeHeads, SplitHeads
from normkit.modular.block_matrices import Experts, Grouped, Heads
from normkit.modular.bonds import Add, Bond, Identity, Multiply
from normkit.modular.convolutions import Conv1d, Conv1dPositions, Conv2d, Conv2dPositions
from normkit.modular.fused import FusedQKV, FusedQKVHeads
from normkit.modular.matrices import Embed, Linear, Unembed
from normkit.modular.normalization import LayerNorm, RMSNorm
from normkit.modular.pooling import AvgPool, CausalMean, Flatten, MeanPool, Reshape
from normkit.modular.probabilities import Route, Softmax
from normkit.modular.tree import Module
from normkit.modular.vectors import Bias, Gain

__all__ = [
    "GELU",
    "SILU",
    "Add",
    "Attention",
    "AvgPool",
    "Bias",
    "Bond",
    "CausalMean",
    "Conv1d",
    "Conv1dPositions",
    "Conv2d",
    "Conv2dPositions",
    "Embed",
    "Experts",
    "Flatten",
    "FusedQKV",
    "FusedQKVHeads",
    "Gain",
    "Gate",
    "GeLU",
    "Grouped",
    "Heads",
    "Identity",
    "LayerNorm",
    "Linear",
    "MeanPool",
    "MergeHeads",
    "Module",
    "Multiply",
    "RMSNorm",
    "ReLU",
    "Reshape",
    "Route",
    "SiLU",
    "Softmax",
    "SplitHeads",
    "Tanh",
    "Unembed",
]
