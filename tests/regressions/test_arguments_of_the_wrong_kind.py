"""What is no norm, no expression, or a plugin that fails is said in one line, and harms nothing else."""

from __future__ import annotations

import time
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest

import normkit as nk
from normkit import registry
from normkit.update import certified_update


@pytest.mark.parametrize(("norm", "says"), [(3, "got int"), (nk.Linf, "got the class Linf"), (None, "got NoneType")])
def test_no_norm(norm: Any, says: str) -> None:
    with pytest.raises(nk.SpecError, match=says):
        nk.dualize(norm, np.ones(2))


def test_no_expression() -> None:
    with pytest.raises(nk.ParameterError, match=r"^expected a number or an expression; got 'x \+'$"):
        nk.Orlicz("x +")


def test_cost_class_takes_a_spec() -> None:
    assert nk.cost_class("rms->rms") == "svd"


@pytest.mark.parametrize(
    "spec", ["orlicz(sinh(64*x))", "orlicz(sqrt(1 + tanh(64*x)**2) - 1)", "amemiya(cosh(64*x) - 1)"]
)
def test_large_multiples_in_hyperbolic_functions_come_to_an_end(spec: str) -> None:
    start = time.process_time()
    try:
        nk.norm(spec)
    except nk.NormkitError as error:
        assert "\n" not in str(error)
    assert time.process_time() - start < 10


def test_a_plugin_that_fails_is_named_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("broken", "no_such_package.norms", "normkit.norms")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [broken] if group == "normkit.norms" else [])
    monkeypatch.setattr(registry, "_loaded", False)
    with pytest.warns(UserWarning, match=r"the norm 'broken' of no_such_package.norms could not be loaded: ModuleNot"):
        assert "l1" in nk.norms()


def test_a_step_beyond_the_range_is_an_error_and_no_warning() -> None:
    g = np.array([3.0, -4.0])
    with pytest.raises(nk.NonFiniteError, match="the step overflows float64"):
        certified_update("linf", g, convention="sharp", sharpness=1e-320)
    assert np.isinf(certified_update("linf", g, convention="lmo", radius=1e308).pairing)
