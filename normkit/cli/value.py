"""``normkit value``: the norm, or the dual norm, of arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from normkit.cli.loading import check_shapes, naming, program_of
from normkit.cli.progress import Progress

if TYPE_CHECKING:
    from normkit.codegen.plan import Program


@click.command()
@click.argument("spec")
@click.argument("file")
@click.option("--dual", is_flag=True, help="The dual norm instead.")
@click.option("--bounds", is_flag=True, help="Proven bounds from both sides; for norms without a closed form.")
@click.option("--backend", default="auto", show_default=True, metavar="auto|reference|cpu|cuda", help="What computes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def value(spec: str, file: str, dual: bool, bounds: bool, backend: str, as_json: bool) -> None:
    """Print the norm of arrays.

    One array gives one number (over a batch, one line for each item); several arrays give lines that begin with the
    name. Bounds are two numbers.

    \b
    Examples:
      normkit value 'rms->rms' weight.npy
      normkit value --dual 'rms->rms' grad.npy
      normkit value --bounds 'linf->l1' weight.npy
    """  # noqa: D301 (click reads the backspace as: keep these lines)
    from normkit import files
    from normkit.cli.certificates import document

    program = program_of(spec)
    names = {"norm": program.spec, "dual": program.dual_spec, "measured": "dual" if dual else "norm"}
    program = program_of(f"dual({spec})") if dual else program
    contents = files.read(file)
    check_shapes(program, contents, file)
    found = {}
    with Progress(sum(array.size for array in contents.arrays.values())) as progress:
        for name, array in contents.arrays.items():
            progress.start(name)
            with naming(name, contents, file):
                found[name] = _measured(program, array, bounds, backend)
            progress.advance(array.size)
    if as_json:
        click.echo(document(names, found))
        return
    lines = [(name, line) for name, entry in found.items() for line in _lines(entry)]
    click.echo("\n".join(f"{name} {line}" if len(found) > 1 else line for name, line in lines))


def _measured(program: Program, array: Any, bounds: bool, backend: str) -> dict[str, Any]:
    """Return shape, dtype, lower and upper bound, kind, and the value where the norm has one."""
    from normkit.cli.certificates import plain

    entry: dict[str, Any] = {"shape": list(array.shape), "dtype": array.dtype.name}
    if bounds:
        from normkit.bounds import bounds as bracket

        found = bracket(program, array, backend=backend)
        return {**entry, "lower": plain(found.lower), "upper": plain(found.upper), "kind": found.kind}
    from normkit.descent import value as evaluate

    number = plain(evaluate(program, array, backend=backend))
    return {**entry, "value": number, "lower": number, "upper": number, "kind": "exact"}


def _lines(entry: dict[str, Any]) -> list[str]:
    if "value" not in entry:
        return [f"{entry['lower']!r} {entry['upper']!r}"]
    return [repr(number) for number in _flat(entry["value"])]


def _flat(numbers: Any) -> list[float]:
    return [leaf for part in numbers for leaf in _flat(part)] if isinstance(numbers, list) else [numbers]
