"""From a Python kernel to machine code and what it costs, on a machine with no GPU and no driver.

Python -> PTX (libNVVM) -> cubin (ptxas) -> registers, spills, stack, warnings; cubin -> instructions (nvdisasm).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from normkit.backends.cuda.kernels.interface import DeviceKernel
from normkit.backends.cuda.language import cuda, float32, int32, uint64
from normkit.errors import BackendError, MissingExtra

NEWEST_PTX = (9, 0)
"""What the oldest supported driver (580, CUDA 13.0) can compile; newer PTX is refused."""


@dataclass(frozen=True)
class Assembly:
    """What ptxas made of a kernel, and what it said."""

    entry: str
    """The kernel's mangled name."""
    code: bytes
    """The cubin."""
    ptx_version: tuple[int, int]
    registers: int
    spills: int
    """Bytes of spill stores and loads."""
    stack: int
    """Bytes of stack frame."""
    shared: int
    """Bytes of static shared memory."""
    warnings: tuple[str, ...]
    """Lines with a warning, or with a C75xx note: that products of warpgroups run one after the other."""


@cache
def tool(name: str) -> str | None:
    """Return where ptxas or nvdisasm is: in a wheel, a toolkit, or on the path; None if nowhere."""
    try:
        from cuda import pathfinder

        found = pathfinder.find_nvidia_binary_utility(name)
    except (ImportError, AttributeError, ValueError, RuntimeError):
        found = None
    return found or shutil.which(name)


def architecture(kernel: DeviceKernel, capability: tuple[int, int] | None = None) -> tuple[Any, ...]:
    """Return what numba calls the target: (8, 0), or (9, 0, "a") for code of one architecture only."""
    chosen = capability or kernel.capability
    return (*chosen, "a") if kernel.exact else chosen


def signature(kernel: DeviceKernel) -> Any:
    """Return the types of the kernel's parameters in numba."""
    types = {"l": uint64, "i": int32, "f": float32}
    return tuple(types[letter] for _, letter in kernel.parameters)


def compile_to(output: str, kernel: DeviceKernel, dtype: str, capability: tuple[int, int] | None = None) -> Any:
    """Return a kernel's ``"ptx"`` (text) or ``"ltoir"`` (a list of bytes).

    Raises
    ------
    MissingExtra
        If there is no libNVVM, numba's compiler for GPUs.
    """
    target = architecture(kernel, capability)
    _pretend(target)
    options = {"cc": target, "device": False, "launch_bounds": (kernel.threads, kernel.blocks)}
    function, types = kernel.build(dtype), signature(kernel)
    try:
        if output == "ptx":
            return cuda.compile_ptx(function, types, **options)[0]
        return cuda.compile_all(function, types, abi="numba", output=output, **options)[0]
    except (ImportError, RuntimeError) as error:
        if not isinstance(error, ImportError) and type(error).__name__ != "DynamicLibNotFoundError":
            raise
        raise MissingExtra(f"to compile kernels takes libnvvm: pip install 'normkit[cuda]' ({error})") from error


def _pretend(target: tuple[Any, ...]) -> None:
    """Answer for the driver, where there is none.

    numba-cuda 0.30 asks the driver which device is there when a kernel calls a device function, though the target is
    given.
    """
    if not cuda.is_available():
        device = type("Device", (), {"compute_capability": target[:2]})()
        cuda.dispatcher.get_current_device = lambda: device


def assemble(ptx: str, target: tuple[Any, ...]) -> Assembly:
    """Return what ptxas makes of PTX for a target.

    Raises
    ------
    MissingExtra
        If there is no ptxas.
    BackendError
        If it refuses; the message is its own.
    """
    where = tool("ptxas")
    if where is None:
        raise MissingExtra("ptxas is not installed: pip install 'nvidia-cuda-nvcc==13.0.*'")
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "kernel.ptx"), Path(folder, "kernel.cubin")
        source.write_text(ptx)
        command = [where, f"-arch=sm_{''.join(map(str, target))}", "-v", "-O3", str(source), "-o", str(made)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        log = run.stdout + run.stderr
        if run.returncode:
            raise BackendError(f"ptxas refuses the kernel: {log[-2000:]}")
        code = made.read_bytes()

    def total(*patterns: str) -> int:
        return sum(int(number) for pattern in patterns for number in re.findall(pattern, log))

    return Assembly(
        entry=entry(ptx),
        code=code,
        ptx_version=version(ptx),
        registers=total(r"Used (\d+) registers"),
        spills=total(r"(\d+) bytes spill stores", r"(\d+) bytes spill loads"),
        stack=total(r"(\d+) bytes stack frame"),
        shared=total(r"(\d+) bytes smem"),
        warnings=tuple(line.strip() for line in log.splitlines() if re.search(r"warning|\bC75\d\d\b", line, re.I)),
    )


def instructions(code: bytes) -> dict[str, int]:
    """Return how often each machine instruction occurs in a cubin, by its name up to the first dot."""
    where = tool("nvdisasm")
    if where is None:
        raise MissingExtra("nvdisasm is not installed: pip install nvidia-cuda-nvdisasm")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "kernel.cubin")
        file.write_bytes(code)
        text = subprocess.run([where, "-c", str(file)], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\d\s+)?([A-Z0-9_]+)", text)
    return {name: found.count(name) for name in sorted(set(found))}


def entry(ptx: str) -> str:
    """Return the mangled name of the kernel in a text of PTX."""
    return _first(r"\.visible \.entry ([^\s(]+)", ptx)


def version(ptx: str) -> tuple[int, int]:
    """Return the version of PTX that a text says it needs."""
    major, minor = _first(r"\.version (\d+\.\d+)", ptx).split(".")
    return int(major), int(minor)


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise BackendError(f"the compiler's output has no {pattern!r}: {text[:200]!r}")
    return found.group(1)
