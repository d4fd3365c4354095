"""Modular dualize of many small arrays: 10,000 of 64 entries, as the biases of a model; wanted: 1e5 arrays a second."""

import numpy as np
from harness import head, medians, row

import normkit as nk

COUNT = 10_000


def main():
    draw = np.random.default_rng(0)
    G = {f"b{k}": draw.standard_normal(64).astype(np.float32) for k in range(COUNT)}
    N = nk.Modular(dict.fromkeys(G, "rms"), scales={name: 1 + k % 3 for k, name in enumerate(G)})
    out = {name: np.empty_like(g) for name, g in G.items()}
    found = medians({"new arrays": lambda: nk.dualize(N, G), "out=": lambda: nk.dualize(N, G, out=out)})
    head("10,000 arrays of 64 float32", "ms", "arrays/s")
    for name, seconds in found.items():
        row(name, f"{1e3 * seconds:.1f}", f"{COUNT / seconds:.2g}")


if __name__ == "__main__":
    main()
