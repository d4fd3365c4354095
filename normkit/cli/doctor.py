"""``normkit doctor``: what this installation can do on this machine."""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(as_json: bool) -> None:
    """Say what this installation can do on this machine, and why not.

    Versions, the folder of compiled kernels, the extras, which back ends run, and for the GPU the driver, the devices,
    the packages, and what would multiply matrices there. Nothing is changed; the exit code is 0 whatever is missing.

    \b
    Examples:
      normkit doctor
      normkit doctor --json | python3 -m json.tool
    """  # noqa: D301 (click reads the backspace as: keep these lines)
    from dataclasses import asdict

    from normkit.doctor import lines, main_line, report

    found = report()
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False))
        return
    for line in lines(found):
        click.echo(line)
    click.echo("")
    click.echo(main_line(found))
