"""The pieces of the study specmuon.

follow.py     runs whose factors are followed, and what their relaxations come to
quadratic.py  S32: a quadratic
heat.py       a network for the heat equation, its loss and gradient
fits.py       S62: that network under both transcriptions, Muon and Adam
pictures.py   the figures
"""

from __future__ import annotations
