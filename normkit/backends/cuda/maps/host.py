"""Stages that run on the CPU: their arrays go to the host and come back, which waits for the device."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cpu.build import Asked, build
from normkit.backends.cpu.node import Node as HostedNode
from normkit.backends.cuda.maps.batch import Batch, rows
from normkit.backends.cuda.maps.formats import EPS, REAL
from normkit.backends.cuda.maps.moves import packed, unpacked
from normkit.backends.cuda.maps.node import Device, Node, Pull
from normkit.backends.cuda.maps.run import Run
from normkit.codegen.plan import Plan

LOG = logging.getLogger("normkit")


@cache
def note(what: str) -> None:
    """Log once that something runs on the CPU."""
    LOG.warning("%s: no kernel of the device does this; it runs on the CPU, through copies", what)


def downloaded(run: Run, x: Batch) -> NDArray[Any]:
    """Return items as a host array (1, count, *item), float32 or float64."""
    flat = packed(run, x, REAL[x.kind])
    host: NDArray[Any] = flat.data.copy_to_host(stream=run.stream)
    if run.stream:
        run.stream.synchronize()
    return host[: x.count * x.entries].reshape(1, x.count, *x.shape)


def floats(run: Run, numbers: Device, count: int) -> NDArray[np.float64]:
    """Return the first numbers of a flat device array."""
    host: NDArray[np.float64] = downloaded(run, rows(numbers, count))[0]
    return host


def uploaded(run: Run, host: NDArray[Any], out: Batch) -> None:
    """Write a host array to a batch."""
    made = run.upload(np.asarray(host, REAL[out.kind]).reshape(-1))
    unpacked(run, rows(made, out.count, *out.shape, kind=REAL[out.kind]), out)


@dataclass(frozen=True)
class HostNode(Node):
    """A plan by the loops of the CPU."""

    plan: Plan
    kind: str
    accuracy: float | None

    @cached_property
    def hosted(self) -> HostedNode:
        """The node that runs."""
        return build(self.plan, Asked(EPS[self.kind], self.accuracy))

    def forward(self, run: Run, x: Batch, values: Device, times: float) -> Pull:
        """Take values and map on the CPU."""
        note(type(self.plan).__name__.removesuffix("Plan"))
        host = downloaded(run, x)
        found, hosted = self.hosted.forward(host)
        uploaded(run, times * found, rows(values, x.count))

        def pull(coefficients: Device, out: Batch) -> None:
            written = np.zeros(host.shape, REAL[out.kind])
            hosted(times * floats(run, coefficients, x.count).reshape(1, -1), written)
            uploaded(run, written, out)

        return pull
