"""The pieces of the study of steepest descent and duality.

catalogue.py    the norms of known optimizers
triples.py      norm, dual norm and duality map: N(D) = 1, <G, D> = N*(G), Hölder
planes.py       dual norms by cutting planes, from values of the norm alone
sweep.py        induced norms and duals of lp by a sweep of the sphere
descent.py      proposition 1 for every norm
layers.py       the modular problem, its reduction to one number a layer, its spectral instance
curvature.py    Hessian norms, the descent lemma
network.py      how far a change of weights moves the output of a network
derivations.py  what the source prints that is not so, part B
couplings.py    the same, part C
pictures.py     the figures
"""

from __future__ import annotations
