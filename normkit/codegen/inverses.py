"""Source of helper functions that invert an increasing function of one float, by Newton's method inside a bracket."""

from __future__ import annotations

import hashlib

TEMPLATE = """\
def {name}_f(r):
    return {function}


def {name}_d(r):
    return {derivative}


def {name}(s):
    low, high = {low}, {high}
    if not s > 0.0:
        return low
    if high == inf:
        step = 1.0
        while {name}_f(low + step) < s and step < 1e300:
            step = 16.0 * step
        high = low + step
    if low == 0.0:
        while high > 1e-300 and {name}_f(0.0625 * high) > s:
            high = 0.0625 * high
        low = 0.0625 * high
    r = 0.5 * (low + high)
    left = 200
    while left > 0:
        left = left - 1
        excess = {name}_f(r) - s
        if excess > 0.0:
            high = r
        else:
            low = r
        step = r - excess / {name}_d(r)
        if not (low < step and step < high):
            step = 0.5 * (low + high)
        if absolute(step - r) <= 1.2e-16 * r:
            left = 0
        r = step
    return r
"""


def inverse_source(function: str, derivative: str, low: str, high: str) -> tuple[str, tuple[str, ...]]:
    """Return the name of the inverse of a function of `r`, and the sources of the helpers in order."""
    digest = hashlib.sha256("\n".join((function, derivative, low, high)).encode()).hexdigest()[:8]
    name = f"inverse_{digest}"
    text = TEMPLATE.format(name=name, function=function, derivative=derivative, low=low, high=high)
    return name, tuple(part.strip() + "\n" for part in text.split("\n\n\n"))
