"""Rows so far apart that 32 bits do not count the bytes between them, as in 64 matrices of 8192 x 28672."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba_cuda", reason="the kernels need numba-cuda: pip install 'normkit[cuda]'")

from kernel_faults import CHAINS

from normkit.backends.cuda.kernels import blocks, gemm_mma, symgemm_mma
from normkit.testing import simt

APART, ROWS, INNER = 2**24 + 8, 129, 8
"""Elements from row to row; more than 2^31 of them, and 2^32 bytes, lie between rows 0 and 128."""
FAULTS = {
    "mma": (
        blocks,
        "uint64(2) * (uint64(uint32(row)) * uint64(uint32(ld)) + uint64(uint32(column)))",
        "uint64(uint32(2) * (uint32(row) * uint32(ld) + uint32(column)))",
    ),
    "general": (
        gemm_mma,
        "uint64(2) * ((uint64(entry) * uint64(rows) + uint64(ra)) * uint64(ld_a) + uint64(ca))",
        "uint64(uint32(2) * (uint32(ra) * uint32(ld_a) + uint32(ca)))",
    ),
}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two matrices that are nearly all holes, in a sparse file: 9 GB of addresses, 258 pages."""
    return np.memmap(tmp_path_factory.mktemp("far") / "matrices", np.uint16, "w+", shape=2 * ROWS * APART)


def right(room: Any, module: Any) -> bool:
    """Whether a kernel multiplies the first matrix by its transpose, or by a small one, and stores the second."""
    kernel, rng = module.KERNEL, np.random.default_rng(0)
    a, c = room.reshape(2, ROWS, APART)
    a[:, :INNER] = simt.to_bits(rng.standard_normal((ROWS, INNER)), "bfloat16")
    small = simt.to_bits(rng.standard_normal((INNER, 8)), "bfloat16")
    columns = ROWS if kernel.symmetric else 8
    c[:, :columns] = 0x7FFF
    sizes: dict[str, Any] = {"rows": ROWS, "inner": INNER, "ld_out": APART, "d": 0, "alpha": 1.0, "beta": 0.0}
    if kernel.symmetric:
        sizes |= {"ld_in": APART, "batch": 1, "gamma": 0.0}
    else:
        sizes |= {"columns": columns, "ld_a": APART, "ld_b": columns}
    where = {"a": a.ctypes.data, "b": a.ctypes.data if kernel.symmetric else small.ctypes.data, "c": c.ctypes.data}
    arguments = kernel.arguments(**where, **sizes)
    simt.launch(kernel.build("bfloat16"), kernel.grid(ROWS, columns), kernel.threads, arguments, [room, small])
    x = simt.to_float(a[:, :INNER], "bfloat16")
    exact = x @ (x.T if kernel.symmetric else simt.to_float(small, "bfloat16"))
    return bool(np.allclose(simt.to_float(c[:, :columns], "bfloat16"), exact, rtol=2.0**-8, atol=1e-5))


@pytest.mark.parametrize("module", [symgemm_mma, gemm_mma], ids=["symmetric", "general"])
def test_addresses_have_64_bits(room: Any, module: Any) -> None:
    assert right(room, module)


@pytest.mark.parametrize("name", FAULTS)
def test_addresses_of_32_bits_are_caught(room: Any, name: str) -> None:
    module, old, new = FAULTS[name]
    with simt.planted(module, old, new, tuple(one for one in CHAINS[name] if one is not module)) as copy:
        assert not right(room, copy)
