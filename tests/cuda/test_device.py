"""Norms on arrays in device memory, end to end, in numba's simulator: each part in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PARTS = ("updates", "layouts", "written_to", "orthogonal", "mistakes", "certificates", "memory", "hosted", "command")


@pytest.mark.parametrize("part", PARTS)
def test_arrays_in_device_memory(part: str) -> None:
    script = Path(__file__).with_name("device_arrays.py")
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    run = subprocess.run([sys.executable, script, part], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr[-3000:]
