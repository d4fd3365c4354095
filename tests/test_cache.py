"""Programs on disk: whose they are, what damage does to them, and what happens where nothing can be written."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

import normkit as nk
from normkit.codegen import cache
from normkit.programs import derive_program

MINE = """
import sys
import numpy as np
import normkit as nk

k = int(sys.argv[1])

class Mine(nk.Norm, name="mine"):
    def value(self):
        return (k * nk.Linf()).value()

    def dual_value(self):
        return (k * nk.Linf()).dual_value()

x = np.array([[1.0, -1.0]])
for spec in sys.argv[2:]:
    print(nk.value(spec, x[0] if spec == "mine" else x, backend="reference"))
"""


def run(code: str, *args: str, **environment: str) -> str:
    made = subprocess.run(
        [sys.executable, "-c", code, *args], env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    return made.stdout


def test_a_norm_of_somebody_else_is_read_anew_in_every_process(tmp_path: Path) -> None:
    """Its name may mean something else there; that holds for what it is a part of, too."""
    for k in (2, 5):
        out = run(
            MINE, str(k), "mine", "entries(mine)", "dual(dual(3*rows(linf, mine)))", NORMKIT_CACHE_DIR=str(tmp_path)
        )
        assert [float(line) for line in out.split()] == [k, k, 3 * k]


def test_own_norms_are_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    norm = nk.norm("rows(linf, topk(3))")
    cache.store_program(str(norm), derive_program(norm))
    assert cache.load_program(str(norm)) == derive_program(norm)


def test_damaged_programs_are_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No byte of a stored program can be changed, lost or added without its being ignored."""
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    cache.store_program("l1", derive_program(nk.norm("l1")))
    (path,) = (tmp_path / "programs").iterdir()
    whole, draw = path.read_bytes(), random.Random(1)
    for _ in range(2000):
        damaged = bytearray(whole)
        at = draw.randrange(len(whole))
        damaged[at] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        assert cache.load_program("l1") is None
    for data in (b"", whole[:10], whole[:-1], whole + b"\0"):
        path.write_bytes(data)
        assert cache.load_program("l1") is None
    path.write_bytes(whole)
    assert cache.load_program("l1") is not None


WITHOUT = """
import numpy as np
from numba.core.caching import CacheImpl
CacheImpl._locator_classes = []  # numba: no folder can be written
import normkit as nk
g = np.random.default_rng(0).standard_normal((40000,))
for spec, x in (("l1 + l2", g), ("topk(3)", g), ("rms->rms", g.reshape(200, 200)[:5])):
    assert nk.certify(spec, x, nk.dualize(spec, x)).holds(1e-12)
print("held")
"""


def test_nothing_needs_a_folder_that_can_be_written() -> None:
    """Without a home, where the cache folder cannot be made and numba finds no folder of its own."""
    environment = {name: text for name, text in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")}
    environment |= {"NORMKIT_CACHE_DIR": "/proc/nowhere", "NUMBA_CACHE_DIR": ""}
    made = subprocess.run([sys.executable, "-c", WITHOUT], env=environment, capture_output=True, text=True)
    assert (made.returncode, made.stdout) == (0, "held\n"), made.stderr


def test_a_full_disk_costs_the_cache_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core.caching import CacheImpl, IndexDataCacheFile

    from normkit.backends.cpu.jit import cached

    asked = []

    def full(self: object, *arguments: object) -> None:
        asked.append(arguments)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "save", full)
    assert cached()(double)(21) == 42
    assert asked

    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    assert cached()(double)(4) == 8


def double(x: int) -> int:
    return 2 * x
