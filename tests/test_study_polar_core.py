"""The study polar-core: verdicts, planted faults, and its numbers by other means."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest

from normkit import studies
from normkit.studies.cores import designs, halves, rationals, traps
from normkit.studies.cores.stored import iterate, rounding
from normkit.studies.kit.cells import Cells
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run

DOCUMENTED_FALSE = {"S41.printed", "S42.elliptic", "S45.descent", "S45.more"}


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return studies.get("polar-core")(quick=True)


def run() -> Run:
    return Run(quick=True, cells=Cells("polar-core", 0))


def verdicts(made: Outcome) -> dict[str, str]:
    return {claim.id: claim.verdict for claim in made.claims}


def test_every_verdict_is_the_documented_one(outcome: Outcome) -> None:
    assert outcome.as_documented
    found = verdicts(outcome)
    assert {name for name, verdict in found.items() if verdict == "false"} == DOCUMENTED_FALSE
    assert {name.split(".")[0] for name in found} == set(studies.get("polar-core").ids)


@pytest.mark.parametrize(
    ("module", "name", "planted", "piece", "claim"),
    [
        (
            designs,
            "PUBLISHED",
            ((8.2872120182, *designs.PUBLISHED[0][1:]), *designs.PUBLISHED[1:]),
            "generator",
            "rows",
        ),
        (designs, "STEPS", designs.STEPS | {1e-3: (5, 6, 8)}, "steps", "steps"),
        (rationals, "QDWH", rationals.QDWH | {1e-2: (0.99, 0.495, 4.8e-3, 1.9e-9, 0.0)}, "recursions", "qdwh"),
        (rationals, "ZOLO", rationals.ZOLO | {(1e-3, 2): (0.336, 2.6e-6)}, "recursions", "zolo"),
        (traps, "TURNED", 0.9935, "turned", "turned"),
        (traps, "PAIRINGS", traps.PAIRINGS | {("muon5", 5): 0.9}, "cycled", "pairings"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_a_planted_number_flips_a_verdict(
    module: Any, name: str, planted: Any, piece: str, claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, planted)
    made, function = Outcome(), getattr(module, piece)
    function(*([run()] if module is traps else []), made)
    found = {name.split(".")[1]: verdict for name, verdict in verdicts(made).items()}
    assert found[claim] == "false"
    assert not made.as_documented


def test_another_method_flips_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restarts at the wrong step make other errors."""
    monkeypatch.setattr(halves, "FORMS", halves.FORMS | {"Gram [2]": (1,)})
    made = Outcome()
    halves.model(run(), made)
    assert verdicts(made)["S44.errors"] == "false"


def test_twenty_of_forty_cases_are_over_the_printed_bound_in_exact_arithmetic() -> None:
    over = held = 0
    with mpmath.workdps(160):
        for q in (1, 2):
            for lower in ("0.1", "0.3", "0.5", "0.7", "0.9"):
                low, high = mpmath.mpf(lower), mpmath.mpf(1)
                for steps in range(1, 5):
                    error = _best(q, low, high)
                    low, high = 1 - error, 1 + error
                    base = 1 - mpmath.mpf(lower) ** 2
                    held += error <= base ** ((q + 1) ** steps)
                    over += error > base ** ((2 * q + 2) ** steps)
    assert (held, over) == (40, 20)


def _best(q: int, low: Any, high: Any) -> Any:
    """Remez for x s(x^2) with 1 - E, 1 + E, ... at q + 2 points, by linear equations and roots of p'."""
    nodes = [low + (high - low) * k / (q + 1) for k in range(q + 2)]
    for _ in range(12):
        A = mpmath.matrix(q + 2, q + 2)
        for i, x in enumerate(nodes):
            for j in range(q + 1):
                A[i, j] = x ** (2 * j + 1)
            A[i, q + 1] = (-1) ** i
        *c, error = mpmath.lu_solve(A, mpmath.matrix([1] * (q + 2)))
        if q == 1:
            inner = [mpmath.sqrt(-c[0] / (3 * c[1]))]
        else:
            root = mpmath.sqrt(9 * c[1] ** 2 - 20 * c[0] * c[2])
            inner = sorted(mpmath.sqrt((-3 * c[1] + sign * root) / (10 * c[2])) for sign in (-1, 1))
        nodes = [low, *inner, high]
    return error


def test_zolo_by_elliptic_functions_of_many_digits(outcome: Outcome) -> None:
    rows = {row[0]: row[1:] for table in outcome.tables if table.id == "recursions" for row in table.rows}
    with mpmath.workdps(60):
        for (lower, r), _ in rationals.ZOLO.items():
            l = mpmath.mpf(lower)  # noqa: E741
            for step in (1, 2):
                K = mpmath.ellipk(1 - l**2)
                u = [i * K / (2 * r + 1) for i in range(1, 2 * r + 1)]
                c = [(l * mpmath.ellipfun("sc", each, m=1 - l**2)) ** 2 for each in u]
                value = l * mpmath.fprod((l**2 + c[i + 1]) / (l**2 + c[i]) for i in range(0, 2 * r, 2))
                l = value / mpmath.fprod((1 + c[i + 1]) / (1 + c[i]) for i in range(0, 2 * r, 2))  # noqa: E741
                got = rows[f"Zolo, l = {lower:g}, r = {r}"][step]
                assert got == pytest.approx(float(1 - l), rel=1e-7, abs=7e-16)


@pytest.mark.parametrize(("storage", "dtype"), [("bfloat16", ml_dtypes.bfloat16), ("float16", np.float16)], ids=str)
def test_rounding_is_that_of_the_dtype(storage: str, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.standard_normal(5000) * np.exp(rng.normal(0, 4, 5000)), [0.0, -0.0, 1.00390625, np.inf]])
    x = x.astype(np.float32)
    with np.errstate(over="ignore"):
        want = x.astype(dtype).astype(np.float32)
    np.testing.assert_array_equal(rounding(storage)(x), want)


def test_the_iteration_is_the_polynomial_of_the_singular_values() -> None:
    G = np.random.default_rng(0).standard_normal((3, 6, 9)) / 9
    left, sigma, right = np.linalg.svd(G, full_matrices=False)
    rows = [(3.0, -3.2, 1.2), (2.0, -1.5, 0.5), (1.5, -0.5, 0.0)]
    for a, b, c in rows:
        sigma = a * sigma + b * sigma**3 + c * sigma**5
    for restarts in (None, (), (1,), (1, 2)):
        np.testing.assert_allclose(iterate(G, rows, "float64", restarts), (left * sigma[:, None]) @ right, atol=1e-13)
