"""A norm compiled once, called often: the form for hot loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from normkit import blockwise
from normkit.arrays import NanPolicy, own_type
from normkit.codegen.plan import Plan, Product, Program
from normkit.descent import dualize, dualize_with_value, value
from normkit.programs import kernel, product, program, required

if TYPE_CHECKING:
    from normkit.norm import Norm


@dataclass(frozen=True)
class Compiled:
    """The dualize map of one norm on one back end; specialised for a dtype at the first call with it.

    Calling it gives ``dualize(N, g)``; `with_value` adds the dual norm, `value` is N itself; all take batches, or
    mappings if the norm is one of named arrays.

    Examples
    --------
    >>> import normkit as nk
    >>> k = nk.compile("linf")
    >>> t, dual_norm = k.with_value([3.0, -4.0])
    >>> t, float(dual_norm)
    (array([ 1., -1.]), 7.0)
    """

    program: Program | Product
    backend: str = "auto"

    def __call__(self, g: Any, *, out: Any = None, nan_policy: NanPolicy = "raise") -> Any:
        """Return argmax of <g, t> over N(t) <= 1."""
        return dualize(self._norm, g, out=out, backend=self.backend, nan_policy=nan_policy)

    def with_value(self, g: Any, *, out: Any = None, nan_policy: NanPolicy = "raise") -> tuple[Any, Any]:
        """Return (dualize(g), N*(g)) from one pass."""
        if isinstance(self.program, Product):
            options: dict[str, Any] = {"out": out, "backend": self.backend, "nan_policy": nan_policy}
            maps, measured = blockwise.run(self.program, g, lambda of: of.shares, **options)
            return maps, measured.dual_norm
        made = dualize_with_value(self.program, g, out=out, backend=self.backend, nan_policy=nan_policy)
        return own_type(made.array, g), made.dual_norm

    def value(self, x: Any, *, nan_policy: NanPolicy = "raise") -> Any:
        """Return N(x)."""
        return value(self._norm, x, backend=self.backend, nan_policy=nan_policy)

    @property
    def source(self) -> str:
        """The Python source that runs for float32; of named arrays, that of every distinct part and the outer norm."""
        float32 = np.dtype(np.float32)
        return "\n\n".join(kernel(plan, float32, self.backend).source for plan in _plans(self.program))

    @property
    def _norm(self) -> Any:
        """The program as the functions of `descent` take it: they tell one of named arrays by themselves."""
        return self.program

    def __repr__(self) -> str:
        return f"compile({self.program.spec!r}, backend={self.backend!r})"


def _plans(of: Program | Product) -> list[Plan]:
    """Return the plans of the dual norm, which there must be."""
    if isinstance(of, Product):
        return [required(part.dual) for part in (*of.programs, of.outer)]
    return [required(of.dual)]


def compile(norm: Norm | str | Program, backend: str = "auto") -> Compiled:
    """Return the dualize map of a norm as a callable kernel; of a `Modular` norm one that takes mappings.

    Parameters
    ----------
    norm : Norm or str
        A norm or its spec.
    backend : str
        ``"auto"``, ``"cpu"``, ``"reference"``, or a third party's.

    Raises
    ------
    NoClosedForm
        If the dual norm has no closed form.
    BackendError
        If the back end is unknown or cannot run here.

    Examples
    --------
    >>> import normkit as nk
    >>> k = nk.compile("rows(linf, l2)")
    >>> k([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    from normkit.backends import backend as find

    made = product(norm) or program(norm)
    _plans(made)
    find(backend)
    return Compiled(made, backend)
