"""What a step did, on paper: a few lines, or one JSON document."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from normkit.optim.outcome import Outcome, Stepped


def talk(made: Outcome, state: str | None, momentum: bool) -> None:
    """Say on standard error what a reader of the output would not expect."""
    if made.resumed:
        click.echo(f"normkit: went on with an interrupted run; it had finished {made.resumed} arrays", err=True)
    if state is None and (momentum or any(each.update for each in made.arrays)):
        click.echo("normkit: without --state, moments begin at zero at every call", err=True)
    if made.beginning:
        from normkit.names import listed

        click.echo(f"normkit: {state} kept nothing of {listed(made.beginning)}; they begin at zero", err=True)


def summary(made: Outcome) -> str:
    """Return what was done in a few lines."""
    kinds = Counter(_kind(each) for each in made.arrays)
    lines = [
        f"step {made.step}, {made.convention}, learning rate {made.lr:g}, outer norm {made.outer}",
        f"{len(made.arrays)} arrays: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()),
    ]
    if made.dual_norm is not None:
        lines.append(f"dual norm of the direction {made.dual_norm:.10g}")
    proofs = [each.proof for each in made.arrays if each.proof is not None]
    if proofs:
        hold = sum(proof["holds"] for proof in proofs)
        lines.append(f"{hold} of {len(proofs)} certificates hold; largest gap {max(p['gap'] for p in proofs):.1e}")
    return "\n".join(lines)


def _kind(each: Stepped) -> str:
    if each.norm is not None:
        return f"by {each.norm}"
    return f"by {each.update}" if each.update else "copied" if each.frozen else "other names"


def document_of(made: Outcome) -> str:
    """Return one JSON document with the certificate of every array that has a norm."""
    from normkit.cli.certificates import document, plain

    head = {
        "outer": made.outer,
        "convention": made.convention,
        "lr": made.lr,
        "step": made.step,
        "dual_norm": None if made.dual_norm is None else plain(made.dual_norm),
    }
    return document(head, {each.name: _entry(each, made.backend) for each in made.arrays})


def _entry(each: Stepped, backend: str) -> dict[str, Any]:
    from normkit.cli.certificates import entry, plain

    if each.norm is None:
        found = {"shape": list(each.shape), "dtype": each.dtype}
        return found | {"update": each.update, "frozen": each.frozen, "same_as": each.same_as}
    assert each.proof is not None and each.factor is not None
    proof = each.proof | {
        "pairing": each.factor * each.proof["pairing"],
        "norm": abs(each.factor) * each.proof["norm"],
    }
    numbers = {name: plain(getattr(each, name)) for name in ("scale", "factor", "dual_norm", "share")}
    return {"norm": each.norm} | entry(each.shape, each.dtype, proof, backend) | {"step": numbers}
