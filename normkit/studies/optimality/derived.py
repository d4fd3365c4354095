"""The derivation of the dual norm, the direction and the update under the RMS operator norm, as the library prints it.

The formulas that are printed are evaluated here on matrices whose singular values are known exactly.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from normkit.derive import derive
from normkit.report import formula_text
from normkit.studies.kit.claims import Claim, check, within
from normkit.studies.kit.outcome import Table
from normkit.tex.plain import plain

NORM = "rms->rms"
KNOWN = ((2, 3, (3, 4)), (3, 2, (5, 0)), (4, 4, (1, 2, 3, 6)))
"""Rows, columns, and the integers on the diagonal of the matrix: its singular values."""


def parts() -> Iterator[Claim | Table]:
    """Yield the derivation, and its formulas on exact matrices."""
    made = derive(NORM)
    rows = [
        [step.name, "; ".join(map(plain, step.claims)), "; ".join(formula_text(step.formula)) if step.formula else ""]
        for step in made.steps
    ]
    yield Table("derivation", f"The derivation by normkit derive '{NORM}', a theorem a row",
                ("theorem", "gives", "formula"), rows)  # fmt: skip
    got, wanted = [], []
    for m, n, sigma in KNOWN:
        X = sp.Matrix(m, n, lambda i, j: sigma[i] if i == j else 0)  # noqa: B023
        got += [float(made.norm(X)), float(made.dual_norm(X))]
        wanted += [(n / m) ** 0.5 * max(sigma), (m / n) ** 0.5 * sum(sigma)]
    yield within("S10.derived", "as derived, the norm is sqrt(n/m) sigma_1, its dual sqrt(m/n) times the nuclear norm",
                 got, wanted, 1e-14, confidence="exact, 40 digits")  # fmt: skip
    yield check("S10.ones", "the vector of n ones has RMS norm 1, for every n", _ones(), "1, by SymPy for a symbol n")


def _ones() -> bool:
    """Put 1 for every entry into the derived formula of the RMS norm, with the length left as a symbol."""
    formula = derive("rms").norm.result.rhs
    entries = formula.atoms(sp.Indexed)
    ones = formula.xreplace(dict.fromkeys(entries, sp.Integer(1)))  # subs would spare the bound index
    return len(entries) == 1 and bool(sp.simplify(ones.doit() - 1) == 0)
