"""Rates of products through bfloat16, with packing, against torch's bf16 matmul; each contender in a process.

Ours reads and writes float32 and packs in every call; torch's factors and results are bf16 from the start.
Counted as 2 m k n operations for a product and m^2 k for a symmetric result. The rate is that of the fastest of many
calls, so that a busy machine says little; that on one core is taken from the CPU time of one thread.
"""

import sys
import time

import numba
import numpy as np
from harness import Worker, head, row, serve

SQUARE = [256, 768, 1024, 2048]
WIDE = [(256, 4096), (768, 3072), (1024, 8192)]
SMALL = [(512, 64), (32, 256)]
ROUNDS, SLICE = 3, 0.25


def fastest(run, clock, least=SLICE):
    """Seconds of the fastest call within `least` seconds."""
    best, end = np.inf, time.perf_counter() + least
    while time.perf_counter() < end:
        start = clock()
        run()
        best = min(best, clock() - start)
    return best


def ours(kind, *shape):
    from normkit.backends.cpu.bf16 import products

    X = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    m, k = shape[-2:]
    if kind == "multiply":
        Y, out = np.random.default_rng(1).standard_normal((k, m)).astype(np.float32), np.empty((m, m), np.float32)
        return lambda: products.multiply(X, Y, out), 2 * m * k * m
    if kind == "gram":
        out = np.empty((m, m), np.float32)
        return lambda: products.gram(X, out), m * m * k
    if kind == "symmetric":
        S, out = X @ X.T, np.empty((m, m), np.float32)
        return lambda: products.symmetric(S, S, out), m * m * m
    out = np.empty((shape[0], m, m), np.float32)
    if kind == "batch":
        Y = np.ascontiguousarray(X.transpose(0, 2, 1))
        return lambda: products.multiply_batch(X, Y, out), 2 * shape[0] * m * k * m
    return lambda: products.gram_batch(X, out), shape[0] * m * m * k


def torchs(kind, *shape):
    import torch

    X = torch.randn(*shape).bfloat16()
    Y = torch.randn(*shape).bfloat16().mT.contiguous() if kind in ("multiply", "batch") else X.mT
    if kind == "symmetric":
        X = Y = (X @ X.mT).contiguous()
    m, k = shape[-2:]
    k = m if kind == "symmetric" else k
    work = 2 * (shape[0] if len(shape) == 3 else 1) * m * k * m
    return lambda: X @ Y, work // (1 if kind in ("multiply", "batch") else 2)


def answer(question):
    kind, shape, threads = question["kind"], question["shape"], question["threads"]
    if sys.argv[1] == "torch":
        import torch

        torch.set_num_threads(threads)
        run, work = torchs(kind, *shape)
    else:
        numba.set_num_threads(threads)
        run, work = ours(kind, *shape)
    run()
    clock = time.thread_time if threads == 1 else time.perf_counter
    return {"rate": 1e-9 * work / fastest(run, clock)}


def main():
    workers = {name: Worker(__file__, name) for name in ("normkit", "torch")}
    cases = [(kind, (m, m)) for m in SQUARE for kind in ("multiply", "gram", "symmetric")]
    cases += [(kind, shape) for shape in WIDE for kind in ("multiply", "gram")]
    cases += [(kind, (count, m, m)) for count, m in SMALL for kind in ("batch", "gram_batch")]
    head("product", "GFLOP/s on all threads", "torch's", "on one core", "torch's")
    cells = [(threads, name) for threads in (numba.get_num_threads(), 1) for name in workers]
    for kind, shape in cases:
        rates = dict.fromkeys(cells, 0.0)
        for _ in range(ROUNDS):
            for threads, name in cells:
                time.sleep(0.15)  # the threads of the one before stop spinning
                said = workers[name].ask(kind=kind, shape=shape, threads=threads)
                rates[threads, name] = max(rates[threads, name], said["rate"])
        row(f"{kind} {'x'.join(map(str, shape))}", *(f"{rate:.0f}" for rate in rates.values()))
    for worker in workers.values():
        worker.close()


if __name__ == "__main__":
    serve(answer) if len(sys.argv) > 1 else main()
