"""Optimizers whose dualize map is the polar factor: Muon, with the scales of several libraries, and its relatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from normkit.errors import ParameterError
from normkit.optim.decay import SpectralClipped
from normkit.optim.momentum import EMA
from normkit.optim.optimizer import SteepestDescent
from normkit.optim.pipeline import Pipeline
from normkit.optim.recipes.basic import Rate
from normkit.optim.stages import Dualize, PolarFirst
from normkit.optim.variance import MVR1, MVR2

if TYPE_CHECKING:
    from normkit.norm import Norm

ADJUST = {
    "original": "spectral/sqrt(Max(1, m/n))",
    "match_rms_adamw": "spectral/(0.2*sqrt(Max(m, n)))",
    "rms_to_rms": "rms->rms",
    "spectral_unclamped": "rms->rms",
    "max_dim": "spectral/sqrt(Max(m, n))",
    "none": "spectral",
}
"""Scales of the orthogonalized update by name, for matrices out x in, as norms: the inverse scale is in the norm."""


def muon(
    lr: Rate = 1e-3,
    *,
    momentum: float = 0.95,
    nesterov: bool = True,
    weight_decay: float = 0.1,
    adjust: str | None = None,
    **options: Any,
) -> SteepestDescent:
    """Return Muon with the defaults of torch.optim.Muon: W <- (1 - lr wd) W - lr s msign(U), matrices out x in.

    Norm: ``spectral`` over the scale s. Convention: lmo. Momentum: `EMA`, Nesterov by default. Decay: `Decoupled`.

    Parameters
    ----------
    adjust : str, optional
        s: ``original`` is sqrt(max(1, m/n)), as are None and torch's default; ``match_rms_adamw`` 0.2 sqrt(max(m, n));
        ``rms_to_rms`` and ``spectral_unclamped`` sqrt(m/n); ``max_dim`` sqrt(max(m, n)); ``none`` 1.
    **options
        Of `SteepestDescent`. Here msign is exact; an ``accuracy`` of 0.3 is about that of five steps of Newton-Schulz.

    Examples
    --------
    >>> from normkit.optim import recipes
    >>> [recipes.muon(adjust=name).norm for name in ("original", "rms_to_rms")]
    ['spectral/sqrt(Max(1, m/n))', 'rms->rms']
    """
    norm = ADJUST.get("original" if adjust is None else adjust)
    if norm is None:
        raise ParameterError(f"unknown adjust {adjust!r}; known: {', '.join(map(repr, ADJUST))}")
    form = EMA(momentum, nesterov=nesterov)
    return SteepestDescent(norm, lr=lr, momentum=form, weight_decay=weight_decay, **options)


def optax_muon(
    lr: Rate,
    *,
    beta: float = 0.95,
    nesterov: bool = True,
    adaptive: bool = False,
    weight_decay: float = 0.0,
    consistent_rms: float | None = None,
    **options: Any,
) -> SteepestDescent:
    """Return optax.contrib.muon for its matrices, in x out: W <- (1 - lr wd) W - lr s msign(U).

    Norm: ``spectral`` over s, which is sqrt(max(1, n/m)) as m is the fan-in here, or consistent_rms times
    sqrt(max(m, n)). Convention: lmo. Momentum: `EMA` with bias correction, Nesterov by default. Decay: `Decoupled`.
    With `adaptive` the step is s <U, msign(U)> msign(U), a `Pipeline`: a sharp step would have s twice.

    Examples
    --------
    >>> from normkit.optim import recipes
    >>> recipes.optax_muon(0.02).norm
    'spectral/sqrt(Max(1, n/m))'
    >>> print(recipes.optax_muon(0.02, adaptive=True).norm)
    adaptive muon of optax: EMA, Dualize (no norm's steepest descent)
    """
    scale = "sqrt(Max(1, n/m))" if consistent_rms is None else f"({consistent_rms}*sqrt(Max(m, n)))"
    form = EMA(beta, nesterov=nesterov, debias=True)
    if not adaptive:
        return SteepestDescent(f"spectral/{scale}", lr=lr, momentum=form, weight_decay=weight_decay, **options)
    stages = form, Dualize(f"spectral/{scale}", length="spectral")
    pipeline = Pipeline(*stages, name="adaptive muon of optax")
    return SteepestDescent(pipeline, lr=lr, weight_decay=weight_decay, **options)


def muon_mvr1(
    lr: Rate = 3e-3,
    *,
    beta: float = 0.95,
    gamma: float = 0.025,
    clip: float | None = 1.0,
    weight_decay: float = 0.0,
    **options: Any,
) -> SteepestDescent:
    """Return Muon with variance reduction by kept gradients (arXiv:2509.15816, MVR1).

    Norm: ``spectral`` over 0.2 sqrt(max(m, n)). Convention: lmo. Momentum: `MVR1`. Decay: `Decoupled`.

    Examples
    --------
    >>> from normkit.optim import recipes
    >>> recipes.muon_mvr1().momentum
    MVR1(beta=0.95, gamma=0.025, clip=1.0)
    """
    form = MVR1(beta, gamma, clip)
    return SteepestDescent(ADJUST["match_rms_adamw"], lr=lr, momentum=form, weight_decay=weight_decay, **options)


def muon_mvr2(
    lr: Rate = 3e-3,
    *,
    beta: float = 0.95,
    gamma: float = 0.025,
    clip: float | None = 1.0,
    weight_decay: float = 0.0,
    **options: Any,
) -> SteepestDescent:
    """Return `muon_mvr1` with the gradient at the last weights on the present batch: ``step(..., previous=)``.

    Examples
    --------
    >>> from normkit.optim import recipes
    >>> recipes.muon_mvr2(gamma=1, clip=None).momentum
    MVR2(beta=0.95, gamma=1, clip=None)
    """
    form = MVR2(beta, gamma, clip)
    return SteepestDescent(ADJUST["match_rms_adamw"], lr=lr, momentum=form, weight_decay=weight_decay, **options)


def polargrad(
    lr: Rate = 0.02, *, momentum: float = 0.95, weight_decay: float = 0.0, polar_first: bool = False, **options: Any
) -> SteepestDescent:
    """Return PolarGrad (Lau, Long, Su 2025, arXiv:2505.21799): W <- (1 - lr wd) W - lr <M, U> U, U = msign(M).

    Norm: ``spectral``, under an outer l2, so that matrices do not depend on each other. Convention: sharp. Momentum:
    `EMA`. Decay: `Decoupled`. With `polar_first` msign(G) is averaged, and the step is a `Pipeline`.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.optim import recipes
    >>> opt = recipes.polargrad(0.5, momentum=0)
    >>> opt.step({"w": np.zeros((2, 2))}, {"w": np.diag([3.0, -1.0])})["w"].round(9).tolist()
    [[-2.0, 0.0], [0.0, 2.0]]
    """
    if polar_first:
        pipeline = Pipeline(PolarFirst("spectral", beta=momentum), name="polar-first PolarGrad")
        return SteepestDescent(pipeline, lr=lr, weight_decay=weight_decay, **options)
    return SteepestDescent(
        "spectral", outer="l2", convention="sharp", lr=lr, momentum=momentum, weight_decay=weight_decay, **options
    )


def spectral_clipped(
    lr: Rate,
    *,
    rate: float,
    bound: float = 1.0,
    momentum: float = 0.95,
    norm: Norm | str = "spectral",
    **options: Any,
) -> SteepestDescent:
    """Return Muon whose decay takes away from singular values above a bound only (arXiv:2507.13338).

    Norm: ``spectral``. Convention: lmo. Momentum: `EMA`. Decay: `SpectralClipped`; singular values that every step
    pushes out by lr settle at bound + 1/rate.

    Examples
    --------
    >>> from normkit.optim import recipes
    >>> recipes.spectral_clipped(0.02, rate=0.1).weight_decay
    SpectralClipped(rate=0.1, bound=1.0)
    """
    decay = SpectralClipped(rate, bound)
    return SteepestDescent(norm, lr=lr, momentum=momentum, weight_decay=decay, **options)
