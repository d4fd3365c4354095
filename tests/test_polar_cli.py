"""`normkit polar` through real processes: files, streams, plans, JSON, exit codes, errors in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

G = np.random.default_rng(5).standard_normal((40, 60)).astype(np.float32)

Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def polar(tmp_path: Path) -> Run:
    """Run `normkit polar ARGS` in an empty folder; gives (exit code, stdout, stderr)."""

    def run(*args: str, stdin: bytes = b"", text: bool = True) -> tuple[int, Any, str]:
        environment = {**os.environ, "PYTHONWARNINGS": "error", "NORMKIT_CACHE_DIR": str(tmp_path / "cache")}
        command = [sys.executable, "-m", "normkit", "polar", *args]
        done = subprocess.run(command, input=stdin, capture_output=True, cwd=tmp_path, env=environment, timeout=120)
        return done.returncode, done.stdout.decode() if text else done.stdout, done.stderr.decode()

    return run


def exact(matrix: np.ndarray) -> np.ndarray:
    U, _, V = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    return np.asarray(U @ V)


def off(T: np.ndarray, matrix: np.ndarray) -> float:
    return float(np.linalg.norm(T - exact(matrix)) / np.sqrt(min(matrix.shape)))


def test_a_factor_goes_to_a_file(polar: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "g.npy", G)
    code, out, err = polar("g.npy", "-o", "t.npy", "--accuracy", "1e-3")
    assert (code, err) == (0, "")
    T = np.load(tmp_path / "t.npy")
    assert T.dtype == np.float32 and off(T, G) <= 1e-3
    assert out.startswith("g\nmethod") and "rank           40" in out and "nuclear norm" in out
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == ["g.npy", "t.npy"]
    code, _, err = polar("g.npy", "-o", "t.npy")
    assert code == 2 and "t.npy" in err and err.count("\n") == 1  # it is there already
    code, _, err = polar("g.npy", "-o", "t.npy", "--force")
    assert (code, err) == (0, "") and off(np.load(tmp_path / "t.npy"), G) <= 1e-6


def test_json_is_one_document_over_all_arrays(polar: Run, tmp_path: Path) -> None:
    batch = np.stack([G[:, :50].T[:30], G[:30, :40].copy().repeat(1, 0), np.zeros((30, 40), np.float32)])[:, :30, :40]
    np.savez(tmp_path / "g.npz", w=G, batch=batch)
    code, out, err = polar("g.npz", "-o", "t.npz", "--json", "--accuracy", "1e-2")
    assert (code, err) == (0, "")
    arrays = json.loads(out)["arrays"]
    assert list(arrays) == ["w", "batch"]
    w, many = arrays["w"], arrays["batch"]
    assert (w["shape"], w["dtype"], w["rank"]) == ([40, 60], "float32", 40)
    assert w["error"] <= 1e-2 and w["flops"] > 0 and w["seconds"] > 0
    nuclear = np.linalg.svd(G.astype(np.float64), compute_uv=False).sum()
    assert w["lower"] <= nuclear <= w["upper"] and w["gap"] < 1e-2
    assert many["shape"] == [3, 30, 40] and many["rank"] == [30, 30, 0]
    with np.load(tmp_path / "t.npz") as made:
        assert set(made) == {"w", "batch"} and off(made["w"], G) <= 1e-2
        assert off(made["batch"][0], batch[0]) <= 1e-2 and not made["batch"][2].any()


def test_plans_compute_nothing(polar: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "g.npy", np.zeros((3, 400, 1600), np.float32))
    code, out, err = polar("g.npy", "--plan", "--accuracy", "1e-3")
    assert (code, err) == (0, "") and out.splitlines()[0] == "polar of 3x400x1600 float32, accuracy 0.001"
    assert "eigh" in out.splitlines()[-1] and "ms" in out
    code, out, _ = polar("g.npy", "--plan", "--json", "--method", "zolo")
    entry = json.loads(out)["arrays"]["g"]
    assert code == 0 and entry["attempts"][0]["method"] == "zolo"
    assert all(a["flops"] > 0 and a["seconds"] > 0 for a in entry["attempts"])


@pytest.mark.parametrize(
    ("options", "steps"),
    [(("--steps", "5", "--schedule", "muon5"), 5), (("--schedule", "pe5-1.02"), 5), (("--steps", "7"), 7)],
)
def test_schedules(polar: Run, tmp_path: Path, options: tuple[str, ...], steps: int) -> None:
    np.save(tmp_path / "g.npy", G)
    code, out, err = polar("g.npy", "-o", "t.npy", "--json", *options)
    assert (code, err) == (0, "")
    assert json.loads(out)["arrays"]["g"]["steps"] == steps
    found = np.linalg.svd(np.load(tmp_path / "t.npy"), compute_uv=False)
    assert found[-1] > 0.5 and found[0] < 1.35


def test_streams(polar: Run) -> None:
    room = BytesIO()
    np.save(room, G)
    code, out, err = polar("-", "-o", "-", "--accuracy", "1e-4", stdin=room.getvalue(), text=False)
    assert code == 0 and off(np.load(BytesIO(out)), G) <= 1e-4
    assert "method" in err  # the report gives way to the array


def test_methods_and_rank_tol(polar: Run, tmp_path: Path) -> None:
    sigma = np.geomspace(1, 1e-3, 30)
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((30, 30)))[0]
    np.save(tmp_path / "g.npy", Q * sigma)
    code, out, _ = polar("g.npy", "--json", "--method", "svd", "--rank-tol", "0.02")
    entry = json.loads(out)["arrays"]["g"]
    assert code == 0 and (entry["method"], entry["rank"]) == ("svd", int((sigma > 0.02).sum()))


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("none.npy",), "none.npy"),
        (("g.npy", "--accuracy", "0"), "accuracy must be a positive number"),
        (("g.npy", "--accuracy", "fine"), "accuracy"),
        (("g.npy", "--method", "qr"), "unknown method 'qr'; known: auto"),
        (("g.npy", "--steps", "3", "--accuracy", "0.1"), "promise nothing"),
        (("g.npy", "--schedule", "aol4-a"), "turns the sign"),
        (("g.npy", "--schedule", "speedrun5", "--steps", "6"), "made for 5 steps"),
        (("g.npy", "--schedule", "muon6"), "unknown preset"),
        (("g.npy", "--plan", "-o", "t.npy"), "--plan computes nothing"),
        (("nan.npy", "-o", "t.npy"), "nan"),
        (("line.npy",), "line"),
    ],
)
def test_errors_are_one_line_and_exit_2(polar: Run, tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    np.save(tmp_path / "g.npy", G)
    np.save(tmp_path / "nan.npy", np.where(G > 2, np.nan, G))
    np.save(tmp_path / "line.npy", G[0])
    code, out, err = polar(*args)
    assert code == 2 and out == "" and says in err
    assert len(err.strip().splitlines()) == 1 or "Usage" in err
    assert not (tmp_path / "t.npy").exists()


def test_a_missed_accuracy_is_exit_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from dataclasses import replace

    from normkit import cli, orthogonalize

    sound = orthogonalize.polar_report

    def poor(*args: Any, **options: Any) -> Any:
        T, report = sound(*args, **options)
        return T, replace(report, error=0.5)

    monkeypatch.setattr(orthogonalize, "polar_report", poor)
    np.save(tmp_path / "g.npy", G)
    with pytest.raises(SystemExit) as ended:
        cli.main(["polar", str(tmp_path / "g.npy"), "--accuracy", "1e-2"])
    assert ended.value.code == 1
    assert "the accuracy was not reached for: g" in capsys.readouterr().err
