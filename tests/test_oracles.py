"""Law 11: value, dual value and dualize of every registered norm against a conic solver that knows only definitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from oracles import TABLE, oracle_dual, oracle_value

import normkit as nk
from normkit.backends.linear import apply

EXEMPT: dict[str, str] = {
    "dual": "tested with the norm that it is the dual of: oracles.DUALS and oracle_dual",
}
"""Registered norms without an entry in the oracle's table, each with the reason."""

RTOL = 2e-6


def registered() -> Iterator[nk.Norm]:
    for name, cls in nk.norms().items():
        if name not in EXEMPT:
            yield from cls.examples()


def arrays(norm: nk.Norm) -> Iterator[np.ndarray[Any, Any]]:
    """Yield a Gaussian and a tied, sparse integer array of at most 12 entries."""
    free = (5,) if norm.ndim == 1 else (3, 3) if norm.subspace is not None else (3, 2)
    shape = tuple(own or length for own, length in zip(norm.shape, free, strict=True))
    draw = np.random.default_rng(len(str(norm)))
    for x in (draw.standard_normal(shape), draw.integers(-1, 3, shape).astype(np.float64)):
        inside = x if norm.subspace is None else apply(norm.subspace, x, shape)
        if inside.any():
            yield inside


def test_every_registered_norm_has_an_oracle_or_a_reason() -> None:
    names = set(nk.norms())
    assert names - set(TABLE) - set(EXEMPT) == set(), "write an entry in tests/oracles.py, or say in EXEMPT why not"
    assert set(EXEMPT) <= names - set(TABLE)
    assert all(len(reason) > 20 for reason in EXEMPT.values())


def check(norm: nk.Norm, x: np.ndarray[Any, Any]) -> None:
    """Compare whatever the norm states with the solver's answers."""
    exact = oracle_value(norm, x), oracle_dual(norm, x)
    stated = 0
    try:
        assert nk.value(norm, x, backend="reference") == pytest.approx(exact[0], rel=RTOL)
        stated += 1
    except nk.NoClosedForm:
        pass
    try:
        assert nk.dual_value(norm, x, backend="reference") == pytest.approx(exact[1], rel=RTOL)
        t = nk.dualize(norm, x, backend="reference")
        assert float(np.sum(x * t)) == pytest.approx(exact[1], rel=RTOL)
        assert oracle_value(norm, t) == pytest.approx(1.0, rel=10 * RTOL)
        stated += 1
    except nk.NoClosedForm:
        pass
    assert stated, f"{norm} states neither its value nor its dual's"


@pytest.mark.parametrize("norm", list(registered()), ids=str)
def test_value_dual_and_dualize_agree_with_a_conic_solver(norm: nk.Norm) -> None:
    for x in arrays(norm):
        check(norm, x)


@pytest.mark.parametrize("norm", list(registered()), ids=str)
def test_the_dual_norm_agrees_with_a_conic_solver(norm: nk.Norm) -> None:
    """N.dual as a norm of its own: its value is the solver's maximum, its dual the solver's N."""
    x = next(arrays(norm))
    try:
        assert nk.value(norm.dual, x, backend="reference") == pytest.approx(oracle_dual(norm, x), rel=RTOL)
    except nk.NoClosedForm:
        assert nk.dual_value(norm.dual, x, backend="reference") == pytest.approx(oracle_value(norm, x), rel=RTOL)


def test_the_oracle_can_fail() -> None:
    """A wrong answer is told from a right one at these tolerances."""
    x = np.array([1.0, -2.0, 3.0])
    assert oracle_value(nk.norm("topk(2)"), x) == pytest.approx(5.0, rel=RTOL)
    assert oracle_dual(nk.norm("topk(2)"), x) == pytest.approx(3.0, rel=RTOL)
    with pytest.raises(AssertionError):
        assert oracle_dual(nk.norm("lp(3)"), x) == pytest.approx(nk.value("lp(3)", x, backend="reference"), rel=RTOL)
