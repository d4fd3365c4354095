"""What a kernel says of itself: how to compile it, how to launch it, and what it requires of its operands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from normkit.errors import ParameterError

SYMMETRIC = (
    *(("a", "l"), ("b", "l"), ("d", "l"), ("c", "l"), ("alpha", "f"), ("beta", "f"), ("gamma", "f")),
    *(("rows", "i"), ("inner", "i"), ("ld_in", "i"), ("ld_out", "i"), ("tiles", "i"), ("batch", "i")),
)
"""Parameters of C = alpha A B^T + beta D + gamma I, which is symmetric: A, B are (rows, inner), C, D (rows, rows)."""

GENERAL = (
    *(("a", "l"), ("b", "l"), ("d", "l"), ("c", "l"), ("alpha", "f"), ("beta", "f")),
    *(("rows", "i"), ("columns", "i"), ("inner", "i"), ("ld_a", "i"), ("ld_b", "i"), ("ld_out", "i")),
)
"""Parameters of C = alpha A B + beta D: A is (rows, inner), B (inner, columns), C and D (rows, columns)."""

LARGEST = 2**30
"""Of a size, so that an index rounded up to a tile, and the bytes of a row, are 32-bit numbers with a sign."""

_CAST: dict[str, Callable[[Any], Any]] = {"l": np.uint64, "f": np.float32, "i": np.int32}


@dataclass(frozen=True)
class DeviceKernel:
    """A product kernel, before it is compiled for a type and an architecture.

    Attributes
    ----------
    name : str
        Short name; unique.
    build : callable
        ``build(dtype)`` returns the Python function that numba.cuda compiles.
    parameters : tuple of (name, letter)
        In the order of the function: ``l`` an address (uint64), ``f`` float32, ``i`` int32.
    tile : tuple of int
        Rows and columns of the result that a block computes at a time, and columns of A per step.
    threads : int
        Threads of a block.
    blocks : int
        Blocks that are meant to run on a multiprocessor at a time; with `threads` the launch bounds.
    shared_bytes : int
        Dynamic shared memory of a launch; above 48 KB the kernel's attribute has to be raised first.
    dtypes : tuple of str
        Storage types; all accumulate in float32.
    capability : tuple of int
        Least compute capability; with `exact` the only major one (code for sm_90a runs on no other).
    align : int
        Addresses and rows start at multiples of this many bytes.
    maps : bool
        ``a`` and ``b`` are addresses of tensor maps (`symgemm_wgmma.boxes` says of which), not of matrices.
    persistent : bool
        Blocks take tiles until none is left, so the grid need not exceed the number of multiprocessors.
    """

    name: str
    build: Callable[[str], Callable[..., Any]]
    parameters: tuple[tuple[str, str], ...]
    tile: tuple[int, int, int]
    threads: int
    blocks: int
    shared_bytes: int
    dtypes: tuple[str, ...]
    capability: tuple[int, int]
    exact: bool = False
    align: int = 16
    maps: bool = False
    persistent: bool = False

    @property
    def symmetric(self) -> bool:
        """Whether only one triangle is computed, and the other one is its mirror image."""
        return self.parameters == SYMMETRIC

    def runs_on(self, capability: tuple[int, int]) -> bool:
        """Tell whether code for this kernel runs on a device of that compute capability."""
        return capability[0] == self.capability[0] if self.exact else capability >= self.capability

    def tiles(self, rows: int, columns: int) -> int:
        """Return the number of tiles of one result (`columns` is ignored where the result is symmetric)."""
        down, across = -(-rows // self.tile[0]), -(-columns // self.tile[1])
        if not self.symmetric:
            return down * across
        return sum(i * self.tile[0] // self.tile[1] + 1 for i in range(down))

    def grid(self, rows: int, columns: int, batch: int = 1, multiprocessors: int = 132) -> tuple[int]:
        """Return the grid of a launch; `multiprocessors` of the device matters to persistent kernels alone."""
        count = self.tiles(rows, columns) * batch
        return (min(count, self.blocks * multiprocessors) if self.persistent else count,)

    def leading(self, columns: int, itemsize: int = 2) -> int:
        """Return the least leading dimension that the kernel takes for a row of that many elements."""
        step = max(1, self.align // itemsize)
        return -(-columns // step) * step

    def arguments(self, **given: float) -> tuple[Any, ...]:
        """Return the arguments of a launch, in order and in the types of the parameters.

        `tiles` is filled in. Of all other parameters each one is required; ``d`` may be 0 where ``beta`` is 0, for
        then it is not read. The result may be the array ``d``, never ``a`` or ``b``.

        Raises
        ------
        ParameterError
            For a name too many or too few, a size below 1 or above `LARGEST`, rows longer than their leading dimension,
            an address or a row that is not aligned, or more tiles in a batch (rows, where there are tensor maps) than
            32-bit numbers count.
        """
        names = [name for name, _ in self.parameters]
        if set(given) != set(names) - {"tiles"}:
            raise ParameterError(f"{self.name} takes {', '.join(names)} but tiles; got {', '.join(given)}")
        self._check(given)
        rows, batch = int(given["rows"]), int(given.get("batch", 1))
        given["tiles"] = self.tiles(rows, int(given.get("columns", rows)))
        if max(given["tiles"] * batch, rows * batch * self.maps) > 2 * LARGEST - max(self.tile):
            raise ParameterError(
                f"{self.name}: {batch} matrices of {rows} rows are too many at a time; split the batch"
            )
        return tuple(_CAST[letter](given[name]) for name, letter in self.parameters)

    def _check(self, given: dict[str, float]) -> None:
        lengths = {
            "ld_in": "inner",
            "ld_a": "inner",
            "ld_b": "columns",
            "ld_out": "rows" if self.symmetric else "columns",
        }
        for name, of in lengths.items():
            if name in given and given[name] < given[of]:
                raise ParameterError(f"{self.name}: {name} = {given[name]} is less than {of} = {given[of]}")
        for name, letter in self.parameters:
            value = given.get(name, 1)
            if letter == "i" and not 1 <= value <= LARGEST:
                raise ParameterError(f"{self.name}: {name} must be 1 to 2^30; got {value}")
            bytes_ = 2 * value if name.startswith("ld_") and self.align > 4 else value
            step = self.align if letter == "l" or name.startswith("ld_") else 1
            if step > 4 and bytes_ % step:
                raise ParameterError(
                    f"{self.name}: {name} = {value} is not a multiple of {step} bytes; pad the rows (see leading())"
                )
