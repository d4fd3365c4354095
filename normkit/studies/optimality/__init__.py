"""The pieces of the study of the optimality of Muon's update.

derived.py      the derivation that the library prints, evaluated on exact matrices
facts.py        RMS norms; the source's facts 1 to 3, by SymPy and on random matrices
candidates.py   matrices that are in the ball, or better than the optimum, by construction
problem.py      warm-up, the reduction to singular values, the optimum against candidates
replay.py       the contradiction argument, step by step, on candidates with a better value
corrections.py  what the source prints that is not so, and what the optimum needs
expansion.py    the first-order model of a loss
"""

from __future__ import annotations
