"""``normkit schedule``: the polynomial steps for an accuracy or a number of steps, with what is proved of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from normkit.errors import ParameterError

if TYPE_CHECKING:
    from normkit.polar.schedule import Schedule


@click.command()
@click.option("--accuracy", type=float, metavar="A", help="Largest |1 - p| on [LOWER, UPPER], such as 1e-2.")
@click.option("--steps", type=int, metavar="T", help="Number of steps; with --accuracy: how far down do they reach?")
@click.option("--dtype", default="float32", show_default=True, metavar="D", help="bf16, f16, f32, f64 or a full name.")
@click.option("--lower", type=float, metavar="L", help="Least singular value after scaling; 1e-3 if not given.")
@click.option("--upper", type=float, default=1.0, show_default=True, metavar="U", help="Largest one after scaling.")
@click.option("--degree", default="5", show_default=True, metavar="N", help="3, 5 or 7; or one for each step: 7,5,5.")
@click.option("--safety", type=float, metavar="S", help="Divide arguments by S; by dtype if not given.")
@click.option("--cushion", type=float, metavar="K", help="Least lower/upper of a step; 0.02407 if not given.")
@click.option("--preset", metavar="NAME", help="A published list instead, such as pe5-1.02.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--plot", metavar="FILE", help="Draw the composite beside published ones: .png, .svg or .pdf.")
@click.option("--force", is_flag=True, help="Overwrite the picture.")
@click.option("--allow-unsafe", is_flag=True, help="Let an unsafe schedule through, for study.")
def schedule(degree: str, as_json: bool, plot: str | None, force: bool, **options: Any) -> None:
    """Design polynomial steps towards the polar factor.

    Prints the coefficients (a, b, c) of a x + b x^3 + c x^5 for each step, with its proved image of [LOWER, UPPER], the
    slope at zero and the stable basin, then those of the whole. What would flip signs, overshoot or leave its basin
    is refused.

    \b
    Examples:
      normkit schedule --accuracy 1e-2 --steps 5 --dtype bf16
      normkit schedule --accuracy 1e-6 --lower 1e-4 --plot range.png
      normkit schedule --preset muon5 --json
    """  # noqa: D301 (click reads the backspace as: keep these lines)
    from normkit.polar.schedule import polar_schedule

    made = polar_schedule(degree=_degree(degree), **options)
    if plot is not None:
        from normkit.polar_plot import plot_schedule

        plot_schedule(made, plot, force=force)
        click.echo(f"normkit: wrote {plot}", err=True)
    click.echo(json.dumps(_document(made), indent=2) if as_json else str(made))


def _degree(text: str) -> int | list[int]:
    try:
        degrees = [int(part) for part in text.split(",")]
    except ValueError:
        raise ParameterError(f"--degree is 3, 5 or 7, or one for each step such as 7,5,5; got {text!r}") from None
    return degrees[0] if len(degrees) == 1 else degrees


def _document(made: Schedule) -> dict[str, Any]:
    from normkit.cli.certificates import plain

    each = zip(made.coefficients, made.images, made.slopes, made.basins, strict=True)
    return {
        "name": made.name,
        "source": made.source,
        "dtype": made.dtype,
        "lower": made.lower,
        "upper": made.upper,
        "steps": [
            {"coefficients": list(row), "image": plain(list(image)), "slope": plain(slope), "basin": plain(basin)}
            for row, image, slope, basin in each
        ],
        "image": plain(list(made.image)),
        "error": plain(made.error),
        "slope": plain(made.slope),
        "basin": plain(made.basin),
        "rounding": plain(made.rounding),
        "repeats": made.repeats,
    }
