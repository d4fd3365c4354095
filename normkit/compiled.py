"""A norm compiled once, called often: the form for hot loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from normkit.arrays import Array, NanPolicy, own_type
from normkit.codegen.plan import Program
from normkit.descent import dualize, dualize_with_value, value
from normkit.programs import kernel, program, required

if TYPE_CHECKING:
    from normkit.norm import Norm


@dataclass(frozen=True)
class Compiled:
    """The dualize map of one norm on one back end; specialised for a dtype at the first call with it.

    Calling it gives ``dualize(N, g)``; `with_value` adds the dual norm, `value` is N itself; all take batches.

    Examples
    --------
    >>> import normkit as nk
    >>> k = nk.compile("linf")
    >>> t, dual_norm = k.with_value([3.0, -4.0])
    >>> t, float(dual_norm)
    (array([ 1., -1.]), 7.0)
    """

    program: Program
    backend: str = "auto"

    def __call__(self, g: Any, *, out: Array | None = None, nan_policy: NanPolicy = "raise") -> Any:
        """Return argmax of <g, t> over N(t) <= 1."""
        return dualize(self.program, g, out=out, backend=self.backend, nan_policy=nan_policy)

    def with_value(self, g: Any, *, out: Array | None = None, nan_policy: NanPolicy = "raise") -> tuple[Any, Any]:
        """Return (dualize(g), N*(g)) from one pass."""
        made = dualize_with_value(self.program, g, out=out, backend=self.backend, nan_policy=nan_policy)
        return own_type(made.array, g), made.dual_norm

    def value(self, x: Any, *, nan_policy: NanPolicy = "raise") -> Any:
        """Return N(x)."""
        return value(self.program, x, backend=self.backend, nan_policy=nan_policy)

    @property
    def source(self) -> str:
        """The Python source that runs for float32."""
        return kernel(required(self.program.dual), np.dtype(np.float32), self.backend).source

    def __repr__(self) -> str:
        return f"compile({self.program.spec!r}, backend={self.backend!r})"


def compile(norm: Norm | str | Program, backend: str = "auto") -> Compiled:
    """Return the dualize map of a norm as a callable kernel.

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

    made = program(norm)
    required(made.dual)
    find(backend)
    return Compiled(made, backend)
