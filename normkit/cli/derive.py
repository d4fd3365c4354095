"""``normkit derive``: the derivation of the dual norm and the dualize map, and a picture of the balls."""

from __future__ import annotations

import json

import click

from normkit.cli.loading import norm_of

FORMATS = ("text", "latex", "html", "json", "python")


@click.command()
@click.argument("spec")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="What to print.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--plot", metavar="FILE", help="Draw unit ball, dual ball and a dualize arrow: .png, .svg or .pdf.")
@click.option("--force", is_flag=True, help="Overwrite the picture.")
def derive(spec: str, form: str, as_json: bool, plot: str | None, force: bool) -> None:
    """Derive the dual norm and the dualize map of a norm.

    Prints, one theorem at a time, how they follow from the norm that SPEC names.

    python prints the code that computes the map; html is one page that needs no network.

    \b
    Examples:
      normkit derive 'max(spectral, 4*max)'
      normkit derive 'rms->rms' --format html > derivation.html
      normkit derive 'max(linf, 3/4*l1)' --plot ball.png
    """  # noqa: D301 (click reads the backspace as: keep these lines)
    from normkit.derive import derive as derivation

    norm = norm_of(spec)
    shown = getattr(derivation(norm), "json" if as_json else form)()
    if plot is not None:
        from normkit.plot import plot_ball

        plot_ball(norm, plot, force=force)
        click.echo(f"normkit: wrote {plot}", err=True)
    click.echo(shown if isinstance(shown, str) else json.dumps(shown, indent=2, ensure_ascii=False))
