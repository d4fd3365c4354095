"""``normkit codegen``: the dualize map of a norm as a file of its own."""

from __future__ import annotations

from typing import Any

import click

from normkit.cli.loading import norm_of

TARGETS = ("numpy", "numba", "torch", "jax")


@click.command()
@click.option("--norm", "spec", required=True, metavar="SPEC", help="The norm, such as 'rms->rms'; see normkit norms.")
@click.option("--target", type=click.Choice(TARGETS), required=True, help="The library that the code is for.")
@click.option("-o", "--output", metavar="FILE", help="Where the code goes; standard output if not given.")
@click.option(
    "--map",
    type=click.Choice(["dualize", "lmo", "sharp"]),
    default="dualize",
    show_default=True,
    help="dualize: t = argmax <g, t> over N(t) <= 1. lmo, sharp: -radius * t, -(N*(g) / sharpness) * t as well.",
)
@click.option("--accuracy", type=float, metavar="A", help="Polar factors by products, so near to 1 on [LOWER, 1].")
@click.option("--lower", type=float, metavar="L", help="Where the accuracy begins, after scaling; 1e-3 if not given.")
@click.option("--exact", is_flag=True, help="Polar factors from singular vectors, in torch and jax too.")
@click.option("--force", is_flag=True, help="Overwrite the output file.")
def codegen(spec: str, target: str, output: str | None, force: bool, **options: Any) -> None:
    """Print the dualize map of a norm as Python that needs no normkit.

    The file has dualize(G) and dualize_with_dual_norm(G), imports its target only, and says in its head which norm it
    is for and what happens at zero, at ties and at rank deficient matrices. Polar factors come from singular vectors
    in numpy and numba, and from matrix products of an accuracy of 1e-3 in torch and jax.

    \b
    Examples:
      normkit codegen --norm 'rms->rms' --target torch > muon_update.py
      normkit codegen --norm 'rows(linf, l2)' --target jax --map lmo -o update.py
      normkit codegen --norm spectral --target numpy --accuracy 1e-2
    """  # noqa: D301 (click reads the backspace as: keep these lines)
    from normkit import files
    from normkit.standalone import codegen as printed

    place = files.target(output, force=force) if output not in (None, files.STREAM) else None
    text = printed(norm_of(spec), target, **options)
    if place is None:
        click.echo(text, nl=False)
        return
    with files.replacing(place) as stream:
        stream.write(text.encode())
    click.echo(f"normkit: wrote {output}", err=True)
