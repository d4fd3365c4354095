"""Pieces of the study gram-spectrum.

matrices.py    rows of unit length whose Gram matrices have known shapes, and log det
subsamples.py  log det of some rows, or some columns, against that of all
moments.py     bounds from norms and from two moments
noise.py       what Gaussian rows give: the baseline
contraction.py generations of fits, with and without fresh data
pictures.py    the figures
"""

from __future__ import annotations
