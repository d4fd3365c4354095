"""Kernels of norms, scaling and copies in numba's simulator, which has to be asked for before numba is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_in_the_simulator() -> None:
    pytest.importorskip("numba", reason="numba, whose simulator runs the kernels, is not installed")
    file = Path(__file__).with_name("sim_scale.py")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore::RuntimeWarning",
        str(file),
    ]
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    made = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=file.parents[2], check=False)
    assert made.returncode == 0, made.stdout[-6000:] + made.stderr[-2000:]
