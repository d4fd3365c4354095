"""`SteepestDescent`: a method, a learning rate and the state of a run, on dicts of NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from normkit.arrays import Array, as_array, result_array
from normkit.conventions import Convention
from normkit.errors import ParameterError, ShapeError
from normkit.names import flat, listed, nested
from normkit.optim import state as states
from normkit.optim.decay import Decay
from normkit.optim.engine import Arrays, Clock, Held, Moved, advance
from normkit.optim.method import Method, as_convention, as_decay, as_momentum, check_accuracy
from normkit.optim.momentum import Momentum
from normkit.optim.pipeline import Pipeline
from normkit.optim.report import Log, Record, Report
from normkit.optim.schedules import Schedule, as_schedule, at
from normkit.programs import product

if TYPE_CHECKING:
    from normkit.norm import Norm

Weights = Mapping[str, Any]


class SteepestDescent:
    """W <- decay(W) + lr * step(N, U), U the momentum of the gradients, for all arrays of a model.

    Parameters
    ----------
    norm : Norm or str or Pipeline or None
        A `Modular` norm of the names; any other norm, or a spec, is taken for every array, under the norm `outer`. A
        `Pipeline` is taken for every array, too.
    convention : {"lmo", "sharp"} or Convention
        ``lmo`` goes lr along the dualize map, ``sharp`` has the sharpness 1/lr; the step of an object is times lr.
    lr : float or function of the step
        The learning rate; see `normkit.optim.schedules`.
    momentum : float or Momentum
        A float is the beta of an `EMA`.
    weight_decay : float or Decay
        A float is the rate of a `Decoupled` decay.
    outer : Norm or str
        Where `norm` is the norm of one array, the norm of the vector of all blocks. Under ``linf`` the arrays of an
        ``lmo`` step do not depend on each other, under ``l2`` those of a ``sharp`` one.
    accuracy : float, optional
        What orthogonalization may miss, as in `normkit.dualize`; to working precision without.
    pipelines : mapping of str to Pipeline, optional
        Arrays that have no norm, and what they have instead.
    frozen : iterable of str
        Arrays that are passed through.
    maximize : bool
        Go up.
    backend : str
        As in `normkit.dualize`.

    Notes
    -----
    Arrays of half precision are stepped in float32, and these are kept. Arrays come back in the dtype of the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.optim import SteepestDescent
    >>> opt = SteepestDescent("rms->rms", lr=0.1, momentum=0.9)
    >>> W = {"w": np.zeros((2, 2))}
    >>> W = opt.step(W, {"w": np.diag([3.0, -4.0])})
    >>> W["w"].round(9).tolist()
    [[-0.1, 0.0], [0.0, 0.1]]
    """

    def __init__(
        self,
        norm: Norm | str | Pipeline | None,
        *,
        convention: str | Convention = "lmo",
        lr: float | Schedule,
        momentum: float | Momentum | None = None,
        weight_decay: float | Decay | None = None,
        outer: Norm | str = "linf",
        accuracy: float | None = None,
        pipelines: Mapping[str, Pipeline] | None = None,
        frozen: Any = (),
        maximize: bool = False,
        backend: str = "auto",
    ) -> None:
        self.norm = norm
        self.convention = as_convention(convention)
        self.lr = as_schedule(lr)
        self.momentum = as_momentum(momentum)
        self.weight_decay = as_decay(weight_decay)
        self.outer = outer
        self.accuracy = check_accuracy(accuracy)
        self.pipelines = dict(pipelines or {})
        self.frozen = frozenset(frozen)
        self.maximize = maximize
        self.backend = backend
        self.steps = 0
        self._held: Held = {}
        self._loaded = False
        self._method: Method | None = None
        self._record = Record()
        self._log: Log | None = None

    # --- the method -------------------------------------------------------------------------------------------------

    def method(self, names: Any) -> Method:
        """Return what a step of arrays of these names carries out.

        Raises
        ------
        ShapeError
            If the names are not those of norm, pipelines and frozen arrays.
        ParameterError
            If there are none.
        """
        names = tuple(names)
        if self._method is None or set(names) != set(self._method.names) | self._method.frozen:
            self._method = self._made(names)
        return self._method

    def _made(self, names: tuple[str, ...]) -> Method:
        if not names:
            raise ParameterError("the model is empty: a step needs at least one named array")
        ruled = [name for name in names if name not in self.pipelines and name not in self.frozen]
        pipelines = self.pipelines
        if isinstance(self.norm, Pipeline):
            pipelines = {**pipelines, **dict.fromkeys(ruled, self.norm)}
        blocks = self._product(ruled)
        wanted = {*(blocks.names if blocks else ()), *pipelines, *self.frozen}
        if wanted != set(names):
            missing, extra = sorted(wanted - set(names)), sorted(set(names) - wanted)
            parts = [f"lack {listed(missing)}"] * bool(missing) + [f"have {listed(extra)}"] * bool(extra)
            raise ShapeError(f"the weights {' and '.join(parts)}; the optimizer was made for {listed(sorted(wanted))}")
        return Method(
            blocks,
            self.convention,
            self.momentum,
            self.weight_decay,
            self.accuracy,
            self.backend,
            self.maximize,
            pipelines,
            self.frozen,
        )

    def _product(self, names: list[str]) -> Any:
        from normkit.calculus.modular import Modular
        from normkit.norm import as_norm

        if self.norm is None or isinstance(self.norm, Pipeline):
            return None
        whole = self.norm if isinstance(self.norm, str) else product(self.norm)
        if whole is not None and not isinstance(whole, str):
            return whole
        return product(Modular(dict.fromkeys(names, as_norm(self.norm)), self.outer)) if names else None

    # --- steps ------------------------------------------------------------------------------------------------------

    def step(
        self,
        weights: Weights,
        gradients: Weights,
        *,
        out: Weights | None = None,
        previous: Weights | None = None,
        loss: float | Callable[[dict[str, Any]], float] | None = None,
        watch: Callable[[Moved], None] | None = None,
    ) -> dict[str, Any]:
        """Return the weights after one step; the state goes on.

        Parameters
        ----------
        weights, gradients : mapping of str to ndarray
            Of the same names and shapes, nested or not. Gradients of frozen arrays may be missing.
        out : mapping of str to ndarray, optional
            Arrays that take the new weights; `weights` itself steps in place.
        previous : mapping, optional
            For `MVR2`: gradients at the weights before the last step on the present batch.
        loss : float or function of the weights, optional
            For stages that look at the loss.
        watch : callable, optional
            Sees every `normkit.optim.engine.Moved`, for reports.

        Raises
        ------
        ShapeError, DTypeError, NonFiniteError, ParameterError
            If something does not fit; then weights, `out` and state are as they were.
        """
        given = {name: as_array(x, f"the weights {name!r}") for name, x in flat(weights, "the weights")}
        method = self.method(given)
        moving = set(method.names)
        grads = {
            name: as_array(g, f"the gradient {name!r}")
            for name, g in flat(gradients, "the gradients")
            if self._known(name, given) and name in moving
        }
        targets = self._targets(given, out, moving)
        step, rate = self.steps + 1, at(self.lr, self.steps + 1)
        record = Record(step, rate, gaps=self._log is not None and self._log.certifies(step))
        clock = Clock(step, rate, *self._besides(given, previous, loss), _both(record, watch))
        if self._loaded:
            states.check_shapes(self._held, {name: array.shape for name, array in given.items()})
        advance(method, clock, Arrays(given, grads, self._held, targets))
        self.steps, self._record, self._loaded = step, record, False
        for name in given.keys() - moving if out is not None else ():
            targets[name][...] = given[name]
        if self._log is not None:
            self._log.write(lambda: record.rows(targets), step)
        return nested(weights, dict(flat(weights, "the weights")) | targets)

    def _known(self, name: str, given: Mapping[str, Array]) -> bool:
        if name not in given:
            raise ShapeError(f"the gradients have {name!r}, which the weights have not")
        return True

    def _targets(self, given: dict[str, Array], out: Weights | None, moving: set[str]) -> dict[str, Array]:
        if out is None:
            return {name: np.empty_like(array) for name, array in given.items() if name in moving}
        found = dict(flat(out, "out="))
        missing = [name for name in given if name not in found]
        if missing:
            raise ShapeError(f"out= lacks {listed(missing)}")
        return {
            name: result_array(array, array.dtype, found[name], f"the weights {name!r}")
            for name, array in given.items()
        }

    def _besides(self, given: dict[str, Array], previous: Any, loss: Any) -> tuple[Any, Any, Any]:
        earlier = None if previous is None else dict(flat(previous, "the previous gradients"))
        if not callable(loss):
            return earlier, None if loss is None else float(loss), None
        return earlier, float(loss(given)), lambda name, array: float(loss({**given, name: array}))

    # --- reports ----------------------------------------------------------------------------------------------------

    def report(self, weights: Weights) -> Report:
        """Return what the last step did, array by array, with the norms of the weights that it returned.

        Examples
        --------
        >>> import numpy as np
        >>> from normkit.optim import SteepestDescent
        >>> opt = SteepestDescent("rms->rms", lr=0.1)
        >>> W = opt.step({"w": np.zeros((2, 2))}, {"w": np.diag([3.0, -4.0])})
        >>> print(opt.report(W))
        step 1
        name  norm      lr   dual norm  norm of W  share  update rms  gap
        w     rms->rms  0.1  7          0.1        1      0.07071     -
        """
        return Report(self.steps, self._record.rows(dict(flat(weights, "the weights"))))

    def log_to(self, path: str, *, every: int = 1, certify_every: int | None = None) -> None:
        """Append what every `every`-th step did to a CSV file, and certify every `certify_every`-th.

        Raises
        ------
        FileError
            If the file cannot be written, or is there with other columns.
        """
        self._log = Log(path, every, certify_every)

    # --- state ------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain data: the number of steps and copies of all that is kept."""
        return states.packed(self.steps, self._held, str(self))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was taken: the steps that follow have the same bits.

        Raises
        ------
        ParameterError
            If it is no state.
        """
        self.steps, self._held, _ = states.unpacked(state, None)
        self._loaded = True

    def save(self, path: str, *, force: bool = False) -> None:
        """Write the state to a ``.npz`` or ``.safetensors`` file."""
        states.save(path, self.state_dict(), force=force)

    def load(self, path: str) -> None:
        """Go on from a file that `save` wrote."""
        self.load_state_dict(states.load(path))

    def __repr__(self) -> str:
        parts = [f"{str(self.norm)!r}", f"convention={self.convention}", f"lr={self.lr}"]
        parts += [f"{name}={value}" for name in ("momentum", "weight_decay") if (value := getattr(self, name))]
        return f"SteepestDescent({', '.join(parts)})"


def _both(record: Record, watch: Callable[[Moved], None] | None) -> Callable[[Moved], None]:
    """Return a watcher that calls a record and, if there is one, another watcher."""
    if watch is None:
        return record

    def both(moved: Moved) -> None:
        record(moved)
        watch(moved)

    return both
