"""The orthogonalization core on a device: plans of products in one workspace, and who carries them out."""

from __future__ import annotations

from normkit.backends.cuda.polar.info import Info
from normkit.backends.cuda.polar.run import polar

__all__ = ["Info", "polar"]
