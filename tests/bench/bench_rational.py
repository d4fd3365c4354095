"""Polar factors by rational iterations and factorizations, one matrix at a time: times, errors, and the roofline.

    python tests/bench/bench_rational.py [256 768 1024 256x1024 ...]

Contenders take turns, each turn in a process of its own, and medians are printed. The roofline is the time that the
operations would take at the rate of a product of the same size and type, by SciPy's BLAS, measured in the same way.
Bounds of the spectrum are given: what it costs to find them is not in here.
"""

import json
import math
import statistics
import sys
import time

import numpy as np
from harness import head, process, row

ROUNDS = 3
CLASSES = {"1e-3 float32": ("float32", 1e-3), "1e-6 float32": ("float32", 1e-6), "1e-12 float64": ("float64", 1e-12)}
OURS = ("qdwh", "zolo", "newton", "eigh")
PEERS = ("numpy.linalg.svd", "scipy.linalg.svd", "scipy.linalg.polar")


def matrix(shape, kind, dtype):
    rng = np.random.default_rng(0)
    if kind == "Gaussian":
        return rng.standard_normal(shape).astype(dtype)
    k = min(shape)
    left, right = (np.linalg.qr(rng.standard_normal((side, k)))[0] for side in shape)
    return ((left * np.geomspace(1, 1e-3, k)) @ right.T).astype(dtype)


def contender(name, X, out, lower, upper, accuracy):
    import scipy.linalg

    from normkit.polar import exact, newton, qdwh, zolo

    if name == "product":
        gemm = scipy.linalg.blas.sgemm if X.dtype == np.float32 else scipy.linalg.blas.dgemm
        square = np.asfortranarray(np.eye(min(X.shape), dtype=X.dtype))
        return lambda: gemm(1.0, square, X if X.shape[0] == len(square) else X.T)
    if name == "numpy.linalg.svd":
        return lambda: np.linalg.svd(X, full_matrices=False)
    if name == "scipy.linalg.svd":
        return lambda: scipy.linalg.svd(X, full_matrices=False)
    if name == "scipy.linalg.polar":
        return lambda: scipy.linalg.polar(X, side="left" if X.shape[0] < X.shape[1] else "right")
    if name == "eigh":
        return lambda: exact.eigh(X, out, rank_tol=1e-7)
    method = {"qdwh": qdwh.qdwh, "zolo": zolo.zolo, "newton": newton.newton}[name]
    return lambda: method(X, out, lower=lower, upper=upper, accuracy=accuracy)


def child(name, rows, columns, kind, dtype, accuracy):
    """Print the best time of a few runs, the operations, and the error, as JSON."""
    X = matrix((int(rows), int(columns)), kind, dtype)
    u, sigma, vt = np.linalg.svd(X.astype(np.float64), full_matrices=False)
    out = np.zeros_like(X)
    run, times, found = contender(name, X, out, 0.8 * sigma[-1], 1.01 * sigma[0], float(accuracy)), [], None
    time.sleep(0.2)  # the threads of NumPy's BLAS go on spinning for a while
    for _ in range(4):
        start = time.perf_counter()
        found = run()
        times.append(time.perf_counter() - start)
    error = np.linalg.norm(out - u @ vt) / math.sqrt(min(X.shape)) if out.any() else 0.0
    print(json.dumps([statistics.median(times[1:]), getattr(found, "flops", 0.0), error]))


def measure(names, shape, kind, dtype, accuracy):
    runs = {name: process(__file__, "--child", name, *map(str, shape), kind, dtype, str(accuracy)) for name in names}
    found = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            found[name].append(json.loads(run()))
    return {name: [statistics.median(column) for column in zip(*values, strict=True)] for name, values in found.items()}


def main(sizes):
    head("input", "accuracy", "method", "ms", "error", "roofline ms", "best SVD's or scipy.linalg.polar's time over it")
    for size in sizes:
        shape = tuple(map(int, size.split("x"))) * (1 if "x" in size else 2)
        for kind in ("Gaussian", "log-spaced"):
            for label, (dtype, accuracy) in CLASSES.items():
                found = measure((*OURS, *PEERS, "product"), shape, kind, dtype, accuracy)
                rate = 2.0 * shape[0] * shape[1] * min(shape) / found["product"][0]
                peer = min(found[name][0] for name in PEERS)
                for name in (*OURS, *PEERS):
                    seconds, flops, error = found[name]
                    cells = (f"{error:.0e}", f"{1e3 * flops / rate:.0f}" if flops else "") if name in OURS else ("", "")
                    where = f"{shape[0]}x{shape[1]} {kind}"
                    row(where, label, name, f"{1e3 * seconds:.1f}", *cells, f"{peer / seconds:.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        main(sys.argv[1:] or ["256", "768", "1024"])
