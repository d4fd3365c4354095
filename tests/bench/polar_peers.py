"""Contenders of the polar benchmark; run as a script, this is the process of one of them (see `harness.Worker`).

Each takes an input and settings, prepares what a user would have at hand, and returns the call that is timed.
"""

import ctypes
import sys

import numpy as np
from harness import seconds, serve, steady
from polar_inputs import distances

MUON = (3.4445, -4.7750, 2.0315)  # kellerjordan.github.io/posts/muon
EXPRESS = (  # arXiv 2505.16932, the eight steps for singular values in [1e-3, 1], before the safety factor
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    (1.875, -1.25, 0.375),
)
SAFETY = 1.01


def newton_schulz(G, dtype, triples, start=1.0):
    """X ← aX + (bA + cA²)X with A = XXᵀ on the short side, from X = G/(start·‖G‖_F), as torch's Muon does it."""
    import torch

    given, kind = torch.from_numpy(G), getattr(torch, dtype)
    tall = G.shape[-2] > G.shape[-1]
    fused = torch.addmm if G.ndim == 2 else torch.baddbmm

    def run():
        X = given.to(kind, copy=True)
        X = X.mT if tall else X
        X.div_((start * X.norm(dim=(-2, -1), keepdim=True)).clamp(min=1e-7))
        for a, b, c in triples:
            A = X @ X.mT
            X = fused(X, fused(A, A, A, beta=b, alpha=c), X, beta=a)
        return X.mT if tall else X

    return run


def muon(G, dtype):
    if dtype == "float32" or G.ndim > 2:
        return newton_schulz(G, dtype, 5 * (MUON,))
    import torch
    from torch.optim._muon import _zeropower_via_newtonschulz

    given = torch.from_numpy(G)
    return lambda: _zeropower_via_newtonschulz(given, MUON, 5, 1e-7)


def express(G, dtype, steps):
    rows = (EXPRESS + (steps - len(EXPRESS)) * EXPRESS[-1:])[:steps]
    safe = [(a / SAFETY, b / SAFETY**3, c / SAFETY**5) for a, b, c in rows[:-1]]
    return newton_schulz(G, dtype, (*safe, rows[-1]), SAFETY)


def torch_svd(G, dtype):
    import torch

    given, kind = torch.from_numpy(G), getattr(torch, dtype)

    def run():
        U, _, Vt = torch.linalg.svd(given.to(kind), full_matrices=False)
        return U @ Vt

    return run


def numpy_svd(G, dtype):
    def run():
        U, _, Vt = np.linalg.svd(G.astype(dtype, copy=False), full_matrices=False)
        return U @ Vt

    return run


def scipy_polar(G, dtype):
    from scipy.linalg import polar

    side = "left" if G.shape[-2] <= G.shape[-1] else "right"
    return lambda: polar(G.astype(dtype, copy=False), side=side)[0]


def scipy_eigh(G, dtype):
    """(GGᵀ)^(−1/2) G, with GGᵀ on the short side."""
    from scipy.linalg import eigh

    def run():
        X = G.astype(dtype, copy=False)
        X = X.T if G.shape[0] > G.shape[1] else X
        w, V = eigh(X @ X.T, driver="evd", overwrite_a=True, check_finite=False)
        roots = np.sqrt(np.maximum(w, np.finfo(dtype).eps * w[-1]))  # rounding makes small eigenvalues negative
        T = (V / roots) @ (V.T @ X)
        return T.T if G.shape[0] > G.shape[1] else T

    return run


def numpy_product(G, dtype):
    A = G.astype(dtype)
    B = A.copy()  # with its own transpose NumPy would call syrk
    return lambda: A @ B


def torch_product(G, dtype):
    import torch

    A = torch.from_numpy(G).to(getattr(torch, dtype))
    return lambda: A @ A


def normkit(G, accuracy, method="auto"):
    import normkit as nk

    return lambda: nk.polar(G, accuracy=accuracy, method=method)


CONTENDERS = {
    "muon": muon,
    "Polar Express": express,
    "torch svd": torch_svd,
    "numpy svd": numpy_svd,
    "scipy polar": scipy_polar,
    "scipy eigh": scipy_eigh,
    "numpy product": numpy_product,
    "torch product": torch_product,
    "normkit": normkit,
}


def array(result):
    """Return a result as NumPy's; bfloat16, which NumPy lacks, as float32."""
    if isinstance(result, np.ndarray):
        return result
    return (result.float() if result.itemsize == 2 else result).numpy()


def openblas_core():
    """The processor whose kernels SciPy's OpenBLAS runs, as it calls itself."""
    import scipy.linalg.cython_blas as module

    library = ctypes.CDLL(module.__file__)
    for name in ("scipy_openblas_get_corename", "openblas_get_corename"):
        if hasattr(library, name):
            read = getattr(library, name)
            read.restype = ctypes.c_char_p
            return read().decode()
    return "unknown"


class Seat:
    """One contender at work on one input at a time."""

    def __init__(self, name):
        self.prepare = CONTENDERS[name]

    def load(self, path, factor, settings):
        self.run = None  # frees the input before
        self.G = np.load(path)
        self.run = self.prepare(self.G, **settings)
        results = []
        rough = seconds(lambda: results.append(self.run()))
        errors = factor and distances(array(results.pop()), np.load(factor))
        return {"errors": errors, "seconds": rough if rough > 1 else min(rough, seconds(self.run))}

    def report(self, settings):
        import normkit as nk

        report = nk.polar_report(self.G, **settings)[1]
        # a core that works in a precision other than the input's says so in this field
        return {"flops": float(report.flops), "precision": str(getattr(report, "precision", self.G.dtype))}

    def answer(self, question):
        match question.pop("do"):
            case "load":
                return self.load(**question)
            case "report":
                return self.report(**question)
            case "core":
                return {"core": openblas_core()}
            case _:
                return {"seconds": steady(self.run)}


if __name__ == "__main__":
    serve(Seat(sys.argv[1]).answer)
