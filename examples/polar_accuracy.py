"""Five steps of Muon's polynomial on a real gradient, beside the polar factor at an accuracy that is asked for."""

from pathlib import Path

import numpy as np

import normkit as nk

G = np.load(Path(__file__).parent / "data" / "hidden.npy")
left, sigma, right = np.linalg.svd(G.astype(np.float64), full_matrices=False)
exact = left @ right
print(f"{'':12s} {'method':>22s} {'error':>8s} {'<G, T>/nuc':>11s}  proved to be at least")


def show(name: str, T: np.ndarray, report: nk.PolarReport) -> float:
    """Print the error of T, and the share of the steepest direction that T / |T|_2 reaches: true, and proved."""
    error = float(np.linalg.norm(T - exact) / np.sqrt(len(G)))
    share = float(np.vdot(G.astype(np.float64), T)) / np.linalg.norm(T, 2) / sigma.sum()
    served = f"{report.method} {report.precision}, {report.steps} steps"
    print(f"{name:12s} {served:>22s} {error:8.1e} {share:11.6f}  {1 - report.gap:.6f}")
    assert 1 - report.gap <= share + 1e-6
    return error


show("muon5", *nk.polar_report(G, schedule="muon5"))
for accuracy in (0.1, 1e-3, None):
    T, report = nk.polar_report(G, accuracy)
    error = show(f"polar {accuracy}", T, report)
    assert error <= (accuracy or 1e-6)
