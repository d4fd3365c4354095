"""``normkit model inspect``: what the rules make of a checkpoint, as a table."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import click

from normkit.cli.progress import Progress

if TYPE_CHECKING:
    from normkit.modular.inspection import Inspection, Row

HEAD = ("name", "shape", "norm", "scale", "N(weight)", "N*(gradient)", "share")
NORM, LEAST, WIDTH = 36, 16, 160
"""Longest norm, shortest room for names, and the width where standard output is no terminal."""


@click.group()
def model() -> None:
    """Look at the arrays of a whole model.

    \b
    Examples:
      normkit model inspect weights.safetensors --rules muon
    """  # noqa: D301 (click reads the backspace as: keep these lines)


@model.command()
@click.argument("weights")
@click.option("--rules", required=True, metavar="R", help="A rules file, or the name of ready rules, such as muon.")
@click.option("--grads", metavar="FILE", help="Gradients under the same names, for dual norms and shares of the step.")
@click.option("--backend", default="auto", show_default=True, metavar="auto|reference|cpu|cuda", help="What computes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def inspect(weights: str, rules: str, grads: str | None, backend: str, as_json: bool) -> None:
    """Show which norm, or which other update, every array of a checkpoint gets.

    With the norm of each weight, and with --grads the dual norm of each gradient and the array's share of the step:
    the part of the dual norm of the whole model that is its own. The norms of a row are those of its norm without the
    scale, which multiplies that norm. Arrays are read one at a time; nothing is written. An array that no rule covers,
    or that its norm does not take, is an error.

    \b
    Examples:
      normkit model inspect weights.safetensors --rules muon
      normkit model inspect weights.safetensors --grads grads.safetensors --rules r.toml --json
    """  # noqa: D301 (click reads the backspace as: keep these lines)
    from normkit.backends import backend as find
    from normkit.checkpoint import open_checkpoint
    from normkit.modular import inspection
    from normkit.modular.rules import Rules

    find(backend)
    held, chosen = open_checkpoint(weights), Rules.find(rules)
    made = chosen.assign(held.shapes, held.aliases, held.counts)
    gradients = open_checkpoint(grads) if grads is not None else None
    if gradients is not None:
        made.check_gradients(gradients.shapes, str(grads))
    with Progress(sum(entry.size for entry in held.entries.values())) as progress:

        def tell(each: Any) -> None:
            progress.start(each.name)
            progress.advance(held.entries[each.name].size)

        dtypes = {name: entry.dtype for name, entry in held.entries.items()}
        found = inspection.inspect(
            held, made, gradients, dtypes=dtypes, backend=backend, tell=tell, called=(weights, str(grads))
        )
    click.echo(_document(found, made.outer) if as_json else _table(found, made.outer, gradients is not None))


# --- one JSON document ----------------------------------------------------------------------------------------------


def _document(found: Inspection, outer: str) -> str:
    from normkit.cli.certificates import document, plain

    head = {"outer": outer, "norm_of_weights": _plain(found.norm), "dual_norm": _plain(found.dual_norm)}
    entries = {}
    for row in found.rows:
        given = row.given
        entries[given.name] = {
            "shape": list(given.shape),
            "dtype": row.dtype,
            "rule": None if given.rule is None else given.rule.pattern,
            "norm": given.spec,
            "scale": plain(given.scale) if given.spec else None,
            "norm_of_weight": _plain(row.weight),
            "dual_norm": _plain(row.dual),
            "share": _plain(row.share),
            "update": given.update,
            "options": dict(given.options),
            "frozen": given.frozen,
            "same_as": given.same_as,
        }
    return document(head, entries)


def _plain(number: float | None) -> Any:
    from normkit.cli.certificates import plain

    return None if number is None else plain(number)


# --- a table --------------------------------------------------------------------------------------------------------


def _table(found: Inspection, outer: str, gradients: bool) -> str:
    count = len(HEAD) if gradients else len(HEAD) - 2
    lines = [HEAD[:count], *(_cells(row)[:count] for row in found.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(count)]
    room = shutil.get_terminal_size((WIDTH, 24)).columns - sum(widths[1:]) - 2 * (count - 1)
    widths[0] = min(widths[0], max(LEAST, room))
    shown = [_line(line, widths) for line in lines]
    totals = [f"outer norm {outer}"]
    totals += [f"N(W) = {found.norm:.6g}"] if found.norm is not None else []
    totals += [f"N*(G) = {found.dual_norm:.6g}"] if found.dual_norm is not None else []
    return "\n".join([*shown, "", ", ".join(totals)])


def _cells(row: Row) -> tuple[str, ...]:
    given = row.given
    what = given.spec or (given.update and f"{given.update}, no norm") or (given.same_as and f"= {given.same_as}")
    return (
        given.name,
        "x".join(map(str, given.shape)) or "scalar",
        middle(what or "frozen", NORM),
        f"{given.scale:.6g}" if given.spec else "",
        _shown(row.weight),
        _shown(row.dual),
        "" if row.share is None else f"{100 * row.share:.2f} %",
    )


def _shown(number: float | None) -> str:
    return "" if number is None else f"{number:.6g}"


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    texts = [middle(cells[0], widths[0]).ljust(widths[0])]
    texts += [cell.ljust(width) for cell, width in zip(cells[1:3], widths[1:3], strict=True)]
    texts += [cell.rjust(width) for cell, width in zip(cells[3:], widths[3:], strict=True)]
    return "  ".join(texts).rstrip()


def middle(text: str, width: int) -> str:
    """Return a text of at most a width: what is in its middle gives way, since names differ at their ends."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"
