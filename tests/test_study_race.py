"""The study race: objectives of the user's own, pairing by seed, intervals, refusals in one line."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import normkit as nk
from normkit import studies
from normkit.cli import main
from normkit.studies import race
from normkit.studies.kit.cells import Cells
from normkit.studies.kit.outcome import Outcome
from normkit.studies.racing import builtin, contest
from normkit.studies.racing.judging import Score, best, interval, lead
from normkit.studies.racing.objective import digest, load

BOWL = """
import numpy as np
def initial(seed):
    return {"w": np.random.default_rng(seed).standard_normal((4, 3)), "b": np.ones(2)}
def loss_and_gradient(weights, seed):
    w, b = weights["w"], weights["b"]
    return 0.5 * float(np.sum(w * w) + np.sum(b * b)), {"w": SIGN * w, "b": b}
"""


def bowl(folder: Path, text: str = BOWL, **words: str) -> str:
    path = folder / "bowl.py"
    for word, value in ({"SIGN": "1.0"} | words).items():
        text = text.replace(word, value)
    path.write_text(text)
    return str(path)


def run(**options: Any) -> Outcome:
    return studies.get("race")(quick=True, **options)


def rows(made: Outcome, table: str) -> list[Any]:
    return [list(row) for each in made.tables if each.id == table for row in each.rows]


@pytest.fixture(scope="module")
def default() -> Outcome:
    return run(norm=("spectral", "adamw"), lr=(0.03, 0.3))


def test_the_default_objective_races(default: Outcome) -> None:
    assert default.as_documented
    assert [claim.verdict for claim in default.claims] == ["holds", "measured", "measured"]
    assert len(rows(default, "runs")) == 4
    assert all(row[2] < 2.3 for row in rows(default, "best")), "better than guessing one digit of ten"


def test_a_user_file_is_stepped_as_by_hand(tmp_path: Path) -> None:
    """Steps of 0.1 (1 - t / 3) along the maps of spectral, and of rms for the vector, worked out with an SVD."""
    path = bowl(tmp_path)
    made = contest.run(np.random.default_rng(0), path, digest(path), "spectral", 0.1, 7, 3, "lmo", 0.0)
    w, b = np.random.default_rng(7).standard_normal((4, 3)), np.ones(2)
    losses = []
    for step in range(3):
        losses.append(0.5 * float(np.sum(w * w) + np.sum(b * b)))
        left, _, right = np.linalg.svd(w, full_matrices=False)
        lr = 0.1 * (1 - step / 3)
        w, b = w - lr * left @ right, b - lr * b / np.sqrt(np.mean(b * b))
    assert made["losses"] == pytest.approx(losses, abs=1e-12)
    assert made["final"] == pytest.approx(0.5 * float(np.sum(w * w) + np.sum(b * b)), abs=1e-12)


def test_a_wrong_gradient_fails_the_race(tmp_path: Path) -> None:
    options = {"norm": ("fro",), "lr": (0.1,), "steps": 3}
    assert run(objective=bowl(tmp_path), **options).as_documented
    wrong = run(objective=bowl(tmp_path, SIGN="1.01"), **options)
    assert [claim.verdict for claim in wrong.claims] == ["false", "measured"]


@pytest.mark.parametrize("name", list(builtin.BUILTIN))
def test_gradients_of_built_in_objectives(name: str) -> None:
    assert contest.slope_error(load(name, ""), np.random.default_rng(1)) < 1e-6


def test_digits_without_scikit_learn_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtin, "find_spec", lambda name: None)
    made = builtin.digits()
    assert "scikit-learn is not installed" in made.note
    assert contest.slope_error(made, np.random.default_rng(1)) < 1e-6


def test_norms_meet_the_same_starts_and_batches() -> None:
    first, second = (
        Cells("race", 0).map("race", contest.run, [("digits", "", norm, 0.1, 5, 3, "lmo", 0.9)])[0]["losses"][0]
        for norm in ("spectral", "fro")
    )
    assert first == second


def test_diverged_runs_are_counted_and_lose(tmp_path: Path) -> None:
    made = run(objective=bowl(tmp_path), norm=("fro",), lr=(0.1, 5.0), convention="sharp", steps=4000)
    table = {row[1]: row for row in rows(made, "runs")}
    assert table[0.1][4] == 0
    quick = contest.run(np.random.default_rng(0), "factorization", "", "fro", 1e200, 1, 40, "lmo", 0.9)
    assert math.isinf(quick["final"])


def test_intervals_are_those_of_a_table_of_t() -> None:
    mean, half = interval([4.0, 6.0, 8.0, 10.0, 12.0])
    assert mean == 8.0
    assert half == pytest.approx(2.7764 * np.sqrt(10 / 5), rel=1e-4)
    assert interval([1.0])[1] == math.inf
    one, two = Score("a", 0.1, (1.0, 2.0, 3.0)), Score("b", 0.1, (2.0, 3.0, 4.5))
    assert lead(one, two) == pytest.approx((7 / 6, 4.3027 * np.std([1, 1, 1.5], ddof=1) / np.sqrt(3)), rel=1e-4)
    lost = Score("a", 1.0, (math.inf, 0.0, 0.0))
    assert best([lost, two, one]) == [one, two]
    assert (lost.diverged, lost.mean, lead(one, lost)[0]) == (1, math.inf, math.inf)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def initial(seed):\n    return 1 +\n", "line 2: SyntaxError"),
        ("import nothing_of_this_name\n", "line 1: ModuleNotFoundError"),
        ("def initial(seed): return {}\n", "no function loss_and_gradient"),
        (BOWL.replace('"w": np', '"v": np', 1), "line 6: KeyError: 'w'"),
        (BOWL.replace(', {"w"', '; {"w"'), "must return (loss, gradient); got a float"),
        (BOWL.replace(', "b": b}', "}"), "the gradient {'w': (4, 3)}"),
        (BOWL.replace('"b": np.ones(2)', '"b": "text"'), "arrays of floats by name"),
        (BOWL.replace("0.5 * float(", "(").replace(", {", " * np.ones(2), {"), "the loss must be a number"),
        (BOWL.replace("SIGN * w", "1j * w"), "'w' is complex"),
        (BOWL + "import sys\nsys.exit(3)\n", "line 9: SystemExit: 3"),
        ("\0", "SyntaxError"),
    ],
    ids=["syntax", "import", "function", "key", "pair", "names", "text", "loss", "complex", "exit", "binary"],
)
def test_bad_files_are_named_with_their_line(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(nk.ParameterError) as caught:
        run(objective=bowl(tmp_path, text), norm=("fro",), lr=(0.1,))
    assert says in str(caught.value)
    assert str(tmp_path / "bowl.py") in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [(("0.5 * float", "np.nan * float"), "the loss at the start is nan"), (("SIGN * w", "w / 0"), "gradient of 'w'")],
    ids=["loss", "gradient"],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_what_is_no_number_at_the_start_is_refused(change: tuple[str, str], says: str, tmp_path: Path) -> None:
    with pytest.raises(nk.ParameterError, match=says):
        run(objective=bowl(tmp_path, BOWL.replace(*change)), norm=("fro",), lr=(0.1,))


def test_where_all_diverge_nobody_ends_lowest(tmp_path: Path) -> None:
    ends = BOWL + "def evaluate(weights): return np.inf\n"
    made = run(objective=bowl(tmp_path, ends), norm=("fro", "max"), lr=(0.1,), seeds=2)
    assert [claim.id for claim in made.claims] == ["race.gradient", "race.best"]
    assert made.claims[1].claim.startswith("no norm ends")
    assert made.claims[1].measured == {"fro at 0.1": 2, "max at 0.1": 2}


def test_a_file_may_write_to_what_it_gets(tmp_path: Path) -> None:
    path = bowl(tmp_path, BOWL.replace("return 0.5", "w0 = w.copy(); w *= 0; w = w0\n    return 0.5"))
    made = contest.run(np.random.default_rng(0), path, digest(path), "fro", 0.1, 7, 3, "lmo", 0.0)
    assert made["losses"][2] > 0.5 * made["losses"][0] > 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--objective", "digts"], "did you mean digits"),
        (["--objective", "/none/mine.py"], "cannot read the objective"),
        (["--norm", "spectrall"], "spectrall"),
        (["--convention", "lom"], "lmo or sharp"),
        (["--momentum", "1"], "from 0 to below 1"),
        (["--lr", "-1"], "positive"),
        (["--seeds", "0"], "needs seeds"),
        (["--objective", "logistic", "--norm", "l1", "--steps", "1"], "l1"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_mistakes_are_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["study", "race", "--quick", *words])
    out, error = capsys.readouterr()
    assert ended.value.code == 2
    assert out == ""
    assert says in error
    assert error.count("\n") == 1


def test_options_decide_what_runs(tmp_path: Path) -> None:
    made = run(objective=bowl(tmp_path), norm=("fro", "fro", "max"), lr=(0.1, 0.2, 0.1), seeds=1, momentum=0.0)
    assert [row[:2] for row in rows(made, "runs")] == [["fro", 0.1], ["fro", 0.2], ["max", 0.1], ["max", 0.2]]
    assert race.OPTIONS.keys() == {"objective", "norm", "lr", "seeds", "steps", "convention", "momentum"}
