"""Products over disjoint blocks of a vector, and sparse-group norms as one of them."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Expr, Integer, Rational

from normkit.calculus.blocks import as_blocks, group_weights
from normkit.calculus.mixed import require_outer
from normkit.calculus.parted import Parted
from normkit.calculus.sums import Plus
from normkit.catalogue.lp import L1, L2, Linf, Lp
from normkit.catalogue.quadratic import Quadratic
from normkit.catalogue.ranked import TopK
from normkit.constants import positive
from normkit.errors import NoClosedForm, ParameterError
from normkit.functional import Functional
from normkit.linear import Select
from normkit.norm import Dual, Norm, Scaled, Theorem
from normkit.parameter import Parameter


class Groups(Parted, name="groups"):
    r"""outer(N_1(x_1), ..., N_k(x_k)) on disjoint blocks of the indices 0, 1, ...; block weights scale the inner norms.

    One inner norm serves all blocks, or there is one per block. The outer norm must be monotone in the magnitudes, so
    that its dual is its polar on the orthant of block norms. Of sqrt(c' M c) with M >= 0 entrywise, which is monotone
    on the orthant only, that polar is a quadratic program: then the value is explicit and the dual is not.
    """

    blocks: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if not _positive_form(self.outer):
            require_outer(self.outer, "groups")
        blocks = as_blocks(self.blocks, "groups", disjoint=True)
        object.__setattr__(self, "blocks", blocks)
        self._check(len(blocks))
        for norm, block in zip(self.inners, blocks, strict=True):
            if norm.ndim != 1 or norm.length not in (None, len(block)):
                raise ParameterError(f"groups: {norm} is no norm of vectors with the {len(block)} entries of a block")

    @property
    def takes(self) -> tuple[Select, ...]:
        """The map from the vector to every block."""
        return tuple(Select(block, self.length) for block in self.blocks)

    @property
    def length(self) -> int:
        return sum(map(len, self.blocks))

    @property
    def dual(self) -> Norm:
        if not self.outer.absolute:
            return Dual(self)
        return super().dual

    def dual_value(self) -> Functional:
        if not self.outer.absolute:
            raise NoClosedForm(
                f"the dual of {self} is a quadratic program over the orthant, max <s, c> over c >= 0 with "
                "sqrt(c' M c) <= 1, not sqrt(s' M^-1 s). Closed: a diagonal M, l1, l2, linf, lp, topk, owl",
                "solver",
            )
        return super().dual_value()

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
