"""Equal norms in other words: coefficients and exponents keep one form, gauges are found through every wrapper."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import oracle_dual

import normkit as nk
from normkit.functional import rows


@pytest.mark.parametrize(
    "spec",
    ["1/2/(n+1)*l1", "sqrt(2)*lp(sqrt(2))", "schatten(sqrt(3))", "1/(2*n+4)*linf", "(n + m)*spectral", "lp(7/5)"],
)
def test_the_dual_of_the_dual_is_the_norm(spec: str) -> None:
    norm = nk.norm(spec)
    assert norm.dual.dual == norm
    assert nk.norm(str(norm)) == norm and nk.norm(str(norm.dual)) == norm.dual


@pytest.mark.parametrize(
    "spec",
    [
        "max(2*(rms->rms), fro)",
        "max(n*(rms->rms), fro)",
        "infconv(rms->rms, fro)",
        "ballsum(rms->rms, nuclear)",
        "max(transpose(rms->rms), fro)",
        "transpose(m*spectral) + nuclear",
    ],
)
def test_gauges_are_found_through_wrappers(spec: str) -> None:
    norm, g = nk.norm(spec), np.random.default_rng(0).standard_normal((2, 3))
    assert nk.dual_value(norm, g) == pytest.approx(oracle_dual(norm, g), rel=1e-6)
    assert nk.certify(norm, g, nk.dualize(norm, g)).holds(1e-12)


@pytest.mark.parametrize("spec", ["ballsum(transpose(nuclear), spectral)", "dual(transpose(rms->rms) + nuclear)"])
def test_a_matrix_and_its_transpose_have_decompositions_of_their_own(spec: str) -> None:
    assert nk.derive(spec).check().holds


def test_the_sides_of_a_matrix_mean_nothing_to_a_vector() -> None:
    for norm in (rows * nk.Linf(), nk.Rows(rows * nk.L1(), nk.L2())):
        with pytest.raises(nk.ParameterError, match="Use m and n"):
            nk.value(norm, np.ones((2, 2)))
    assert nk.value(nk.Lifted(rows * nk.Linf()), np.eye(3)) == 3.0


def test_no_long_row_of_coarse_entries_loses_its_direction() -> None:
    """sqrt(max(m, n)) * eps passes 1 for bfloat16 rows of 16384 entries."""
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="an extra of the tests")
    g = np.random.default_rng(0).standard_normal((2, 16384)).astype(ml_dtypes.bfloat16)
    for backend in ("reference", "cpu"):
        t = nk.dualize("spectral", g, backend=backend)
        assert nk.certify("spectral", g, t).gap < 0.01


@pytest.mark.parametrize(
    ("ask", "g", "options"),
    [
        (nk.steepest_descent, np.full(10, 6e4, np.float16), {}),
        (nk.steepest_descent, np.full(2, 1e38, np.float32), {"sharpness": 1e-30}),
        (nk.lmo, np.ones(4, np.float16), {"radius": 1e6}),
    ],
)
def test_steps_beyond_the_dtype_are_errors(ask: object, g: np.ndarray, options: dict[str, float]) -> None:
    with pytest.raises(nk.NonFiniteError, match="the step overflows float"):
        ask("linf", g, **options)  # type: ignore[operator]


def test_arguments_that_cannot_be_hashed() -> None:
    with pytest.raises(nk.SpecError, match="got list"):
        nk.dualize(["linf"], np.ones(2))  # type: ignore[arg-type]
    with pytest.raises(nk.SpecError, match="got ndarray"):
        nk.dualize(np.ones(2), "linf")  # type: ignore[arg-type]
    with pytest.raises(nk.BackendError, match="got list"):
        nk.dualize("linf", np.ones(2), backend=[])  # type: ignore[arg-type]
    with pytest.raises(nk.ParameterError, match="radius must be"):
        nk.lmo("linf", np.ones(2), radius=10**400)
