"""Which generated module of kernels serves a stage: a template, the scalars bound in it, formats and sizes."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

from normkit.backends.cpu.generated import helpers
from normkit.backends.cuda.maps import blocks, formats, scalars
from normkit.codegen.plan import RankedPlan, RootPlan, Scalar
from normkit.codegen.source import definition, fill, functions, module, rooted

LOOPS = "normkit.backends.cuda.maps.loops"
SAFE = {"float64": (2.0**-830, 2.0**830), "float32": (2.0**-110, 2.0**120)}
"""Plain sums in this range, the lower end per entry, have lost nothing to underflow or overflow."""


@dataclass(frozen=True)
class Shape:
    """What a module of kernels is compiled for besides its scalars.

    Attributes
    ----------
    source, target : str
        Formats of the entries that are read and written.
    threads : int
        Threads of a block, a power of two; `tile` entries are sorted in shared memory, two or more per thread.
    flat, paired : bool
        Whether one stride leads through a line, and whether 16-bit entries come two in a word.
    """

    source: str
    target: str
    threads: int
    tile: int
    flat: bool = True
    paired: bool = False

    @property
    def real(self) -> str:
        """The dtype in which entries are computed: float64 if either format is."""
        return "float64" if "float64" in (self.source, self.target) else "float32"


@cache
def sums(shape: Shape, texts: tuple[tuple[str, Scalar], ...], constants: tuple[tuple[str, Any], ...]) -> ModuleType:
    """Return the kernels of a sum of bodies: body and slope in the precision of the entries, post in float64."""
    named = dict(texts)
    real = "Real" if shape.real == "float32" else ""
    made = helpers(named.values())
    made += [definition(name, named[name], real=real) for name in ("body", "slope")]
    made.append(definition("post", named["post"]))
    return _module("sums", shape, [*made, *_constants(constants), f"SAFE = {SAFE[shape.real]!r}\n"])


@cache
def generate(template: str, shape: Shape, texts: tuple[tuple[str, Scalar], ...] = ()) -> ModuleType:
    """Return the kernels of a template with scalars in float64."""
    made = helpers(scalar for _, scalar in texts)
    return _module(template, shape, [*made, *(definition(name, scalar) for name, scalar in texts)])


@cache
def ranked(shape: Shape, plan: RankedPlan) -> ModuleType:
    """Return the kernels of a formula on sorted magnitudes: `stat`, `rule`, `value`, `head` and `tail` in float64."""
    shared = ("a", "w", "j", "y", "z", "W", "y_1", "stats", "m", "n")
    unpack = [f"{stat.name} = stats[{k}]" for k, stat in enumerate(plan.stats)]
    made = helpers((plan.rule, plan.value, plan.head, plan.tail, *(stat.body for stat in plan.stats)))
    made += [definition(name, getattr(plan, name), shared, unpack) for name in ("rule", "value", "head", "tail")]
    choose = [f"if k == {k}:\n        return {rooted(stat.body.source)}" for k, stat in enumerate(plan.stats)]
    made.append(definition("stat", Scalar((), "0.0"), ("k", "a", "w", "y_1", "m", "n"), choose))
    constants = {"COUNT": len(plan.stats), "KIND": ("at", "first", "last", "argmax").index(plan.split)}
    constants |= {"WEIGHTED": plan.weights is not None, "SLOTS": max(1, len(plan.stats))}
    places = [("head", "tail", "all").index(stat.region) for stat in plan.stats]
    choose = [f"if k == {k}:\n        return {place}" for k, place in enumerate(places)]
    made.append(definition("region", Scalar((), "0"), ("k",), choose))
    return _module("ranked", shape, [*made, *_constants(constants.items())])


@cache
def root(shape: Shape, plan: RootPlan) -> ModuleType:
    """Return the kernels of a root; `root_term` is one of its scalars, the number of entries, or the argument."""
    terms = [plan.equation, plan.rate, plan.body, plan.mass or plan.body]
    choose = [f"if which == {k}:\n        return {rooted(term.source)}" for k, term in enumerate(terms)]
    choose[1] = f"if which == 1:\n        return a * ({rooted(plan.rate.source)})"
    choose.append("if which == 4:\n        return 1.0")
    spill = plan.spill or Scalar(("kappa", "E", "m", "n"), "0.0")
    made = helpers((*terms, plan.entry, plan.value, spill))
    made.append(definition("root_term", Scalar((), "a"), ("which", "a", "m", "n"), choose))
    named = (("entry", plan.entry), ("root_value", plan.value), ("spill", spill))
    made += [definition(name, scalar) for name, scalar in named]
    flags = {"SPILLS": plan.spill is not None, "MASS": plan.mass is not None, "JUMPS": plan.jumps}
    flags["SATURATES"] = plan.saturation is not None
    return _module("root", shape, [*made, *_constants(flags.items())])


def _constants(pairs: Iterable[tuple[str, Any]]) -> list[str]:
    return [f"{name} = {value!r}\n" for name, value in pairs]


def _module(template: str, shape: Shape, definitions: list[str]) -> ModuleType:
    own = [*_shaped(shape), *functions(inspect.getsource(blocks)), f"FLAT = {shape.flat}\n", *definitions]
    used = {node.id for node in ast.walk(ast.parse("\n".join(own))) if isinstance(node, ast.Name)}
    called = sorted((used & set(scalars.__all__)) | {"scalar"})
    header = ["import numpy as np\n", f"from normkit.backends.cuda.maps.scalars import {', '.join(called)}\n"]
    return module(fill(f"{LOOPS}.{template}", header + own), template)


def _shaped(shape: Shape) -> list[str]:
    """Return the imports and constants of formats and sizes."""
    pair = ("lower", "upper", "joined") if shape.paired else ("alone", "alone", "first")
    moves = {"low": pair[0], "high": pair[1], "join": pair[2], "narrow": f"narrow_{shape.target}"}
    moves |= {name: f"{name}_{shape.source}" for name in ("wide", "bits")} | {"raw_of": f"raw_{shape.source}"}
    taken = ", ".join(f"{function} as {name}" for name, function in moves.items())
    sizes = {"THREADS": shape.threads, "TILE": shape.tile, "PAIRED": shape.paired}
    sizes["INFINITE"] = formats.INFINITE[shape.source]
    return [
        f"from normkit.backends.cuda.maps.formats import {taken}\n",
        f"Real = np.{shape.real}\n",
        *_constants(sizes.items()),
    ]
