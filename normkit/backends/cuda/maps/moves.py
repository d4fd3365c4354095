"""Batches to and from layouts and formats that kernels take: copies only where strides cannot say it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from normkit.backends.cuda.axes import joined
from normkit.backends.cuda.maps.batch import Batch, Lines, both
from normkit.backends.cuda.maps.generated import Shape, generate
from normkit.backends.cuda.maps.run import Run

AXES = 6


def _axes(x: Batch) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return sizes and strides of the lead and the item in six axes."""
    pieces = joined((*x.lead[0], *x.lead[1], *(piece for axis in x.item for piece in axis)))
    if len(pieces) > AXES:
        raise ValueError(f"an array in {len(pieces)} pieces; copies know {AXES}")
    padded = ((1, 0),) * (AXES - len(pieces)) + pieces
    return tuple(size for size, _ in padded), tuple(stride for _, stride in padded)


def _moves(run: Run, source: str, target: str) -> Any:
    return generate("moves", Shape(source, target, run.sizes.threads, run.sizes.tile))


def packed(run: Run, x: Batch, kind: str | None = None) -> Batch:
    """Return a contiguous copy, in another format where one is given."""
    made, count = run.like(x, kind), x.count * x.entries
    run.launch(_moves(run, x.kind, made.kind).gather, run.blocks(count), x.data, x.start, *_axes(x), made.data, count)
    return made


def unpacked(run: Run, x: Batch, out: Batch) -> None:
    """Copy a contiguous batch to one of any layout and format."""
    count = out.count * out.entries
    kernel = _moves(run, x.kind, out.kind).scatter
    run.launch(kernel, run.blocks(count), x.data, out.data, out.start, *_axes(out), count)


def plainly(run: Run, x: Batch) -> Batch:
    """Return the batch as kernels can take it: itself where two strides lead through an item."""
    return x if x.simple else packed(run, x)


@contextmanager
def written(run: Run, out: Batch, kind: str | None = None) -> Iterator[Batch]:
    """Give a batch to write to, of a format if one is given: `out` itself, or one that is copied to it at the end."""
    with replaced(run, out, out if out.simple and kind in (None, out.kind) else None, kind) as target:
        yield target


@contextmanager
def replaced(run: Run, out: Batch, view: Batch | None, kind: str | None = None) -> Iterator[Batch]:
    """Give a view of `out` to write to, or, where there is none, a new batch that is copied to `out` at the end."""
    if view is not None:
        yield view
        return
    made = run.like(out, kind)
    yield made
    unpacked(run, made, out)


def matched(run: Run, x: Batch, out: Batch | None) -> tuple[Lines, Lines]:
    """Return the lines of x and of `out`, cut alike; x is copied if its strides cannot follow those of `out`."""
    here = x.lines()
    if out is None:
        return here, here
    to = out.lines()
    if (here.size, here.turned) == (to.size, to.turned):
        return here, to
    if here.flat:
        return _cut(here, to), to
    if to.flat or _turned(here) == (to.size, to.turned):
        return here, _cut(to, here)
    return _cut(packed(run, x).lines(), to), to


def _turned(lines: Lines) -> tuple[tuple[int, ...], bool]:
    groups, count, rows, columns = lines.size
    return (groups, count, columns, rows), not lines.turned


def _cut(lines: Lines, like: Lines) -> Lines:
    """Return lines of one stride, or with R and C exchanged, as `like` is cut."""
    start, far, near, above, step = lines.at
    if lines.flat:
        _, _, rows, columns = like.size
        strides = (step, rows * step) if like.turned else (columns * step, step)
    else:
        strides = (step, above)
    return replace(lines, at=(start, far, near, *strides), size=like.size, turned=like.turned)


def filled(run: Run, out: Any, value: float, count: int) -> None:
    """Write a number to the first `count` places of a flat float64 array."""
    run.launch(_moves(run, "float64", "float64").fill, run.blocks(count), out, value, count)


def ones(run: Run, count: int) -> Any:
    """Return so many ones."""
    return run.constant(("ones", count), lambda: np.ones(count))


def added(run: Run, x: Batch, out: Batch) -> None:
    """Add x to `out`, both of float32 or float64 and `simple`."""
    _entrywise(run, "add", x, out)


def weighed(run: Run, x: Batch, weights: Any, out: Batch) -> None:
    """Write x times weights, entry by entry, to `out`."""
    with written(run, out) as target:
        _entrywise(run, "weigh", plainly(run, x), target, weights)


def scaled(run: Run, x: Batch, gain: Any, times: float, out: Batch) -> None:
    """Write times * gain * x, a number `gain` per item."""
    with written(run, out) as target:
        _entrywise(run, "multiply", plainly(run, x), target, gain, times)


def _entrywise(run: Run, name: str, x: Batch, out: Batch, *arguments: Any) -> None:
    here, to = matched(run, x, out)
    cut = run.cut(to)
    kernel = getattr(generate("moves", run.shape(here, to)), name)
    ends = both(here, to)
    run.launch(kernel, cut.grid, *ends, cut.chunk, *arguments, width=cut.width)


def taken(run: Run, x: Batch, entries: Any, out: Batch) -> None:
    """Write the entries of every item that `entries` names, in the order of the item, to `out`; negative ones are 0."""
    here = plainly(run, x).lines()
    with written(run, out) as target:
        to = target.lines()
        shared = (here.data, here.at, here.extents, entries, to.length)
        kernel = generate("moves", run.shape(here, to)).take
        run.launch(kernel, run.blocks(to.count * to.length), *shared, to.data, to.at, to.extents)


def spoiled(run: Run, x: Batch, values: Any) -> None:
    """Make the values NaN of items that are not finite."""
    here = plainly(run, x).lines()
    kernel = generate("moves", run.shape(here)).spoil
    run.launch(kernel, here.count, here.data, here.at, here.extents, values)


def rescaled(run: Run, x: Batch) -> tuple[Batch, Any]:
    """Return float64 items over 2**e, their largest magnitude in [1/2, 1), and e; those not finite stay as they are."""
    taken, made, e = plainly(run, x), run.like(x), run.integers(x.count)
    here, to = matched(run, taken, made)
    kernel = generate("moves", run.shape(here, to)).shrink
    run.launch(kernel, here.count, *both(here, to), e)
    return made, e


def restored(run: Run, values: Any, e: Any) -> None:
    """Multiply values by 2**e."""
    count = values.shape[0]
    run.launch(_moves(run, "float64", "float64").grow, run.blocks(count), values, e, count)
