"""Pieces of the study convergence.

smoothness.py   L and L*: suprema, nuclear rank, and who wins one step (S34)
sharp.py        a quadratic under the sharp step, the LMO step and gradient descent (S30)
noisy.py        rates of Muon, MVR1 and MVR2 with noise, and without (S31)
pictures.py     the figures
"""

from __future__ import annotations
