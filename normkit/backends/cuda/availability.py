"""Whether normkit can run on a GPU here, and if not, why: the first thing that is missing and what to do about it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from normkit.backends.cuda.driver import Device, Driver, driver

CAPABILITY = (7, 5)
"""The oldest compute capability that the CUDA 13 compiler makes code for."""
INSTALL = "pip install 'normkit[cuda]'"
PACKAGES = (
    *("numba", "numba-cuda", "cuda-core", "cuda-bindings", "cuda-pathfinder"),
    *("nvidia-nvvm", "nvidia-nvjitlink", "nvidia-cublas", "nvidia-cuda-nvcc", "nvidia-cuda-nvdisasm"),
)
"""What the GPU path is made of: compiler, runtime, products; the last two only check kernels without a GPU."""


def simulated() -> bool:
    """Tell whether numba's simulator stands in for a GPU: NUMBA_ENABLE_CUDASIM=1, set before the first import."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"


def installed(package: str) -> str | None:
    """Return the version of an installed package, None without it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@dataclass(frozen=True)
class Machine:
    """What decides: the driver's answer, versions of `PACKAGES` (None: not installed), and whether libNVVM loads."""

    driver: Driver
    packages: dict[str, str | None]
    compiles: bool = True

    @classmethod
    def here(cls) -> Machine:
        """Return this machine."""
        return cls(driver(), {name: installed(name) for name in PACKAGES}, _compiles())

    def why_not(self) -> str | None:
        """Return why no GPU can be used, in one line with what to do; None if one can."""
        if self.driver.missing is not None:
            return self.driver.missing
        if self.packages["numba-cuda"] is None:
            return f"numba-cuda is not installed; {INSTALL}"
        if not self.compiles:
            return f"libNVVM, the compiler of kernels, was not found; {INSTALL} brings nvidia-nvvm"
        if (compiler := self.compiler) is not None and self.driver.version and self.driver.version < compiler:
            return (
                f"the driver supports CUDA {_dotted(self.driver.version)}, but the compiler nvidia-nvvm "
                f"{self.packages['nvidia-nvvm']} makes code for CUDA {_dotted(compiler)}: update the driver, or "
                f"install the compiler of its version (numba-cuda[cu{self.driver.version[0]}], nvidia-nvvm)"
            )
        if self.device is None:
            found = ", ".join(f"{each.name} ({_dotted(each.capability)})" for each in self.driver.devices)
            return f"no GPU of compute capability {_dotted(CAPABILITY)} or later; found {found}"
        return None

    @property
    def device(self) -> Device | None:
        """The first GPU that can be used."""
        return next((each for each in self.driver.devices if each.capability >= CAPABILITY), None)

    @property
    def compiler(self) -> tuple[int, int] | None:
        """The CUDA version of the installed libNVVM package; None where libNVVM comes from elsewhere."""
        text = self.packages["nvidia-nvvm"]
        if text is None:
            return None
        major, minor = text.split(".")[:2]
        return int(major), int(minor)


@cache
def why_not() -> str | None:
    """Return why the back end ``cuda`` cannot run here, in one line with what to do; None if it can."""
    if simulated():
        return None if installed("numba") else f"numba is not installed; {INSTALL}"
    return Machine.here().why_not()


def _compiles() -> bool:
    """Tell whether libNVVM can be loaded, from its package or a CUDA toolkit; True where nobody can say."""
    try:
        from cuda.pathfinder import load_nvidia_dynamic_lib
    except ImportError:
        return True  # numba-cuda brings this module: that it is missing is said first
    try:
        load_nvidia_dynamic_lib("nvvm")
    except RuntimeError:
        return False
    return True


def _dotted(pair: tuple[int, int]) -> str:
    return f"{pair[0]}.{pair[1]}"
