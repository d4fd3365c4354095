"""The polar core on a GPU against torch: time, share of the product rate measured here, error; JSON for docs.

Run: python -m tests.bench.cuda [--shapes 0,3] [--json FILE] [--table] [--maps]    (minutes; torch with CUDA)
Protocol: random data; inputs rotate over more than twice the L2 cache; results are poisoned with NaN and compared with
float64 before anything is timed; device events around each call, 5 to warm up and 30 that count, median and
interquartile range, everything twice (the better median); calls and replays of CUDA graphs are told apart.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from tests.bench.cuda.bandwidth import bandwidths
from tests.bench.cuda.table import table
from tests.bench.cuda.timing import rates, replayed, timed
from tests.cuda.gpu_arrays import why_not

SHAPES = [(1, 1024, 1024), (64, 768, 768), (1, 2048, 8192), (1, 4096, 4096), (1, 4096, 11008), (1, 11008, 4096)]
SHAPES += [(1, 8192, 28672), (1, 1000, 3001)]
MUON = (3.4445, -4.7750, 2.0315)
CACHE = 60e6
PACKAGES = ("torch", "numba-cuda", "cuda-core", "nvidia-cublas", "triton", "gram-newton-schulz", "quack-kernels")

Call = Callable[[Any], Any]


def standard(G: Any) -> Any:
    """What torch.optim.Muon iterates, for a batch at a time: its loop over matrices is slower."""
    import torch

    a, b, c = MUON
    X = G.bfloat16()
    X = X.mT if X.shape[-2] > X.shape[-1] else X
    X = X / X.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        A = X @ X.mT
        X = torch.baddbmm(X, torch.baddbmm(A, A, A, beta=b, alpha=c), X, beta=a)
    return X.mT if G.shape[-2] > G.shape[-1] else X


def ours(storage: str, graph: bool, like: Any) -> Call:
    """The core, on the stream of the caller, with results in a tensor of its own."""
    import torch

    from normkit.backends.cuda.interop import View
    from normkit.backends.cuda.polar import polar

    T = torch.full_like(like, float("nan"))

    def seen(x: Any) -> View:
        stream = torch.cuda.current_stream().cuda_stream
        return View(x.data_ptr(), tuple(x.shape), x.stride(), str(x.dtype).removeprefix("torch."), 0, stream, x)

    def call(G: Any) -> Any:
        polar(seen(G), seen(T), steps=5, storage=storage, graph=graph)
        return T

    return call


def contenders(G: Any) -> Iterator[tuple[str, Call, str | None]]:
    """(name, call, provider of symmetric products or None)."""
    import torch
    from torch.optim._muon import _zeropower_via_newtonschulz as zeropower

    yield "torch.optim.Muon, loop", lambda g: torch.stack([zeropower(x, MUON, 5, 1e-7) for x in g]), None
    yield "torch batched, eager", standard, None
    yield "torch batched, compiled", torch.compile(standard, dynamic=False), None
    for storage in ("float16", "bfloat16"):
        yield f"normkit {storage}", ours(storage, False, G), None
        yield f"normkit {storage}, graph", ours(storage, True, G), None
        for provider in ("wgmma", "mma"):
            yield f"normkit {storage}, {provider}", ours(storage, False, G), f"SymGemm={provider}"
    try:
        from gram_newton_schulz import GramNewtonSchulz

        peer = GramNewtonSchulz()
        yield "gram-newton-schulz", lambda g: peer(g.clone()), None  # it divides float32 input in place
    except ImportError:
        print("  gram-newton-schulz is not installed: not measured")


def quality(T: Any, G: Any) -> dict[str, float]:
    """Distance from the polar factor, and the range of singular values, of the first matrix, in float64."""
    import torch

    x, t = G[0].double(), T[0].double()
    U, _, Vh = torch.linalg.svd(x, full_matrices=False)
    s = torch.linalg.svdvals(t)
    error = (t - U @ Vh).norm() / math.sqrt(min(x.shape))
    return {"error": float(error), "least": float(s.min()), "largest": float(s.max())}


def measure(shape: tuple[int, int, int], peak: float) -> list[dict[str, Any]]:
    import torch

    from normkit.backends.cuda.polar.providers.choice import VARIABLE

    batch, M, N = shape
    m, n = min(M, N), max(M, N)
    copies = max(2, min(8, math.ceil(2 * CACHE / (4 * batch * M * N))))
    inputs = [torch.randn(batch, M, N, device="cuda") for _ in range(copies)]
    flops, rows = batch * 5 * (4.0 * m * m * n + 2.0 * m**3), []
    for name, call, provider in contenders(inputs[0]):
        if provider is not None:
            os.environ[VARIABLE] = provider
        try:
            found = quality(call(inputs[0]), inputs[0]) if m * n <= 4096 * 11008 else {}
            us, spread = timed([lambda g=g, call=call: call(g) for g in inputs])
            graph = timed([replayed(lambda call=call: call(inputs[0]))])[0] if "graph" not in name else us
            share = flops / graph / 1e6 / peak
            rows.append(
                {"shape": shape, "name": name, "us": us, "spread": spread, "graph_us": graph, "share": share, **found}
            )
            print(
                f"  {name:32s} {us:10.1f} us (iqr {spread:.1f}), graph {graph:10.1f} us, "
                f"{share:5.2f} of the rate, {found}"
            )
        except Exception as error:
            print(f"  {name:32s} {type(error).__name__}: {' '.join(str(error).split())[:140]}")
        finally:
            os.environ.pop(VARIABLE, None)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", help="numbers of the shapes, separated by commas; all if not given")
    parser.add_argument("--json", help="where to write")
    parser.add_argument("--table", action="store_true", help="measure who makes symmetric products fastest")
    parser.add_argument("--maps", action="store_true", help="measure duality maps against the bandwidth of a copy")
    asked = parser.parse_args()
    reason = why_not()
    if reason is None and not _torch_has_a_gpu():
        reason = "torch, which the baselines need, sees no GPU: not measured"
    if reason is not None:
        print(reason)
        return 0
    import torch

    about: dict[str, Any] = {"device": torch.cuda.get_device_name(), "cuda": torch.version.cuda}
    about |= {name: _version(name) for name in PACKAGES} | rates()
    print(json.dumps(about, indent=1))
    result: dict[str, Any] = {"about": about, "rows": [], "table": []}
    chosen = SHAPES if asked.shapes is None else [SHAPES[int(each)] for each in asked.shapes.split(",")]
    for shape in chosen:
        print("x".join(map(str, shape)))
        result["rows"] += measure(shape, about["product"])
    if asked.table:
        result["table"] = table(chosen)
    if asked.maps:
        result["maps"] = bandwidths(about["copy"])
    if asked.json:
        with open(asked.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
    return 0


def _torch_has_a_gpu() -> bool:
    try:
        import torch
    except ImportError:
        return False
    return bool(torch.cuda.is_available())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main())
