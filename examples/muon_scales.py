"""One direction, many scales: the norms behind the scale factors of published Muon variants."""

from pathlib import Path

import numpy as np

import normkit as nk

G = np.load(Path(__file__).parent / "data" / "hidden.npy").astype(np.float64)
m, n = G.shape
left, sigma, right = np.linalg.svd(G, full_matrices=False)
polar = left @ right

SCALES = {
    "spectral": 1.0,
    "rms->rms": np.sqrt(m / n),
    "spectral/sqrt(Max(1, m/n))": np.sqrt(max(1, m / n)),
    "5/sqrt(Max(m, n))*spectral": 0.2 * np.sqrt(max(m, n)),
    "l2->rms": np.sqrt(m),
}
for spec, scale in SCALES.items():
    T = nk.dualize(spec, G)
    print(f"{spec:28s} update RMS {np.sqrt(np.mean(T**2)):.4f}   dual norm {nk.dual_value(spec, G):.4f}")
    assert np.allclose(T, scale * polar, atol=1e-9)
    assert np.isclose(nk.dual_value(spec, G), scale * sigma.sum(), rtol=1e-12)
