r"""What a step did, array by array: for people as a table, for machines as rows of a CSV file.

dual norm   d_l = N_l*(U_l) / s_l of the direction U_l, the momentum of the gradients
norm        s_l N_l(W_l)
share       d_l r_l / sum of d_k r_k, r_l the length of the step: its part in the decrease to first order
update rms  root mean square of the entries of the step, decay apart
gap         1 - <U_l, t_l> / (N_l(t_l) N_l*(U_l)), by a certificate: 0 for an exact dualize map t_l
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from typing import Any

import numpy as np

from normkit import blockwise
from normkit.arrays import Array
from normkit.certificate import certify
from normkit.codegen.plan import Missing, Product
from normkit.errors import FileError, ParameterError
from normkit.optim.engine import Moved
from normkit.optim.stage import CHUNK, wide


@dataclass(frozen=True)
class Row:
    """One array in one step; NaN where something is not defined or was not asked for."""

    step: int
    name: str
    norm: str
    lr: float
    dual_norm: float
    weight_norm: float
    share: float
    update_rms: float
    gap: float


HEADER = tuple(each.name for each in fields(Row))


@dataclass(frozen=True)
class Report:
    """The rows of a step; as a text it is a table.

    Attributes
    ----------
    step : int
        The step that was last taken.
    rows : tuple of Row
        One for every array that moved.
    skipped : int
        How many steps were left out because of gradients that were not finite.
    """

    step: int
    rows: tuple[Row, ...]
    skipped: int = 0

    def __getitem__(self, name: str) -> Row:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def __str__(self) -> str:
        head = ("name", "norm", "lr", "dual norm", "norm of W", "share", "update rms", "gap")
        lines = [head, *((row.name, row.norm, *map(_short, astuple(row)[3:])) for row in self.rows)]
        widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
        shown = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
        left = f", {self.skipped} skipped" if self.skipped else ""
        return "\n".join([f"step {self.step}{left}", *(line.rstrip() for line in shown)])


def _short(number: float) -> str:
    return "-" if math.isnan(number) else f"{number:.4g}"


@dataclass(frozen=True)
class _Seen:
    """What is kept of one array; `promised` is d_l r_l."""

    product: Product | None
    place: int
    lr: float
    dual_norm: float
    promised: float
    update_rms: float
    gap: float


@dataclass
class Record:
    """A watcher of `engine.advance` that keeps numbers only; with `gaps`, certificates too, which cost a dual norm."""

    step: int = 0
    lr: float = math.nan
    gaps: bool = False
    seen: dict[str, _Seen] = field(default_factory=dict)

    def __call__(self, moved: Moved) -> None:
        """Keep the numbers of a stack."""
        for place, name in enumerate(moved.names):
            dual_norm, length = float(moved.dual_norms[place]), abs(float(moved.lengths[place]))
            lr = length if moved.product is None else self.lr
            scale = 1.0 if moved.product is None else moved.product.scales[place]
            size, gap = rms(moved.maps[place]) * length / scale, self._gap(moved, place)
            self.seen[name] = _Seen(moved.product, place, lr, dual_norm, dual_norm * length, size, gap)

    def _gap(self, moved: Moved, place: int) -> float:
        if moved.product is None or not self.gaps:
            return math.nan
        program = moved.product.programs[moved.product.kinds[place]]
        return float(certify(program, np.asarray(moved.directions[place]), np.asarray(moved.maps[place])).gap)

    def rows(self, weights: Mapping[str, Any]) -> tuple[Row, ...]:
        """Return the rows of what was seen, with the norms of weights as they are now."""
        total = sum(seen.promised for seen in self.seen.values() if not math.isnan(seen.promised))
        found = ((name, weight, self.seen[name]) for name, weight in weights.items() if name in self.seen)
        return tuple(
            Row(
                self.step,
                name,
                _called(seen),
                seen.lr,
                seen.dual_norm,
                _size(seen, name, weight),
                seen.promised / total if total > 0 else seen.promised,
                seen.update_rms,
                seen.gap,
            )
            for name, weight, seen in found
        )


def _called(seen: _Seen) -> str:
    if seen.product is None:
        return "-"
    spec, scale = seen.product.programs[seen.product.kinds[seen.place]].spec, seen.product.scales[seen.place]
    return spec if scale == 1.0 else f"{scale:.6g}*{spec if '+' not in spec else f'({spec})'}"


def _size(seen: _Seen, name: str, weight: Any) -> float:
    """s N(W); NaN for a pipeline, and for a norm whose value has no closed form."""
    product, place = seen.product, seen.place
    if product is None or isinstance(product.programs[product.kinds[place]].value, Missing):
        return math.nan
    return float(blockwise.values(product.only([place]), {name: np.asarray(weight)})[0])


def rms(array: Array) -> float:
    """Return the root mean square of entries."""
    flat = array.reshape(-1)
    pieces = (flat[start : start + CHUNK] for start in range(0, flat.size, CHUNK))
    sizes = [float(np.linalg.norm(piece.astype(wide(piece.dtype), copy=False))) for piece in pieces]
    return math.hypot(*sizes) / math.sqrt(max(array.size, 1))


@dataclass
class Log:
    """A CSV file that takes the rows of every `every`-th step, and certificates every `certify_every`-th.

    A file that is there is continued if it has the same columns; any other is left alone.
    """

    path: str
    every: int = 1
    certify_every: int | None = None

    def __post_init__(self) -> None:
        for number, what in ((self.every, "every"), (self.certify_every, "certify_every")):
            if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
                raise ParameterError(f"{what} is a positive number of steps; got {number!r}")
        self.path = os.fspath(self.path)
        self._append(self._first())

    def _first(self) -> list[Sequence[Any]]:
        try:
            with open(self.path, newline="", encoding="utf-8") as file:
                found = next(csv.reader(file), None)
        except FileNotFoundError:
            found = None
        except (OSError, UnicodeDecodeError) as error:
            raise FileError(f"cannot log to {self.path}: {error}") from error
        if found is not None and tuple(found) != HEADER:
            raise FileError(f"{self.path} is there and has other columns than {', '.join(HEADER)}; give another path")
        return [] if found is not None else [HEADER]

    def certifies(self, step: int) -> bool:
        """Tell whether a step is certified."""
        return self.certify_every is not None and step % self.certify_every == 0

    def due(self, step: int) -> bool:
        """Tell whether a step is written."""
        return step % self.every == 0 or self.certifies(step)

    def write(self, rows: Callable[[], Iterable[Row]], step: int) -> None:
        """Append the rows of a step that is due; numbers that are not known are empty."""
        if self.due(step):
            self._append([["" if x != x else x for x in astuple(row)] for row in rows()])

    def _append(self, lines: Iterable[Sequence[Any]]) -> None:
        try:
            with open(self.path, "a", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(lines)
        except OSError as error:
            raise FileError(f"cannot log to {self.path}: {error}") from error
