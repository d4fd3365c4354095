"""Steps that stay tangent to a manifold, and how good they are.

ascent.py     the dual ascent for Muon on the Stiefel manifold, with bounds from both sides
published.py  the ascent that is published with modular manifolds
"""

from __future__ import annotations
