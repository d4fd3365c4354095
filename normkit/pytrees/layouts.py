"""Which axes of a leaf are its matrix: norms of matrices (out, in) for the kernels (in, out) of JAX libraries."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, get_args

from normkit.errors import ParameterError
from normkit.norm import Norm, as_norm
from normkit.programs import product, required

if TYPE_CHECKING:
    from normkit.calculus.modular import Modular

Layout = Literal["out in", "in out"]
LAYOUTS = get_args(Layout)
SPATIAL = "dhw"
"""The letters of the axes of a convolution kernel; the last ones are used."""


def check_layout(layout: str) -> None:
    """Raise `ParameterError` for an unknown layout."""
    if layout not in LAYOUTS:
        raise ParameterError(f"unknown layout {layout!r}; known: {', '.join(map(repr, LAYOUTS))}")


def in_out(norm: Norm | str, ndim: int = 2) -> Norm:
    """Return a norm of matrices (out, in) as a norm of leaves with the input before the output axis.

    Dense kernels of Flax and Haiku are (in, out), convolution kernels (height, width, in, out); equinox and PyTorch
    have (out, in) and (out, in, height, width). A norm such as ``rms->rms`` has the scale sqrt(in/out), which is turned
    over where the layout is mistaken.

    Parameters
    ----------
    norm : Norm or str
        A norm of matrices with a row for every output; in its scales m is the fan-out, n the fan-in.
    ndim : {2, 3, 4, 5}
        The axes of the leaf; those before the last two are positions of a convolution kernel, and count as inputs.

    Returns
    -------
    Norm
        `Transposed` for two axes, else a `Matricize`.

    Raises
    ------
    ParameterError
        If the norm takes no matrices, or there is no such kernel.

    Examples
    --------
    >>> from normkit.optax import in_out
    >>> str(in_out("rms->rms")), str(in_out("rms->rms", 4))
    ('transpose(rms->rms)', "matricize(rms->rms, 'h w i o', 'o', 'i h w')")
    """
    made = as_norm(norm)
    if made.ndim != 2:
        raise ParameterError(f"a layout is one of matrices; {made} takes {made.ndim} axes")
    if ndim not in (2, 3, 4, 5):
        raise ParameterError(f"a kernel has 2 to 5 axes; got {ndim!r}. Name its axes with Matricize")
    if ndim == 2:
        from normkit.calculus.transpose import Transposed

        return made.of if isinstance(made, Transposed) else Transposed(made)
    from normkit.calculus.axes import Matricize

    space = " ".join(SPATIAL[5 - ndim :])
    return Matricize(made, f"{space} i o", "o", f"i {space}")


@lru_cache(maxsize=64)
def whole(norm: Norm | str, names: tuple[str, ...], axes: tuple[int, ...], layout: str) -> Modular:
    """Return the norm of named leaves with so many axes: a `Modular` as it is, any other norm for each, outer ``linf``.

    In the layout ``"in out"`` every part that takes a matrix is turned.

    Raises
    ------
    NoClosedForm
        If the dual norm of a part, or of the outer norm, has none.
    """
    from normkit.calculus.modular import Modular

    given = as_norm(norm)
    made = given if isinstance(given, Modular) else Modular(dict.fromkeys(names, given))
    if layout == "in out":
        by_name = dict(zip(names, axes, strict=True))
        turned = tuple(_turned(part, by_name.get(name, part.ndim)) for name, part in made.parts.items())
        made = Modular.of(made.outer, made.names, turned)
    blocks = product(made)
    assert blocks is not None
    for program in (*blocks.programs, blocks.outer):
        required(program.dual)
    return made


def _turned(part: Norm, axes: int) -> Norm:
    """Return a part of a norm for a leaf in the layout of JAX; the number in front of it stays in front."""
    from normkit.norm import Scaled, scale

    if part.ndim != 2 or axes < 2:
        return part
    if isinstance(part, Scaled) and part.factor.is_number:
        return scale(part.factor, in_out(part.of, axes))
    return in_out(part, axes)
