"""Optimizers whose dualize map is elementary: gradients, signs, rows; and a whole network's by its tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from normkit.errors import ParameterError
from normkit.optim.decay import Coupled
from normkit.optim.momentum import EMA, HeavyBall, LionMomentum
from normkit.optim.optimizer import SteepestDescent
from normkit.optim.schedules import Schedule

if TYPE_CHECKING:
    from normkit.norm import Norm

Rate = float | Schedule


def sgd(
    lr: Rate = 1e-3,
    *,
    momentum: float = 0.0,
    dampening: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    norm: Norm | str = "fro",
    **options: Any,
) -> SteepestDescent:
    """Return torch.optim.SGD: W <- W - lr U.

    Norm: ``fro``, under an outer l2; for vectors give ``norm="l2"``, for both a `Modular` norm with ``outer="l2"``.
    Convention: sharp. Momentum: `HeavyBall`, none for momentum 0 (whatever the dampening). Decay: `Coupled`. Further
    options are those of `SteepestDescent`, such as maximize.

    Examples
    --------
    >>> from normkit.optim import recipes
    >>> recipes.sgd(0.1, weight_decay=0.01)
    SteepestDescent('fro', convention=Sharp(sharpness=1.0), lr=0.1, weight_decay=Coupled(rate=0.01))
    """
    if nesterov and (momentum <= 0 or dampening):
        raise ParameterError("Nesterov's form needs a momentum, and takes no dampening")
    form = HeavyBall(momentum, nesterov=nesterov, dampening=dampening) if momentum else None
    decay = Coupled(weight_decay) if weight_decay else None
    return SteepestDescent(norm, outer="l2", convention="sharp", lr=lr, momentum=form, weight_decay=decay, **options)


def signsgd(
    lr: Rate, *, momentum: float = 0.0, weight_decay: float = 0.0, norm: Norm | str = "max", **options: Any
) -> SteepestDescent:
    """Return signSGD (Bernstein et al. 2018, arXiv:1802.04434), with momentum Signum: W <- W - lr sign(U).

    Norm: ``max``; for vectors ``norm="linf"``. Convention: lmo. Momentum: `EMA`. Decay: `Decoupled`.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.optim import recipes
    >>> recipes.signsgd(0.5, norm="linf").step({"b": np.zeros(2)}, {"b": np.array([3.0, -1.0])})
    {'b': array([-0.5,  0.5])}
    """
    return SteepestDescent(norm, lr=lr, momentum=momentum, weight_decay=weight_decay, **options)


def lion(
    lr: Rate = 1e-4,
    *,
    betas: Sequence[float] = (0.9, 0.99),
    weight_decay: float = 0.0,
    norm: Norm | str = "max",
    **options: Any,
) -> SteepestDescent:
    """Return Lion (Chen et al. 2023, arXiv:2302.06675): W <- (1 - lr wd) W - lr sign(beta1 B + (1 - beta1) G).

    Norm: ``max``, for vectors ``norm="linf"``; another norm makes Lion-K, K its dual (arXiv:2310.05898), which keeps
    N(W) <= 1/wd. Convention: lmo. Momentum: `LionMomentum`. Decay: `Decoupled`.

    Examples
    --------
    >>> from normkit.optim import recipes
    >>> recipes.lion(weight_decay=0.1).momentum
    LionMomentum(beta1=0.9, beta2=0.99)
    """
    beta1, beta2 = betas
    return SteepestDescent(norm, lr=lr, momentum=LionMomentum(beta1, beta2), weight_decay=weight_decay, **options)


def rmnp_paper(lr: Rate, *, beta: float = 0.95, weight_decay: float = 0.0, **options: Any) -> SteepestDescent:
    """Return RMNP as its paper has it (arXiv:2603.20527): rows of an average, each divided by its length.

    Norm: ``l2->linf``, the largest row. Convention: lmo. Momentum: `EMA`. Decay: `Decoupled`. The paper divides by the
    length plus an epsilon; here rows of 0 stay 0 and there is none.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.optim import recipes
    >>> G = {"w": np.array([[30.0, -40.0], [0.0, 0.1]])}
    >>> recipes.rmnp_paper(1.0).step({"w": np.zeros((2, 2))}, G)["w"].round(9).tolist()
    [[-0.6, 0.8], [0.0, -1.0]]
    """
    return SteepestDescent("l2->linf", lr=lr, momentum=EMA(beta), weight_decay=weight_decay, **options)


def rmnp_code(
    lr: Rate = 0.02, *, momentum: float = 0.95, nesterov: bool = True, weight_decay: float = 0.0, **options: Any
) -> SteepestDescent:
    """Return RMNP as its published code has it: the rows of `rmnp_paper` times sqrt(max(1, m/n)).

    Norm: ``l2->linf / sqrt(Max(1, m/n))``. Convention: lmo. Momentum: `HeavyBall`, Nesterov by default; an average in
    its place has the same directions. Decay: `Decoupled`. The code clamps lengths at 1e-12 and rounds steps to
    bfloat16.

    Examples
    --------
    >>> from normkit.optim import recipes
    >>> str(recipes.rmnp_code().norm)
    'l2->linf/sqrt(Max(1, m/n))'
    """
    form = HeavyBall(momentum, nesterov=nesterov)
    return SteepestDescent("l2->linf/sqrt(Max(1, m/n))", lr=lr, momentum=form, weight_decay=weight_decay, **options)


def modula(
    norm: Norm, lr: Rate = 0.1, *, momentum: float = 0.95, weight_decay: float = 0.0, **options: Any
) -> SteepestDescent:
    """Return steepest descent in the modular norm of a network (arXiv:2405.14813, arXiv:2410.21265).

    Norm: the norm of a tree of `normkit.modular`, outer linf. Convention: lmo, so that lr is how far the network moves
    in its own norm (the ``target_norm``). Momentum: `EMA`. Decay: `Decoupled`.

    Examples
    --------
    >>> from normkit.modular import Linear, ReLU
    >>> from normkit.optim import recipes
    >>> net = Linear("head", 1, 4) @ ReLU() @ Linear("body", 4, 3)
    >>> recipes.modula(net.norm()).momentum
    EMA(beta=0.95, nesterov=False, debias=False)
    """
    return SteepestDescent(norm, lr=lr, momentum=momentum, weight_decay=weight_decay, **options)
