"""Ratios of medians, a markdown row per map: sorted magnitudes against NumPy's sorts, 1e7 float32."""

import statistics
import time

import numpy as np

from normkit.backends.cpu.order import assign_ranked, scatter_ranked, select_top

N, K, ROUNDS = 10**7, 10**5, 7


def owl_argsort(x, w, kind=None):
    magnitudes = np.abs(x)
    order = np.argsort(-magnitudes, kind=kind)
    t = np.empty_like(x)
    t[order] = np.sign(x[order]) * w
    return t, float(np.sum(w * magnitudes[order], dtype=np.float64))


def owl_ours(x, w):
    t = np.empty_like(x)
    return t, assign_ranked(x, w, t)


def top_sort(x):
    head = np.argsort(-np.abs(x), kind="stable")[:K]
    t = np.zeros_like(x)
    t[head] = np.sign(x[head])
    return t, float(np.sum(np.abs(x[head]), dtype=np.float64))


def top_argpartition(x):
    head = np.argpartition(-np.abs(x), K - 1)[:K]
    t = np.zeros_like(x)
    t[head] = np.sign(x[head])
    return t, float(np.sum(np.abs(x[head]), dtype=np.float64))


def top_ours(x):
    t = np.empty_like(x)
    return t, assign_ranked(x, np.ones(K, x.dtype), t)


def support_argpartition(x):
    head = np.argpartition(-np.abs(x), K - 1)[:K]
    value = np.sqrt(np.sum(np.square(x[head], dtype=np.float64)))
    t = np.zeros_like(x)
    t[head] = x[head] / value
    return t, float(value)


def support_ours(x):
    head, magnitudes = select_top(x, K)
    value = np.sqrt(np.sum(np.square(magnitudes, dtype=np.float64)))
    t = np.empty_like(x)
    scatter_ranked(x, head, (magnitudes / value).astype(x.dtype), t)
    return t, float(value)


def medians(contenders):
    """Interleave the contenders, so that a slow moment of the machine falls on all of them."""
    times = {name: [] for name in contenders}
    for turn in range(ROUNDS + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def main():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(N, dtype=np.float32)
    w = np.sort(rng.random(N, dtype=np.float32))[::-1].copy()
    np.testing.assert_array_equal(owl_ours(x, w)[0], owl_argsort(x, w, "stable")[0])
    np.testing.assert_array_equal(top_ours(x)[0], top_sort(x)[0])
    np.testing.assert_allclose(support_ours(x)[0], support_argpartition(x)[0], rtol=1e-6)
    tables = {
        "OWL": {
            "numpy stable argsort": lambda: owl_argsort(x, w, "stable"),
            "numpy argsort": lambda: owl_argsort(x, w),
            "normkit": lambda: owl_ours(x, w),
        },
        f"top-{K}": {
            "numpy stable argsort": lambda: top_sort(x),
            "numpy argpartition": lambda: top_argpartition(x),
            "normkit": lambda: top_ours(x),
        },
        f"{K}-support": {
            "numpy argpartition": lambda: support_argpartition(x),
            "normkit": lambda: support_ours(x),
        },
    }
    for name, contenders in tables.items():
        found = medians(contenders)
        ours = found.pop("normkit")
        ratios = "; ".join(f"{time_ / ours:.2f}x {other}" for other, time_ in found.items())
        print(f"| {name}, n = {N}, float32 | {1e3 * ours:.1f} ms | {ratios} |")


if __name__ == "__main__":
    main()
