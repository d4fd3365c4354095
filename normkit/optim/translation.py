"""Optimizers of other libraries, by their own option names, as options of `SteepestDescent`.

Every option has a role; what has none that is known here is refused with what it means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from normkit.conventions import LMO, Convention
from normkit.errors import ParameterError
from normkit.names import listed
from normkit.optim.decay import Coupled, Decay, Decoupled, FrankWolfeDecay, Independent
from normkit.optim.momentum import EMA, HeavyBall, Momentum
from normkit.rosetta import lookup


@dataclass(frozen=True)
class Translation(Mapping[str, Any]):
    """Options of `SteepestDescent`, as a mapping for ``SteepestDescent(model, **translation)``.

    Attributes
    ----------
    notes : tuple of str
        What was given and has no counterpart, because accuracy is promised here and not a number of steps.
    """

    norm: str
    convention: Convention
    lr: float
    momentum: Momentum | None
    weight_decay: Decay | None
    notes: tuple[str, ...] = ()

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys():
            raise KeyError(key)
        return getattr(self, key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys())

    def __len__(self) -> int:
        return len(self._keys())

    @staticmethod
    def _keys() -> tuple[str, ...]:
        return ("norm", "convention", "lr", "momentum", "weight_decay")


# --- the table --------------------------------------------------------------------------------------------------------

ITERATION = "how its iteration approximates the polar factor; accuracy= says here how close the factor has to be"
OTHERS = "what other parameters than matrices have; give them a group, rules or a pipeline of their own"
PLACE = "where and in which dtype it computes"


@dataclass(frozen=True)
class Option:
    """An option of an optimizer: its default there, its role here, and what it means where it is not translated.

    Roles: ``lr``; ``ema``, ``sum`` and ``rest`` (one minus beta) for momentum; ``nesterov``; ``debias``; ``decay`` and
    ``decay form``; ``scale`` and ``norm`` for what `normkit.rosetta` knows; ``factor`` of the step; ``free`` (ball or
    no ball); ``note`` for what changes nothing here; ``only`` for what is refused unless it is the default.
    """

    default: Any
    role: str
    meaning: str = ""


def _notes(meaning: str, *names: str) -> dict[str, Option]:
    return {name: Option(None, "note", meaning) for name in names}


_KELLER = {
    "lr": Option(0.02, "lr"),
    "momentum": Option(0.95, "ema"),
    "weight_decay": Option(0.0, "decay"),
    "nesterov": Option(True, "nesterov"),
    "adjust": Option("Muon", "scale"),
}
_PYTORCH_OPTIMIZER = {
    "lr": Option(0.02, "lr"),
    "momentum": Option(0.95, "ema"),
    "weight_decay": Option(0.01, "decay"),
    "weight_decouple": Option(True, "decay form"),
    "nesterov": Option(True, "nesterov"),
    "use_adjusted_lr": Option(False, "scale"),
    "maximize": Option(False, "only", "goes up; give maximize=True to SteepestDescent"),
    **_notes(ITERATION, "ns_steps", "ns_coeffs"),
    **_notes(OTHERS, "betas", "adamw_params", "adamw_lr", "adamw_betas", "adamw_wd", "adamw_eps"),
}
OPTIMIZERS: dict[str, tuple[str, dict[str, Option]]] = {
    "torch.optim.Muon": (
        "torch",
        {
            "lr": Option(1e-3, "lr"),
            "weight_decay": Option(0.1, "decay"),
            "momentum": Option(0.95, "ema"),
            "nesterov": Option(True, "nesterov"),
            "adjust_lr_fn": Option("original", "scale"),
            **_notes(ITERATION, "ns_coefficients", "eps", "ns_steps"),
        },
    ),
    "muon.Muon": ("kellerjordan", _KELLER),
    "muon.SingleDeviceMuon": ("kellerjordan", _KELLER),
    "scion.Scion": (
        "scion",
        {
            "lr": Option(1e-3, "lr"),
            "momentum": Option(1.0, "rest"),
            "norm": Option("Auto", "norm"),
            "norm_kwargs": Option(None, "norm options"),
            "scale": Option(1.0, "factor"),
            "unconstrained": Option(False, "free"),
        },
    ),
    "dion.Muon": (
        "dion",
        {
            "lr": Option(0.01, "lr"),
            "mu": Option(0.95, "sum"),
            "weight_decay": Option(0.01, "decay"),
            "nesterov": Option(False, "nesterov"),
            "adjust_lr": Option("spectral_norm", "scale"),
            "flatten": Option(False, "only", "takes kernels as matrices (out, rest); say so by Matricize"),
            "distributed_mesh": Option(None, "only", "shards parameters, and a norm needs whole arrays"),
            "newton_schulz_func": Option(None, "only", "puts another map in the place of the polar factor"),
            **_notes(ITERATION, "epsilon"),
            **_notes(PLACE, "use_triton"),
            **_notes(OTHERS, "betas"),
        },
    ),
    "optax.contrib.muon": (
        "optax",
        {
            "learning_rate": Option(None, "lr"),
            "beta": Option(0.95, "ema"),
            "weight_decay": Option(0.0, "decay"),
            "nesterov": Option(True, "nesterov"),
            "debias": Option(True, "debias"),
            "consistent_rms": Option(None, "root factor"),
            "adaptive": Option(False, "only", "multiplies by <polar(U), U>: the step of no norm unless its scale is 1"),
            "weight_decay_mask": Option(None, "only", "leaves arrays out of weight decay; give them another group"),
            "muon_weight_dimension_numbers": Option(None, "only", "says which axes are the matrix; use Matricize"),
            "mu_dtype": Option(None, "only", "keeps the momentum in another dtype"),
            **_notes(ITERATION, "ns_coeffs", "ns_steps", "eps", "preconditioning"),
            **_notes(OTHERS, "adam_b1", "adam_b2", "adam_eps_root", "adam_weight_decay", "adam_learning_rate"),
        },
    ),
    "heavyball.Muon": (
        "heavyball",
        {
            "lr": Option(0.0025, "lr"),
            "betas": Option((0.9, 0.99), "first beta"),
            "weight_decay": Option(0.0, "decay"),
            "nesterov": Option(True, "nesterov or sum"),
            "heavyball_momentum": Option(False, "sum or not"),
            "ortho_scale_mode": Option("scale", "scale"),
            "mars": Option(False, "only", "corrects gradients by the last ones; give momentum=MVR1(beta)"),
            "caution": Option(False, "only", "drops entries of the step whose sign differs from the gradient's"),
            "cautious_weight_decay": Option(False, "only", "decays only entries that the step shrinks"),
            "warmup_steps": Option(0, "only", "ramps the learning rate up; use a scheduler"),
            **_notes(PLACE, "eps", "multi_tensor", "storage_dtype", "compile_step"),
        },
    ),
    "emerging_optimizers.Muon": (
        "eo",
        {
            "lr": Option(3e-4, "lr"),
            "momentum": Option(0.95, "ema"),
            "weight_decay": Option(0.01, "decay"),
            "nesterov": Option(False, "nesterov"),
            "weight_decay_method": Option("decoupled", "decay form"),
            "scale_mode": Option("spectral", "scale"),
            "extra_scale_factor": Option(1.0, "factor"),
            **_notes(ITERATION, "coefficient_type", "num_ns_steps"),
            **_notes(PLACE, "fp32_matmul_prec", "use_syrk"),
        },
    ),
    "timm.optim.Muon": (
        "timm",
        {
            "lr": Option(0.02, "lr"),
            "weight_decay": Option(0.0, "decay"),
            "momentum": Option(0.95, "ema"),
            "nesterov": Option(False, "nesterov"),
            "adjust_lr_fn": Option("match_rms_adamw", "scale"),
            "algo": Option("muon", "only", "'adamuon' divides by second moments: the step of no norm"),
            "conv_mode": Option("flatten", "only", "takes kernels position by position; say so by Slices"),
            "normalize_spatial": Option(True, "note", "a factor of kernels in the mode 'batched'"),
            **_notes(ITERATION, "ns_steps", "ns_coefficients", "eps", "safety_factor", "scale_eps"),
            **_notes(OTHERS, "adamw_lr", "fallback_lr_scale", "betas"),
            **_notes(PLACE, "capturable", "verbose"),
        },
    ),
    "pytorch_optimizer-4.0.Muon": ("pytorch_optimizer-4.0", _PYTORCH_OPTIMIZER),
    "pytorch_optimizer-4.1.Muon": ("pytorch_optimizer-4.1", _PYTORCH_OPTIMIZER),
}
"""By the name of the class: the library in the table of `normkit.rosetta`, and the options."""


# --- reading it -------------------------------------------------------------------------------------------------------


def from_config(optimizer: str, **options: Any) -> Translation:
    """Return what an optimizer of another library with these options is here, to an exact polar factor.

    Parameters
    ----------
    optimizer : str
        ``torch.optim.Muon``, ``muon.Muon`` (Keller Jordan's), ``scion.Scion``, ``dion.Muon``, ``optax.contrib.muon``,
        ``heavyball.Muon``, ``emerging_optimizers.Muon``, ``timm.optim.Muon``, ``pytorch_optimizer-4.0.Muon`` (or 4.1:
        the meaning of an option was swapped between the two).
    **options
        By the names that they have there; defaults are those of that library.

    Returns
    -------
    Translation
        A mapping for ``SteepestDescent(matrices, **translation)``. Norms are of matrices out x in; where arrays are
        in x out, as in JAX, wrap its norm into ``transpose(...)``.

    Raises
    ------
    ParameterError
        For an unknown optimizer or option, or one that has no counterpart; the message says what it means.

    Examples
    --------
    >>> from normkit.optim import from_config
    >>> made = from_config("torch.optim.Muon", lr=0.02, momentum=0.9, adjust_lr_fn="match_rms_adamw", weight_decay=0)
    >>> made.norm, made.convention, made.momentum
    ('spectral/(0.2*sqrt(Max(m, n)))', LMO(radius=1.0), EMA(beta=0.9, nesterov=True, debias=False))
    """
    if optimizer not in OPTIMIZERS:
        raise ParameterError(f"no translation of {optimizer!r}; there are {listed(OPTIMIZERS, len(OPTIMIZERS))}")
    library, table = OPTIMIZERS[optimizer]
    unknown = [name for name in options if name not in table]
    if unknown:
        raise ParameterError(
            f"{optimizer} has no option {listed(unknown)} that is known here; known: {listed(table, 99)}"
        )
    for name, option in table.items():
        if option.role == "only" and options.get(name, option.default) != option.default:
            raise ParameterError(f"{name}={options[name]!r} of {optimizer} {option.meaning}")
    given = {option.role: options.get(name, option.default) for name, option in table.items() if option.role != "note"}
    if given["lr"] is None:
        raise ParameterError(f"{optimizer} needs a learning rate")
    notes = tuple(f"{name}: {table[name].meaning}" for name in options if table[name].role == "note")
    norm = _norm(library, given, table)
    return Translation(norm, LMO(float(_factor(given))), given["lr"], _momentum(given), _decay(given), notes)


def _norm(library: str, given: Mapping[str, Any], table: Mapping[str, Option]) -> str:
    if "norm" in given:
        kinds = given["norm options"] or {}
        shown = {key: value for key, value in kinds.items() if key not in ("steps", "zero_init")}
        default = {"ColNorm": {"normalized": False}, "Spectral": {"max": False, "normalized": True}}
        base = {"normalized": True, "transpose": False} | default.get(given["norm"], {})
        kept = ", ".join(f"{key}={value}" for key, value in shown.items() if base.get(key) != value)
        key = f"{given['norm']}({kept})" if kept else str(given["norm"])
    elif "root factor" in given:
        key = "consistent_rms=None" if given["root factor"] is None else "consistent_rms=1"
    else:
        scale = next(name for name, option in table.items() if option.role == "scale")
        value = given["scale"]
        key = f"{scale}={value}" if isinstance(value, bool) else str(value)
        key = table[scale].default if value is None and library == "torch" else key
    entry = lookup(f"{library}:{key}")
    if entry.spec is None:
        raise ParameterError(f"{library}:{key} is the dualize map of no norm: {entry.update}")
    return entry.spec


def _factor(given: Mapping[str, Any]) -> float:
    root = given.get("root factor")
    return float(given.get("factor", 1.0) if root is None else root)


def _momentum(given: Mapping[str, Any]) -> Momentum | None:
    if "first beta" in given:
        return _heavyball(given)
    nesterov = bool(given.get("nesterov"))
    if given.get("sum"):
        return HeavyBall(given["sum"], nesterov)
    beta = 1.0 - given["rest"] if "rest" in given else given.get("ema", 0.0)
    return EMA(beta, nesterov, given.get("debias", False)) if beta else None


def _heavyball(given: Mapping[str, Any]) -> Momentum | None:
    beta, nesterov = given["first beta"][0], given["nesterov or sum"]
    if given["sum or not"]:
        return HeavyBall(beta, nesterov)
    if nesterov:
        raise ParameterError(
            "nesterov=True of heavyball without heavyball_momentum adds the gradient to an average, G + EMA(G), which "
            "is neither Nesterov's form of an average nor of a sum; give nesterov=False or heavyball_momentum=True"
        )
    return EMA(beta)


def _decay(given: Mapping[str, Any]) -> Decay | None:
    if "free" in given:
        return None if given["free"] else FrankWolfeDecay()
    form = given.get("decay form", "decoupled")
    made: dict[Any, Callable[[float], Decay]] = {"decoupled": Decoupled, "independent": Independent, "l2": Coupled}
    made |= {True: Decoupled, False: Coupled}
    if form not in made:
        raise ParameterError(f"unknown form of weight decay {form!r}; known: 'decoupled', 'independent', 'l2'")
    return made[form](given["decay"]) if given["decay"] else None
