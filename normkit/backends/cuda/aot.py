"""Kernels as cubins: machine code that needs only a driver to run, and the mangled name of its entry.

Two ways lead from Python to a cubin, and both keep every instruction: ptxas, and LTO-IR linked by nvJitLink. The third,
PTX linked by nvJitLink, drops setmaxnreg with no more than a note (C7504), so it is not offered. ptxas is part of the
test extra; where it is missing the linker of the `cuda` extra is used. Cubins are kept on disk beside other generated
code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from normkit.backends.cuda import offline
from normkit.backends.cuda.kernels.interface import DeviceKernel
from normkit.codegen import cache as store
from normkit.errors import BackendError, MissingExtra


@dataclass(frozen=True)
class Cubin:
    """Machine code of one kernel: ``ObjectCode.from_cubin(code).get_kernel(entry)`` of cuda.core loads it."""

    entry: str
    code: bytes


@cache
def cubin(kernel: DeviceKernel, dtype: str, capability: tuple[int, int] | None = None) -> Cubin:
    """Return a kernel's machine code for a storage type and a compute capability (its least one unless given).

    Raises
    ------
    MissingExtra
        If neither ptxas nor nvJitLink is installed.
    BackendError
        If the kernel does not run on that capability, or the compiler refuses it.
    """
    chosen = capability or kernel.capability
    if not kernel.runs_on(chosen):
        needs = f"sm_{kernel.capability[0]}{kernel.capability[1]}" + ("a alone" if kernel.exact else " or later")
        raise BackendError(f"{kernel.name} needs {needs}; the device is sm_{chosen[0]}{chosen[1]}")
    path = store.folder() / "cubins" / f"{_key(kernel, dtype, chosen)}.cubin"
    kept = _read(path)
    if kept is None:
        made = by_ptxas if offline.tool("ptxas") else by_linker
        kept = made(kernel, dtype, chosen)
        store.write(path, sha256(kept.code).digest() + kept.code)
    return kept


def by_ptxas(kernel: DeviceKernel, dtype: str, capability: tuple[int, int]) -> Cubin:
    """Return the cubin that ptxas makes."""
    ptx = offline.compile_to("ptx", kernel, dtype, capability)
    made = offline.assemble(ptx, offline.architecture(kernel, capability))
    return Cubin(made.entry, made.code)


def by_linker(kernel: DeviceKernel, dtype: str, capability: tuple[int, int]) -> Cubin:
    """Return the cubin that nvJitLink makes of LTO-IR."""
    try:
        from cuda.core import Linker, LinkerOptions, ObjectCode
    except ImportError as error:
        raise MissingExtra("to compile kernels takes cuda-core: pip install 'normkit[cuda]'") from error
    parts = offline.compile_to("ltoir", kernel, dtype, capability)
    name = "sm_" + "".join(map(str, offline.architecture(kernel, capability)))
    options = LinkerOptions(arch=name, link_time_optimization=True)
    code = bytes(Linker(*[ObjectCode.from_ltoir(part) for part in parts], options=options).link("cubin").code)
    return Cubin(entry_of(code), code)


def entry_of(code: bytes) -> str:
    """Return the name of the kernel in a cubin: its code is the ELF section ``.text.<name>``."""
    found: set[bytes] = set(re.findall(rb"\.text\.([A-Za-z_$][\w$]*)\0", code))
    if len(found) != 1:
        raise BackendError(f"expected one kernel in a cubin; found {len(found)}")
    return found.pop().decode()


def _key(kernel: DeviceKernel, dtype: str, capability: tuple[int, int]) -> str:
    compilers = [_version(name) for name in ("numba-cuda", "nvidia-nvvm", "nvidia-nvjitlink", "nvidia-cuda-nvcc")]
    return sha256(repr((kernel.name, dtype, capability, compilers)).encode()).hexdigest()[:32]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _read(path: Path) -> Cubin | None:
    """Return what was stored, if it is whole: a damaged file is made again."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, code = data[:32], data[32:]
    return Cubin(entry_of(code), code) if sha256(code).digest() == digest else None
