"""The study of the gap: its verdicts, planted faults, its numbers by other means, cells that resume."""

from __future__ import annotations

import doctest
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import numpy as np
import pytest
from scipy import integrate, special

from normkit import studies
from normkit.cli import main
from normkit.errors import ParameterError
from normkit.studies import gap
from normkit.studies.gap import aspect, concentration, constants, cost, dominance, lemmas, pair, rows, sampling, table
from normkit.studies.gap import tails as statement
from normkit.studies.gap.reference import COLUMNS, GRID, ROWS, known
from normkit.studies.kit.cells import Cells
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run

NAME = "muon-rmnp-gap"
LONG_RUN = {
    3: "1260 1620 0874 1137 0612 0801 0384 0505 0271 0357 0191 0252 0121 0160 0085 0113 0060 0080",
    5: "2217 3137 1541 2199 1080 1548 0679 0977 0479 0690 0338 0488 0214 0308 0151 0218 0107 0154",
    10: "3811 6828 2651 4770 1858 3356 1168 2114 0824 1493 0582 1055 0368 0667 0260 0472 0184 0333",
    20: "5910 14298 4112 9915 2881 6944 1813 4370 1280 3084 0903 2179 0571 1377 0404 0974 0285 0688",
}
"""Means of op and F at every n of an earlier long run with other code, 8e4 to 1e6 samples, in units of 1e-4."""
TIMES = [[m**3 * 1e-9, m**2 * 1e-9] for m in cost.SIZES]


@pytest.fixture(scope="module")
def cells() -> Cells:
    """Cells shared by the tests: what was drawn once is not drawn again."""
    return Cells(NAME, 0)


@pytest.fixture(scope="module")
def outcome(cells: Cells) -> Iterator[Outcome]:
    """A quick run, but for the times of maps, which are given."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost, "seconds", lambda sizes: TIMES)
        yield studies.get(NAME)(quick=True, cells=cells)


def test_verdicts_are_those_of_the_page(outcome: Outcome) -> None:
    assert [claim.id for claim in outcome.claims if not claim.as_documented] == []
    verdicts = {claim.id: claim.verdict for claim in outcome.claims}
    assert {id for id, verdict in verdicts.items() if verdict == "false"} == {"S04.theorem", "S04.event"}
    assert {id for id, verdict in verdicts.items() if verdict == "conditional"} == {"S07.near"}
    assert {id.split(".")[0] for id in verdicts} == set(studies.get(NAME).ids)


def test_the_table_has_all_72_means(outcome: Outcome) -> None:
    (made,) = (each for each in outcome.tables if each.id == "gap")
    assert [(row[0], row[1]) for row in made.rows] == [cell for cell in GRID for _ in range(2)]
    (claim,) = (each for each in outcome.claims if each.id == "S01.table")
    assert len(claim.measured) == len(claim.expected) == 72


def test_figures_are_drawn_with_axes_that_say_what_they_are(outcome: Outcome) -> None:
    from matplotlib.figure import Figure as Canvas

    for figure in outcome.figures:
        canvas = Canvas(figsize=figure.size, layout="constrained")
        figure.draw(canvas)
        assert all(axes.get_xlabel() for axes in canvas.axes)
        assert canvas.axes[0].get_ylabel()
        assert any(axes.get_legend() for axes in canvas.axes)


def twice(values: dict[Any, Any]) -> dict[Any, Any]:
    return {key: 2 * value for key, value in values.items()}


def double_means() -> dict[Any, Any]:
    return {key: replace(value, mean=1.2 * value.mean) for key, value in known().items()}


FAULTS: dict[str, tuple[Any, str, Any, Any, str]] = {
    "means": (table, "known", double_means, table, "S01.table"),
    "source": (table, "known", double_means, table, "S01.source"),
    "slope": (table, "SLOPE", -0.52, table, "S02.slopes"),
    "op": (constants, "OPERATOR", twice(constants.OPERATOR), constants, "S03.op"),
    "F": (constants, "FROBENIUS", twice(constants.FROBENIUS), constants, "S03.F"),
    "gamma": (constants, "frobenius_limit", lambda m: float(m), constants, "S03.gamma"),
    "tails": (statement, "PAIR_TAILS", dict.fromkeys(statement.PAIR_TAILS, (0.5, 0.1, 0.01)), statement, "S04.long"),
    "theorem": (pair, "tail", lambda n, c: float(n) ** -3, statement, "S04.theorem"),
    "event": (pair, "off_diagonal_tail", lambda n, c: float(n) ** -3, statement, "S04.event"),
    "R2": (statement, "ROOM", 0.5, statement, "S04.R2"),
    "quadrature": (lemmas, "NODES", 10, lemmas, "S05.quadrature"),
    "exact": (concentration, "pair_tails", lambda n, t: (0.1, 0.1), concentration, "S05.tails"),
    "closed": (pair, "frobenius_squared", lambda a, b, rho: 4 - 4 * rho**2, rows, "S06.closed"),
    "aspect": (aspect, "mean_root", lambda g: 1 - g / 7, aspect, "S07.F"),
    "baseline": (dominance, "baseline", lambda m, n: float(np.sqrt(n)), dominance, "S08.rows"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_flips_the_verdict(
    fault: str, cells: Cells, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, name, planted, piece, id = FAULTS[fault]
    before = {claim.id: claim.verdict for claim in outcome.claims}[id]
    fresh = Cells(NAME, 0) if fault in ("quadrature", "closed") else cells  # where the fault is in what cells compute
    monkeypatch.setattr(module, name, planted)
    claims = {each.id: each for each in piece.parts(Run(0, True, cells=fresh)) if hasattr(each, "verdict")}
    assert claims[id].verdict != before
    assert not claims[id].as_documented


def test_equal_costs_flip_the_verdict() -> None:
    made = [each for each in cost.parts(Run(0, True), [[1.0, 1.0]] * len(cost.SIZES)) if hasattr(each, "verdict")]
    assert {each.id: each.verdict for each in made} == {"S09.order": "false", "S09.ratio": "measured"}


def test_a_wrong_sampler_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries below the diagonal that are a tenth too long."""

    def wrong(rng: np.random.Generator, samples: int, m: int, n: int) -> Any:
        A = sampling.bartlett(rng, samples, m, n)
        return np.where(np.eye(m, dtype=bool), A, 1.1 * A)

    monkeypatch.setitem(sampling.SAMPLERS, "bartlett", wrong)  # type: ignore[arg-type]
    options = {"m": (3,), "n": (50, 100, 200), "samples": 5000, "sampler": "bartlett"}
    claims = {each.id: each for each in table.parts(Run(0, True, options=options)) if hasattr(each, "verdict")}
    assert claims["S01.samplers"].verdict == claims["S01.table"].verdict == "false"


def test_shipped_long_runs_are_those_of_other_code() -> None:
    for m in ROWS:
        given = [float(each) * 1e-4 for each in LONG_RUN[m].split()]
        keys = [(m, n, norm) for n in COLUMNS for norm in ("op", "F")]
        for key, wanted in zip(keys, given, strict=True):
            assert abs(known()[key].mean - wanted) < 5.1e-5 + 5 * known()[key].sd * np.sqrt(1 / 8e4 + 1 / 2e5), key


@pytest.mark.parametrize("sampler", sampling.SAMPLERS)
def test_gram_matrices_have_the_moments_of_wishart(sampler: str) -> None:
    """Means, variances and the mean log determinant: the last sees each degree of freedom."""
    m, n, samples = 4, 9, 40_000
    A = sampling.SAMPLERS[sampler](np.random.default_rng(1), samples, m, n)
    error = 5 / np.sqrt(samples)
    assert np.allclose(A.mean(axis=0), n * np.eye(m), rtol=0, atol=error * np.sqrt(2 * n))
    assert np.allclose(A.var(axis=0), n * (1 + np.eye(m)), rtol=0.08)
    degrees = (n - np.arange(m)) / 2
    logdet = np.linalg.slogdet(A)[1]
    wanted, spread = np.sum(special.digamma(degrees)) + m * np.log(2), np.sum(special.polygamma(1, degrees))
    assert abs(logdet.mean() - wanted) < error * np.sqrt(spread)


def test_draws_in_batches_and_columns_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "GRAM_ENTRIES", 9 * 7)
    monkeypatch.setattr(sampling, "ENTRIES", 60)
    op, fro = sampling.gaps(np.random.default_rng(0), 3, 50, 400, "direct")
    assert len(op) == len(fro) == 400
    assert np.all(op <= fro) and np.all(fro <= np.sqrt(3) * op * (1 + 1e-12))
    assert abs(fro.mean() - 0.1620) < 0.0127 * np.sqrt(500 / 400)


@pytest.mark.parametrize("n", [4, 30])
def test_the_exact_tail_of_two_rows_is_that_of_drawn_matrices(n: int) -> None:
    W = np.random.default_rng(n).standard_normal((40_000, 2, n))
    left, _, right = np.linalg.svd(W, full_matrices=False)
    delta = left @ right - W / np.linalg.norm(W, axis=2, keepdims=True)
    op = np.sqrt(n) * np.linalg.norm(delta, 2, axis=(1, 2))
    for c in (0.3, 0.8, 1.2):
        p = pair.tail(n, c)
        assert abs(np.mean(op > c) - p) < 5 * np.sqrt(p * (1 - p) / len(op)), c


@pytest.mark.parametrize("g", [0.1, 0.5])
def test_the_limit_law_of_marchenko_and_pastur_by_its_density(g: float) -> None:
    low, high = (1 - np.sqrt(g)) ** 2, (1 + np.sqrt(g)) ** 2
    found, _ = integrate.quad(lambda x: np.sqrt((high - x) * (x - low) / x) / (2 * np.pi * g), low, high)
    assert abs(aspect.mean_root(g) - found) < 1e-7


def test_three_rows_by_sampling() -> None:
    made = constants.limit(np.random.default_rng(3), 3, 100_000)
    assert abs(made["mean"] - constants.three_rows()) < 5 * made["error"]


def test_both_maps_can_be_timed() -> None:
    """Nothing is said of the times: `seconds` runs this in a process of its own."""
    assert all(each > 0 for each in cost.timed(32))


@pytest.mark.parametrize("name", [each.name for each in iter_modules(gap.__path__)])
def test_examples(name: str) -> None:
    assert doctest.testmod(import_module(f"{gap.__name__}.{name}")).failed == 0


def test_cells_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["study", NAME, "--m", "7", "--n", "500", "--samples", "300", "--json"], standalone_mode=False)
    out = json.loads(capsys.readouterr().out)
    assert code == 0
    (made,) = (each for each in out["tables"] if each["id"] == "gap")
    assert [row[:3] for row in made["rows"]] == [[7, 500, "op"], [7, 500, "F"]]
    assert {claim["id"] for claim in out["claims"]} == {"S01.samplers", "S01.evaluation"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"m": (5,), "n": (4,)}, "singular where m > n"),
        ({"m": (1,)}, "one row has no gap"),
        ({"samples": 1}, "--samples 1"),
        ({"sampler": "lattice"}, "known: bartlett, direct"),
    ],
    ids=["wide", "row", "samples", "sampler"],
)
def test_options_that_make_no_sense(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        studies.get(NAME)(quick=True, **options)


class Killed(BaseException):
    pass


def stopping(after: int) -> Callable[[str, int, int], None]:
    def watch(label: str, done: int, total: int) -> None:
        if done == after:
            raise Killed

    return watch


def test_a_killed_run_resumes_from_its_last_finished_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, options = tmp_path / "cells", {"m": (3,), "n": (50, 100, 150, 200, 250, 300)}
    run = studies.get(NAME)
    with pytest.raises(Killed):
        run(quick=True, cells=Cells(NAME, 0, journal, watch=stopping(4)), **options)
    with journal.open("a") as stream:
        stream.write('\n["half a li')
    drawn: list[int] = []
    whole = sampling.gaps

    def counting(rng: Any, m: int, n: int, *rest: Any) -> Any:
        drawn.append(n)
        return whole(rng, m, n, *rest)

    monkeypatch.setattr(sampling, "gaps", counting)
    resumed = run(quick=True, cells=Cells(NAME, 0, journal), **options)
    assert drawn[:2] == [250, 300]  # of the table the two that were left; then the other pieces
    monkeypatch.undo()
    fresh = run(quick=True, cells=Cells(NAME, 0), **options)
    assert [claim.measured for claim in resumed.claims] == [claim.measured for claim in fresh.claims]


def test_the_number_of_processes_changes_no_digit() -> None:
    pytest.importorskip("joblib", reason="processes are joblib's")
    asked = [(3, n, 200, "bartlett") for n in (50, 100, 200)]
    one, two = (Cells(NAME, 0, workers=workers).map("table", sampling.moments, asked) for workers in (1, 2))
    assert one == two
