"""``normkit dualize``: read arrays, dualize each, write the updates, print the certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from normkit.cli.loading import check_shapes, naming, program_of
from normkit.cli.progress import Progress
from normkit.errors import ParameterError

if TYPE_CHECKING:
    from normkit.codegen.plan import Program
    from normkit.formats import Contents
    from normkit.update import Update


@click.command()
@click.argument("file")
@click.option("--norm", "spec", required=True, metavar="SPEC", help="The norm, such as 'rms->rms'; see normkit norms.")
@click.option("-o", "--output", metavar="FILE", help="Where the update goes; - is standard output.")
@click.option(
    "--convention",
    type=click.Choice(["dualize", "lmo", "sharp"]),
    default="dualize",
    show_default=True,
    help="dualize: t = argmax <g, t> over N(t) <= 1. lmo: -RADIUS * t. sharp: -(N*(g) / SHARPNESS) * t.",
)
@click.option("--radius", type=float, metavar="R", help="Radius of lmo; 1 if not given.")
@click.option("--sharpness", type=float, metavar="S", help="Sharpness of sharp; 1 if not given.")
@click.option("--backend", default="auto", show_default=True, metavar="auto|reference|cpu|cuda", help="What computes.")
@click.option(
    "--accuracy",
    type=float,
    default=0.0,
    metavar="A",
    help="Gap that is good enough, such as 1e-3; else working precision.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--force", is_flag=True, help="Overwrite the output file.")
def dualize(
    file: str,
    spec: str,
    output: str | None,
    convention: Any,
    radius: float | None,
    sharpness: float | None,
    backend: str,
    accuracy: float,
    as_json: bool,
    force: bool,
) -> int:
    """Dualize arrays and print certificates.

    Every array of FILE gives an update of the same shape, dtype and name, which goes to the output file; FILE stays
    as it is. With -o - the updates take standard output and the certificates go to standard error. Leading axes
    beyond those of the norm are batch axes. The exit code is 1 if a certificate does not hold, 2 for an error in the
    input.

    \b
    Examples:
      normkit dualize --norm 'rms->rms' grad.npy -o update.npy
      normkit dualize --norm linf --convention lmo --radius 0.01 grads.npz -o steps.npz
      cat grad.npy | normkit dualize --norm 'rows(linf, l2)' - -o - > update.npy
      normkit dualize --norm 'rms->rms' --json model.safetensors
    """  # noqa: D301 (click reads the backspace as: keep these lines)
    _check(convention, radius, sharpness, accuracy)
    from dataclasses import replace

    from normkit import files
    from normkit.backends import backend as find
    from normkit.cli.certificates import certificates, print_text

    program, used = program_of(spec), find(backend).name
    contents = files.read(file)
    place = files.output(output, contents, force=force) if output is not None else None
    check_shapes(program, contents, file)
    options = {"convention": convention, "radius": radius or 1.0, "sharpness": sharpness or 1.0, "accuracy": accuracy}
    updates = _updates(program, contents, file, backend=backend, **options)
    if place:
        place.write(replace(contents, arrays={name: update.array for name, update in updates.items()}))
    talk = output == files.STREAM
    if as_json:
        click.echo(certificates(program, updates, used), err=talk)
    else:
        print_text(program, updates, used, err=talk)
    failed = [name for name, update in updates.items() if not update.holds]
    if failed:
        click.echo(f"normkit: the certificate does not hold for: {', '.join(failed)}", err=True)
    return 1 if failed else 0


def _check(convention: str, radius: float | None, sharpness: float | None, accuracy: float) -> None:
    for name, number, use in (("radius", radius, "lmo"), ("sharpness", sharpness, "sharp")):
        if number is not None and convention != use:
            raise ParameterError(f"--{name} belongs to --convention {use}; got --convention {convention}")
        if number is not None and not 0 < number < float("inf"):
            raise ParameterError(f"--{name} must be a positive finite number; got {number}")
    if not 0 <= accuracy < 1:
        raise ParameterError(f"--accuracy is a relative gap between 0 and 1, such as 1e-3; got {accuracy}")


def _updates(program: Program, contents: Contents, file: str, **options: Any) -> dict[str, Update]:
    from normkit.update import certified_update

    updates = {}
    with Progress(sum(array.size for array in contents.arrays.values())) as progress:
        for name, array in contents.arrays.items():
            progress.start(name)
            with naming(name, contents, file):
                updates[name] = certified_update(program, array, **options)
            progress.advance(array.size)
    return updates
