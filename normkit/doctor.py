"""What this installation can do on this machine: packages, back ends, GPU, and for what is missing the reason."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, requires, version
from typing import Any

from normkit.backends import backend
from normkit.backends.cuda.availability import Machine, simulated, why_not
from normkit.codegen.cache import folder
from normkit.errors import BackendError

BACKENDS = ("reference", "cpu", "cuda")
TOOLS = ("docs", "lint", "test", "adapters")
"""Extras of developers, of which `report` says nothing."""


@dataclass(frozen=True)
class Report:
    """What `report` found; every part is plain data.

    Attributes
    ----------
    machine : dict
        Python, platform, cores, and the folder of compiled kernels with whether it can be written.
    packages : dict of str to str or None
        Versions of what normkit needs; None for what is not installed.
    extras : dict of str to dict
        The packages of every extra, likewise.
    backends : dict of str to str or None
        Why a back end cannot run here; None if it can.
    gpu : dict
        CUDA version of the driver, devices, packages of the GPU path, and why no GPU is used (None if one is).
    providers : dict of str to str or None
        What multiplies matrices on the GPU, by what the table of measurements and the order of preference name it:
        why it would not make a symmetric product in float16; None if it would.
    """

    machine: dict[str, Any]
    packages: dict[str, str | None]
    extras: dict[str, dict[str, str | None]]
    backends: dict[str, str | None]
    gpu: dict[str, Any]
    providers: dict[str, str | None]


def report() -> Report:
    """Return what this installation can do here; nothing is compiled, and no GPU is woken but for its name.

    Examples
    --------
    >>> from normkit.doctor import report
    >>> found = report()
    >>> found.backends["cpu"] is None
    True
    """
    base, extras = _requirements()
    return Report(
        machine=_machine(),
        packages={name: _installed(name) for name in base},
        extras={extra: {name: _installed(name) for name in names} for extra, names in extras.items()},
        backends=_backends(),
        gpu=_gpu(Machine.here()),
        providers=_providers(),
    )


def _machine() -> dict[str, Any]:
    place = folder()
    nearest = next(each for each in (place, *place.parents) if each.exists())
    return {
        "normkit": _installed("normkit"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": os.environ.get("NUMBA_NUM_THREADS"),
        "cache": str(place),
        "cache writable": os.access(nearest, os.W_OK),
    }


def _requirements() -> tuple[list[str], dict[str, list[str]]]:
    """Return the names of the packages that normkit needs, and those of its extras but the developers' own."""
    base: list[str] = []
    extras: dict[str, list[str]] = {}
    for line in requires("normkit") or []:
        name = re.split(r"[\s\[<>=!~;]", line, maxsplit=1)[0]
        extra = re.search(r"extra\s*==\s*['\"](\w+)['\"]", line)
        if extra is None:
            base.append(name)
        elif extra[1] not in TOOLS:
            extras.setdefault(extra[1], []).append(name)
    return base, extras


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _backends() -> dict[str, str | None]:
    """Return what keeps a back end from running, also of those that other packages bring."""
    names = (*BACKENDS, *sorted(entry.name for entry in entry_points(group="normkit.backends")))
    return {name: _refusal(name) for name in names}


def _refusal(name: str) -> str | None:
    try:
        backend(name)
    except BackendError as error:
        return str(error).removeprefix(f"no back end {name!r} here: ").partition(". Use auto")[0]
    except Exception as error:  # of another package's code, which may be broken in any way: that is what it says here
        return f"{type(error).__name__}: {error}"
    return None


def _providers() -> dict[str, str | None]:
    from normkit.backends.cuda.polar.providers.status import status

    return status()


def _gpu(machine: Machine) -> dict[str, Any]:
    devices = [
        {
            "name": each.name,
            "capability": "{}.{}".format(*each.capability),
            "processors": each.processors,
            "memory": each.memory,
        }
        for each in machine.driver.devices
    ]
    supports = machine.driver.version
    return {
        "driver supports CUDA": None if supports is None else "{}.{}".format(*supports),
        "devices": devices,
        "packages": machine.packages,
        "simulated": simulated(),
        "why not": why_not(),
    }


def lines(found: Report) -> list[str]:
    """Return a report as text, a line for each fact.

    Examples
    --------
    >>> from normkit.doctor import lines, report
    >>> any(line.startswith("numpy") for line in lines(report()))
    True
    """
    width = 24
    text = [f"{name:<{width}}{value}" for name, value in found.machine.items() if value is not None]
    text += ["", "packages"]
    text += [f"{name:<{width}}{have or 'not installed'}" for name, have in found.packages.items()]
    text += ["", "extras"]
    for extra, names in found.extras.items():
        missing = [name for name, have in names.items() if have is None]
        have = ", ".join(f"{name} {have}" for name, have in names.items() if have is not None)
        told = f"pip install 'normkit[{extra}]' brings {', '.join(missing)}" if missing else have
        text.append(f"{extra:<{width}}{told}")
    text += ["", "back ends"]
    text += [f"{name:<{width}}{'no: ' + why if why else 'yes'}" for name, why in found.backends.items()]
    return [*text, "", "GPU", *_gpu_lines(found, width)]


def _gpu_lines(found: Report, width: int) -> list[str]:
    gpu = found.gpu
    text = [f"{'driver supports CUDA':<{width}}{gpu['driver supports CUDA'] or 'no driver'}"]
    for ordinal, each in enumerate(gpu["devices"]):
        memory = f"{each['memory'] / 2**30:.0f} GiB, {each['processors']} processors"
        text.append(f"{f'device {ordinal}':<{width}}{each['name']}, compute capability {each['capability']}, {memory}")
    text += [f"{name:<{width}}{have or 'not installed'}" for name, have in gpu["packages"].items()]
    text += ["", "products on the GPU"]
    reasons = set(found.providers.values())
    if len(reasons) == 1 and None not in reasons:
        return [*text, f"{'none':<{width}}{reasons.pop()}"]
    return text + [f"{name:<{width}}{'no: ' + why if why else 'yes'}" for name, why in found.providers.items()]


def main_line(found: Report) -> str:
    """Return what computes, in a line."""
    why = found.gpu["why not"]
    if found.gpu["simulated"] and why is None:
        return "NUMBA_ENABLE_CUDASIM=1: numba's simulator stands in for a GPU, slowly, for tests"
    return "arrays in device memory run on the GPU" if why is None else f"no GPU is used: {why}"
