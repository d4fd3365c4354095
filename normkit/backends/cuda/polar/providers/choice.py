"""Which provider carries out an operation: the one that a table of measurements names, else the first that can."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from normkit.backends.cuda.polar.memory import Places
from normkit.backends.cuda.polar.ops import Gemm, Op, SymGemm
from normkit.backends.cuda.polar.providers import Provider
from normkit.errors import BackendError, ParameterError

ORDER: dict[str, tuple[str, ...]] = {
    "SymGemm": ("cublaslt", "mma", "torch", "tile", "numpy"),
    "Gemm": ("cublaslt", "torch", "mma", "tile", "numpy"),
}
"""What is tried where nothing was measured. ``wgmma`` is not among them: it serves where it was measured to win."""
OTHERS = ("kernels", "numpy")
"""The same for norms, scaling and copies."""
NAMES = ("wgmma", *ORDER["SymGemm"], "kernels")
VARIABLE = "NORMKIT_CUDA_PROVIDER"
"""One name for all products, or ``SymGemm=mma,Gemm=cublaslt``: tried first."""
NOT_MEASURED = "not measured"

log = logging.getLogger("normkit.cuda")


@dataclass(frozen=True)
class Entry:
    """A line of the table: who serves operations of a kind, on devices of a capability, within ranges of sides."""

    op: str
    capability: tuple[int, int]
    dtype: str
    batch: tuple[int, int]
    m: tuple[int, int]
    k: tuple[int, int]
    provider: str

    def serves(self, op: SymGemm | Gemm, batch: int, capability: tuple[int, int]) -> bool:
        """Tell whether it speaks of an operation on so many matrices."""
        m, _, k = op.sides
        inside = all(low <= x <= high for x, (low, high) in ((batch, self.batch), (m, self.m), (k, self.k)))
        return inside and (self.op, self.capability, self.dtype) == (op.kind, capability, op.out.dtype)


TABLE = Path(__file__).with_name("table.json")


@cache
def table(path: Path) -> tuple[Entry, ...]:
    """Return the entries of a table that were measured."""
    lines = json.loads(path.read_text(encoding="utf-8"))["entries"]
    return tuple(_entry(line) for line in lines if line["measured"] != NOT_MEASURED)


def _entry(line: Mapping[str, Any]) -> Entry:
    ranges = {name: (line[name][0], line[name][1]) for name in ("capability", "batch", "m", "k")}
    return Entry(op=line["op"], dtype=line["dtype"], provider=line["provider"], **ranges)


def asked(kind: str, text: str | None = None) -> str | None:
    """Return the provider that the environment asks for, for operations of a kind.

    Raises
    ------
    ParameterError
        For a name that is not known.

    Examples
    --------
    >>> asked("Gemm", "SymGemm=mma,Gemm=cublaslt"), asked("SymGemm", "tile"), asked("Norm", "tile")
    ('cublaslt', 'tile', None)
    """
    text = os.environ.get(VARIABLE, "") if text is None else text
    if not text or kind not in ORDER:
        return None
    pairs: dict[str, str] = {}
    for part in text.replace(" ", "").split(","):
        left, equals, right = part.partition("=")
        pairs[left if equals else kind] = right if equals else left
    for name in pairs.values():
        if name not in NAMES:
            raise ParameterError(f"{VARIABLE} names an unknown provider {name!r}; known: {', '.join(NAMES)}")
    return pairs.get(kind)


def ranked(op: Op, batch: int, capability: tuple[int, int], entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return the names of providers in the order in which they are tried."""
    order = ORDER.get(op.kind, OTHERS)
    first = [asked(op.kind)]
    if isinstance(op, SymGemm | Gemm):
        first += [entry.provider for entry in entries if entry.serves(op, batch, capability)]
    return tuple(dict.fromkeys([*(name for name in first if name), *order]))


def choose(op: Op, at: Places, providers: Mapping[str, Provider], capability: tuple[int, int] = (0, 0)) -> Provider:
    """Return who carries out an operation; a provider that comes before and cannot is logged, once for each reason.

    Parameters
    ----------
    op : Op
    at : Places
        Where its operands lie.
    providers : dict
        Those that this device has, by name.
    capability : tuple of int
        Its compute capability, for the table.

    Raises
    ------
    BackendError
        If nobody can, with everyone's reason.
    """
    reasons: dict[str, str] = {}
    for name in ranked(op, at.batch, capability, table(TABLE)):
        reason = providers[name].why_not(op, at) if name in providers else "not for this device"
        if reason is None:
            for other, why in reasons.items():
                if other in providers:
                    _said(op.kind, op.out.dtype, other, name, why)
            return providers[name]
        reasons[name] = reason
    told = "; ".join(f"{name}: {why}" for name, why in reasons.items())
    raise BackendError(f"nobody carries out {op.kind} in {op.out.dtype} here ({told})")


@cache
def _said(kind: str, dtype: str, other: str, name: str, why: str) -> None:
    log.info("%s in %s: %s instead of %s (%s)", kind, dtype, name, other, why)
