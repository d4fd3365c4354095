"""One call of the polar core: matrices and results in device memory, the plan for them, and how it went."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from functools import lru_cache
from math import sqrt
from typing import NamedTuple

import numpy as np

from normkit.backends.cuda.polar.device import device
from normkit.backends.cuda.polar.info import Info
from normkit.backends.cuda.polar.lowering import lower
from normkit.backends.cuda.polar.memory import Places, View, along, at
from normkit.backends.cuda.polar.ops import CopyOut, SymGemm
from normkit.backends.cuda.polar.plan import Plan
from normkit.backends.cuda.polar.providers import Call
from normkit.backends.cuda.polar.providers.choice import VARIABLE, choose
from normkit.backends.cuda.polar.segments import chosen_segments, default_segments, symmetric_price
from normkit.errors import BackendError, ShapeError
from normkit.polar.schedule import Schedule

KEPT = 64
"""Plans bound to memory that are kept, with their graphs."""


class Bound(NamedTuple):
    """A plan whose operations have somebody to carry them out, on memory that is known."""

    before: tuple[Call, ...]
    after: tuple[Call, ...]
    providers: dict[str, str]


class Job:
    """Matrices, where results go, and the device that they are on.

    Raises
    ------
    BackendError
        If they are on two devices.
    ShapeError, DTypeError
        If the result, the gain or the sums do not fit the matrices.
    """

    def __init__(self, G: View, T: View, gain: View | None, sums: View | None, stream: int | None) -> None:
        if G.device != T.device:
            raise BackendError(f"the matrices are on GPU {G.device} and the result on GPU {T.device}: move one of them")
        if tuple(G.shape) != tuple(T.shape):
            raise ShapeError(f"the result has the shape {tuple(T.shape)}; expected {tuple(G.shape)}")
        self.device, self.number, self.owner = device(G.device), G.device, G.owner
        self.stream = G.stream if stream is None else stream
        self.outside = {"G": at(G), "T": at(T, "the result")}
        batch = self.outside["G"].shape[0]
        for name, each in (("gain", gain), ("sums", sums)):
            if each is not None:
                self.outside[name] = along(each, batch, name)

    def run(
        self,
        schedule: Schedule,
        storage: str,
        segments: Sequence[int] | None,
        *,
        accuracy: float | None = None,
        graph: bool = False,
    ) -> Info:
        """Take the steps of a schedule; with an accuracy, look whether it was reached before anything is written."""
        checked = accuracy is not None
        top = max(1.0, schedule.image[1]) if checked else 1.0
        plan = self.plan(schedule, storage, segments, top, checked)
        if 0 in plan.shape:
            return Info(plan, schedule, {}, top, 0.0 if checked else None, True, None, (self.device, self.stream, None))
        with self.device.current():
            return self._carried_out(plan, schedule, accuracy, graph, top)

    def _carried_out(self, plan: Plan, schedule: Schedule, accuracy: float | None, graph: bool, top: float) -> Info:
        address, room = self.device.workspace(plan.nbytes + self.device.scratch, self.stream, self.owner)
        places, bound = Places(plan, address, self.outside), self.bound(plan, address, graph)
        for call in bound.before:
            call(self.stream)
        error = None if accuracy is None else self.error(plan, places)
        reached = error is None or accuracy is None or error <= accuracy
        for call in bound.after if reached else ():
            call(self.stream)
        where = (self.device, self.stream, room)
        return Info(plan, schedule, bound.providers, top, error, reached, places[plan.norms], where)

    def plan(self, schedule: Schedule, storage: str, segments: Sequence[int] | None, top: float, checked: bool) -> Plan:
        """Return the plan for these matrices."""
        G, T = self.outside["G"], self.outside["T"]
        m, n = sorted(G.shape[1:])
        asked, rows = {"gain", "sums"} & set(self.outside), schedule.coefficients
        direct = not checked and not asked and G.shape[1] == m and T.dtype == storage and T.stacked

        def made(lengths: Sequence[int]) -> Plan:
            types = (storage, G.dtype, T.dtype)
            return _lowered(G.shape, rows, tuple(lengths), types, top, direct, tuple(sorted(asked)), checked)

        if segments is not None:
            return made(segments)
        gram = made(default_segments(len(rows), storage))
        return made(chosen_segments(m, n, rows, storage, self.price(gram)))

    def price(self, plan: Plan) -> float:
        """Return what symmetric products cost of full ones, with whoever makes those of a plan."""
        key = (plan, self.number, os.environ.get(VARIABLE))
        if key not in _prices:
            if len(_prices) >= KEPT:
                _prices.clear()
            op = next(op for op in plan.ops if isinstance(op, SymGemm))
            at = Places(plan, 0, self.outside)
            tile = choose(op, at, self.device.providers, self.device.capability).tile
            _prices[key] = 1.0 if tile is None else symmetric_price(op.out.rows, tile)
        return _prices[key]

    def bound(self, plan: Plan, address: int, graph: bool) -> Bound:
        """Return a plan bound to memory: what was bound before, if it was the same."""
        key = (plan, self.number, address, tuple(self.outside.items()), graph, os.environ.get(VARIABLE))
        if key not in _kept:
            _kept[key] = self._bind(plan, Places(plan, address, self.outside), graph)
            if len(_kept) > KEPT:
                _kept.popitem(last=False)
        _kept.move_to_end(key)
        return _kept[key]

    def _bind(self, plan: Plan, places: Places, graph: bool) -> Bound:
        calls, names = [], {}
        for op in plan.ops:
            provider = choose(op, places, self.device.providers, self.device.capability)
            calls.append(provider.bind(op, places))
            names[op.kind] = provider.name
        held = plan.errors is not None and isinstance(plan.ops[-1], CopyOut)
        before, after = (calls[:-1], calls[-1:]) if held else (calls, [])
        return Bound((self.device.captured(before),) if graph else tuple(before), tuple(after), names)

    def error(self, plan: Plan, places: Places) -> float:
        """Return the largest ||T T' - I||_F / sqrt(m); zero matrices, and those with a NaN, have none."""
        assert plan.errors is not None
        errors = self.device.fetch(places[plan.errors], self.stream)[:, 0]
        norms = self.device.fetch(places[plan.norms], self.stream)[:, 0, 0]
        each = np.where((norms > 0) & np.isfinite(norms), errors[:, 0] / errors[:, 3], 0.0)
        return float(np.max(each, initial=0.0)) / sqrt(min(plan.shape[1:]))


_kept: OrderedDict[Hashable, Bound] = OrderedDict()
_prices: dict[Hashable, float] = {}


@lru_cache(256)
def _lowered(
    shape: tuple[int, int, int],
    rows: tuple[tuple[float, ...], ...],
    segments: tuple[int, ...],
    types: tuple[str, str, str],
    top: float,
    direct: bool,
    asked: tuple[str, ...],
    checked: bool,
) -> Plan:
    gained, paired = ("gain" in asked, "sums" in asked)
    return lower(shape, rows, segments, *types, top=top, direct=direct, gained=gained, paired=paired, checked=checked)
