"""`SteepestDescent` for torch: a `torch.optim.Optimizer` whose steps are those of `normkit.optim`.

torch_views.py      where a step is computed: views of NumPy, or torch's operations on another device
torch_tensors.py    tensors that answer NumPy's functions on their device
torch_groups.py     names, norms and pipelines of parameter groups
torch_state.py      states of optimizers as plain data, and which of them still fit
torch_modules.py    `rules_from`: modules to norms
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from normkit.conventions import Convention
from normkit.errors import MissingExtra, NonFiniteError, ParameterError
from normkit.optim.decay import Decay
from normkit.optim.engine import Arrays, Clock, carry_out, check
from normkit.optim.method import Method, as_convention, as_decay, as_momentum, check_accuracy
from normkit.optim.momentum import Momentum
from normkit.optim.report import Log, Record, Report
from normkit.optim.translation import from_config

try:
    import torch
except ImportError as error:
    raise MissingExtra("normkit.torch needs torch: pip install 'normkit[torch]'") from error

from normkit.torch_groups import (
    Assigned,
    as_rules,
    assigned,
    check_gradient,
    check_lr,
    check_parameters,
    named,
    names,
)
from normkit.torch_modules import rules_from
from normkit.torch_state import restored, saved
from normkit.torch_views import Kept, Views, views

__all__ = ["SteepestDescent", "from_config", "rules_from"]


@dataclass(frozen=True)
class _Job:
    """One step of one group."""

    group: dict[str, Any]
    parameters: dict[str, torch.Tensor]
    how: Views
    method: Method
    clock: Clock
    arrays: Arrays


class SteepestDescent(torch.optim.Optimizer):
    """W <- decay(W) + lr * step(N, U), U the momentum of the gradients: steepest descent in a norm.

    All parameters of a group form one norm of named arrays, whose `outer` norm says how far each goes; options other
    than `nan`, `path` and `backend` can be given by group. Gradients are not written to. Parameters without a gradient
    and those that require none stay as they are; tied ones are stepped once. Weights of half precision have float32
    weights behind them, which are part of the state.

    Parameters
    ----------
    params : Module, or iterable of parameters, of (name, parameter), or of groups
        Named parameters are called by their names in errors and reports; groups may hold modules, too.
    norm : Norm or str
        A spec such as ``rms->rms`` (which is the default), or a norm, for every parameter, or a norm of named arrays.
    rules : rules, path or str, optional
        In place of `norm`: what gives each named parameter its norm or pipeline, the path of a ``.toml`` file, or the
        name of ready rules.
    convention : {"lmo", "sharp"} or Convention
        ``lmo`` goes lr along the dualize map, ``sharp`` has the sharpness 1/lr; the step of an object is times lr.
    lr : float
        The learning rate; schedulers set it.
    momentum : float or Momentum
        A float is the beta of an `EMA`.
    weight_decay : float or Decay
        A float is the rate of a `Decoupled` decay.
    accuracy : float or None
        What orthogonalization may miss, as in `normkit.dualize`; None is to working precision.
    outer : Norm or str
        The norm over the parameters of a group.
    pipeline : Pipeline, or mapping of names to pipelines, optional
        What a group, or some of its parameters, has instead of a norm.
    maximize : bool
        Go up.
    nan : {"raise", "skip"}
        What to do with gradients that are not finite: raise an error that names the parameter and the index, or leave
        out the whole step and count it in `skipped`.
    path : {"auto", "numpy", "torch", "cuda"}
        Where a step is computed: on views of NumPy in the memory of the CPU, with torch's operations, or with these and
        dualize maps by kernels of the GPU (``normkit[cuda]``), which ``auto`` takes for parameters there.
    backend : str
        As in `normkit.dualize`, for the path of NumPy.

    Raises
    ------
    ShapeError
        At construction, if norms cannot take the shapes of parameters: all of them are listed.
    ParameterError, DTypeError
        For options outside of their domain; sharded (DTensor, FSDP), complex or sparse parameters; sparse gradients.
    NonFiniteError
        For a gradient that holds a NaN or an infinity. All these errors leave parameters and state as they were. Also
        for a step that overflows its dtype; then parameters before it may have moved.

    Examples
    --------
    >>> import torch
    >>> from normkit.torch import SteepestDescent
    >>> model = torch.nn.Linear(2, 2, bias=False)
    >>> opt = SteepestDescent(model, norm="rms->rms", lr=0.1, momentum=0.9)
    >>> model(torch.ones(2)).sum().backward()
    >>> opt.step()
    >>> opt.report()["weight"].norm
    'rms->rms'
    """

    def __init__(
        self,
        params: Any,
        norm: Any = None,
        *,
        rules: Any = None,
        convention: str | Convention = "lmo",
        lr: float,
        momentum: float | Momentum = 0.0,
        weight_decay: float | Decay = 0.0,
        accuracy: float | None = 1e-3,
        outer: Any = "linf",
        pipeline: Any = None,
        maximize: bool = False,
        nan: str = "raise",
        path: str = "auto",
        backend: str = "auto",
    ) -> None:
        if norm is not None and rules is not None:
            raise ParameterError("give norm= or rules=, not both")
        if nan not in ("raise", "skip"):
            raise ParameterError(f"unknown nan {nan!r}; known: 'raise', 'skip'")
        views(path, ())
        defaults = {
            "lr": lr,
            "norm": as_rules(rules) if rules is not None else "rms->rms" if norm is None else norm,
            "convention": convention,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "accuracy": accuracy,
            "outer": outer,
            "pipeline": pipeline,
            "maximize": maximize,
            "steps": 0,
        }
        self._options = {"nan": nan, "path": path, "backend": backend}
        self._fresh()
        super().__init__(named(params), defaults)

    def _fresh(self) -> None:
        """Set what is no part of a saved state."""
        self.skipped = 0
        self._assigned: dict[int, tuple[Any, Assigned]] = {}
        self._seen: list[tuple[Record, dict[str, torch.Tensor]]] = []
        self._log: Log | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_options": self._options, "skipped": self.skipped}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if not hasattr(self, "_seen"):
            self._fresh()
        super().__setstate__(state)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group with options of its own; `rules` is taken in place of `norm`, too.

        Raises
        ------
        ShapeError, ParameterError, DTypeError
            As at construction; the group is then not added.
        """
        [group] = named([param_group])
        if "rules" in group:
            group["norm"] = as_rules(group.pop("rules"))
        super().add_param_group(group)
        try:
            self._check_group(len(self.param_groups) - 1)
        except Exception:
            self.param_groups.pop()
            self._assigned.pop(len(self.param_groups), None)
            raise

    def _check_group(self, place: int) -> None:
        group = self.param_groups[place]
        group["steps"] = 0
        for key in group.keys() - self.defaults.keys():
            if near := get_close_matches(key, self.defaults, 1):  # other keys are the user's own, as in torch
                raise ParameterError(f"group {place} has the option {key!r}. Did you mean {near[0]!r}?")
        check_lr(group["lr"])
        check_parameters(dict(zip(names(group, place), group["params"], strict=True)))
        self._method(place, self._given(place), None)

    # --- steps ------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def step(
        self,
        closure: Callable[[], Any] | None = None,
        *,
        previous: Mapping[str, torch.Tensor] | None = None,
    ) -> Any:
        """Take one step.

        Parameters
        ----------
        closure : callable, optional
            Evaluates the loss anew, with its gradients, and returns it.
        previous : mapping of names to tensors, optional
            For `normkit.optim.MVR2`: gradients at the parameters before the last step on the present batch.

        Returns
        -------
        What the closure returned, or None.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        number = 1 + max(group["steps"] for group in self.param_groups)
        certified = self._log is not None and self._log.certifies(number)
        jobs = [self._job(place, loss, previous, certified) for place in range(len(self.param_groups))]
        if not self._pass([job for job in jobs if job is not None]):
            return loss
        self._seen = []
        for job in jobs:
            if job is not None:
                self._carry_out(job)
        if self._log is not None:
            self._log.write(lambda: self.report().rows, number)
        return loss

    def _pass(self, jobs: list[_Job]) -> bool:
        """Tell whether all gradients are finite; raise if they are not, unless such steps are skipped."""
        try:
            for job in jobs:
                check(job.method, job.clock, job.arrays)
        except NonFiniteError as error:
            if self._options["nan"] == "skip":
                self.skipped += 1
                return False
            raise NonFiniteError(f"{error}. With nan='skip' such steps are left out") from error
        return True

    def _job(self, place: int, loss: Any, previous: Any, certified: bool) -> _Job | None:
        group, given = self.param_groups[place], self._given(place)
        moving = {name: p for name, p in given.items() if p.grad is not None and p.requires_grad}
        for name, p in moving.items():
            check_gradient(name, p.grad)  # type: ignore[arg-type]
        method = self._method(place, given, moving)
        moving = {name: moving[name] for name in method.names}
        if not moving:
            return None
        how = views(self._options["path"], moving.values())
        record = Record(group["steps"] + 1, float(group["lr"]), gaps=certified)
        clock = Clock(
            group["steps"] + 1,
            float(group["lr"]),
            None if previous is None else {name: how.array(tensor) for name, tensor in previous.items()},
            None if loss is None else float(loss.detach() if isinstance(loss, torch.Tensor) else loss),
            watch=record,
            ages={name: self.state.get(p, {}).get("step", 0) + 1 for name, p in moving.items()},
        )
        weights = {name: how.array(p) for name, p in moving.items()}
        gradients = {name: how.array(p.grad) for name, p in moving.items()}  # type: ignore[arg-type]
        held: Any = {name: Kept(self.state, p, how) for name, p in moving.items()}
        return _Job(group, moving, how, method, clock, Arrays(weights, gradients, held, weights))

    def _carry_out(self, job: _Job) -> None:
        carry_out(job.method, job.clock, job.arrays)
        job.how.written(job.parameters.values())
        job.group["steps"] = job.clock.step
        for name, p in job.parameters.items():
            self.state[p]["step"] = job.clock.age(name)
        self._seen.append((job.clock.watch, job.parameters))  # type: ignore[arg-type]

    def _given(self, place: int) -> dict[str, torch.Tensor]:
        group = self.param_groups[place]
        return dict(zip(names(group, place), group["params"], strict=True))

    def _method(self, place: int, given: Mapping[str, Any], moving: Mapping[str, Any] | None) -> Method:
        """Return what a step of some parameters of a group carries out; of all without them."""
        group, found = self.param_groups[place], self._assignment(place, given)
        moving = given if moving is None else moving
        kept = [] if found.product is None else [at for at, name in enumerate(found.product.names) if name in moving]
        return Method(
            None if found.product is None or not kept else found.product.only(kept),
            as_convention(group["convention"]),
            as_momentum(group["momentum"]),
            as_decay(group["weight_decay"]),
            check_accuracy(group["accuracy"]),
            self._options["backend"],
            bool(group["maximize"]),
            {name: pipeline for name, pipeline in found.pipelines.items() if name in moving},
        )

    def _assignment(self, place: int, given: Mapping[str, Any]) -> Assigned:
        """Return what the parameters of a group have; made anew where a norm, or what is trained, has changed."""
        group = self.param_groups[place]
        trained = [name for name, p in given.items() if p.requires_grad]
        asked = group["norm"], group["outer"], group["pipeline"], trained
        held = self._assigned.get(place)
        if held is None or any(a is not b and a != b for a, b in zip(held[0], asked, strict=True)):
            shapes = {name: tuple(p.shape) for name, p in given.items()}
            held = self._assigned[place] = asked, assigned(group, shapes, trained)
        return held[1]

    # --- reports ----------------------------------------------------------------------------------------------------

    def report(self) -> Report:
        """Return what the last step did, parameter by parameter, with the norms that the weights have now."""
        step = max(group["steps"] for group in self.param_groups)
        how = [{name: views("auto", [p]).array(p) for name, p in given.items()} for _, given in self._seen]
        rows = [record.rows(weights) for (record, _), weights in zip(self._seen, how, strict=True)]
        return Report(step, tuple(row for each in rows for row in each), self.skipped)

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
        """Return the state in torch's format, of plain data: ``torch.load`` takes it with ``weights_only=True``."""
        return saved(super().state_dict(), self.param_groups, self._stages())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a state was taken.

        Numbers (learning rate, momentum, decay, ...) are those of the state, as in torch; norms, conventions and other
        objects are those of this optimizer, so that a run can go on under other rules. What is kept for a parameter is
        kept if the same stages keep it now and it has the parameter's shape, and dropped otherwise, with a warning
        that lists these parameters; they go on as at a first step. Float32 weights are always kept.
        """
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= state_dict.keys():
            raise ParameterError(f"expected what state_dict() returns; got {type(state_dict).__name__}")
        final: list[dict[str, Any]] = []
        hook = self.register_load_state_dict_pre_hook(lambda _, state: final.append(state))  # after all others
        own = [dict(group) for group in self.param_groups]
        try:
            super().load_state_dict(state_dict)
        finally:
            hook.remove()
        restored(self, final[0], own, self._stages)

    def _stages(self) -> list[list[str]]:
        """Return the stages that keep something, by group and parameter."""
        return [
            [self._assignment(place, given).kept_by(name, as_momentum(group["momentum"])) for name in given]
            for place, group in enumerate(self.param_groups)
            if (given := self._given(place))
        ]
