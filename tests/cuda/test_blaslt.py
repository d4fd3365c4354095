"""What cuBLASLt is told: layouts against NumPy by column-major rules, descriptors against the library itself."""

from __future__ import annotations

import ctypes as ct
from itertools import product
from typing import Any

import numpy as np
import pytest

from normkit.backends.cuda import blaslt
from normkit.backends.cuda.polar.lowering import lower
from normkit.backends.cuda.polar.memory import Place, Places
from normkit.backends.cuda.polar.ops import Gemm, SymGemm
from normkit.backends.cuda.polar.providers.cublas import CuBLASLt, sides
from normkit.errors import MissingExtra


def needs_library() -> Any:
    try:
        return blaslt.library()
    except MissingExtra as error:
        pytest.skip(str(error))


def column_major(flat: Any, rows: int, columns: int, leading: int, distance: int, entry: int) -> Any:
    """The matrix that cuBLASLt sees: entry (i, j) is at i + j * leading."""
    assert leading >= rows
    index = entry * distance + np.arange(rows)[:, None] + leading * np.arange(columns)[None, :]
    return flat[index], index


def by_their_rules(made: blaslt.Sides, a: Any, b: Any, c: Any, alpha: float, beta: float) -> Any:
    (theirs_a, theirs_b, out), d = made.layouts(), np.full(len(c), np.nan)
    for entry in range(made.batch):
        left, right = column_major(b, *theirs_a, entry)[0], column_major(a, *theirs_b, entry)[0]
        left, right = left.T if made.turned_b else left, right.T if made.turned_a else right
        old, where = column_major(c, *out, entry)
        d[where] = alpha * left @ right + beta * old
    return d


def stored(rng: Any, batch: int, rows: int, columns: int, leading: int) -> tuple[Any, Any]:
    """A batch of matrices with rows `leading` apart: flat, and as it is meant."""
    flat = rng.standard_normal(batch * rows * leading)
    return flat, flat.reshape(batch, rows, leading)[:, :, :columns]


@pytest.mark.parametrize("turned_a, turned_b", list(product([False, True], repeat=2)))
def test_row_major_products(turned_a: bool, turned_b: bool) -> None:
    rng, (m, n, k, batch) = np.random.default_rng(0), (5, 7, 3, 2)
    shape_a, shape_b = ((k, m) if turned_a else (m, k)), ((n, k) if turned_b else (k, n))
    steps = (shape_a[1] + 2, shape_b[1], n + 5)
    (a, A), (b, B), (c, C) = (
        stored(rng, batch, *shape, step) for shape, step in zip((shape_a, shape_b, (m, n)), steps, strict=True)
    )
    distances = (shape_a[0] * steps[0], shape_b[0] * steps[1], m * steps[2])
    made = blaslt.Sides(m, n, k, turned_a, turned_b, steps, distances, "float64", batch)
    d = by_their_rules(made, a, b, c, 2.0, -0.5).reshape(batch, m, -1)
    want = 2.0 * (A.swapaxes(1, 2) if turned_a else A) @ (B.swapaxes(1, 2) if turned_b else B) - 0.5 * C
    np.testing.assert_allclose(d[:, :, :n], want)
    assert np.isnan(d[:, :, n:]).all()


def test_products_of_a_plan() -> None:
    plan = lower((3, 6, 11), [(2.0, -1.5, 0.5)] * 3, (2, 1), "float16", "float32", "float32")
    places, rng = Places(plan, 4096, {}), np.random.default_rng(1)
    for op in plan.ops:
        if not isinstance(op, SymGemm | Gemm):
            continue
        (a, A), (b, B), (c, C) = (
            stored(rng, 3, each.rows, each.columns, each.leading) for each in (op.A, op.B, op.out)
        )
        made = sides(op, places)
        d = by_their_rules(made, a, b, c, op.alpha, op.beta).reshape(3, op.out.rows, -1)[:, :, : op.out.columns]
        want = op.alpha * A @ (B.swapaxes(1, 2) if isinstance(op, SymGemm) else B) + op.beta * C
        np.testing.assert_allclose(d, want)
        assert made.alignment == 16


def test_swapped_operands_would_show() -> None:
    rng = np.random.default_rng(2)
    a, b, c = (rng.standard_normal(16) for _ in range(3))
    made = blaslt.Sides(4, 4, 4, False, False, (4, 4, 4), (16, 16, 16), "float64")
    want = a.reshape(4, 4) @ b.reshape(4, 4)
    np.testing.assert_allclose(by_their_rules(made, a, b, c, 1.0, 0.0).reshape(4, 4), want)
    assert np.abs(by_their_rules(made, b, a, c, 1.0, 0.0).reshape(4, 4) - want).max() > 0.1


@pytest.mark.parametrize("dtype", blaslt.REAL)
def test_the_library_takes_the_descriptors(dtype: str) -> None:
    library = needs_library()
    for batch in (1, 64):
        made = blaslt.Product(blaslt.Sides(768, 512, 96, False, True, (96, 96, 512), (1, 1, 1), dtype, batch), None)
        assert len(made._layouts) == 3
    assert library.cublasLtGetVersion() >= 130000


def test_a_wrong_attribute_is_refused_by_the_library() -> None:
    needs_library()
    made = blaslt.Product(blaslt.Sides(8, 8, 8, False, True, (8, 8, 8), (1, 1, 1), "float16"), None)
    with pytest.raises(blaslt.BackendError, match="status"):
        blaslt._set("MatmulDesc", made._product, 9999, ct.c_int32(1))


def test_what_it_cannot_do_is_said() -> None:
    plan = lower((1, 6, 11), [(2.0, -1.5, 0.5)], (1,), "float16", "float16", "float16", direct=True)
    gaps = Places(plan, 4096, {"T": Place(4096, (1, 6, 11), (132, 22, 2), "float16")})
    provider = CuBLASLt(0, None)  # type: ignore[arg-type]
    last = plan.ops[-1]
    assert isinstance(last, Gemm)
    assert "gaps" in str(provider.why_not(last, gaps))
    assert "products alone" in str(provider.why_not(plan.ops[0], gaps))
