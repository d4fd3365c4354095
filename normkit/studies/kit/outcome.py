"""What a run of a study gives: claims, tables and figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from normkit.studies.kit.claims import Claim

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


@dataclass(frozen=True)
class Table:
    """Rows under named columns; `id` names it in JSON and files."""

    id: str
    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A picture that is drawn when it is wanted: ``draw(canvas)`` on an empty matplotlib figure of `size` inches."""

    id: str
    caption: str
    draw: Callable[[Canvas], None]
    size: tuple[float, float] = (7.0, 4.2)


@dataclass
class Outcome:
    """Claims, tables and figures, in the order in which they are shown."""

    claims: list[Claim] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)

    def add(self, *items: Claim | Table | Figure) -> None:
        """Take claims, tables and figures in."""
        for item in items:
            place: list[Any] = (
                self.claims if isinstance(item, Claim) else self.tables if isinstance(item, Table) else self.figures
            )
            place.append(item)

    @property
    def as_documented(self) -> bool:
        """Whether every verdict is the documented one."""
        return all(claim.as_documented for claim in self.claims)
