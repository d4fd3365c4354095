"""Steepest descent in Schatten norms, on a factorization and on digits.

factoring.py  the symmetric factorization: matrices, and the recursion of their singular values
pictures.py   the figures
"""

from __future__ import annotations
