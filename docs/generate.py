"""Write the pages that come from the code: catalogue.md, cli.md, api.md, references.md, and studies/.

``python docs/generate.py`` writes them; ``--check`` only tells whether the committed pages are what would be written.
The pages of the studies come from docs/studies/NAME.json, which ``normkit study NAME --out docs/studies`` writes.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import numpy as np

import normkit as nk
from normkit import studies
from normkit.references import REFERENCES
from normkit.rosetta import tables
from normkit.studies.kit.page import overview
from normkit.studies.kit.page import page as study_page

HERE = Path(__file__).parent
NOTE = "<!-- Written by docs/generate.py; do not edit. -->\n"


def catalogue() -> Iterator[str]:
    """Yield the page of the registry: every norm with its dual, cost class, theorem and a worked example."""
    yield f"{NOTE}\n# Catalogue\n"
    yield (
        "Every registered norm: what its file says, how it is written, its dual, the cost class of its dualize map "
        "([what the classes mean](what-is-a-norm.md)), and the theorem that gives the dual. *dualize* shows the map at "
        "one gradient, computed when this page was written.\n"
    )
    for name, cls in nk.norms().items():
        summary = (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ")
        yield f"## `{name}`\n"
        yield f"{summary} ({{py:class}}`{cls.__module__}.{cls.__qualname__}`)\n"
        yield from _examples(list(cls.examples()))
        theorem = cls.theorem
        if theorem.source:
            yield f"{theorem.name} [{theorem.source}](references.md): ${theorem.statement}$\n"


def _examples(norms: list[nk.Norm]) -> Iterator[str]:
    if not norms:
        return
    yield "| spec | dual | class |\n|---|---|---|"
    for norm in norms:
        yield f"| `{norm}` | `{norm.dual}` | {nk.cost_class(norm)} |".replace("||", "| |")
    yield ""
    for norm in norms:
        g = gradient(norm)
        try:
            t, size = nk.dualize(norm, g, backend="reference"), nk.dual_value(norm, g, backend="reference")
        except nk.NoClosedForm:
            continue
        yield f"`{norm}`: *g* = `{_show(g)}`, *dualize* = `{_show(t)}`, N\\*(g) = {size:.6g}\n"
        return


def gradient(norm: nk.Norm) -> np.ndarray:
    """Return a small gradient of the shape that a norm takes."""
    square = isinstance(norm, nk.Symmetric | nk.Skew)
    free = iter((2, 2) if square else (3, 2) if norm.ndim == 2 else (3,) * norm.ndim)
    shape = tuple(next(free) if length is None else length for length in norm.shape)
    return np.resize([3.0, -4.0, 0.0, 1.0, 2.0, -1.0], shape)


def _show(array: np.ndarray) -> str:
    return np.array2string(array, precision=4, suppress_small=True, separator=", ").replace("\n", "").replace("  ", " ")


def cli() -> Iterator[str]:
    """Yield the page of the command line: the help of every command, as printed."""
    from normkit.cli import main as group

    yield f"{NOTE}\n# Command line\n"
    sizes = {"terminal_width": 100, "max_content_width": 100}
    context = click.Context(group, info_name="normkit", **sizes, **group.context_settings)
    yield f"```text\n{group.get_help(context)}\n```\n"
    yield from _commands(group, context)


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context, terminal_width=100, max_content_width=100)
        yield f"## `{inner.command_path}`\n\n```text\n{command.get_help(inner)}\n```\n"
        if isinstance(command, click.Group):
            yield from _commands(command, inner)


def api() -> Iterator[str]:
    """Yield the page of the public names, by the module that defines them."""
    yield f"{NOTE}\n# Python reference\n"
    yield "Everything here is reached as `normkit.NAME` (`import normkit as nk`).\n"
    homes: dict[str, list[str]] = {}
    for name in nk.__all__:
        homes.setdefault(nk.home(name), []).append(name)
    for module, names in sorted(homes.items()):
        summary = (inspect.getdoc(import_module(module)) or "").split("\n\n")[0].split("\n")[0]
        yield f"## {module}\n\n{summary}\n"
        for name in sorted(names):
            item = getattr(nk, name)
            directive = "autoclass" if inspect.isclass(item) else "autofunction" if callable(item) else "autodata"
            members = "\n   :members:" if inspect.isclass(item) and not issubclass(item, nk.Norm | Exception) else ""
            yield f"```{{eval-rst}}\n.. {directive}:: {module}.{name}{members}\n```\n"


def references() -> Iterator[str]:
    """Yield the page of the literature that theorems name."""
    yield f"{NOTE}\n# References\n"
    for key, text in sorted(REFERENCES.items()):
        yield f"`{key}`\n: {text}\n"


def conventions() -> Iterator[str]:
    """Yield the page of other libraries' conventions, with the tables that the code has."""
    text = (HERE / "conventions.md").read_text("utf-8")
    before, _, rest = text.partition("<!-- rosetta -->\n")
    after = rest.partition("<!-- /rosetta -->")[2]
    yield f"{before}<!-- rosetta -->\n"
    yield from tables()
    yield f"<!-- /rosetta -->{after}"


def runs() -> dict[str, dict[str, Any]]:
    """Return the runs of studies that are kept beside their pages, by the name of the study."""
    found = {name: HERE / "studies" / f"{name}.json" for name in studies.names()}
    return {name: json.loads(path.read_text("utf-8")) for name, path in found.items() if path.exists()}


def study(name: str) -> Iterator[str]:
    """Yield the page of a study."""
    yield f"{NOTE}"
    yield from study_page(studies.get(name), runs()[name])


def all_studies() -> Iterator[str]:
    """Yield the page that lists the studies."""
    yield f"{NOTE}"
    yield from overview(runs(), {name: studies.get(name) for name in studies.names()})


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "catalogue.md": catalogue,
    "cli.md": cli,
    "api.md": api,
    "references.md": references,
    "conventions.md": conventions,
    "studies/index.md": all_studies,
    **{f"studies/{name}.md": partial(study, name) for name in runs()},
}


def page(name: str) -> str:
    """Return the text of a page."""
    return "\n".join(PAGES[name]()).rstrip() + "\n"


def main() -> None:
    """Write the pages, or check them."""
    stale = [name for name in PAGES if not (HERE / name).exists() or (HERE / name).read_text("utf-8") != page(name)]
    if "--check" in sys.argv[1:]:
        if stale:
            sys.exit(f"stale: {', '.join(stale)}; run: python docs/generate.py")
        return
    for name in stale:
        (HERE / name).write_text(page(name), "utf-8")
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
