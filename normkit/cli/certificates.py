"""Certificates on paper: one JSON document, or a few lines for each array."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
import numpy as np

if TYPE_CHECKING:
    from normkit.codegen.plan import Program
    from normkit.update import Update


def plain(numbers: Any) -> Any:
    """Return numbers for JSON: nested lists over a batch, null for what is not finite (JSON has no infinity)."""
    if isinstance(numbers, list):
        return [plain(number) for number in numbers]
    if isinstance(numbers, np.ndarray | np.generic):
        return plain(numbers.tolist())
    return numbers if np.isfinite(numbers) else None


def document(head: Mapping[str, Any], arrays: Mapping[str, Mapping[str, Any]]) -> str:
    """Return one JSON document with a line for each array."""
    lines = [f"  {json.dumps(name)}: {json.dumps(text, ensure_ascii=False)}" for name, text in head.items()]
    entries = [f"    {json.dumps(name)}: {json.dumps(entry)}" for name, entry in arrays.items()]
    lines.append('  "arrays": {\n' + ",\n".join(entries) + "\n  }")
    return "{\n" + ",\n".join(lines) + "\n}"


def certificates(program: Program, updates: Mapping[str, Update], backend: str) -> str:
    """Return the JSON document of all certificates."""
    head = {"norm": program.spec, "dual": program.dual_spec}
    return document(head, {name: _entry(update, backend) for name, update in updates.items()})


def _entry(update: Update, backend: str) -> dict[str, Any]:
    proof = update.certificate
    found = {"pairing": update.pairing, "norm": update.norm, "holds": update.holds, "tolerance": update.tolerance}
    found |= {name: getattr(proof, name) for name in ("lower", "upper", "gap", "kind")}
    return entry(update.array.shape, update.array.dtype.name, found, backend)


def entry(shape: tuple[int, ...], dtype: str, proof: Mapping[str, Any], backend: str) -> dict[str, Any]:
    """Return what JSON says of an update: `proof` has the fields of its certificate, ``holds`` and ``tolerance``."""
    return {
        "shape": list(shape),
        "dtype": dtype,
        "dual_norm": {"lower": plain(proof["lower"]), "upper": plain(proof["upper"])},
        "pairing": plain(proof["pairing"]),
        "norm_of_update": plain(proof["norm"]),
        "gap": plain(proof["gap"]),
        "kind": proof["kind"],
        "backend": backend,
        "holds": proof["holds"],
        "tolerance": proof["tolerance"],
    }


def print_text(program: Program, updates: Mapping[str, Update], backend: str, *, err: bool = False) -> None:
    """Print what the certificates say, a block of lines for each array."""
    click.echo(f"norm {program.spec}, dual norm {program.dual_spec}, back end {backend}", err=err)
    for name, update in updates.items():
        click.echo("\n".join(_block(name, update, len(program.shape))), err=err)


def _block(name: str, update: Update, ndim: int) -> list[str]:
    proof, shape = update.certificate, "x".join(map(str, update.array.shape))
    if update.array.ndim > ndim:
        item = "x".join(map(str, update.array.shape[-ndim:]))
        shape += f", a batch of {np.size(proof.gap)} items {item}"
    verdict = "holds" if update.holds else "does not hold"
    gap = f"{np.max(proof.gap, initial=0.0):.1e}, {proof.kind}"
    return [
        f"{name}: {update.array.dtype.name} {shape}",
        f"  dual norm of gradient  {_range(proof.lower)} (attained) .. {_range(proof.upper)} (bound)",
        f"  norm of update         {_range(update.norm)}",
        f"  <gradient, update>     {_range(update.pairing)}",
        f"  relative gap           {gap}: the certificate {verdict} at {update.tolerance:.1e}",
    ]


def _range(numbers: Any) -> str:
    """Return a number with ten digits; over a batch its smallest and largest."""
    flat = np.atleast_1d(numbers).ravel()
    if flat.size == 0:
        return "no items"
    low, high = f"{flat.min():.10g}", f"{flat.max():.10g}"
    return low if np.ndim(numbers) == 0 or low == high else f"[{low}, {high}]"
