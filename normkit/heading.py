"""The head of a printed file: where it comes from, what it computes, and what was decided."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from normkit.codegen.cache import installed
from normkit.derive import DESCENT, derive
from normkit.references import citation
from normkit.report import formula_text, keys
from normkit.targets.functions import signatures
from normkit.targets.vocabulary import Target

if TYPE_CHECKING:
    from normkit.norm import Norm
    from normkit.polar.schedule import Schedule

WIDTH = 86
SIGN = (
    "T maximises <G, T>, the sum of products of entries, over N(T) <= 1: it points uphill, and a descent step is "
    "W - lr * T. lmo and steepest_descent, where printed, point downhill: the step is W + their result."
)
ZERO = "G = 0 gives T = 0; sign(0) = 0; a tie of a maximum takes the first index. T is unchanged by c * G for c > 0."
BATCHES = "Leading axes are batch axes; T has the shape and type of G. NaN and infinities are not looked for."
ONE = "G is one item; T has its shape and type. NaN and infinities are not looked for."
NUMBERS = {
    "numpy": "Computed in float64, products of polar factors in float32 unless G is float64; N*(G) is of that type.",
    "numba": "Computed in float64, and N*(G) is a float.",
    "torch": "Computed in float32, or float64 if G is; N*(G) is of that type. Works on any device, without "
    "gradients of its own; products are as precise as torch.set_float32_matmul_precision says.",
    "jax": "Computed in float32, or float64 if G is; N*(G) is of that type. Works under jit and vmap.",
}
RANK = (
    "Singular values up to sqrt(max(rows, columns)) * eps * the largest, at most 1/32 of it, count as zero, eps the "
    "spacing of 1 in the type of G: a rank deficient matrix gives a partial isometry."
)


def heading(
    norm: Norm, target: Target, map: str, schedule: Schedule | None, vectors: bool, asked: Iterable[tuple[str, Any]]
) -> str:
    """Return the docstring of a printed file."""
    derivation = derive(norm)
    sources = [key for key in keys(derivation) if key != DESCENT.source or map == "sharp"]
    facts = [
        ("Printed by", f"normkit {installed('normkit')}: {_command(norm, target, asked)}"),
        ("Norm N", str(norm)),
        ("Dual N*", str(norm.dual)),
        ("Theorems", "; ".join(f"{step.name} [{step.source}]" for step in derivation.steps if step.source in sources)),
        ("Functions", "; ".join(["dualize_with_dual_norm(G) -> (T, N*(G))", *signatures(map)])),
        ("Sign", SIGN),
        ("Zero, ties", ZERO),
        ("Arrays", BATCHES if target.batches else ONE),
        ("Numbers", NUMBERS[target.name]),
        ("Needs", target.needs),
    ]
    facts += [("Rank", RANK)] if vectors else []
    facts += [("Polar factor", _polar(schedule))] if schedule is not None else []
    blocks = [f"The dualize map of {norm} for {target.name}.", "\n".join(_fact(*fact) for fact in facts)]
    formula = derivation.known("dualize")
    if formula is not None:
        blocks.append("\n".join(["Formula:", *(f"    {line}" for line in formula_text(formula))]))
    cited = [f"[{key}] {citation(key)}" for key in sources]
    blocks.append("\n".join("\n    ".join(wrap(line, WIDTH)) for line in cited))
    text = "\n\n".join(blocks).replace('"""', "'''")
    return f'{"r" if chr(92) in text else ""}"""{text}\n"""'


def _fact(name: str, text: str) -> str:
    return "\n".join(wrap(f"{name + ':':<14}{text}", WIDTH, subsequent_indent=" " * 14, break_on_hyphens=False))


def _command(norm: Norm, target: Target, asked: Iterable[tuple[str, Any]]) -> str:
    words = ["normkit", "codegen", "--norm", str(norm), "--target", target.name]
    for name, value in asked:
        words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return shlex.join(words)


def _polar(schedule: Schedule) -> str:
    return (
        f"{schedule.steps} steps of products, composed minimax polynomials (nk.polar_schedule; {schedule.source}), "
        f"within {schedule.error:.2g} of 1 for singular values in [{schedule.lower:g}, 1] times a bound of the largest "
        f"that is computed from G G' (the root of its Frobenius norm, or of its largest row sum if that is less); "
        f"float32 adds about {schedule.rounding:.1g}. Smaller ones are mapped between 0 and 1, those of 0 to 0. T is "
        "divided by the polynomial's largest value, so that N(T) <= 1 up to rounding, and <G, T> is returned as N*(G), "
        "which is never less."
    )
