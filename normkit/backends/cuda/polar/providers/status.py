"""Which providers could make a product here, and why the others could not: for people who ask."""

from __future__ import annotations

from normkit.backends.cuda.availability import simulated, why_not
from normkit.backends.cuda.polar.device import device
from normkit.backends.cuda.polar.lowering import lower
from normkit.backends.cuda.polar.memory import Place, Places
from normkit.backends.cuda.polar.ops import SymGemm
from normkit.backends.cuda.polar.providers.choice import NAMES

SIDE = 1024
"""The matrices that a provider is asked about."""


def status(number: int = 0) -> dict[str, str | None]:
    """Return for every provider why it would not make a symmetric product in float16 on a GPU; None if it would."""
    names = [name for name in NAMES if name not in ("kernels", "numpy")]
    why = "numba's simulator has no products; NumPy makes them" if simulated() else why_not()
    if why is not None:
        return dict.fromkeys(names, why)
    plan = lower((1, SIDE, SIDE), ((1.5, -0.5),), (1,), "float16", "float16", "float16")
    outside = {name: Place(0, (1, SIDE, SIDE), (SIDE * SIDE, SIDE, 1), "float16") for name in ("G", "T")}
    product = next(op for op in plan.ops if isinstance(op, SymGemm))
    found = device(number).providers
    return {name: found[name].why_not(product, Places(plan, 0, outside)) for name in names}
