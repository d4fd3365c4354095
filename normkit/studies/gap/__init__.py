"""The pieces of the study of the gap between the directions of Muon and RMNP.

sampling.py       Gram matrices of Gaussian W, drawn in two ways; the two norms of the gap
reference.py      what a source prints, and long-run values
table.py          the table, its figures and the slopes
constants.py      where sqrt(n) times the means go
lemmas.py         integrals, the perturbation identity, the deterministic bound
concentration.py  tails of singular values and of chi-square against what bounds them
pair.py           two rows: closed forms of the gap, and its exact tail
rows.py           the closed forms against an SVD, and by SymPy
tails.py          the statement of high probability, and its repairs
aspect.py         many rows: the gap at a fixed aspect ratio
dominance.py      diagonal dominance of noise
cost.py           what the two maps cost
pictures.py       the figures
gauss.py          the rule of the quadratures
"""

from __future__ import annotations
