"""Learning rates over width: a small network on XOR, trained at all learning rates at once.

network.py    the network, its gradients as products of thin factors, and its training
reference.py  best learning rates of an earlier run, and this study's long runs
judging.py    from losses to the best learning rate, and to the least one that arrives
pictures.py   the figures
"""

from __future__ import annotations
