"""``normkit step``: new weights from weights, gradients and rules, array by array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from normkit.cli.progress import Progress
from normkit.errors import ParameterError

if TYPE_CHECKING:
    from normkit.conventions import Convention
    from normkit.modular.rules import Rules

NEEDS = {
    "lmo": ("radius",),
    "sharp": ("sharpness",),
    "trust": ("radius",),
    "frank-wolfe": ("radius", "lr"),
    "power": ("sharpness", "power"),
    "layerwise": ("l0", "l1"),
}
"""The options that a convention cannot do without."""
TAKES = {**NEEDS, "trust": ("radius", "sharpness")}


@click.command()
@click.option("--weights", required=True, metavar="FILE", help="The checkpoint that is stepped; it stays as it is.")
@click.option("--grads", required=True, metavar="FILE", help="Gradients under the same names.")
@click.option("-o", "--output", required=True, metavar="FILE", help="Where the new weights go.")
@click.option("--rules", metavar="R", help="A rules file, or the name of ready rules, such as muon.")
@click.option("--norm", "spec", metavar="SPEC", help="One norm for all arrays of floats, instead of rules.")
@click.option("--convention", type=click.Choice(list(NEEDS)), default="lmo", show_default=True, help="How far to go.")
@click.option("--radius", type=float, metavar="R", help="Of lmo, trust and frank-wolfe.")
@click.option("--sharpness", type=float, metavar="S", help="Of sharp, power and (if it has a model) trust.")
@click.option("--power", type=float, metavar="P", help="Of power: the exponent of its regulariser.")
@click.option("--l0", type=float, metavar="L0", help="Of layerwise: the smoothness L0 + L1 * dual norm of a layer.")
@click.option("--l1", type=float, metavar="L1", help="Of layerwise.")
@click.option("--lr", type=float, metavar="L", help="Learning rate; else the radius of lmo, 1/S of sharp, 1 of others.")
@click.option("--momentum", type=float, default=0.0, metavar="B", help="B <- B*momentum + (1 - momentum) * gradient.")
@click.option("--nesterov", is_flag=True, help="Nesterov's form of the momentum.")
@click.option("--heavy-ball", is_flag=True, help="B <- B*momentum + gradient instead.")
@click.option("--weight-decay", type=float, default=0.0, metavar="D", help="W <- (1 - L*D) W + step.")
@click.option("--accuracy", type=float, metavar="A", help="What orthogonalization may miss; else working precision.")
@click.option("--maximize", is_flag=True, help="Go up.")
@click.option("--state", metavar="FILE", help="Keeps moments and the number of the step between calls (.safetensors).")
@click.option("--backend", default="auto", show_default=True, metavar="auto|reference|cpu|cuda", help="What computes.")
@click.option("--certify", is_flag=True, help="Certify the dualize map of every array; takes longer than the step.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, with certificates.")
@click.option("--force", is_flag=True, help="Overwrite the output file.")
def step(rules: str | None, spec: str | None, output: str, as_json: bool, certify: bool, **given: Any) -> int:
    """Step the weights of a whole model, array by array.

    Every array goes along the dualize map of the norm that the rules give it, or is updated by the pipeline that they
    name, or copied. Memory holds a few arrays, never the model. Without --lr, lmo steps by the radius and sharp by
    1/sharpness, and weight decay and pipelines without a learning rate of their own go by the same number; with --lr,
    it is that, and the step of the convention is multiplied by it.

    Checkpoints are .safetensors, sharded .safetensors.index.json, .npz, and .pt to read; names, dtypes and metadata
    stay. The weights and the state are written both or neither. A run that was killed is gone on with when the same
    command runs again. The exit code is 1 if a certificate does not hold (at 4 A with --accuracy A), 2 for an error in
    the input; then nothing is written.

    \b
    Examples:
      normkit step --weights w.safetensors --grads g.safetensors --rules muon --radius 0.02 -o w2.safetensors
      normkit step --weights w.safetensors --grads g.safetensors --rules muon --radius 0.02 --momentum 0.95 --nesterov
                   --state s.safetensors --accuracy 1e-2 -o w2.safetensors
      normkit step --weights w.npz --grads g.npz --norm max --convention sharp --sharpness 50 -o w2.npz --json
    """  # noqa: D301 (click reads the backspace as: keep these lines)
    convention, lr = _convention(given)
    chosen = _rules(rules, spec)
    momentum = _momentum(given["momentum"], given["nesterov"], given["heavy_ball"])
    from normkit.cli.outcome import document_of, summary, talk
    from normkit.optim.streaming import step_files

    made = step_files(
        given["weights"],
        given["grads"],
        output,
        chosen,
        lr=lr,
        convention=convention,
        momentum=momentum,
        weight_decay=given["weight_decay"],
        certify=certify or as_json,
        progress=Progress,
        **{name: given[name] for name in ("accuracy", "backend", "maximize", "state", "force")},
    )
    talk(made, given["state"], momentum is not None)
    click.echo(document_of(made) if as_json else summary(made))
    if made.failed:
        click.echo(f"normkit: the certificate does not hold for: {', '.join(made.failed)}", err=True)
    return 1 if made.failed else 0


def _convention(given: dict[str, Any]) -> tuple[Convention, float]:
    """Return the convention and the learning rate."""
    name = given["convention"]
    missing = [f"--{each}" for each in NEEDS[name] if given[each] is None]
    if missing:
        raise ParameterError(f"--convention {name} needs {' and '.join(missing)}")
    for option in ("radius", "sharpness", "power", "l0", "l1"):
        if given[option] is not None and option not in TAKES[name]:
            takers = " and ".join(each for each in TAKES if option in TAKES[each])
            raise ParameterError(f"--{option} belongs to --convention {takers}; got --convention {name}")
    import normkit as nk

    lr, radius, sharpness = given["lr"], given["radius"], given["sharpness"]
    made: dict[str, Any] = {
        "lmo": lambda: nk.LMO(radius),
        "sharp": lambda: nk.Sharp(sharpness),
        "trust": lambda: nk.TrustRegion(radius, sharpness or 0.0),
        "frank-wolfe": lambda: nk.FrankWolfe(radius),
        "power": lambda: nk.PowerStep(sharpness, given["power"]),
        "layerwise": lambda: nk.LayerwiseSmooth(given["l0"], given["l1"]),
    }
    convention: Convention = made[name]()
    if lr is None and name in ("lmo", "sharp"):
        return (nk.LMO(1.0), radius) if name == "lmo" else (nk.Sharp(1.0), 1.0 / sharpness)
    return convention, 1.0 if lr is None else lr


def _rules(name: str | None, spec: str | None) -> Rules:
    from normkit.modular.rules import Rules

    if (name is None) == (spec is None):
        raise ParameterError(
            "a step needs --rules or --norm, and not both; ready rules are: " + ", ".join(Rules.known())
        )
    if name is not None:
        return Rules.find(name)
    return Rules.of({"rule": [{"match": "*", "norm": spec}]}, "--norm")


def _momentum(beta: float, nesterov: bool, heavy_ball: bool) -> Any:
    if not beta:
        if nesterov or heavy_ball:
            raise ParameterError("--nesterov and --heavy-ball are forms of momentum; give --momentum 0.95, or another")
        return None
    from normkit.optim.momentum import EMA, HeavyBall

    return HeavyBall(beta, nesterov) if heavy_ball else EMA(beta, nesterov)
