"""Products over disjoint blocks of a vector, and sparse-group norms as one of them."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Expr, Integer, Rational

from normkit.calculus.blocks import as_blocks, group_weights
from normkit.calculus.mixed import PRODUCT, require_outer
from normkit.calculus.sums import Plus
from normkit.catalogue.lp import L1, L2, Linf, Lp
from normkit.catalogue.quadratic import Quadratic
from normkit.catalogue.ranked import TopK
from normkit.constants import positive
from normkit.errors import NoClosedForm, ParameterError
from normkit.functional import Combine, Functional, Map
from normkit.linear import Linear, Select
from normkit.norm import Decomposition, Dual, Norm, Scaled, Theorem
from normkit.parameter import Parameter


class Groups(Norm, name="groups"):
    r"""outer(N_1(x_1), ..., N_k(x_k)) on disjoint blocks of the indices 0, 1, ...; block weights scale the inner norms.

    One inner norm serves all blocks, or there is one per block. The outer norm must be monotone in the magnitudes, so
    that its dual is its polar on the orthant of block norms. Of sqrt(c' M c) with M >= 0 entrywise, which is monotone
    on the orthant only, that polar is a quadratic program: then the value is explicit and the dual is not.
    """

    outer: Norm
    inner: tuple[Norm, ...]
    blocks: tuple[tuple[int, ...], ...]
    theorem = PRODUCT

    def __post_init__(self) -> None:
        if not _positive_form(self.outer):
            require_outer(self.outer, "groups")
        blocks = as_blocks(self.blocks, "groups", disjoint=True)
        inner = self.inner if isinstance(self.inner, tuple) else (self.inner,)
        if len(inner) not in (1, len(blocks)):
            raise ParameterError(
                f"groups needs one inner norm, or one for each of {len(blocks)} blocks; got {len(inner)}"
            )
        object.__setattr__(self, "inner", inner[:1] if len(set(inner)) == 1 else inner)
        object.__setattr__(self, "blocks", blocks)
        if self.outer.length not in (None, len(blocks)):
            raise ParameterError(
                f"groups: the outer norm {self.outer} takes {self.outer.length} blocks; got {len(blocks)}"
            )
        for norm, block in zip(self.inners, blocks, strict=True):
            if norm.ndim != 1 or norm.length not in (None, len(block)):
                raise ParameterError(f"groups: {norm} is no norm of vectors with the {len(block)} entries of a block")

    @property
    def inners(self) -> tuple[Norm, ...]:
        """The norm of every block."""
        return self.inner * len(self.blocks) if len(self.inner) == 1 else self.inner

    @property
    def selections(self) -> tuple[Select, ...]:
        """The map from the vector to every block."""
        return tuple(Select(block, self.length) for block in self.blocks)

    @property
    def length(self) -> int:
        return sum(map(len, self.blocks))

    @property
    def absolute(self) -> bool:
        return all(norm.absolute for norm in self.inner)

    def value(self) -> Functional:
        parts = (Map(take, norm.value()) for take, norm in zip(self.selections, self.inners, strict=True))
        return Combine(self.outer.value(), tuple(parts))

    @property
    def dual(self) -> Norm:
        if not self.outer.absolute:
            return Dual(self)
        return Groups(self.outer.dual, tuple(norm.dual for norm in self.inner), self.blocks)

    def dual_value(self) -> Functional:
        if not self.outer.absolute:
            raise NoClosedForm(
                f"the dual of {self} is a quadratic program over the orthant, max <s, c> over c >= 0 with "
                "sqrt(c' M c) <= 1, not sqrt(s' M^-1 s). Closed: a diagonal M, l1, l2, linf, lp, topk, owl",
                "solver",
            )
        parts = (Map(take, norm.dual_value()) for take, norm in zip(self.selections, self.inners, strict=True))
        return Combine(self.outer.dual_value(), tuple(parts))

    def synthesis(self) -> Decomposition | None:
        if not _has_value(self.outer):
            return None
        scatters: list[Linear | None] = [take.adjoint for take in self.selections]
        return self.outer, tuple(zip(scatters, self.inners, strict=True))

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        blocks = ((0, 3), (1, 2, 5), (4,))
        yield cls(L1(), (L2(),), blocks)
        yield cls(Linf(), (L1(), 2 * L2(), Linf()), blocks)
        yield cls(TopK(2), (Lp(3),), blocks)


def _positive_form(norm: Norm) -> bool:
    """Tell whether a norm is a multiple of sqrt(c' M c) with M >= 0 entrywise: monotone on the orthant."""
    plain = norm.of if isinstance(norm, Scaled) else norm
    return isinstance(plain, Quadratic) and min(plain.matrix) >= 0


def _has_value(norm: Norm) -> bool:
    try:
        norm.value()
    except NoClosedForm:
        return False
    return True


class SparseGroup(Norm, name="sgl"):
    r"""a |x|_1 + b sum_k w_k |x_k|_2 over disjoint groups: the sparse-group lasso norm.

    It is the sum over the groups of a*l1 + b w_k*l2; its dual norm is the largest of theirs, each found after sorting
    one group.
    """

    blocks: tuple[tuple[int, ...], ...]
    a: Expr
    b: Expr
    weights: Parameter = Parameter.of([1.0])
    theorem = Theorem(
        "sparse-group lasso", r"N^*(g)=\max_k\bigl(a\|\cdot\|_1+bw_k\|\cdot\|_2\bigr)^*(g_k)", "ndiaye2016gap"
    )

    def __post_init__(self) -> None:
        blocks = as_blocks(self.blocks, "sgl", disjoint=True)
        object.__setattr__(self, "blocks", blocks)
        object.__setattr__(self, "a", positive(self.a, "the a of sgl"))
        object.__setattr__(self, "b", positive(self.b, "the b of sgl"))
        object.__setattr__(self, "weights", group_weights(self.weights, blocks, "sgl"))

    @property
    def length(self) -> int:
        return sum(map(len, self.blocks))

    @property
    def absolute(self) -> bool:
        return True

    def lowered(self) -> Groups:
        """Return the same norm as a product over the groups."""
        inner = (Plus((self.a * L1(), self.b * weight * L2())) for weight in self.weights)
        return Groups(L1(), tuple(inner), self.blocks)

    def value(self) -> Functional:
        return self.lowered().value()

    def dual_value(self) -> Functional:
        return self.lowered().dual_value()

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        blocks = ((0, 1, 2), (3, 4), (5,))
        yield cls(blocks, Integer(1), Rational(1, 2), Parameter.of([1, 2, 1]))
