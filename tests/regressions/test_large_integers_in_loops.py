"""Decimals squared make integers of 25 digits, which compiled code does not take; they are printed as floats."""

from __future__ import annotations

import numpy as np
import pytest

import normkit as nk


@pytest.mark.parametrize("spec", ["57/50*l1 + 2.2139052683488*l2", "max(1.2345678912345*linf, 2.2139052683488*l2)"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_back_ends_agree_on_coefficients_of_many_digits(spec: str, dtype: str) -> None:
    g = np.array([3.0, -1.0, 0.25, 2.0], dtype=dtype)
    plain, compiled = (nk.dualize(spec, g, backend=name) for name in ("reference", "cpu"))
    np.testing.assert_allclose(compiled, plain, rtol=4 * np.finfo(dtype).eps)
    assert nk.certify(spec, g, compiled, backend="cpu").holds(8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("spec", ["linf + 1e40*l2", "max(l1, 3/2*l2)", "topk(2) + 1e-20*l2", "lp(3) + 1e20*lp(4)"])
@pytest.mark.parametrize("factor", ["1e100", "1e-100"])
def test_coefficients_far_from_one_are_divided_out(spec: str, factor: str) -> None:
    g = np.array([1.0, 2.0, 3.0])
    whole = nk.norm(spec)
    parts = tuple(nk.norm(factor + "*l1").factor * part for part in whole.parts)  # type: ignore[attr-defined]
    norm = type(whole)(parts)  # type: ignore[call-arg]
    assert nk.dual_value(norm, g) * float(factor) == pytest.approx(nk.dual_value(whole, g), rel=1e-13)
    assert nk.certify(norm, g, nk.dualize(norm, g)).holds(1e-13)


def test_coefficients_too_far_apart_are_refused() -> None:
    for spec in ("1e-60*linf + 1e100*l2", "1e-200*l1 + 1e180*l2", "max(1e-50*topk(2), 1e20*l2)"):
        with pytest.raises(nk.ParameterError, match="more than 10"):
            nk.dual_value(spec, [1.0, 2.0, 3.0])
