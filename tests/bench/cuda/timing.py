"""Times on a GPU: device events around calls, graphs of calls, and the rates that times are compared with."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any


def timed(calls: list[Callable[[], Any]], count: int = 30, warm: int = 5) -> tuple[float, float]:
    """Median and interquartile range, in microseconds, of calls that do the same on different memory."""
    import torch

    found = []
    for _ in range(2):
        times = []
        for turn in range(warm + count):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            calls[turn % len(calls)]()
            end.record()
            end.synchronize()
            if turn >= warm:
                times.append(1e3 * start.elapsed_time(end))
        low, _, high = statistics.quantiles(times, n=4)
        found.append((statistics.median(times), high - low))
    return min(found)


def replayed(call: Callable[[], Any]) -> Callable[[], Any]:
    """A CUDA graph of a call, by torch."""
    import torch

    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        call()
        call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=side):
        call()
    return graph.replay


def rates() -> dict[str, float]:
    """The product rate of cuBLAS at 8192^3 in bfloat16 (TFLOP/s), and the bandwidth of a copy (TB/s)."""
    import torch

    A, B, C = (torch.randn(8192, 8192, device="cuda").bfloat16() for _ in range(3))
    product = timed([lambda: torch.matmul(A, B, out=C)])[0]
    x, y = (torch.randn(1 << 28, device="cuda") for _ in range(2))
    copy = timed([lambda: y.copy_(x)])[0]
    return {"product": 2 * 8192.0**3 / product / 1e6, "copy": 2 * x.nbytes / copy / 1e6}
