"""A norm for each kind of layer, applied to the gradients of a small network."""

from pathlib import Path

import numpy as np

import normkit as nk

NORMS = {"hidden": "rms->rms", "narrow": "rms->rms", "head": "rms->linf", "embedding": "l1->rms"}

with np.load(Path(__file__).parent / "data" / "gradients.npz") as file:
    gradients = {name: file[name] for name in file.files}
for name, spec in NORMS.items():
    G = gradients[name]
    step = nk.steepest_descent(spec, G, sharpness=10.0)
    decrease = -np.sum(G * step, dtype=np.float64) - 5.0 * nk.value(spec, step) ** 2
    promised = nk.dual_value(spec, G) ** 2 / 20.0
    print(
        f"{name:10s} {G.shape!s:11s} {spec:10s} model decrease {decrease:.6f} = N*(G)^2 / (2 sharpness) {promised:.6f}"
    )
    assert np.isclose(decrease, promised, rtol=1e-4)
