"""Who makes symmetric products fastest on this GPU: lines for the table of providers, by python -m tests.bench.cuda."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from tests.bench.cuda.timing import timed


def table(shapes: Sequence[tuple[int, int, int]]) -> list[dict[str, Any]]:
    """Lines for normkit/backends/cuda/polar/providers/table.json: who is fastest at X X' and at R R, by shape."""
    import torch

    from normkit.backends.cuda.polar.device import device
    from normkit.backends.cuda.polar.memory import Place, Places
    from normkit.backends.cuda.polar.ops import Matrix, SymGemm
    from normkit.backends.cuda.polar.plan import Plan

    gpu, lines = device(0), []
    for dtype in ("float16", "bfloat16"):
        for batch, m, k in [(b, min(M, N), k) for b, M, N in shapes for k in (min(M, N), max(M, N))]:
            x = torch.randn(batch, m, k, device="cuda").to(getattr(torch, dtype)) / math.sqrt(k)
            out = torch.empty(batch, m, m, device="cuda", dtype=x.dtype)
            X, R = Matrix("X", m, k, dtype, outside=True), Matrix("R", m, m, dtype, outside=True)
            places = {
                "X": Place(x.data_ptr(), (batch, m, k), x.stride(), dtype),
                "R": Place(out.data_ptr(), (batch, m, m), out.stride(), dtype),
            }
            op = SymGemm(R, X, X, None, 1.0, 0.0, 0.0)
            at = Places(Plan((batch, 0, 0), dtype, (), (op,), {}, 0, R), 0, places)
            times: dict[str, float] = {}
            with gpu.current():
                for name, provider in gpu.providers.items():
                    if provider.why_not(op, at) is None:
                        call, stream = provider.bind(op, at), torch.cuda.current_stream().cuda_stream
                        times[name] = timed([lambda call=call, stream=stream: call(stream)])[0]
            best = min(times, key=lambda name: times[name])
            sides = {"batch": [batch, batch], "m": [m, m], "k": [k, k]}
            line = {"op": "SymGemm", "capability": list(gpu.capability), "dtype": dtype, **sides}
            lines.append({**line, "provider": best, "measured": {name: round(us, 1) for name, us in times.items()}})
            print(json.dumps(lines[-1]))
    return lines
