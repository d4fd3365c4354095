"""A run as text and as JSON."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from normkit.studies.kit.claims import plain
from normkit.studies.kit.outcome import Outcome, Table
from normkit.studies.kit.study import Study

PACKAGES = ("normkit", "numpy", "scipy", "sympy", "numba", "matplotlib")


def document(study: Study, outcome: Outcome, *, seed: int, form: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return one run as plain data, ready for JSON: what it was asked, what ran it, and what it gave."""
    return {
        "study": study.name,
        "title": study.title,
        "ids": list(study.ids),
        "seed": seed,
        "form": form,
        "options": plain(options),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "claims": [{name: getattr(claim, name) for name in claim.__dataclass_fields__} for claim in outcome.claims],
        "tables": [
            {
                "id": t.id,
                "title": t.title,
                "columns": list(t.columns),
                "rows": plain([list(r) for r in t.rows]),
                "note": t.note,
            }
            for t in outcome.tables
        ],
        "figures": [{"id": figure.id, "caption": figure.caption} for figure in outcome.figures],
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"  # normkit itself, where it runs from its sources


def text(study: Study, outcome: Outcome) -> Iterator[str]:
    """Yield the lines of a report."""
    yield f"{study.name}: {study.title}"
    for table in outcome.tables:
        yield ""
        yield from lines(table)
    yield ""
    for claim in outcome.claims:
        mark = "" if claim.as_documented else f"   NOT AS DOCUMENTED ({claim.documented})"
        yield f"{claim.verdict:<11} {claim.id}: {claim.claim}{mark}"
        facts = [f"measured {shown(claim.measured)}"]
        facts += [f"expected {shown(claim.expected)}"] * (claim.expected is not None)
        facts += [f"within {shown(claim.tolerance)}"] * (claim.tolerance is not None)
        yield f"            {'; '.join(facts)} ({claim.confidence})"


def lines(table: Table) -> Iterator[str]:
    """Yield a table in columns."""
    cells = [[shown(cell) for cell in row] for row in table.rows]
    widths = [max(map(len, column)) for column in zip(table.columns, *cells, strict=True)]
    yield table.title
    for row in (list(table.columns), *cells):
        yield "  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
    if table.note:
        yield f"  {table.note}"


def shown(value: Any) -> str:
    """Return a number, a text or some of them for a reader: four digits, the first few of many.

    Examples
    --------
    >>> from normkit.studies.kit.report import shown
    >>> shown([0.123456, 12, None]), shown(1e-9)
    ('0.1235, 12, -', '1e-09')
    """
    if value is None:
        return "-"
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {shown(each)}" for key, each in list(value.items())[:8])
    if isinstance(value, list | tuple):
        return ", ".join(shown(each) for each in value[:8]) + (", ..." if len(value) > 8 else "")
    return str(value)
