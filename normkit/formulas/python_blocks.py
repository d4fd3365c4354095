"""The product rule as plain Python: functions of the outer norm and of every distinct part, joined on dicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from normkit.formulas.formula import Formula
from normkit.formulas.python import function
from normkit.formulas.runtime import SOURCE

Functions = Mapping[str, Formula | None]
"""The formulas of one norm by the names norm, dual_norm and dualize; None where there is no closed form."""

TIMES = """
def _times(c, t):
    return [_times(c, row) for row in t] if isinstance(t, list) else c * t
"""

JOINED = {
    "norm": """
def norm(W):
    return outer_norm([part(W[name]) for name, part in NORM.items()])
""",
    "dual_norm": """
def dual_norm(G):
    return outer_dual_norm([part(G[name]) for name, part in DUAL_NORM.items()])
""",
    "dualize": """
def dualize(G):
    shares = outer_dualize([part(G[name]) for name, part in DUAL_NORM.items()])
    return {name: _times(c, DUALIZE[name](G[name])) for name, c in zip(DUALIZE, shares)}


def update(G, sharpness=1.0):
    length = dual_norm(G) / sharpness
    return {name: _times(-length, t) for name, t in dualize(G).items()}
""",
}
"""The functions of named arrays, by what they are made of."""


def block_module(norm: str, outer: Functions, parts: Sequence[Functions], names: Mapping[str, int]) -> str:
    """Return a module whose functions take dicts of nested lists; `names` says which part each array has.

    What the outer norm or any part has no closed form for is left out.
    """
    known = [name for name in JOINED if all(each[name] is not None for each in (outer, *parts))]
    made = [f'"""The formulas of {norm}."""\n', SOURCE, TIMES.strip()]
    for name in known:
        made.append(_function(f"outer_{name}", outer[name]))
        made += [_function(f"part_{place}_{name}", part[name]) for place, part in enumerate(parts)]
        table = ", ".join(f"{array!r}: part_{place}_{name}" for array, place in names.items())
        made.append(f"{name.upper()} = {{{table}}}")
    return "\n\n".join([*made, *(JOINED[name].strip() for name in known)]) + "\n"


def _function(name: str, formula: Formula | None) -> str:
    assert formula is not None
    return function(name, formula)
