"""A run as a page in Markdown, made of the study's text and the JSON of the run alone; and the page that lists them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from normkit.studies.kit.report import shown
from normkit.studies.kit.study import Study

LONG = 12
"""Rows from which a table is folded."""
MOST = 4
"""Numbers of a list that a table shows."""


def page(study: Study, document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the page of a study: its text, claims, figures, tables, and how to run it again."""
    yield f"# {study.name}: {study.title}\n"
    yield f"{study.about}\n"
    yield "## Claims\n"
    claims = document["claims"]
    yield f"{verdicts(claims)}. A claim that is documented as false is refuted anew by every run.\n"
    columns = ("verdict", "claim", "measured", "expected", "tolerance", "rests on")
    yield from _table(columns, ([each["verdict"], f"{each['id']}: {each['claim']}", *_facts(each)] for each in claims))
    for figure in document["figures"]:
        yield f"![{_text(figure['caption'])}]({study.name}-{figure['id']}.png)\n"
        yield f"*{_text(figure['caption'])}*\n"
    for table in document["tables"]:
        yield f"## {_text(table['title'])}\n"
        lines = list(_table(table["columns"], table["rows"]))
        if len(table["rows"]) > LONG:
            lines = [f"<details><summary>{len(table['rows'])} rows</summary>\n", *lines, "</details>\n"]
        yield from lines
        if table["note"]:
            yield f"{_text(table['note'])}\n"
    yield "## Run\n"
    yield f"```bash\nnormkit study {study.name}\n```\n"
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    yield f"Shown is the {document['form']} form with seed {document['seed']}; {versions}.\n"
    if study.options:
        yield "Options of its own: " + ", ".join(f"`--{name.replace('_', '-')}`" for name in study.options) + ".\n"
    yield f"{_reproduced(study)} The numbers of this page are those of [{study.name}.json]({study.name}.json).\n"


def overview(runs: Mapping[str, Mapping[str, Any]], studies: Mapping[str, Study]) -> Iterator[str]:
    """Yield the page of all studies: what each found, and which reproduces which number."""
    yield "# Studies\n"
    yield (
        "What the sources of normkit claim, run again: what holds, what needs a condition, what is false as stated. "
        "`normkit study NAME` runs one, `normkit study all --out DIR` runs all and writes tables and figures.\n"
    )
    rows = [
        [f"[{name}]({name}.md)", _text(studies[name].finding), verdicts(document["claims"])]
        for name, document in runs.items()
    ]
    yield from _lines(("study", "finding", "verdicts"), rows)
    yield "## By number\n"
    yield "Every theorem, table and figure that is reproduced has a number; the first of its claims says what it is.\n"
    numbers = sorted((number, name) for name in runs for number in studies[name].ids)
    rows = [[number, f"[{name}]({name}.md)", _text(_first(runs[name]["claims"], number))] for number, name in numbers]
    yield from _lines(("number", "study", "first claim"), rows)
    yield "```{toctree}\n:hidden:\n\n" + "\n".join(runs) + "\n```\n"


def verdicts(claims: Iterable[Mapping[str, Any]]) -> str:
    """Return how many claims have which verdict.

    Examples
    --------
    >>> from normkit.studies.kit.page import verdicts
    >>> verdicts([{"verdict": "holds"}, {"verdict": "false"}, {"verdict": "holds"}])
    '2 hold, 1 false'
    """
    counts = Counter(claim["verdict"] for claim in claims)
    words = {"holds": "hold" if counts["holds"] != 1 else "holds"}
    named = ("holds", "conditional", "false", "measured")
    return ", ".join(f"{counts[each]} {words.get(each, each)}" for each in named if counts[each])


def _first(claims: Iterable[Mapping[str, Any]], number: str) -> str:
    return next((f"{each['claim']} ({each['verdict']})" for each in claims if each["id"].startswith(f"{number}.")), "")


def _reproduced(study: Study) -> str:
    return f"Reproduces {', '.join(study.ids)}." if study.ids else ""


def _facts(claim: Mapping[str, Any]) -> list[str]:
    numbers = [claim[name] for name in ("measured", "expected", "tolerance")]
    return [*("" if each is None else _some(each) for each in numbers), claim["confidence"]]


def _some(value: Any) -> str:
    """A value, or the first few of a list with their number."""
    if isinstance(value, list) and len(value) > MOST:
        return f"{shown(value[:MOST])}, ... ({len(value)})"
    return shown(value)


def _table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    return _lines([_text(each) for each in columns], ([_text(shown(cell)) for cell in row] for row in rows))


def _lines(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    head = list(columns)
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    yield "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """Text that Markdown would read as markup, taken as it is."""
    return re.sub(r"([\\`*_$|<\[\]~])", r"\\\1", text)
