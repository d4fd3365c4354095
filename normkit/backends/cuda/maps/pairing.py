"""<x, y> of every item: what a certificate asks beside two norms."""

from __future__ import annotations

from normkit.backends.cuda.maps.batch import Batch
from normkit.backends.cuda.maps.generated import generate
from normkit.backends.cuda.maps.moves import matched, plainly
from normkit.backends.cuda.maps.node import Device
from normkit.backends.cuda.maps.run import Run


def pairing(run: Run, x: Batch, y: Batch, values: Device) -> None:
    """Write the sum of products of every item of x and y in float64; NaN where an entry that meets no zero is."""
    here, to = matched(run, plainly(run, x), plainly(run, y))
    cut = run.cut(to)
    kernels = generate("pairing", run.shape(here, to))
    partial = run.floats(here.count * cut.count)
    ends = (here.data, here.at, to.data, to.at, (*here.size, int(here.turned)))
    run.launch(kernels.pair, cut.grid, *ends, cut.chunk, cut.strides, partial, width=cut.width)
    width = 1 if here.across else run.width(cut.count)
    blocks = run.blocks(here.count, width)
    run.launch(kernels.gathered, blocks, partial, cut.strides, cut.count, values, width=width)
