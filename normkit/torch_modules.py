r"""Modules to norms: what the class of a module says of its parameters.

    Linear                          rms->rms; bias rms
    Embedding, EmbeddingBag         l1->rms of the transposed table: row by row, a token is a one-hot input
    Conv1d, Conv2d, Conv3d          rms->rms of the flattened kernel, group by group; of ConvTranspose likewise
    LayerNorm, GroupNorm, ...       gain: the largest entry, the norm of x -> g x; bias rms
    MultiheadAttention              in_proj: rms->rms of queries, keys and values apart; out_proj is a Linear
    RNN, LSTM, GRU                  rms->rms gate by gate; biases rms gate by gate

A tied table is both ``l1->rms`` as an embedding and ``rms->linf`` as a head, which are the same norm up to the factor
of its row length: one dualize map. It takes the norm of the embedding.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from normkit.calculus.modular import Modular
from normkit.errors import ParameterError
from normkit.names import listed
from normkit.torch_groups import COMPILED

Shape = tuple[int, ...]
AXES = "h w d"
"""Names of the axes of a kernel."""


@dataclass(frozen=True)
class ModuleRule:
    """What one parameter has, and why: its norm as a spec, the class that it belongs to, and its other names."""

    name: str
    shape: Shape
    norm: str
    owner: str
    same_as: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModuleRules:
    """The norms of a module's parameters; rules for `SteepestDescent`, and its ``norm`` as a norm.

    Attributes
    ----------
    rules : tuple of ModuleRule
        In the order of the parameters.
    outer : str
        The norm over the parameters.
    """

    rules: tuple[ModuleRule, ...]
    outer: str = "linf"
    pipelines: Mapping[str, Any] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()

    @property
    def norm(self) -> Modular:
        """The norm of all parameters."""
        return Modular({rule.name: rule.norm for rule in self.rules}, self.outer)

    def assign(self, shapes: Mapping[str, Shape]) -> ModuleRules:
        """Return the rules of parameters of these names and shapes, or raise `ParameterError` for other ones."""
        known = {rule.name: rule for rule in self.rules}
        wrong = [name for name, shape in shapes.items() if name not in known or known[name].shape != tuple(shape)]
        if wrong:
            raise ParameterError(f"the rules were made for another module: it has no {listed(wrong)} of these shapes")
        return ModuleRules(tuple(known[name] for name in shapes), self.outer)

    def table(self) -> str:
        """Return a table of names, shapes, classes and norms."""
        lines = [("name", "shape", "class", "norm")]
        for rule in self.rules:
            tied = f"  (also {', '.join(rule.same_as)})" if rule.same_as else ""
            lines.append((rule.name, " x ".join(map(str, rule.shape)) or "1", rule.owner, rule.norm + tied))
        widths = [max(len(line[place]) for line in lines) for place in range(4)]
        rows = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
        return "\n".join(row.rstrip() for row in rows)

    def __str__(self) -> str:
        return self.table()


# --- one line for each class ------------------------------------------------------------------------------------------


def _linear(module: Any, parameter: str, shape: Shape) -> str | None:
    return {"weight": "rms->rms", "bias": "rms"}.get(parameter)


def _embedding(module: Any, parameter: str, shape: Shape) -> str | None:
    return "matricize(l1->rms, 'v d', 'd', 'v')" if parameter == "weight" else None


def _convolution(module: Any, parameter: str, shape: Shape) -> str | None:
    kernel = AXES[: 2 * (len(shape) - 2) - 1]
    if parameter == "bias":
        return "rms"
    if not module.transposed:
        flat = f"matricize(rms->rms, 'o i {kernel}', 'o', 'i {kernel}')"
        return flat if module.groups == 1 else f"slices({flat}, '(g={module.groups} o) i {kernel}', 'g', linf)"
    flat = f"matricize(rms->rms, 'i o {kernel}', 'o', 'i {kernel}')"
    return flat if module.groups == 1 else f"slices({flat}, '(g={module.groups} i) o {kernel}', 'g', linf)"


def _normalization(module: Any, parameter: str, shape: Shape) -> str | None:
    if parameter == "bias":
        return {1: "rms", 2: "entries(rms)"}.get(len(shape))
    return {1: "linf", 2: "max"}.get(len(shape)) if parameter == "weight" else None


def _slope(module: Any, parameter: str, shape: Shape) -> str | None:
    return "linf" if parameter == "weight" else None


def _attention(module: Any, parameter: str, shape: Shape) -> str | None:
    known = {
        "in_proj_weight": "slices(rms->rms, '(q=3 o) i', 'q', linf)",
        "in_proj_bias": "slices(rms, '(q=3 o)', 'q', linf)",
        "bias_k": "slices(rms, 'a b o', 'a b', linf)",
        "bias_v": "slices(rms, 'a b o', 'a b', linf)",
    }
    known |= dict.fromkeys(("q_proj_weight", "k_proj_weight", "v_proj_weight"), "rms->rms")
    return known.get(parameter)


def _recurrent(module: Any, parameter: str, shape: Shape) -> str | None:
    gates = {"LSTM": 4, "GRU": 3}.get(module.mode if hasattr(module, "mode") else type(module).__name__[:-4], 1)
    if parameter.startswith("bias"):
        return "rms" if gates == 1 else f"slices(rms, '(g={gates} o)', 'g', linf)"
    projected = parameter.startswith("weight_hr")
    return "rms->rms" if gates == 1 or projected else f"slices(rms->rms, '(g={gates} o) i', 'g', linf)"


KNOWN: tuple[tuple[tuple[str, ...], Callable[[Any, str, Shape], str | None]], ...] = (
    (("Linear",), _linear),
    (("Embedding", "EmbeddingBag"), _embedding),
    (("_ConvNd",), _convolution),
    (("LayerNorm", "RMSNorm", "GroupNorm", "_BatchNorm", "_InstanceNorm"), _normalization),
    (("PReLU",), _slope),
    (("MultiheadAttention",), _attention),
    (("RNNBase", "RNNCellBase"), _recurrent),
)
"""Names of classes of torch, and what gives a parameter of theirs its norm; subclasses count."""


def rules_from(module: nn.Module, also: Mapping[str | type, Any] | None = None, *, outer: str = "linf") -> ModuleRules:
    """Return a norm for every parameter of a module by the class that holds it, to look at and to step with.

    Parameters
    ----------
    module : torch.nn.Module
        It is not run.
    also : mapping, optional
        Norms, as specs, of what is not known or is to be otherwise: by the name of a parameter, a pattern such as
        ``"*.head.weight"``, or by a class, as a mapping from its parameters to specs.
    outer : str
        The norm over the parameters.

    Raises
    ------
    ParameterError
        If classes are unknown; the message lists them with their parameters.

    Examples
    --------
    >>> from torch import nn
    >>> from normkit.torch import rules_from
    >>> print(rules_from(nn.Sequential(nn.Embedding(50, 16), nn.LayerNorm(16), nn.Linear(16, 50))).table())
    name      shape    class      norm
    0.weight  50 x 16  Embedding  matricize(l1->rms, 'v d', 'd', 'v')
    1.weight  16       LayerNorm  linf
    1.bias    16       LayerNorm  rms
    2.weight  50 x 16  Linear     rms->rms
    2.bias    50       Linear     rms
    """
    also = dict(also or {})
    held: dict[int, list[tuple[str, nn.Module, str, torch.Tensor]]] = {}
    for name, owner, parameter, p in _places(module):
        held.setdefault(id(p), []).append((name, owner, parameter, p))
    rules, unknown = [], []
    for places in held.values():
        found = [(place, _norm(also, *place)) for place in places]
        known = [(place, norm) for place, norm in found if norm is not None]
        if not known:
            unknown.append(f"{places[0][0]} of {type(places[0][1]).__name__}, {tuple(places[0][3].shape)}")
            continue
        tables = [each for each in known if isinstance(each[0][1], nn.Embedding | nn.EmbeddingBag)]
        (_, owner, _, p), norm = (tables or known)[0]
        others = tuple(place[0] for place in places[1:])
        rules.append(ModuleRule(places[0][0], tuple(p.shape), norm, type(owner).__name__, others))
    if unknown:
        raise ParameterError(
            f"no norm is known for {'; '.join(unknown)}. Give also={{name, pattern or class: ...}}, such as "
            "also={'*.scale': 'linf'}"
        )
    return ModuleRules(tuple(rules), outer)


def _places(module: nn.Module) -> Iterator[tuple[str, nn.Module, str, torch.Tensor]]:
    """Yield (name, the module that holds it, its name there, parameter), tied ones at each of their places."""
    for path, owner in module.named_modules():
        for parameter, p in owner.named_parameters(recurse=False, remove_duplicate=False):
            yield f"{path}.{parameter}".lstrip(".").replace(COMPILED, ""), owner, parameter, p


def _norm(also: Mapping[Any, Any], name: str, owner: nn.Module, parameter: str, p: torch.Tensor) -> str | None:
    for key, given in also.items():
        if isinstance(key, str) and fnmatch.fnmatchcase(name, key):
            return str(given)
        if isinstance(key, type) and isinstance(owner, key) and parameter in given:
            return str(given[parameter])
    kinds = {kind.__name__ for kind in type(owner).__mro__ if kind.__module__.startswith("torch.nn.")}
    for classes, rule in KNOWN:
        if kinds & set(classes):
            return rule(owner, parameter, tuple(p.shape))
    return None
