"""The pieces of the study of matrix factorization.

problems.py     M = X X' and M = P Q' as functions of named arrays
runs.py         runs of an optimizer until a relative residual is met
scalars.py      the recursions of single modes, and the bound on their distances
symmetric.py    X X': counts from two starts, against the recursions
decoupling.py   X X': how near the matrix is to its scalar recursions; the lemma
asymmetric.py   P Q': counts, and what Muon conserves
starts.py       P Q' from independent starts, and their orientation
baselines.py    grids of sign descent and Adam
staircase.py    which modes grow first
halvings.py     sixteen halvings of the learning rate
conserved.py    which of two matrices is conserved
pictures.py     the figures
"""

from __future__ import annotations
