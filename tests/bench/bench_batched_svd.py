"""Ratios of medians: polar factors of 1,000 matrices 64x64 float32 against numpy.linalg.svd."""

import numpy as np
from harness import head, medians, row

from normkit.backends.cpu.lapack import batched_polar

SHAPE, ROUNDS = (1000, 64, 64), 9


def loop(A):
    T, nuclear = np.empty_like(A), np.empty(len(A))
    for i, matrix in enumerate(A):
        U, s, Vt = np.linalg.svd(matrix, full_matrices=False)
        T[i] = U @ Vt
        nuclear[i] = s.sum()
    return T, nuclear


def stacked(A):
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    return U @ Vt, s.sum(axis=1)


def main():
    A = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    np.testing.assert_allclose(batched_polar(A)[0], loop(A)[0], atol=1e-3)
    contenders = {"a Python loop over numpy.linalg.svd": loop, "stacked": stacked, "normkit": batched_polar}
    found = medians({name: lambda run=run: run(A) for name, run in contenders.items()}, ROUNDS)
    ours = found.pop("normkit")
    ratios = "; ".join(f"{value / ours:.2f}x {name}" for name, value in found.items())
    head("work", "normkit ms", "NumPy's time over normkit's")
    row(f"polar factors of {SHAPE[0]} matrices {SHAPE[1]}x{SHAPE[2]}", f"{1e3 * ours:.0f}", ratios)


if __name__ == "__main__":
    main()
