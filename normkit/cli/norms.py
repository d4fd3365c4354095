"""``normkit norms``: the registry as a table."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from normkit.norm import Norm


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def norms(as_json: bool) -> None:
    """List the norms.

    Each with its parameters, an example, the dual of that, and what its dualize map costs.

    Multiples and sums are written 2*a, a/sqrt(n), a + b; operator norms a->b; the maximum of norms max(a, b).

    \b
    Examples:
      normkit norms
      normkit norms --json | python3 -m json.tool
    """  # noqa: D301 (click reads the backspace as: keep these lines)
    from normkit.registry import norms as registry

    rows = [_row(name, cls) for name, cls in registry().items()]
    if as_json:
        click.echo(json.dumps({"norms": rows}, indent=2, ensure_ascii=False))
        return
    for row in rows:
        parameters = ", ".join(f"{parameter['name']}: {parameter['kind']}" for parameter in row["parameters"])
        click.echo(f"{row['name']}({parameters})" if parameters else row["name"])
        click.echo(f"    {row['doc']}")
        if row["example"]:
            cost = f"   cost {row['cost']}" if row["cost"] else ""
            click.echo(f"    {row['example']}   dual {row['dual']}{cost}")


def _row(name: str, cls: type[Norm]) -> dict[str, Any]:
    from normkit.cost import cost_class
    from normkit.spec import signature

    example = next(iter(cls.examples()), None)
    return {
        "name": name,
        "parameters": [{"name": parameter, "kind": kind} for parameter, kind in signature(cls)],
        "cost": None if example is None else cost_class(example),
        "example": None if example is None else str(example),
        "dual": None if example is None else str(example.dual),
        "doc": (inspect.getdoc(cls) or "").partition("\n")[0],
    }
