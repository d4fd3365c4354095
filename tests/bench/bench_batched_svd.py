"""Ratios of medians: ``dualize("rms->rms", A)`` of 1,000 matrices 64x64 float32 against numpy.linalg.svd."""

import numpy as np
from harness import head, medians, row

import normkit as nk

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
    ours = nk.compile("rms->rms").with_value
    for mine, numpys in zip(ours(A), loop(A), strict=True):
        np.testing.assert_allclose(mine, numpys, rtol=1e-3, atol=1e-3)
    contenders = {"a Python loop over numpy.linalg.svd": loop, "stacked numpy.linalg.svd": stacked, "normkit": ours}
    found = medians({name: lambda run=run: run(A) for name, run in contenders.items()}, ROUNDS)
    own = found.pop("normkit")
    head("work", "normkit ms", "NumPy's time over normkit's")
    ratios = "; ".join(f"{value / own:.2f}x {name}" for name, value in found.items())
    row(f"`rms->rms` of {SHAPE[0]} matrices {SHAPE[1]}x{SHAPE[2]}, float32", f"{1e3 * own:.0f}", ratios)


if __name__ == "__main__":
    main()
