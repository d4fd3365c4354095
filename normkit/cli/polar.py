"""``normkit polar``: the orthogonal polar factor of arrays, to an accuracy, with what is proved of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from normkit.cli.loading import naming
from normkit.cli.progress import Progress
from normkit.errors import ParameterError

if TYPE_CHECKING:
    from normkit.formats import Contents
    from normkit.orthogonalize import PolarReport


@click.command()
@click.argument("file")
@click.option("-o", "--output", metavar="FILE", help="Where the factors go; - is standard output.")
@click.option(
    "--accuracy", type=float, metavar="A", help="|T - UV'|_F / sqrt(rank) that is enough; else working precision."
)
@click.option(
    "--method", default="auto", show_default=True, metavar="NAME", help="auto, ns, gram, qdwh, zolo, newton, eigh, svd."
)
@click.option("--steps", type=int, metavar="K", help="Take K steps of a schedule, and promise nothing.")
@click.option("--schedule", metavar="NAME", help="A published schedule for --steps, such as muon5.")
@click.option("--rank-tol", type=float, metavar="R", help="Share of the largest singular value that counts as zero.")
@click.option("--plan", is_flag=True, help="Only print what would be tried, with operations and predicted time.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--force", is_flag=True, help="Overwrite the output file.")
def polar(
    file: str,
    output: str | None,
    accuracy: float | None,
    method: str,
    steps: int | None,
    schedule: str | None,
    rank_tol: float | None,
    plan: bool,
    as_json: bool,
    force: bool,
) -> int:
    """Write orthogonal polar factors U V', and print how they were computed and what is proved of them.

    Every array of FILE gives a factor of the same shape, dtype and name; leading axes are batch axes. The report bounds
    the largest singular value of the factor and the nuclear norm of the matrix, without an SVD. The exit code is 1 if
    a method did not reach the accuracy, 2 for an error in the input.

    \b
    Examples:
      normkit polar grad.npy -o update.npy --accuracy 1e-3
      normkit polar grad.npy --accuracy 0.1 --plan
      normkit polar grads.npz -o factors.npz --json
      normkit polar grad.npy -o update.npy --steps 5 --schedule muon5
    """  # noqa: D301 (click reads the backspace as: keep these lines)
    from dataclasses import replace

    from normkit import files

    contents = files.read(file)
    if plan:
        if output is not None:
            raise ParameterError("--plan computes nothing; leave -o away")
        click.echo(_plans(contents, file, accuracy, method, as_json))
        return 0
    place = files.output(output, contents, force=force) if output is not None else None
    options = {"accuracy": accuracy, "method": method, "steps": steps, "schedule": schedule, "rank_tol": rank_tol}
    made = _factors(contents, file, options)
    if place:
        place.write(replace(contents, arrays={name: array for name, (array, _) in made.items()}))
    talk = output == files.STREAM
    reports = {name: report for name, (_, report) in made.items()}
    click.echo(_document(contents, reports) if as_json else _text(reports), err=talk)
    failed = [name for name, report in reports.items() if accuracy is not None and not _reached(report, accuracy)]
    if failed:
        click.echo(f"normkit: the accuracy was not reached for: {', '.join(failed)}", err=True)
    return 1 if failed else 0


def _factors(contents: Contents, file: str, options: dict[str, Any]) -> dict[str, tuple[Any, PolarReport]]:
    from normkit.orthogonalize import polar_report

    made = {}
    with Progress(sum(array.size for array in contents.arrays.values())) as progress:
        for name, array in contents.arrays.items():
            progress.start(name)
            with naming(name, contents, file):
                made[name] = polar_report(array, **options)
            progress.advance(array.size)
    return made


def _reached(report: PolarReport, accuracy: float) -> bool:
    import numpy as np

    return bool(np.all(np.asarray(report.error) <= max(accuracy, 1e-5) * 1.001))


def _plans(contents: Contents, file: str, accuracy: float | None, method: str, as_json: bool) -> str:
    import json

    from normkit.arrays import as_array
    from normkit.orthogonalize import polar_plan

    found = {}
    for name, array in contents.arrays.items():
        with naming(name, contents, file):
            checked = as_array(array, "the matrix")
            found[name] = polar_plan(checked.shape, checked.dtype, accuracy, method)
    if not as_json:
        return "\n".join(str(plan) for plan in found.values())
    entries = {
        name: {
            "shape": list(plan.shape),
            "dtype": plan.dtype,
            "accuracy": plan.accuracy,
            "attempts": [
                {"method": a.method, "precision": a.precision, "flops": a.flops, "seconds": a.seconds}
                for a in plan.attempts
            ],
        }
        for name, plan in found.items()
    }
    return json.dumps({"arrays": entries}, indent=2)


def _text(reports: dict[str, PolarReport]) -> str:
    return "\n".join(f"{name}\n{report}" for name, report in reports.items())


def _document(contents: Contents, reports: dict[str, PolarReport]) -> str:
    from dataclasses import asdict

    from normkit.cli.certificates import document

    entries = {}
    for name, report in reports.items():
        array = contents.arrays[name]
        entry: dict[str, Any] = {"shape": list(array.shape), "dtype": array.dtype.name}
        entry.update((key, _json(value)) for key, value in asdict(report).items())
        entries[name] = entry
    return document({"norm": "spectral", "dual": "nuclear"}, entries)


def _json(value: Any) -> Any:
    from normkit.cli.certificates import plain

    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, str) else plain(value)
