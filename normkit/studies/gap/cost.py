"""S09: what Muon's map costs beside RMNP's: five quintic steps of Newton-Schulz against one normalization of rows.

Times are those of this machine: nothing is claimed of their size. They are the processor's, of one thread, taken in a
process of its own beside the rest of the study, so that neither other work nor other threads are counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

import normkit as nk
from normkit.studies.gap import pictures
from normkit.studies.kit.claims import Claim, check, measured
from normkit.studies.kit.outcome import Figure, Table
from normkit.studies.kit.study import Run

STEPS = 5
SIZES = (64, 128, 256, 512)
LARGE = (1024,)
"""Sizes of the full form beside these."""
THREADS = ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def seconds(sizes: tuple[int, ...]) -> list[list[float]]:
    """Return the processor's seconds of both maps at every size, of one thread, in a process of its own."""
    alone = os.environ | dict.fromkeys(THREADS, "1")
    command = [sys.executable, "-m", __name__, *map(str, sizes)]
    made = subprocess.run(command, env=alone, stdout=subprocess.PIPE, text=True, check=True)
    found: list[list[float]] = json.loads(made.stdout)
    return found


def timed(m: int) -> list[float]:
    """Return the least seconds of both maps, float32, square, over some rounds."""
    G = np.random.default_rng(m).standard_normal((m, m)).astype(np.float32)
    normalize = nk.compile("rows(linf, l2)")
    maps: tuple[Callable[[], object], ...] = (
        lambda: nk.polar(G, steps=STEPS, schedule="muon5", precision="float32"),
        lambda: normalize(G),
    )
    return [_least(function) for function in maps]


def _least(function: Callable[[], object]) -> float:
    function()  # compiles
    found = [_mean(function, 1)]
    calls = max(1, int(0.02 / max(found[0], 1e-6)))
    found += [_mean(function, calls) for _ in range(1 if found[0] > 0.1 else 5)]
    return min(found)


def _mean(function: Callable[[], object], calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        function()
    return (time.process_time() - start) / calls


def sizes(at: Run) -> tuple[int, ...]:
    """Return the sides of the matrices that are timed."""
    return SIZES if at.quick else SIZES + LARGE


def parts(at: Run, times: list[list[float]]) -> Iterator[Claim | Table | Figure]:
    """Yield the times of `seconds`, what is claimed of their order, and a figure."""
    found = dict(zip(sizes(at), times, strict=True))
    ratios = {m: muon / rmnp for m, (muon, rmnp) in found.items()}
    yield Table("cost", "Seconds of one thread on this machine, float32, m x m", ("m", "five steps", "rows", "ratio"),
                [[m, *found[m], ratios[m]] for m in found])  # fmt: skip
    small = [ratios[m] for m in SIZES]
    yield check("S09.order", "the ratio of the costs grows from m = 64 to 512",
                all(a < b for a, b in pairwise(small)), small,
                "increasing", confidence="least of some rounds, on this machine")  # fmt: skip
    yield measured("S09.ratio", "five quintic steps over one normalization of rows, m by m",
                   {str(m): ratio for m, ratio in ratios.items()}, confidence="this machine")  # fmt: skip
    yield Figure("cost", "Five quintic steps over one normalization of rows, as measured on one machine.",
                 pictures.cost(ratios), (6.4, 4.0))  # fmt: skip


if __name__ == "__main__":
    print(json.dumps([timed(int(size)) for size in sys.argv[1:]]))
