"""Arguments of a spec sorted into the fields of a norm's class."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, get_type_hints

from sympy import Expr

from normkit.errors import SpecError
from normkit.norm import Norm
from normkit.parameter import Parameter


def signature(cls: type[Norm]) -> list[tuple[str, str]]:
    """Return the parameters of a norm as (name, kind), kind one of norm, norms, number, numbers, text, lists."""
    hints = get_type_hints(cls)
    kinds: dict[Any, str] = {Norm: "norm", tuple[Norm, ...]: "norms", Parameter: "numbers", Expr: "number", str: "text"}
    return [(field.name, kinds.get(hints[field.name], "lists")) for field in fields(cls)]  # type: ignore[arg-type]


def fit(cls: type[Norm], arguments: list[Any]) -> list[Any]:
    """Sort spec arguments into the fields of a class; the last field may take all that are left."""
    wanted = signature(cls)
    call = f"{cls.name}({', '.join(f'{name}: {kind}' for name, kind in wanted)})" if wanted else cls.name
    fitted: list[Any] = []
    for place, (_, kind) in enumerate(wanted):
        last = place == len(wanted) - 1
        if kind == "norms":
            taken = [arguments.pop(0) for _ in list(arguments) if isinstance(arguments[0], Norm)]
            fitted.append(tuple(taken))
        elif kind == "numbers" and last and arguments and all(isinstance(value, Expr) for value in arguments):
            fitted.append(Parameter.of([as_float(value) for value in arguments]))
            arguments.clear()
        elif arguments and kind_of(arguments[0]) in (("a list",) if kind in ("numbers", "lists") else (f"a {kind}",)):
            value = arguments.pop(0)
            fitted.append(value.nested() if kind == "lists" and isinstance(value, Parameter) else value)
        elif arguments:
            raise SpecError(f"{call} got {kind_of(arguments[0])} where it needs {kind}")
        elif not _has_default(cls, place):
            raise SpecError(f"{call} needs {len(wanted)} argument{'s' * (len(wanted) > 1)}; got {place}")
    if arguments:
        raise SpecError(f"{call} takes {len(wanted)} argument{'s' * (len(wanted) != 1)}; {len(arguments)} too many")
    return fitted


def _has_default(cls: type[Norm], place: int) -> bool:
    field = fields(cls)[place]  # type: ignore[arg-type]
    return field.default is not MISSING or field.default_factory is not MISSING


def as_float(value: Expr) -> float:
    """Return a scalar of the text as a float, or raise `SpecError`."""
    if not (value.is_number and value.is_real):
        raise SpecError(f"a list holds real numbers; got {value}")
    return float(value)


def kind_of(value: Any) -> str:
    """Return what an argument is, for errors."""
    kinds = ((Norm, "a norm"), (Expr, "a number"), (str, "a text"))
    return next((kind for cls, kind in kinds if isinstance(value, cls)), "a list")
