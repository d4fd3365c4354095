"""Steepest descent in a norm as gradient transformations of optax.

steepest_descent    what `normkit.optim.SteepestDescent` does, for pytrees, under jit
scale_by_dualize    the dualize map alone, a building block
project             weights kept in the ball of a norm
in_out              norms for the kernels (in, out) of JAX libraries
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from normkit.errors import MissingExtra, ParameterError

try:
    import optax
except ImportError as error:
    raise MissingExtra(f"normkit.optax needs jax and optax: pip install 'normkit[jax]' ({error})") from error

from normkit.lengths import positive
from normkit.optim.method import as_convention
from normkit.pytrees import numbers
from normkit.pytrees.descent import Descent, SteepestDescentState
from normkit.pytrees.layouts import Layout, check_layout, in_out
from normkit.pytrees.printed import Via, check_via
from normkit.pytrees.ruled import Ruled
from normkit.pytrees.stateless import Dualizing, Projecting

if TYPE_CHECKING:
    from normkit.conventions import Convention
    from normkit.norm import Norm
    from normkit.optim.decay import Decay
    from normkit.optim.momentum import Momentum

__all__ = ["SteepestDescentState", "in_out", "project", "scale_by_dualize", "steepest_descent"]


def steepest_descent(
    norm: Norm | str | Any = "rms->rms",
    *,
    lr: Any,
    convention: str | Convention = "lmo",
    momentum: float | Momentum | Any = 0.0,
    weight_decay: float | Decay | Any = 0.0,
    accuracy: float | Any = 1e-3,
    layout: Layout = "out in",
    via: Via = "auto",
    pipelines: Mapping[str, Any] | None = None,
) -> optax.GradientTransformationExtraArgs:
    """W <- decay(W) + lr * step(N, U), U the momentum of the gradients, as an optimizer.

    The updates are what ``optax.apply_updates`` *adds*: downhill, with learning rate and decay. They are those of
    `normkit.optim.SteepestDescent`. Momentum and decay are JAX; for the maps see `via`.

    Parameters
    ----------
    norm : Norm, str or rules
        A `Modular` norm of the names of the leaves, keys joined by ``/``; any other norm, or a spec, is taken for every
        leaf, with an outer ``linf``. Rules, objects with ``assign``, say it name by name.
    lr : float, array or schedule
        The learning rate; a schedule is a function of the count, which is 0 at the first step, as everywhere in optax.
    convention : {"lmo", "sharp"} or Convention
        ``lmo`` goes lr along the dualize map, ``sharp`` has the sharpness 1/lr; the step of an object is times lr.
    momentum : float or Momentum
        A float is the beta of an `normkit.optim.EMA`; `HeavyBall` and `LionMomentum` are the other forms.
    weight_decay : float or Decay
        A float is the rate of a `normkit.optim.Decoupled` decay. With any, `update` needs the parameters.
    accuracy : float or None
        What orthogonalization may miss, as in `normkit.dualize`; None asks for working precision.
    layout : {"out in", "in out"}
        Whether matrices have a row or a column for every output; the latter, that of Flax, turns norms by `in_out`.
    via : {"auto", "callback", "jax"}
        ``callback`` computes the maps of all leaves on the CPU of this machine, in one ``jax.pure_callback``. ``jax``
        compiles what `normkit.codegen` prints with the rest, so that leaves stay where they are; orthogonal factors
        then have the accuracy for singular values above 1e-3 of a bound of the largest. ``auto`` is ``jax`` on
        accelerators, for norms that are printed, and else ``callback``.
    pipelines : mapping of str to GradientTransformation or callable
        Optimizers of leaves that rules give an `update`, by its name; a callable takes the rule's options. ``adamw``,
        ``adam``, ``sgd`` and ``lion`` are those of optax, with lr and weight decay of the rule, or else those here.

    Returns
    -------
    GradientTransformationExtraArgs
        With a `SteepestDescentState`; with rules, the state of ``optax.multi_transform``.

    Raises
    ------
    ParameterError, ShapeError, DTypeError, NoClosedForm
        Here, by `init`, or by `update` while it is traced, if something does not fit. A compiled step raises nothing: a
        NaN or an infinity in any leaf, or a step that overflows, makes all updates NaN, as ``optax.apply_if_finite``
        expects.

    Notes
    -----
    Leaves of half precision are stepped in float32 and their updates rounded; in long runs keep weights in float32.
    ``optax.inject_hyperparams`` takes functions for schedules, and norms are functions: give it a spec, or
    ``static_args=("norm",)``.

    Examples
    --------
    >>> import jax.numpy as jnp, optax
    >>> from normkit.optax import steepest_descent
    >>> optimizer = steepest_descent("rms->rms", lr=0.5, momentum=0.9)
    >>> params = {"w": jnp.zeros((2, 2))}
    >>> state = optimizer.init(params)
    >>> updates, state = optimizer.update({"w": jnp.diag(jnp.array([3.0, -4.0]))}, state, params)
    >>> (optax.apply_updates(params, updates)["w"] + 0.0).round(3).tolist()
    [[-0.5, 0.0], [0.0, 0.5]]
    """
    check_layout(layout)
    check_via(via)
    rate, decay = numbers.rate(lr), numbers.decay(weight_decay)
    if decay is not None and not callable(lr) and not numbers.is_array(lr):
        decay.check(rate(0))
    form, enough, by = numbers.momentum(momentum), numbers.accuracy(accuracy), as_convention(convention)

    def of_norm(whole: Any) -> optax.GradientTransformationExtraArgs:
        method = Descent(whole, layout, rate, by, form, decay, enough, via)
        return optax.GradientTransformationExtraArgs(method.init, method.update)

    if not hasattr(norm, "assign"):
        return of_norm(norm)
    if layout != "out in":
        raise ParameterError("rules name the axes of their arrays themselves; leave layout= out")
    parted = Ruled(norm, of_norm, pipelines or {}, lr, weight_decay)
    return optax.GradientTransformationExtraArgs(parted.init, parted.update)


def scale_by_dualize(
    norm: Norm | str = "rms->rms", *, accuracy: float | Any = 1e-3, layout: Layout = "out in", via: Via = "auto"
) -> optax.GradientTransformationExtraArgs:
    """argmax of <G, T> over N(T) <= 1 in place of G: the *maximiser*, which ascends, as gradients do.

    A learning rate follows and turns it downhill: ``optax.chain(scale_by_dualize(N), optax.scale_by_learning_rate(r))``
    is the `lmo` of radius r. Without state; parameters and errors as in `steepest_descent`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from normkit.optax import scale_by_dualize
    >>> signs = scale_by_dualize("linf")
    >>> G = {"b": jnp.array([3.0, -4.0])}
    >>> signs.update(G, signs.init(G))[0]["b"].tolist()
    [1.0, -1.0]
    """
    check_layout(layout)
    check_via(via)
    made = Dualizing(norm, layout, numbers.accuracy(accuracy), via)
    return optax.GradientTransformationExtraArgs(made.init, made.update)


def project(
    norm: Norm | str = "rms->rms", *, radius: float = 1.0, layout: Layout = "out in"
) -> optax.GradientTransformationExtraArgs:
    """Updates after which the weights are in the ball N <= radius: the last link of a chain, as hard weight decay.

    W + U becomes a point of the ball that is nearest in the norm itself, as in `normkit.project`; `update` needs the
    parameters. Without state.

    Examples
    --------
    >>> import jax.numpy as jnp, optax
    >>> from normkit.optax import project
    >>> bounded = optax.chain(optax.sgd(1.0), project("linf", radius=2.0))
    >>> W = {"b": jnp.array([1.0, 1.0])}
    >>> updates, _ = bounded.update({"b": jnp.array([3.0, 0.5])}, bounded.init(W), W)
    >>> optax.apply_updates(W, updates)["b"].tolist()
    [-2.0, 0.5]
    """
    check_layout(layout)
    positive(radius, "radius")
    made = Projecting(norm, layout, float(radius))
    return optax.GradientTransformationExtraArgs(made.init, made.update)
