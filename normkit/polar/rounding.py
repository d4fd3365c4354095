"""What rounding to the working dtype does to a polynomial iteration, to first order: a model, not a bound.

Storing X_t rounds it by a matrix whose spectral norm is about u ||X_t||, with u the unit roundoff. A change dX of X_t
changes the result f(X_t), f = the steps after t applied to singular values, by at most L ||dX||_F to first order. As
singular vectors turn too, L is the largest of |f(s) - f(t)|/|s - t| and |f(s) + f(t)|/(s + t) over singular values
(Noferini, "A formula for the Fréchet derivative of a generalized matrix function", SIAM J. Matrix Anal. Appl. 38
(2017) 434), at most the supremum of |f'(s)| and |f(s)/s|. Hence

    rounding = u sum_{t=0}^{T} ||X_t|| sup_sigma max(f_t(x_t)/x_t, |f_t'(x_t)|),    x_t = the image of sigma.

The first term is about u / (smallest singular value), which no iteration escapes. Above 1 the model says that the
smallest singular directions are lost in noise, not how large the result is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from normkit.errors import DTypeError
from normkit.polar.remez import Row

ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""Half the spacing of the numbers above 1, by working dtype."""

SAFETY = {"float64": 1.0001, "float32": 1.01, "float16": 1.02, "bfloat16": 1.02}
"""By how much a singular value may pass the design interval before a designed schedule is at risk."""

SHORT = {"f64": "float64", "f32": "float32", "f16": "float16", "bf16": "bfloat16"}
SAMPLES = 2000


def working_dtype(dtype: Any) -> str:
    """Return the name of a working dtype that is given by name, by short name (bf16) or as a NumPy dtype.

    Raises
    ------
    DTypeError
        If it is none of float64, float32, float16, bfloat16.
    """
    name = SHORT.get(dtype, dtype) if isinstance(dtype, str) else getattr(dtype, "name", None)
    if not isinstance(name, str):
        name = getattr(dtype, "__name__", repr(dtype))
    if name not in ROUNDOFF:
        short = ", ".join(f"{full} ({brief})" for brief, full in SHORT.items())
        raise DTypeError(f"no schedules are made for dtype {name!r}; expected one of {short}")
    return name


def rounding(rows: Sequence[Row], lower: float, upper: float, roundoff: float, largest: Sequence[float]) -> float:
    """Return by how much the final singular values, and X X' - 1 by twice that, may be off; see above.

    `largest` holds ||X_t|| for t = 0..T. The suprema are taken on a grid.
    """
    states = [np.geomspace(lower, upper, SAMPLES)]
    slopes = []
    with np.errstate(all="ignore"):
        for row in rows:
            p = np.polynomial.Polynomial([0.0, *(part for c in row for part in (c, 0.0))])
            slopes.append(p.deriv()(states[-1]))
            states.append(p(states[-1]))
        onward, total = np.ones(SAMPLES), 0.0
        for t in range(len(rows), -1, -1):
            gain = max(np.abs(onward).max(), np.abs(states[-1] / states[t]).max())
            total += largest[t] * float(gain)
            onward = onward * slopes[t - 1] if t else onward
    return roundoff * total
