"""The subject of a check: a norm on items of one shape and dtype on one back end, with its answers computed once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit import descent
from normkit.backends.linear import apply
from normkit.codegen.plan import AtomicPlan, LiftPlan, MapPlan, Missing, Plan
from normkit.cost import CostClass, cost_class
from normkit.linear import Flatten, Transpose
from normkit.norm import Norm
from normkit.programs import program
from normkit.testing.inputs import Precision, inputs
from normkit.testing.report import Finding

Floats = NDArray[np.float64]

SLACK: dict[CostClass, float] = {"closed": 4, "sort": 8, "root": 32, "svd": 32, "solver": 1e9, "hard": 1e9}
"""The constant c of the tolerance c * sqrt(size) * eps, per cost class."""


@dataclass(frozen=True, eq=False)
class Subject:
    """What laws ask: `value`, `dual` and `map` of batches, and the sample `g` with its maps `t`."""

    norm: Norm
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    backend: str
    seed: int
    slack: float

    # --- the sample ---

    @cached_property
    def sample(self) -> dict[str, NDArray[Any]]:
        """The inputs by name, in the subject's dtype and in the subspace that the norm lives on; none is zero."""
        named = {name: self.within(x).astype(self.dtype) for name, x in inputs(self.shape, self.seed).items()}
        return {name: x for name, x in named.items() if x.any()}

    def within(self, x: Floats) -> Floats:
        """Return x, or twice its projection (exact for integers) if the norm lives on a subspace of matrices."""
        subspace = self.norm.subspace
        return x if subspace is None else 2 * apply(subspace, x, x.shape)

    def noise(self, x: Floats, level: float, seed: int = 0) -> Floats:
        """Return a random batch, each item `level` times as large as that item of x."""
        draw = np.random.default_rng([self.seed, seed, x.size])
        raw = np.stack([self.within(item) for item in draw.standard_normal(x.shape)])
        axes = tuple(range(1, x.ndim))
        return np.asarray(level * np.max(np.abs(x), axis=axes, keepdims=True) * raw)

    @cached_property
    def names(self) -> list[str]:
        """The names of the inputs."""
        return list(self.sample)

    @cached_property
    def g(self) -> NDArray[Any]:
        """The inputs as a batch."""
        return np.stack(list(self.sample.values()))

    @cached_property
    def wide(self) -> Floats:
        """The inputs in float64."""
        return self.g.astype(np.float64)

    @cached_property
    def t(self) -> NDArray[Any]:
        """The dualize map of every input."""
        return self.map(self.g)

    @cached_property
    def dual_norms(self) -> Floats:
        """N* of every input."""
        return self.dual(self.g)

    # --- questions ---

    @cached_property
    def knows_value(self) -> bool:
        """Whether N has an explicit value."""
        return not isinstance(program(self.norm).value, Missing)

    @cached_property
    def knows_dual(self) -> bool:
        """Whether N* has an explicit value."""
        return not isinstance(program(self.norm).dual, Missing)

    def value(self, x: NDArray[Any]) -> Floats:
        """N of a batch."""
        return np.asarray(descent.value(self.norm, x, backend=self.backend))

    def dual(self, g: NDArray[Any]) -> Floats:
        """N* of a batch."""
        return np.asarray(descent.dual_value(self.norm, g, backend=self.backend))

    def map(self, g: NDArray[Any], norm: Norm | None = None) -> NDArray[Any]:
        """Dualize a batch, by this norm or another."""
        return np.asarray(descent.dualize(norm or self.norm, g, backend=self.backend))

    def pairing(self, g: NDArray[Any], t: NDArray[Any]) -> Floats:
        """<g, t> of every item, in float64."""
        axes = tuple(range(1, g.ndim))
        return np.asarray(np.sum(g.astype(np.float64) * t.astype(np.float64), axis=axes))

    # --- measure ---

    @cached_property
    def cost(self) -> CostClass:
        """The dearest cost class of what the norm states: of N* and, as the dual of N*, of N."""
        stated = [cost_class(self.norm)] * self.knows_dual + [cost_class(self.norm.dual)] * self.knows_value
        return max(stated, key=list(SLACK).index)

    @cached_property
    def stages(self) -> tuple[Plan, ...]:
        """The stages of the map; none if N* has no explicit value."""
        plan = program(self.norm).dual
        return () if isinstance(plan, Missing) else tuple(plan.walk())

    @cached_property
    def singular(self) -> bool:
        """Whether singular vectors enter the map: they are unique only up to sign and rotation."""
        return any(isinstance(stage, LiftPlan) for stage in self.stages)

    @cached_property
    def entrywise(self) -> bool:
        """Whether ties are between entries, rows or columns in their order, not between atoms or groups."""
        plain = (Transpose, Flatten)
        atoms = any(isinstance(stage, AtomicPlan) for stage in self.stages)
        return not atoms and all(isinstance(s.linear, plain) for s in self.stages if isinstance(s, MapPlan))

    @cached_property
    def precision(self) -> Precision:
        """The precision of the dtype."""
        return Precision.of(self.dtype)

    @cached_property
    def tolerance(self) -> float:
        """c * sqrt(size) * eps."""
        size = prod(self.shape)
        return self.slack * SLACK[self.cost] * sqrt(size) * self.precision.eps

    def where(self, name: str) -> str:
        """Name an input in full."""
        return f"{name} {'x'.join(map(str, self.shape))} {self.dtype.name} {self.backend}"

    def findings(
        self, law: str, residuals: Any, *, tolerance: float | None = None, detail: str = ""
    ) -> Iterator[Finding]:
        """Yield one finding per input of the sample."""
        limit = self.tolerance if tolerance is None else tolerance
        for name, residual in zip(self.names, np.broadcast_to(residuals, (len(self.names),)), strict=True):
            yield Finding(law, self.where(name), float(residual), limit, detail)

    def finding(
        self, law: str, name: str, residual: float, *, tolerance: float | None = None, detail: str = ""
    ) -> Finding:
        """Return one finding on a named input."""
        limit = self.tolerance if tolerance is None else tolerance
        return Finding(law, self.where(name), float(residual), limit, detail)
