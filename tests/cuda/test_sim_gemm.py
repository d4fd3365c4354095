"""The float32 products in numba's CUDA simulator, which has to be chosen before numba is imported: another process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba_cuda", reason="the simulator is part of numba-cuda: pip install 'normkit[cuda]'")

HERE = Path(__file__).parent
PROGRAM = """
import numpy as np
from numba import cuda
from cuda_products import Product
from normkit.backends.cuda.kernels import gemm_f32

general = Product(gemm_f32.GEMM, 5, 20, 2, 2.0, -4.775, columns=37, dtype="float32")
symmetric = Product(gemm_f32.SYMGEMM, 66, 17, 1, 2.0, -4.775, 3.5, dtype="float32", other=True)
wrong = Product(gemm_f32.SYMGEMM, 6, 17, 1, 2.0, 0.0, dtype="float32")
for product in (general, symmetric, wrong):
    kernel, arguments = product.kernel, list(product.arguments())
    arguments[:4] = [x.reshape(-1) for x in (product.a, product.b, product.d, product.c)]
    if product is wrong:
        arguments[7] = np.int32(5)  # a row is forgotten
    with np.errstate(all="ignore"):
        grid = kernel.grid(product.rows, product.columns, product.batch)
        cuda.jit(kernel.build("float32"))[grid[0], kernel.threads](*arguments)
    print(product.right())
"""


def test_float32_products_in_the_simulator() -> None:
    """Two ragged products are right; one that was told a row too few is not."""
    paths = [str(HERE.parent.parent), str(HERE)]
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": os.pathsep.join(paths)}
    run = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert run.stdout.split() == ["True", "True", "False"], run.stderr
