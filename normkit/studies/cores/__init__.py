"""Pieces of the study polar-core.

designs.py     minimax steps: published rows, error bounds, numbers of steps
rationals.py   QDWH and Zolo as recursions of one number
stored.py      Newton-Schulz in which every product is rounded to a storage dtype
halves.py      what that does: Gram and standard form, half precision
traps.py       lists of coefficients that go wrong
"""

from __future__ import annotations
