"""The functions of a printed file that call the one with both the map and the dual norm."""

from __future__ import annotations

from normkit.targets.assemble import MAIN
from normkit.targets.vocabulary import Target

DUALIZE = '''\
def dualize(G):
    """Return T = argmax of <G, T> over N(T) <= 1."""
    return {main}(G)[0]
'''
LMO = '''\
def lmo(G, radius=1.0):
    """Return -radius * dualize(G): the argmin of <G, D> over N(D) <= radius."""
    return _stretched({main}(G)[0], -radius)
'''
SHARP = '''\
def steepest_descent(G, sharpness=1.0):
    """Return -(N*(G) / sharpness) * dualize(G): the argmin of <G, D> + (sharpness / 2) N(D)^2."""
    T, size = {main}(G)
    return _stretched(T, -{size} / sharpness)
'''
FUNCTIONS = {"dualize": (DUALIZE,), "lmo": (DUALIZE, LMO), "sharp": (DUALIZE, SHARP)}
"""What each map prints."""
SIGNATURES = {DUALIZE: "dualize(G)", LMO: "lmo(G, radius)", SHARP: "steepest_descent(G, sharpness)"}


def called(name: str, target: Target, axes: int) -> list[str]:
    """Return the functions of a map, for items of so many axes."""
    size = f"size.reshape(size.shape + {(1,) * axes})" if target.batches else "size"
    return [text.format(main=MAIN, size=size) for text in FUNCTIONS[name]]


def signatures(name: str) -> list[str]:
    """Return how the functions of a map are called."""
    return [SIGNATURES[text] for text in FUNCTIONS[name]]
