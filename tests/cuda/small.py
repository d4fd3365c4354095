"""One small batch through every provider, for compute-sanitizer: python tests/cuda/small.py; see sanitize.sh."""

from __future__ import annotations

import os
import sys

import numpy as np
from gpu_arrays import poisoned, sent, why_not

from normkit.backends.cuda.polar import polar
from normkit.backends.cuda.polar.providers.choice import VARIABLE

if __name__ == "__main__":
    reason = why_not()
    if reason is not None:
        print(reason)
        sys.exit(0)
    G = sent(np.random.default_rng(0).standard_normal((2, 150, 200)), "float32")
    for name, storage in (("wgmma", "float16"), ("mma", "bfloat16"), ("tile", "float32"), ("cublaslt", "float16")):
        os.environ[VARIABLE] = name
        T, sums = poisoned((2, 150, 200), "float32"), poisoned((2,), "float64")
        info = polar(G, T, steps=5, storage=storage, segments=(3, 2), sums=sums)
        info.check()
        print(name, info.providers, float(np.linalg.norm(T.numbers()[0], 2)))
