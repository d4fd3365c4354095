"""Latent group norms: the cheapest way to write x as a sum of vectors, each supported on one group."""

from __future__ import annotations

from collections.abc import Iterable

from normkit.calculus.blocks import as_blocks, group_weights
from normkit.catalogue.lp import L1, L2, Linf
from normkit.errors import NoClosedForm, ParameterError
from normkit.functional import Combine, Functional, Map, maximum, total
from normkit.functional import a as magnitude
from normkit.linear import Select
from normkit.norm import Decomposition, Norm, Theorem, scale
from normkit.parameter import Parameter


class Latent(Norm, name="latent"):
    r"""inf of sum_k w_k N(v_k) over x = sum of v_k supported on groups that may overlap.

    Its dual norm is max_k N*(g_k) / w_k; dualize is the atom of the winning group (the first of a tie). The value is
    an optimisation problem unless the groups are disjoint.
    """

    of: Norm
    blocks: tuple[tuple[int, ...], ...]
    weights: Parameter = Parameter.of([1.0])
    theorem = Theorem("latent group norm", r"N^*(g)=\max_k N_0^*(g_k)/w_k", "obozinski2011group")

    def __post_init__(self) -> None:
        blocks = as_blocks(self.blocks, "latent", disjoint=False)
        object.__setattr__(self, "blocks", blocks)
        object.__setattr__(self, "weights", group_weights(self.weights, blocks, "latent"))
        for block in blocks:
            if self.of.ndim != 1 or self.of.length not in (None, len(block)):
                raise ParameterError(
                    f"latent: {self.of} is no norm of vectors with the {len(block)} entries of a group"
                )

    @property
    def length(self) -> int:
        return max(map(max, self.blocks)) + 1

    @property
    def absolute(self) -> bool:
        return self.of.absolute

    @property
    def parts(self) -> tuple[tuple[Select, Norm], ...]:
        """The map to every group and the norm on it."""
        pairs = zip(self.blocks, self.weights, strict=True)
        return tuple((Select(block, self.length), scale(weight, self.of)) for block, weight in pairs)

    def value(self) -> Functional:
        if sum(map(len, self.blocks)) > self.length:
            raise NoClosedForm(
                f"{self} is an infimum over decompositions: its groups overlap. Its dual norm and dualize map are "
                "explicit; the value is for disjoint groups",
                "solver",
            )
        return Combine(total(magnitude), tuple(Map(take, norm.value()) for take, norm in self.parts))

    def dual_value(self) -> Functional:
        return Combine(maximum(magnitude), tuple(Map(take, norm.dual_value()) for take, norm in self.parts))

    def synthesis(self) -> Decomposition:
        return L1(), tuple((take.adjoint, norm) for take, norm in self.parts)

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        blocks = ((0, 1, 2), (2, 3), (3, 4, 5))
        yield cls(L2(), blocks, Parameter.of([1, 2, 1]))
        yield cls(Linf(), blocks)
