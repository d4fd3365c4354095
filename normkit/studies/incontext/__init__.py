"""The pieces of the study in-context-learning.

problem.py   a one-layer linear transformer: loss, gradient, minimizer, and a loss by prompts
sampled.py   S28: the closed forms against Monte Carlo and differences
muon.py      S27: Muon as a recursion of numbers and as steps of matrices, and what its count rests on
descent.py   S27: gradient descent, by a closed form and by steps
adam.py      S27: Adam with decayed steps, in the basis of the covariance and in another
pictures.py  the figures
"""

from __future__ import annotations
