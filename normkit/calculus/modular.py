"""Norms of whole models: the product rule on named arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from normkit.calculus.mixed import PRODUCT, require_outer
from normkit.errors import ParameterError
from normkit.functional import Combine, Functional, Map
from normkit.linear import Pick
from normkit.names import flat, listed
from normkit.norm import Blocks, Norm, as_norm, scale


class Modular(Norm):
    r"""outer(s_1 N_1(W_1), ..., s_k N_k(W_k)) of named arrays W_1, ..., W_k: one norm for a whole model.

    With d_l = N_l\*(G_l) / s_l and c = dualize of the outer norm at d: the dual norm is outer\*(d), and the dualize map
    is T_l = (c_l / s_l) t_l(G_l). A block whose gradient is zero stays zero; where all are, so does everything. For an
    outer ``linf`` every c_l is 1: all blocks share one step N\*(G) / sharpness. For ``l2`` the blocks decouple. For
    ``l1`` one block moves, at a tie the first in the order in which the blocks were declared.

    It takes and gives mappings: dicts of arrays, what `numpy.load` makes of ``.npz``, state dicts, nested dicts as JAX
    has them (the names are then joined by ``/``). ``N(W)`` and ``N.dual(G)`` are float64 scalars.

    Parameters
    ----------
    parts : mapping of str to Norm or str
        A norm, or its spec, for the array of each name. Nested mappings are joined by ``/``.
    outer : Norm or str
        A vector norm that is monotone in the magnitudes; its entries are the blocks in their order.
    scales : mapping of str to number
        What the norms are multiplied with; 1 where a name is missing.

    Raises
    ------
    ParameterError
        For no parts, names that are no texts or occur twice, a scale that is not positive or of an unknown name, or an
        outer norm that is not monotone or takes another number of blocks.

    Examples
    --------
    >>> import numpy as np
    >>> import normkit as nk
    >>> N = nk.Modular({"w": "rms->rms", "b": "rms"}, outer="linf", scales={"b": 2})
    >>> G = {"w": np.array([[3.0, 0.0], [0.0, 4.0]]), "b": np.array([0.0, 1.0])}
    >>> round(float(N.dual(G)), 9)  # 3 + 4 + sqrt(2) / 2
    7.707106781
    >>> {name: t.round(6).tolist() for name, t in nk.dualize(N, G).items()}
    {'w': [[1.0, 0.0], [0.0, 1.0]], 'b': [0.0, 0.707107]}
    """

    outer: Norm
    names: tuple[str, ...]
    norms: tuple[Norm, ...]
    theorem = PRODUCT
    _hash: ClassVar[int]

    def __init__(
        self,
        parts: Mapping[str, Any],
        outer: Norm | str = "linf",
        scales: Mapping[str, Any] | None = None,
    ) -> None:
        factors = dict(flat(scales or {}, "the scales of a modular norm"))
        named = dict(flat(parts, "a modular norm"))
        unknown = [name for name in factors if name not in named]
        if unknown:
            raise ParameterError(f"the scales of a modular norm name {unknown[0]!r}; its parts are {listed(named)}")
        norms = (_part(name, norm, factors.get(name, 1)) for name, norm in named.items())
        self._set(as_norm(outer), tuple(named), tuple(norms))

    def _set(self, outer: Norm, names: tuple[str, ...], norms: tuple[Norm, ...]) -> None:
        if not names:
            raise ParameterError("a modular norm needs at least one named part, such as {'w': 'rms->rms'}; got none")
        require_outer(outer, "a modular norm")
        if outer.length not in (None, len(names)):
            raise ParameterError(f"the outer norm {outer} takes {outer.length} blocks; got {len(names)}")
        for field, value in (("outer", outer), ("names", names), ("norms", norms)):
            object.__setattr__(self, field, value)
        # Programs are looked up by the norm, and a model may have thousands of parts: they are hashed once.
        object.__setattr__(self, "_hash", hash((outer, names, norms)))

    def __hash__(self) -> int:
        return int(self._hash)

    def __reduce__(self) -> tuple[Any, ...]:
        return Modular.of, (self.outer, self.names, self.norms)

    @classmethod
    def of(cls, outer: Norm, names: tuple[str, ...], norms: tuple[Norm, ...]) -> Modular:
        """Return the norm of names and norms that have been taken apart already."""
        made = object.__new__(cls)
        made._set(outer, names, norms)
        return made

    @property
    def parts(self) -> dict[str, Norm]:
        """The norm of every name, times its scale."""
        return dict(zip(self.names, self.norms, strict=True))

    @property
    def ndim(self) -> int:
        return 0

    def named_blocks(self) -> Blocks:
        return self.outer, tuple(zip(self.names, self.norms, strict=True))

    def value(self) -> Functional:
        parts = (Map(Pick(name), norm.value()) for name, norm in self.parts.items())
        return Combine(self.outer.value(), tuple(parts))

    @property
    def dual(self) -> Norm:
        return Modular.of(self.outer.dual, self.names, tuple(norm.dual for norm in self.norms))

    def dual_value(self) -> Functional:
        parts = (Map(Pick(name), norm.dual_value()) for name, norm in self.parts.items())
        return Combine(self.outer.dual_value(), tuple(parts))

    def __mul__(self, factor: Any) -> Norm:
        return Modular.of(self.outer, self.names, tuple(scale(factor, norm) for norm in self.norms))

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> Norm:
        return Modular.of(self.outer, self.names, tuple(norm / divisor for norm in self.norms))

    def __add__(self, other: Norm) -> Norm:
        raise ParameterError("norms of named arrays are not added; give one modular norm with outer='l1'")

    def __str__(self) -> str:
        shown = ", ".join(f"{name!r}: {norm}" for name, norm in self.parts.items())
        return f"modular({{{shown}}}, outer={self.outer})"


def _part(name: str, norm: Any, factor: Any) -> Norm:
    if not isinstance(norm, Norm | str):
        raise ParameterError(f"the part {name!r} of a modular norm is a norm or a spec; got a {type(norm).__name__}")
    made = as_norm(norm)
    if made.named_blocks() is not None:
        raise ParameterError(f"the part {name!r} is itself a norm of named arrays; join the two into one mapping")
    try:
        return scale(factor, made)
    except ParameterError as error:
        raise ParameterError(f"the scale of {name!r}: {error}") from error
