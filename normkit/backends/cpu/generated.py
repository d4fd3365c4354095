"""Which generated module serves which loops: templates, the scalars bound in them, and the dtype."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from normkit.backends.cpu import scalars
from normkit.codegen.plan import RankedPlan, RootPlan, Scalar
from normkit.codegen.source import Loops, definition, fill, loops, rooted

WORDS = {4: "int32", 8: "int64"}


@cache
def generate(
    template: str,
    dtype: np.dtype[Any],
    functions: tuple[tuple[str, Scalar], ...] = (),
    constants: tuple[tuple[str, Any], ...] = (),
    more: tuple[str, ...] = (),
) -> Loops:
    """Return the loops of a template for a dtype, with scalars bound to the names that it imports.

    Parameters
    ----------
    template : str
        A module of `normkit.backends.cpu.loops`.
    dtype : dtype
        float32 or float64.
    functions, constants : tuple of (name, Scalar), tuple of (name, value)
        What takes the place of the template's stand-ins.
    more : tuple of str
        Further definitions, as text.
    """
    texts = helpers(scalar for _, scalar in functions)
    texts += [definition(name, scalar) for name, scalar in functions]
    texts += [f"{name} = {value!r}\n" for name, value in constants]
    return _module(template, dtype, [*texts, *more])


@cache
def generate_ranked(plan: RankedPlan, dtype: np.dtype[Any]) -> Loops:
    """Return the loops of a formula on sorted magnitudes."""
    stats = plan.stats
    shared = ("a", "w", "j", "y", "z", "W", "y_1", "stats", "m", "n")
    unpack = [f"{stat.name} = stats[{k}]" for k, stat in enumerate(stats)]
    texts = helpers((plan.rule, plan.head, plan.tail, *(stat.body for stat in stats)))
    texts += [definition(name, getattr(plan, name), shared, unpack) for name in ("rule", "head", "tail")]
    choose = [f"if k == {k}:\n        return {rooted(stat.body.source)}" for k, stat in enumerate(stats)]
    texts.append(definition("stat", Scalar((), "0.0"), ("k", "a", "w", "y_1", "m", "n"), choose))
    constants = {
        "COUNT": len(stats),
        "KIND": plan.split,
        "REGIONS": tuple(stat.region for stat in stats),
        "WEIGHTED": plan.weights is not None,
    }
    return _module("ranked", dtype, [*texts, *(f"{name} = {value!r}\n" for name, value in constants.items())])


@cache
def generate_root(plan: RootPlan, dtype: np.dtype[Any]) -> Loops:
    """Return the loops of a root: `root_term` is one of its scalars, the number of entries, or the argument itself."""
    terms = [plan.equation, plan.rate, plan.body, plan.mass or plan.body]
    choose = [f"if which == {k}:\n        return {rooted(term.source)}" for k, term in enumerate(terms)]
    choose[1] = f"if which == 1:\n        return a * ({rooted(plan.rate.source)})"
    choose.append("if which == 4:\n        return 1.0")
    texts = helpers((*terms, plan.entry))
    texts.append(definition("root_term", Scalar((), "a"), ("which", "a", "m", "n"), choose))
    return _module("root", dtype, [*texts, definition("entry", plan.entry)])


def helpers(used: Iterable[Scalar]) -> list[str]:
    """Return the functions that scalars call, each once."""
    return [f"@scalar\n{text}\n" for text in dict.fromkeys(text for scalar in used for text in scalar.helpers)]


def _module(template: str, dtype: np.dtype[Any], definitions: list[str]) -> Loops:
    used = {node.id for node in ast.walk(ast.parse("\n".join(definitions))) if isinstance(node, ast.Name)}
    called = sorted((used & set(scalars.__all__)) | {"scalar"})
    header = ["import numpy as np\n", f"from normkit.backends.cpu.scalars import {', '.join(called)}\n", _typed(dtype)]
    return loops(fill(f"normkit.backends.cpu.loops.{template}", header + definitions), template)


def _typed(dtype: np.dtype[Any]) -> str:
    """Return the definitions of a dtype: the float, the integer of its size, the mask of its magnitude."""
    word, mask = WORDS[dtype.itemsize], hex((1 << (8 * dtype.itemsize - 1)) - 1)
    return f"Float, Bits, MAGNITUDE = np.{dtype.name}, np.{word}, np.{word}({mask})\n"
