"""Norms of an array whose rows are cut into blocks of unequal sizes, such as fused queries, keys and values."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Any

from sympy import Integer

from normkit.calculus.blocks import as_sizes
from normkit.calculus.induced import Induced
from normkit.calculus.mixed import require_outer
from normkit.calculus.parted import Parted
from normkit.catalogue.lp import L1, L2, RMS, Linf
from normkit.catalogue.ranked import TopK
from normkit.catalogue.spectral import Spectral
from normkit.errors import ParameterError
from normkit.linear import Band
from normkit.norm import Norm, as_norm


class RowBlocks(Parted, name="rowblocks"):
    r"""outer(N_1(X_1), ..., N_k(X_k)) of consecutive blocks of rows, as many rows each as `sizes` says.

    ``RowBlocks("linf", "rms->rms", [8, 2, 2])`` is the largest norm of three matrices that lie one below the other in
    one array, each with the scale of its own shape: fused queries, keys and values whose keys and values have fewer
    heads. Blocks of equal sizes are `Slices` as well; blocks of columns, or a layout (in, out), are the `Transposed`
    or `Matricize` of this.

    Parameters
    ----------
    outer : Norm or str
        A vector norm that is monotone in the magnitudes; its entries are the blocks from the top down.
    inner : Norm or str, or a sequence of them
        One norm for all blocks, or one for each. Their ``m`` and ``n`` are the rows and columns of the block.
    sizes : sequence of int
        The number of rows of each block.

    Raises
    ------
    ParameterError
        If the outer norm is not monotone, or there are not as many norms, or rows, as they take.

    Examples
    --------
    >>> import numpy as np
    >>> import normkit as nk
    >>> N = nk.RowBlocks("linf", "rms->rms", [2, 1])
    >>> T = nk.dualize(N, np.array([[3.0, 0.0], [0.0, 4.0], [0.0, 5.0]]))
    >>> T.round(3).tolist()  # sqrt(m/n) times an orthogonal factor, block by block
    [[1.0, 0.0], [0.0, 1.0], [0.0, 0.707]]
    """

    sizes: tuple[int, ...]

    def __init__(self, outer: Norm | str, inner: Any, sizes: Iterable[int]) -> None:
        given = inner if isinstance(inner, tuple | list) else (inner,)
        fields = (("outer", as_norm(outer)), ("inner", tuple(map(as_norm, given))), ("sizes", tuple(sizes)))
        for name, value in fields:
            object.__setattr__(self, name, value)
        require_outer(self.outer, "rowblocks")
        object.__setattr__(self, "sizes", as_sizes(self.sizes, "rowblocks"))
        self._check(len(self.sizes))
        self._check_shapes()

    def _check_shapes(self) -> None:
        kinds = {norm.ndim for norm in self.inner}
        if len(kinds) > 1 or 0 in kinds:
            raise ParameterError(f"rowblocks needs norms of arrays with equally many axes; got {self._listed}")
        for norm, size in zip(self.inners, self.sizes, strict=True):
            if norm.shape[0] not in (None, size):
                raise ParameterError(f"rowblocks: {norm} takes {norm.shape[0]} rows; its block has {size}")
        if any(len(lengths) > 1 for lengths in self._others):
            raise ParameterError(f"rowblocks: the blocks have rows of one length; {self._listed} take others")

    @property
    def _listed(self) -> str:
        return ", ".join(map(str, self.inner))

    @property
    def _others(self) -> list[set[int]]:
        """The lengths that the norms fix, for every axis but the first."""
        axes = zip(*(norm.shape[1:] for norm in self.inner), strict=True)
        return [{length for length in lengths if length is not None} for lengths in axes]

    @property
    def takes(self) -> tuple[Band, ...]:
        """The map from the array to every block."""
        ends = list(accumulate(self.sizes, initial=0))
        return tuple(Band(start, stop, ends[-1]) for start, stop in pairwise(ends))

    @property
    def ndim(self) -> int:
        return self.inner[0].ndim

    @property
    def shape(self) -> tuple[int | None, ...]:
        return (sum(self.sizes), *(next(iter(lengths), None) for lengths in self._others))

    @classmethod
    def examples(cls) -> Iterable[Norm]:
        yield cls(Linf(), Induced(RMS(), RMS()), (2, 1))
        yield cls(L2(), (Spectral(), Induced(L1(), RMS())), (1, 2))
        yield cls(TopK(Integer(2)), L1(), (1, 3, 1))
