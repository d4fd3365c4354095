"""Lines sorted by magnitude on the device; see `normkit.backends.cuda.maps.loops.orders` for the kernels."""

from __future__ import annotations

from dataclasses import dataclass

from normkit.backends.cuda.maps.batch import Batch, Lines, both
from normkit.backends.cuda.maps.generated import generate
from normkit.backends.cuda.maps.moves import matched, plainly, written
from normkit.backends.cuda.maps.node import Device
from normkit.backends.cuda.maps.run import Run


@dataclass(frozen=True)
class Ranks:
    """Keys and indices of lines by decreasing magnitude: (lines, padded), `padded` a power of two."""

    x: Batch
    lines: Lines
    padded: int
    keys: Device
    order: Device


def ranked(run: Run, x: Batch) -> Ranks:
    """Sort the lines: in shared memory as far as tiles reach, by passes over memory beyond."""
    taken = plainly(run, x)
    lines = taken.lines()
    padded = 1 << max(1, (lines.length - 1).bit_length())
    made, entries = generate("orders", run.shape(lines)), lines.count * padded
    ranks = Ranks(taken, lines, padded, run.integers(entries), run.integers(entries, "int32"))
    shared = (ranks.keys, ranks.order, padded)
    run.launch(
        made.list_keys, run.blocks(entries), lines.data, lines.at, lines.extents, padded, ranks.keys, ranks.order
    )
    tile = min(padded, run.sizes.tile)
    run.launch(made.within, entries // tile, *shared, tile, 2, tile)
    merged = 2 * tile
    while merged <= padded:
        step = merged // 2
        while step >= tile:
            run.launch(made.between, run.blocks(entries // 2), *shared, merged, step, entries // 2)
            step //= 2
        run.launch(made.within, entries // tile, *shared, tile, merged, merged)
        merged *= 2
    return ranks


def placed(run: Run, ranks: Ranks, found: Device, coefficients: Device, times: float, out: Batch) -> None:
    """Write times * coefficient * sign * found, (lines, length) by rank, to the places of the entries."""
    with written(run, out) as target:
        source, to = matched(run, ranks.x, target)
        ends = both(source, to)
        kernel = generate("orders", run.shape(source, to)).place
        shared = (ranks.padded, ranks.order, found, coefficients, times)
        run.launch(kernel, run.blocks(to.count * to.length), *ends, *shared)
