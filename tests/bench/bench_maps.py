"""The CPU back end's maps against straightforward NumPy: a markdown table of medians, all taken in one run.

Bandwidth counts the bytes of the input and of the output; `np.copyto` moves as many.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np
from harness import head, medians, row

import normkit as nk


def sign(g):
    return np.sign(g), np.abs(g).sum()


def normalise(axis):
    def run(g):
        lengths = np.linalg.norm(g, axis=axis, keepdims=True)
        return g / lengths, lengths.sum()

    return run


def groups(g):
    parts = g.reshape(-1, 64)
    lengths = np.linalg.norm(parts, axis=1, keepdims=True)
    return parts / lengths, lengths.sum()


def owl_primal(w):
    def run(g):
        order = np.argsort(-np.abs(g), kind="stable")
        t = np.empty_like(g)
        t[order] = np.sign(g[order]) * w
        return t, np.sum(w * np.abs(g[order]))

    return run


def owl(w):
    def run(g):
        magnitudes = np.abs(g)
        order = np.argsort(-magnitudes, kind="stable")
        ratios = np.cumsum(magnitudes[order], dtype=np.float64) / np.cumsum(w)
        k = int(np.argmax(ratios)) + 1
        t = np.zeros_like(g)
        t[order[:k]] = np.sign(g[order[:k]]) / w[:k].sum()
        return t, ratios[k - 1]

    return run


def top_sum(k):
    def run(g):
        order = np.argpartition(-np.abs(g), k - 1)[:k]
        t = np.zeros_like(g)
        t[order] = np.sign(g[order])
        return t, np.sum(np.abs(g[order]), dtype=np.float64)

    return run


def support(k):
    def run(g):
        order = np.argpartition(-np.abs(g), k - 1)[:k]
        value = np.sqrt(np.sum(np.square(g[order], dtype=np.float64)))
        t = np.zeros_like(g)
        t[order] = g[order] / value
        return t, value

    return run


def compare(label, norm, g, straightforward, copied):
    """One row: NumPy against normkit, and normkit's bandwidth against that of a copy."""
    out, target = np.empty_like(g), np.empty_like(g)
    contenders = {
        "numpy": lambda: straightforward(g),
        "normkit": lambda: nk.dualize(norm, g, out=out),
        "copy": lambda: np.copyto(target, g),
    }
    expected, _ = straightforward(g)
    nk.dualize(norm, g, out=out)
    # NumPy's partition takes any of the entries that tie at the edge of the head.
    strays = np.count_nonzero(~np.isclose(out, expected.reshape(g.shape), rtol=1e-4, atol=1e-6))
    assert strays <= 1e-6 * g.size, f"{label}: {strays} entries differ"
    found = medians(contenders)
    share = f"{found['copy'] / found['normkit']:.0%}" if copied else ""
    times = f"{1e3 * found['numpy']:.1f}", f"{1e3 * found['normkit']:.1f}"
    row(label, *times, f"{found['numpy'] / found['normkit']:.1f}x", share)


FIRST_CALL = """
import importlib, pkgutil, sys, time
import numpy as np
import normkit as nk
from numba.core.registry import cpu_target
import normkit.backends.cpu
for module in pkgutil.iter_modules(normkit.backends.cpu.__path__):
    importlib.import_module(f"normkit.backends.cpu.{module.name}")
cpu_target.target_context.refresh()  # what numba imports when it first compiles or reads its cache
cpu_target.typing_context.refresh()
g = np.ones(tuple(map(int, sys.argv[2].split(","))), np.float32)
times = [time.perf_counter()]
for _ in range(3):
    nk.dualize(sys.argv[1], g)
    times.append(time.perf_counter())
print(1e3 * (times[1] - times[0] - (times[3] - times[2])))
"""


def second_process(norm, shape):
    """Milliseconds that the first call of a process takes beyond a later one, imports done: cold and warm cache."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NORMKIT_CACHE_DIR": folder}
        command = [sys.executable, "-c", FIRST_CALL, norm, shape]
        times = [
            float(subprocess.run(command, env=environment, check=True, capture_output=True).stdout) for _ in range(6)
        ]
    row(f"`{norm}`", f"{times[0]:.0f}", f"{statistics.median(times[1:]):.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--length", type=int, default=10**7)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    g = rng.standard_normal((options.size, options.size), dtype=np.float32)
    x = rng.standard_normal(options.length, dtype=np.float32)
    k, w = options.length // 100, np.linspace(1.0, 0.1, options.length)
    rows = [
        ("sign, `max`", "max", g, sign, True),
        ("rows, `rows(linf, l2)`", "rows(linf, l2)", g, normalise(1), True),
        ("columns, `cols(linf, l2)`", "cols(linf, l2)", g, normalise(0), True),
        ("groups of 64, `rows(linf, l2)`", "rows(linf, l2)", g.reshape(-1, 64), groups, True),
        ("l2, `fro`", "fro", g, normalise(None), True),
        (f"top sum, `dual(topk({k}))`", f"dual(topk({k}))", x, top_sum(k), False),
        (f"`ksupport({k})`", f"ksupport({k})", x, support(k), False),
        ("OWL, `owl(w)`", nk.OWL(w), x, owl(w), False),
        ("sorted weights, `dual(owl(w))`", nk.OWL(w).dual, x, owl_primal(w), False),
    ]
    head("map", "NumPy ms", "normkit ms", "ratio", "share of copyto's bandwidth")
    for case in rows:
        if options.only in case[0]:
            compare(*case)
    if not options.only:
        head("first call of a process", "compiled, ms", "read from the cache, ms")
        for norm, shape in (("rms", "512"), ("rows(linf, l2)", "64,64"), ("ksupport(5)", "512"), ("rms->rms", "64,64")):
            second_process(norm, shape)


if __name__ == "__main__":
    main()
