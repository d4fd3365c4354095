"""The kit of the studies and `normkit study`: verdicts, seeds, resumed runs, documents, pictures, refusals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import normkit as nk
from normkit import studies
from normkit.backends.cpu.blas_threads import NUMPY, SCIPY, controls
from normkit.cli import main
from normkit.studies.kit import cells as kit_cells
from normkit.studies.kit import files, ink, report
from normkit.studies.kit.cells import Cells
from normkit.studies.kit.claims import below, check, conditional, measured, plain, refuted, within
from normkit.studies.kit.outcome import Figure, Outcome, Table
from normkit.studies.kit.study import Option, Run, Study


def mean(rng: np.random.Generator, n: int, name: str) -> dict[str, Any]:
    """A cell: a matrix product and a mean."""
    draws = rng.standard_normal((n, n))
    return {"name": name, "mean": float(draws.mean()), "row": (draws @ draws)[0]}


SOME = [(3, "a"), (4, "a"), (4, "b"), (60, "c"), (3, "a")]


def play(at: Run) -> Outcome:
    """A study of one table, one figure and claims of every kind, some of them planted wrong by option."""
    made = Outcome()
    means = [row["mean"] for row in at.cells.map("means", mean, SOME[: at.options["count"]])]
    made.add(
        Table("means", "Means", ("place", "mean"), list(enumerate(means)), note="of normal numbers"),
        within("X.zero", "they are near 0", means, 0.0, at.options["room"], confidence="by hand"),
        refuted("X.one", "all are 1", any(m != 1 for m in means), means, 1.0, confidence="exact"),
        measured("X.nan", "what is no number", float("nan"), confidence="none"),
        Figure("line", "Means.", lambda canvas: canvas.subplots().plot(means, **next(ink.inks())) and None),
    )
    return made


OPTIONS = {"count": Option(int, 4, "How many."), "room": Option(float, 3.0, "How near.")}
PLAY = Study("play", "a game", ("S98", "S99"), "What was found.", "A game.\n\nWith $x$.", play, OPTIONS)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "_all", lambda: {"play": PLAY})


def run(*words: str) -> Any:
    return CliRunner().invoke(main, ["study", *words], standalone_mode=False)


# verdicts


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        (within("a", "", 1.0, 1.1, 0.2, confidence=""), "holds"),
        (within("a", "", [1.0, 2.0], [1.0, 2.5], [0.1, 0.4], confidence=""), "false"),
        (within("a", "", np.nan, 0.0, 1.0, confidence=""), "false"),
        (within("a", "", [1.0], [1.0, 1.0], 1.0, confidence=""), "false"),
        (within("a", "", [], 0.0, 1.0, confidence=""), "false"),
        (within("a", "", 1.0, 1.0, 0.1, confidence="", documented="measured"), "measured"),
        (below("a", "", [1, 2], 2), "holds"),
        (below("a", "", [1, np.nan], 2), "false"),
        (below("a", "", [], 2), "false"),
        (check("a", "", True, 1), "holds"),
        (check("a", "", False, 1), "false"),
        (check("a", "", False, 1, documented="conditional"), "false"),
        (refuted("a", "", True, 1, confidence=""), "false"),
        (refuted("a", "", False, 1, confidence=""), "holds"),
        (conditional("a", "", True, False, 1, confidence=""), "conditional"),
        (conditional("a", "", True, True, 1, confidence=""), "holds"),
        (conditional("a", "", False, False, 1, confidence=""), "false"),
        (measured("a", "", 1, confidence=""), "measured"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_verdicts(claim: Any, verdict: str) -> None:
    assert claim.verdict == verdict
    assert claim.as_documented == (verdict == claim.documented)


def test_a_claim_that_would_be_false_whatever_was_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="refuted"):
        within("a", "", 1.0, 1.0, 0.1, confidence="", documented="false")


# cells


def test_seeds_depend_on_the_place_alone() -> None:
    at = Run(seed=3, cells=Cells("play", 3))
    first = at.rng("draw", 1).random()
    at.rng("elsewhere").random(10)
    assert at.rng("draw", 1).random() == first == at.rng("draw", np.int64(1)).random()
    others = [at.rng("draw", 2), Run(seed=4, cells=Cells("play", 4)).rng("draw", 1)]
    assert first not in [other.random() for other in others]


@pytest.mark.parametrize("joblib", [True, False], ids=["joblib", "no joblib"])
def test_workers_do_not_change_numbers(joblib: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Cells("play", 0).map("means", mean, SOME)
    assert alone == Cells("play", 0).map("means", mean, SOME[::-1])[::-1]
    if joblib:
        pytest.importorskip("joblib", reason="the extra scale")
    else:
        monkeypatch.setattr(kit_cells, "find_spec", lambda name: None)
    assert Cells("play", 0, workers=2).map("means", mean, SOME) == alone
    assert Cells("play", 1).map("means", mean, SOME) != alone


def test_a_study_has_one_blas_thread_and_gives_the_others_back() -> None:
    read = [found[0] for found in map(controls, (NUMPY, SCIPY)) if found]
    before = [get() for get in read]
    inside: list[int] = []

    def look(at: Run) -> Outcome:
        inside.extend(get() for get in read)
        return Outcome()

    Study("look", "", (), "", "", look)()
    assert inside == [1] * len(read)
    assert [get() for get in read] == before


def test_finished_cells_are_taken_from_a_journal_even_after_a_line_that_was_cut(tmp_path: Path) -> None:
    place = tmp_path / "cells"
    whole = Cells("play", 0, place).map("means", mean, SOME)
    lines = place.read_text().splitlines()
    planted = lines[1].replace('"name": "a"', '"name": "planted"')
    place.write_bytes(b"\n".join([planted.encode(), lines[2].encode()[:30], b"\xff 5", b"7"]))
    again = Cells("play", 0, place).map("means", mean, SOME)
    assert again[0] == whole[0] | {"name": "planted"}, "it was taken, not run"
    assert again[1:4] == whole[1:4]
    assert Cells("play", 1, place).map("means", mean, SOME[1:4]) != whole[1:4], "of another seed"
    size, third = place.stat().st_size, Cells("play", 0, place)
    assert third.map("means", mean, SOME) == again
    assert place.stat().st_size == size, "nothing was left to run"
    third.forget()
    assert not place.exists()


SLOW = """
import os, sys, time
from pathlib import Path
from normkit import studies
from normkit.backends.cpu.blas_threads import NUMPY, SCIPY, controls
from normkit.cli import main
from normkit.studies.kit.outcome import Outcome, Table
from normkit.studies.kit.study import Study

def cell(rng, k):
    with open(os.environ["TRACE"], "a") as stream:
        stream.write(f"{k}\\n")
    if k == int(os.environ["HANG"]):
        time.sleep(60)
    return rng.random()

def run(at):
    made = Outcome()
    made.add(Table("draws", "draws", ("draw",), [[x] for x in at.cells.map("draws", cell, [(k,) for k in range(6)])]))
    return made

studies._all = lambda: {"slow": Study("slow", "slow", (), "", "slow", run)}
main(sys.argv[1:])
"""


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    script, trace = tmp_path / "slow.py", tmp_path / "trace"
    script.write_text(SLOW)

    def start(out: str, hang: int) -> subprocess.Popen[bytes]:
        environment = os.environ | {"TRACE": str(trace), "HANG": str(hang)}
        words = [sys.executable, str(script), "study", "slow", "--workers", "1", "--json", "--out", str(tmp_path / out)]
        return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    whole, fresh = start("whole", -1).communicate()
    trace.unlink()
    hanging = start("killed", 4)
    while not trace.exists() or len(trace.read_text().splitlines()) < 5:
        assert hanging.poll() is None
        time.sleep(0.02)
    hanging.send_signal(signal.SIGKILL)
    hanging.communicate()
    assert not (tmp_path / "killed" / "slow.json").exists()
    resumed = start("killed", -1)
    text, report = resumed.communicate()
    assert resumed.returncode == 0
    assert b"4 cells of an earlier run" in report and b"earlier" not in fresh
    assert text == whole == (tmp_path / "killed" / "slow.json").read_bytes()
    assert trace.read_text().split() == ["0", "1", "2", "3", "4", "4", "5"]
    assert [path.name for path in (tmp_path / "killed").iterdir()] == ["slow.json"]


def test_a_negative_seed_and_unknown_options_are_refused() -> None:
    with pytest.raises(nk.ParameterError, match="from 0 on"):
        Cells("play", -1)
    with pytest.raises(nk.ParameterError, match=r"'rooms'.*count, room"):
        PLAY(rooms=1)
    with pytest.raises(nk.ParameterError, match="not both"):
        PLAY(quick=True, long=True)


# documents


def test_a_document_is_strict_json(registered: None) -> None:
    result = run("play", "--json", "--count", "3")
    document = json.loads(result.stdout, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert result.return_value == 0
    assert document["study"] == "play"
    assert document["ids"] == ["S98", "S99"]
    assert document["options"] == {"count": 3, "room": 3.0}
    assert document["form"] == "full"
    assert [claim["verdict"] for claim in document["claims"]] == ["holds", "false", "measured"]
    assert document["claims"][2]["measured"] == "nan"
    assert set(document["claims"][0]) >= {"id", "claim", "measured", "expected", "tolerance", "confidence", "verdict"}
    assert [row[0] for row in document["tables"][0]["rows"]] == [0, 1, 2]
    assert {"normkit", "numpy", "python"} <= set(document["versions"])
    assert "Means" in result.stderr


def test_plain_takes_what_json_takes() -> None:
    assert plain((np.float32(0.5), np.inf, {1: np.arange(2)}, True)) == [0.5, "inf", {"1": [0, 1]}, True]


def test_verdicts_decide_the_exit_code(registered: None) -> None:
    assert run("play").return_value == 0
    wrong = run("play", "--room", "1e-9")
    assert wrong.return_value == 1
    assert "NOT AS DOCUMENTED (holds)" in wrong.stdout
    assert run("all", "--quick").return_value == 0


def test_all_is_one_document(registered: None) -> None:
    result = run("all", "--json")
    assert [each["study"] for each in json.loads(result.stdout)["studies"]] == ["play"]


def test_the_report_shows_tables_and_claims() -> None:
    lines = list(report.text(PLAY, PLAY()))
    assert lines[0] == "play: a game"
    assert "  of normal numbers" in lines
    assert any(line.startswith("false       X.one: all are 1") for line in lines)
    assert report.shown([1.23456789, "a", None, True]) == "1.235, a, -, True"
    assert report.shown(list(range(20))).endswith("7, ...")


# files and pictures


def test_the_folder_has_everything_or_nothing(registered: None, tmp_path: Path) -> None:
    result = run("play", "--out", str(tmp_path / "new" / "folder"))
    assert result.return_value == 0
    names = sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())
    assert names == ["play-line.png", "play-line.svg", "play.json"]
    broken = Outcome(figures=[Figure("a", "", lambda canvas: canvas.subplots() and None), Figure("b", "", _fails)])
    with pytest.raises(ZeroDivisionError):
        files.write(tmp_path, PLAY, broken, {})
    assert not list(tmp_path.glob("*.png"))


def _fails(canvas: Any) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("kind", files.KINDS)
def test_the_same_picture_has_the_same_bytes(kind: str) -> None:
    streams = [BytesIO(), BytesIO()]
    for stream in streams:
        ink.picture(PLAY(count=3).figures[0], stream, kind)
    assert streams[0].getvalue() == streams[1].getvalue()


def test_lines_are_told_apart_without_colour() -> None:
    many = ink.inks()
    first = [next(many) for _ in range(8)]
    assert len({(str(each["linestyle"]), each["marker"]) for each in first}) == 8
    assert len({str(each["linestyle"]) for each in first}) == 8, "without markers, too"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["plai"], "did you mean play"),
        (["play", "--seed", "-1"], "--seed"),
        (["play", "--workers", "0"], "--workers"),
        (["play", "--quick", "--long"], "exclude each other"),
        (["play", "--out", ""], "empty folder name"),
        (["play", "--out", "{file}"], "cannot write to the folder"),
        (["play", "--out", "/proc/none"], "cannot write to the folder"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_mistakes_are_one_line(
    words: list[str], says: str, registered: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as ended:
        main(["study", *(word.format(file=tmp_path / "file") for word in words)])
    out, error = capsys.readouterr()
    assert ended.value.code == 2
    assert out == ""
    assert says in error
    assert error.count("\n") == 1


def test_an_interrupted_run_says_what_is_kept(
    registered: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Cells, "map", interrupt)
    with pytest.raises(SystemExit) as ended:
        main(["study", "play", "--out", str(tmp_path)])
    assert ended.value.code == 130
    assert "keeps what is done" in capsys.readouterr().err


def test_more_processes_without_joblib_are_one_and_said_so(registered: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["normkit.cli.study"], "find_spec", lambda name: None)
    monkeypatch.setattr(kit_cells, "find_spec", lambda name: None)
    result = run("play", "--workers", "3")
    assert result.return_value == 0
    assert "one process: more need joblib" in result.stderr
    assert "joblib" not in run("play").stderr


# the registry


def test_the_list_has_every_number_once() -> None:
    result = run("list")
    document = json.loads(run("list", "--json").stdout)
    numbers = [number for each in document["studies"] for number in each["ids"]]
    assert len(numbers) == len(set(numbers)) == len(document["index"])
    for number, name in document["index"].items():
        assert f"{number}  {name}" in result.stdout.splitlines()


@pytest.mark.parametrize("name", studies.names())
def test_studies_say_what_they_are(name: str) -> None:
    study = studies.get(name)
    assert study.name == name
    assert study.title
    assert len(study.about) > 200
    assert study.finding
    for option in study.options.values():
        assert option.help.endswith(".")
        assert isinstance(option.default, tuple) == option.many
