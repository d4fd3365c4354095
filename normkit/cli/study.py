"""``normkit study``: run a study, print its tables and verdicts, write JSON and pictures."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from normkit.studies.kit.study import Study

COMMON = (
    click.Option(["--quick"], is_flag=True, help="A smaller form, in seconds."),
    click.Option(["--long"], is_flag=True, help="Recompute the shipped long-run values too: minutes."),
    click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document; tables go to stderr."),
    click.Option(["--out"], metavar="DIR", help="Write NAME.json and the pictures there; a killed run resumes there."),
    click.Option(["--seed"], type=click.IntRange(0), default=0, show_default=True, help="The root of all randomness."),
    click.Option(["--workers"], type=click.IntRange(1), help="Processes, with joblib; 2 if not given."),
)


class Studies(click.Group):
    """A group whose commands are the studies; they are imported when one is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return list, all, and the names of the studies."""
        from normkit import studies

        return ["list", "all", *studies.names()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a study, with the study's own options.

        Raises
        ------
        ParameterError
            If there is no such study.
        """
        from normkit import studies

        if cmd_name == "list":
            return listing
        if cmd_name == "all":
            return click.Command(
                "all", params=list(COMMON), callback=_every, help="Run all studies, one after the other.",
                short_help="Run all studies.",
            )  # fmt: skip
        return _command(studies.get(cmd_name))


@click.group(cls=Studies)
def study() -> None:
    """Run the studies: what papers claim, reproduced and judged.

    A verdict is holds, conditional, false or measured. Exit 0 if every verdict is the one that the pages state, else 1.

    \b
    Examples:
      normkit study list
      normkit study muon-rmnp-gap --quick
      normkit study all --out results/
    """  # noqa: D301 (click reads the backspace as: keep these lines)


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def listing(as_json: bool) -> None:
    """List the studies, then the study of every number (S01, ...) that is reproduced."""
    from normkit import studies

    found = [studies.get(name) for name in studies.names()]
    if as_json:
        rows = [{name: getattr(each, name) for name in ("name", "title", "ids", "finding")} for each in found]
        click.echo(json.dumps({"studies": rows, "index": studies.index()}, indent=2, ensure_ascii=False))
        return
    width = max(len(each.name) for each in found)
    for each in found:
        click.echo(f"{each.name:<{width}}  {each.title}")
    click.echo("")
    for number, name in studies.index().items():
        click.echo(f"{number}  {name}")


def _command(study: Study) -> click.Command:
    from normkit.studies.kit.files import text

    options = [
        click.Option(
            [f"--{name.replace('_', '-')}"],
            type=None if option.kind is bool else option.kind,
            is_flag=option.kind is bool,
            default=option.default,
            multiple=option.many,
            show_default=True,
            help=option.help,
        )
        for name, option in study.options.items()
    ]

    def run(quick: bool, long: bool, as_json: bool, out: str | None, seed: int, workers: int | None, **own: Any) -> int:
        asked = _Asked(quick, long, as_json, out, seed, workers)
        with _interruptible(out):
            made, fine = _run(study, asked, own)
        if as_json:
            click.echo(text(made), nl=False)
        return 0 if fine else 1

    # The text of the page is in Markdown, with formulas: help is the finding.
    params: list[click.Parameter] = [*COMMON, *options]
    return click.Command(study.name, params=params, callback=run, help=study.finding, short_help=study.title)


def _every(quick: bool, long: bool, as_json: bool, out: str | None, seed: int, workers: int | None) -> int:
    from normkit import studies
    from normkit.studies.kit.files import text

    asked, made, all_fine = _Asked(quick, long, as_json, out, seed, workers), [], True
    with _interruptible(out):
        for name in studies.names():
            each = studies.get(name)
            document, fine = _run(each, asked, {key: option.default for key, option in each.options.items()})
            made.append(document)
            all_fine = all_fine and fine
            click.echo("", err=as_json)
    if as_json:
        click.echo(text({"studies": made}), nl=False)
    return 0 if all_fine else 1


@dataclass(frozen=True)
class _Asked:
    """The options that all studies have."""

    quick: bool
    long: bool
    as_json: bool
    out: str | None
    seed: int
    workers: int | None

    @property
    def form(self) -> str:
        return "quick" if self.quick else "long" if self.long else "full"


@contextmanager
def _interruptible(out: str | None) -> Iterator[None]:
    """Say after Ctrl-C what is kept."""
    try:
        yield
    except KeyboardInterrupt:
        kept = "nothing was kept: give --out DIR" if out is None else f"{out} keeps what is done: run it again to go on"
        click.echo(f"normkit: interrupted; {kept}", err=True)
        sys.exit(130)


def _run(study: Study, asked: _Asked, options: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Run a study, print it, write it, and return it as plain data with whether it is as documented."""
    from normkit.cli.progress import Progress
    from normkit.errors import ParameterError
    from normkit.studies.kit import files, report
    from normkit.studies.kit.cells import Cells

    if asked.quick and asked.long:
        raise ParameterError("--quick and --long exclude each other")
    if asked.workers is not None and asked.workers > 1 and find_spec("joblib") is None:
        click.echo("normkit: one process: more need joblib (the extra normkit[scale])", err=True)
    place = None if asked.out is None else files.folder(asked.out)
    kept = None if place is None else files.journal(place, study, asked.form)
    start = time.perf_counter()
    with Progress(1000) as progress:

        def watch(label: str, done: int, total: int) -> None:
            progress.start(f"{study.name} {label}")
            progress.done = 1000 * done // max(total, 1)

        progress.start(study.name)
        cells = Cells(study.name, asked.seed, kept, asked.workers or 2, watch)
        outcome = study(seed=asked.seed, quick=asked.quick, long=asked.long, cells=cells, **options)
    document = report.document(study, outcome, seed=asked.seed, form=asked.form, options=options)
    for line in report.text(study, outcome):
        click.echo(line, err=asked.as_json)
    if place is not None:
        written = files.write(place, study, outcome, document)
        cells.forget()
        click.echo(f"wrote {', '.join(path.name for path in written)} to {place}", err=True)
    earlier = f", {cells.taken} cells of an earlier run taken" if cells.taken else ""
    click.echo(f"{study.name}: {time.perf_counter() - start:.1f} s{earlier}", err=True)
    return document, outcome.as_documented
