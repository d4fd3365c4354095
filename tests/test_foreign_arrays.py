"""Arrays of other libraries come in by DLPack and go back in their own type; NumPy's odd ones keep theirs."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import array_api_strict
import ml_dtypes
import numpy as np
import pytest

import normkit as nk
from normkit.errors import DTypeError, ParameterError, ShapeError

GRADIENT = np.random.default_rng(3).standard_normal((4, 6))


def torch() -> ModuleType:
    return pytest.importorskip("torch", reason="torch is an extra")


def jax() -> ModuleType:
    return pytest.importorskip("jax.numpy", reason="jax is an extra")


def strict() -> ModuleType:
    return array_api_strict


@pytest.mark.parametrize("library", [strict, torch, jax], ids=lambda library: library.__name__)
@pytest.mark.parametrize("spec", ["rms->rms", "max", "rows(linf, l2)"])
def test_the_caller_gets_arrays_of_its_own_library(library: Any, spec: str) -> None:
    xp = library()
    g = xp.asarray(GRADIENT.astype(np.float32))
    made = nk.compile(spec)
    results = {
        "dualize": (nk.dualize(spec, g), nk.dualize(spec, np.asarray(g))),
        "lmo": (nk.lmo(spec, g, radius=0.5), nk.lmo(spec, np.asarray(g), radius=0.5)),
        "sharp": (nk.steepest_descent(spec, g), nk.steepest_descent(spec, np.asarray(g))),
        "kernel": (made(g), made(np.asarray(g))),
        "with value": (made.with_value(g)[0], made.with_value(np.asarray(g))[0]),
    }
    for name, (own, expected) in results.items():
        assert type(own) is type(g) and own.dtype == g.dtype, name
        np.testing.assert_array_equal(np.asarray(own), expected, err_msg=name)
    assert isinstance(nk.value(spec, g), np.float64)
    assert nk.certify(spec, g, results["dualize"][0]).holds(1e-5)
    np.testing.assert_array_equal(np.asarray(g), GRADIENT.astype(np.float32))


def test_torch_bfloat16_goes_by_its_bits() -> None:
    t = torch()
    g = t.tensor(GRADIENT, dtype=t.bfloat16)
    made = nk.dualize("max", g)
    assert made.dtype == t.bfloat16 and bool((made == t.sign(g)).all())


def test_a_tensor_in_a_gradient_graph_is_refused_in_one_line() -> None:
    g = torch().ones(3, requires_grad=True)
    with pytest.raises(DTypeError, match=r"the gradient, a torch.Tensor, cannot be read .* detached"):
        nk.dualize("linf", g)


def test_an_array_on_another_device_is_refused_in_one_line() -> None:
    class Far:
        dtype = "float32"

        def __dlpack__(self, **options: Any) -> Any:
            raise BufferError("the array lies on device 7")

        def __dlpack_device__(self) -> tuple[int, int]:
            return (1, 0)

    with pytest.raises(DTypeError, match=r"a \w+.Far, cannot be read through DLPack: .*CPU memory"):
        nk.value("linf", Far())


# --- NumPy's own ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("spec", ["max", "rms->rms", "entries(lp(3))"])
def test_foreign_byte_order_is_kept(spec: str, backend: str) -> None:
    g = GRADIENT.astype(">f8")
    t = nk.dualize(spec, g, backend=backend)
    assert t.dtype == np.dtype(">f8")
    np.testing.assert_array_equal(t, nk.dualize(spec, GRADIENT, backend=backend))
    out = np.empty_like(g)
    assert nk.dualize(spec, g, out=out, backend=backend) is out
    np.testing.assert_array_equal(out, t)


def test_an_out_that_does_not_fit_is_refused() -> None:
    for out, error in (
        (np.empty((4, 6), np.float32), DTypeError),
        (np.empty((6, 4)), ShapeError),
        ([0.0], DTypeError),
    ):
        with pytest.raises(error, match="out= must be a NumPy array like the gradient"):
            nk.dualize("max", GRADIENT, out=out)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", ml_dtypes.bfloat16], ids=str)
@pytest.mark.parametrize("spec", ["max", "rms->rms", "rows(linf, l2)", "entries(topk(2))", "cols(l1, lp(3))"])
def test_propagate_makes_the_bad_item_nan_and_no_other(spec: str, dtype: Any, backend: str) -> None:
    g = np.stack([GRADIENT, GRADIENT, GRADIENT]).astype(dtype)
    g[1, 2, 3] = np.nan
    t = nk.dualize(spec, g, nan_policy="propagate", backend=backend)
    assert np.isnan(t[1].astype(np.float64)).all()
    np.testing.assert_array_equal(t[0], nk.dualize(spec, g[0], backend=backend))
    np.testing.assert_array_equal(t[2], t[0])
    assert np.isnan(nk.dual_value(spec, g, nan_policy="propagate", backend=backend)).tolist() == [False, True, False]
    with pytest.raises(ParameterError, match="unknown nan_policy 'ignore'; known: raise, propagate"):
        nk.dualize(spec, g, nan_policy="ignore")  # type: ignore[arg-type]
