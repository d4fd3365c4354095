"""normkit: norms, their duals, and the steepest-descent updates that follow, derived, compiled and certified.

Names are imported where they are used first, so that ``import normkit`` needs neither SymPy nor numba.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_WHERE = {
    "normkit.spec": ["norm"],
    "normkit.registry": ["norms"],
    "normkit.norm": ["Norm", "Theorem", "Dual", "Scaled"],
    "normkit.catalogue.lp": ["L1", "L2", "Linf", "Lp", "RMS"],
    "normkit.catalogue.orlicz": ["Orlicz", "Amemiya"],
    "normkit.catalogue.ranked": ["OWL", "TopK", "KP", "KSupport"],
    "normkit.catalogue.spectral": ["Spectral", "Nuclear", "Frobenius", "Schatten", "KyFan"],
    "normkit.catalogue.weighted": ["WeightedLp", "WeightedLinf"],
    "normkit.catalogue.quadratic": ["Quadratic", "Kronecker"],
    "normkit.catalogue.atoms": ["Atoms"],
    "normkit.catalogue.lovasz": ["Lovasz"],
    "normkit.catalogue.variational": ["Box"],
    "normkit.calculus.axes": ["Matricize", "Slices"],
    "normkit.calculus.groups": ["Groups", "SparseGroup"],
    "normkit.calculus.latent": ["Latent"],
    "normkit.calculus.modular": ["Modular"],
    "normkit.calculus.linear_image": ["Linmap", "Sandwich", "Quotient"],
    "normkit.calculus.row_blocks": ["RowBlocks"],
    "normkit.calculus.restriction": ["Symmetric", "Skew", "BlockDiagonal"],
    "normkit.recognise": ["from_expression"],
    "normkit.calculus.mixed": ["Rows", "Cols", "Entries", "Max", "Sum"],
    "normkit.calculus.induced": ["Induced"],
    "normkit.calculus.lift": ["Lifted"],
    "normkit.calculus.sums": ["Plus", "BallSum", "Maximum", "InfConv"],
    "normkit.calculus.transpose": ["Transposed"],
    "normkit.parameter": ["Parameter"],
    "normkit.descent": ["value", "dual_value", "dualize", "lmo", "steepest_descent"],
    "normkit.standalone": ["codegen"],
    "normkit.polar.schedule": ["polar_schedule", "Schedule"],
    "normkit.relatives": [
        "matrix_sign", "inverse_root", "spectral_clip", "spectral_hardcap", "spectral_relu", "leading_pairs",
        "LeadingPairs", "whiten",
    ],
    "normkit.compiled": ["Compiled", "compile"],
    "normkit.orthogonalize": ["polar", "polar_report", "polar_plan", "PolarReport", "PolarPlan"],
    "normkit.bounds": ["Bounds", "bounds"],
    "normkit.modular.rules": ["Rules"],
    "normkit.conventions": ["Convention", "Sharp", "LMO", "TrustRegion", "PowerStep"],
    "normkit.averaging": ["FrankWolfe"],
    "normkit.layerwise": ["LayerwiseSmooth"],
    "normkit.points": ["initialize", "project"],
    "normkit.curvature.estimate": ["sharpness"],
    "normkit.curvature.extremum": ["Sharpness", "Extremum"],
    "normkit.curvature.path": ["descent_lemma", "DescentLemma"],
    "normkit.curvature.layers": ["fit_layerwise"],
    "normkit.certificate": ["Certificate", "certify"],
    "normkit.cost": ["cost_class"],
    "normkit.derive": ["derive", "Derivation", "Step"],
    "normkit.errors": [
        "NormkitError", "SpecError", "ParameterError", "ShapeError", "DTypeError", "NonFiniteError", "FileError",
        "BackendError", "MissingExtra", "NoClosedForm", "UnsafeSchedule",
    ],
}  # fmt: skip
_PACKAGES = ("modular", "optim", "studies")
"""Packages that are reached as attributes, too."""
_HOME = {name: module for module, names in _WHERE.items() for name in names}
__all__ = sorted(_HOME)


class _Package(ModuleType):
    """The package as a module: a file such as norm.py does not take the place of the function ``normkit.norm``."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"normkit.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'normkit' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def home(name: str) -> str:
    """Return the module that defines a public name."""
    return _HOME[name]


def __dir__() -> list[str]:
    return __all__
