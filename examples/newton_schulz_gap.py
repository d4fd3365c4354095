"""What five steps of a popular polynomial are worth: the certificate of an approximate orthogonalization."""

from pathlib import Path

import numpy as np

import normkit as nk

G = np.load(Path(__file__).parent / "data" / "hidden.npy").astype(np.float64)


def newton_schulz(g: np.ndarray, steps: int) -> np.ndarray:
    """The quintic iteration with the coefficients of the first Muon implementation."""
    x = g / np.linalg.norm(g)
    for _ in range(steps):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


exact = nk.certify("spectral", G, nk.dualize("spectral", G))
rough = nk.certify("spectral", G, newton_schulz(G, 5))
for name, c in (("dualize", exact), ("5 quintic steps", rough)):
    print(f"{name:16s} N(T) = {c.norm:.4f}   <G,T> / (N(T) N*(G)) = {c.lower / c.upper:.4f}   holds: {c.holds(1e-9)}")
assert exact.holds(1e-9)
assert not rough.holds(1e-3) and rough.gap > 0.01
