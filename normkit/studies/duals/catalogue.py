"""The norms of known optimizers, each with a shape in which it is tried at random and a small one for solvers."""

from __future__ import annotations

from dataclasses import dataclass

from normkit.norm import Norm
from normkit.spec import norm as parse


@dataclass(frozen=True)
class Case:
    """An optimizer, idealized, the spec of its norm, and two shapes."""

    optimizer: str
    spec: str
    shape: tuple[int, ...] = (4, 5)
    small: tuple[int, ...] = (2, 3)

    @property
    def norm(self) -> Norm:
        """The norm."""
        return parse(self.spec)


CASES = (
    Case("SGD", "fro"),
    Case("signSGD, Lion", "max"),
    Case("coordinate descent", "entries(l1)"),
    Case("top-k sign", "entries(dual(topk(3)))"),
    Case("top-k SGD", "entries(ksupport(3))"),
    Case("Muon, Shampoo without averages", "spectral"),
    Case("Muon, rms to rms", "rms->rms"),
    Case("rank one", "nuclear"),
    Case("rank k", "dual(kyfan(2))"),
    Case("Ky Fan ball", "kyfan(2)"),
    Case("fractional Muon, c = 1/8", "schatten(9)"),
    Case("Schatten 3/2", "schatten(3/2)"),
    Case("RMNP, normalized rows", "rows(linf, l2)"),
    Case("SCALE, normalized columns", "cols(linf, l2)"),
    Case("embedding, l1 to rms", "l1->rms"),
    Case("Scion, rows", "rms->linf"),
    Case("Scion, sign", "n*max"),
    Case("Scion, bias", "rms", (7,), (3,)),
    Case("rows in l3", "lp(3/2)->linf"),
    Case("columns in l3", "l1->lp(3)"),
    Case("F-Muon", "ballsum(3/2*spectral, 3*fro)"),
    Case("heads", "slices(rms->rms, '(h=2 d) i', 'h', linf)"),
    Case("convolution, positions", "4*slices(rms->rms, 'o i h w', 'h w', linf)", (3, 2, 2, 2), (2, 1, 1, 2)),
    Case("convolution, flattened", "4*matricize(rms->rms, 'o i h w', 'o', 'i h w')", (3, 2, 2, 2), (2, 1, 1, 2)),
    Case("Newton, Shampoo with averages", "quadratic([[2, 1, 0], [1, 3, -1], [0, -1, 1]])", (3,), (3,)),
    Case("Adam with averages", "wlp(2, [1, 2, 0.5, 4])", (4,), (4,)),
)
"""Norms with a closed value and a closed dual."""
