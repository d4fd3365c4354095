"""Scion (Pethick et al. 2025, arXiv:2502.07529): the lmo step of one norm per array, in a ball or free."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from inspect import signature
from typing import TYPE_CHECKING, Any

from normkit.conventions import LMO
from normkit.errors import ParameterError
from normkit.optim.decay import FrankWolfeDecay
from normkit.optim.optimizer import SteepestDescent
from normkit.optim.recipes.basic import Rate

if TYPE_CHECKING:
    from normkit.norm import Norm


def _columns(normalized: bool = False, transpose: bool = False) -> str:
    return _turned("n*(l1->rms)" if normalized else "l1->rms", transpose)


def _rows(normalized: bool = True, transpose: bool = False) -> str:
    return _turned("rms->linf" if normalized else "l2->linf", transpose)


def _spectral(max: bool = False, normalized: bool = True) -> str:
    if max:
        return "spectral/Max(1, sqrt(m/n))" if normalized else "spectral/Max(1, sqrt(m))"
    return "rms->rms" if normalized else "l2->rms"


def _sign(normalized: bool = True) -> str:
    return "n*max" if normalized else "max"


def _convolution(kernel: int = 3, axes: int = 4) -> str:
    if axes == 3:
        return f"matricize(sqrt({kernel})*(rms->rms), 'o i k', 'o', 'i k')"
    return f"matricize({kernel}*(rms->rms), 'o i h w', 'o', 'i h w')"


def _turned(spec: str, transpose: bool) -> str:
    return f"transpose({spec})" if transpose else spec


NORMS: dict[str, Callable[..., str]] = {
    "ColNorm": _columns,
    "RowNorm": _rows,
    "BiasRMS": lambda: "rms",
    "Spectral": _spectral,
    "SpectralConv": _convolution,
    "Sign": _sign,
}


def scion_norm(name: str, **options: Any) -> Norm:
    """Return the norm whose lmo Scion calls by a name, with the options and defaults of its code.

    Parameters
    ----------
    name : str
        ``ColNorm`` (normalized=False, transpose=False): columns times sqrt(m) over their length, over n if normalized;
        ``RowNorm`` (normalized=True, transpose=False): rows over their length, and over sqrt(n) if normalized;
        ``BiasRMS``: a vector over its root mean square; ``Spectral`` (max=False, normalized=True): msign times sqrt(m)
        and over sqrt(n) if normalized, with `max` times 1 at least; ``Sign`` (normalized=True): sign, over n;
        ``SpectralConv`` (kernel=3, axes=4): msign of (o, i h w) times sqrt(o/i) over kernel^2, or over the kernel for
        three axes. The code reads the kernel off the third axis; here it is an option, as a norm has no axis to read.
    **options
        As in brackets; `transpose` is for tables of words times features.

    Raises
    ------
    ParameterError
        For an unknown name or option.

    Examples
    --------
    >>> from normkit.optim.recipes import scion_norm
    >>> [str(scion_norm(name)) for name in ("ColNorm", "RowNorm", "BiasRMS", "Spectral", "Sign")]
    ['l1->rms', 'rms->linf', 'rms', 'rms->rms', 'n*max']
    >>> str(scion_norm("ColNorm", normalized=True, transpose=True))
    'transpose(n*l1->rms)'
    """
    from normkit.norm import as_norm

    if name not in NORMS:
        raise ParameterError(f"unknown norm {name!r} of Scion; known: {', '.join(map(repr, NORMS))}")
    known = list(signature(NORMS[name]).parameters)
    unknown = [option for option in options if option not in known]
    if unknown:
        takes = f"takes {', '.join(known)}" if known else "takes none"
        raise ParameterError(f"the norm {name!r} of Scion has no option {unknown[0]!r}; it {takes}")
    return as_norm(NORMS[name](**options))


def scion(
    norm: Norm | str | Mapping[str, Norm | str],
    lr: Rate = 1e-3,
    *,
    momentum: float = 1.0,
    scale: float | Mapping[str, float] = 1.0,
    unconstrained: bool = False,
    **options: Any,
) -> SteepestDescent:
    """Return Scion: W <- (1 - lr) W - lr scale t, or W - lr scale t where it is unconstrained.

    Norm: of every array, or one for each name; `scion_norm` gives those of the code. Convention: lmo of radius `scale`.
    Momentum: `EMA` with beta = 1 - momentum; Scion's momentum is the weight of the new gradient. Decay:
    `FrankWolfeDecay`, which keeps N(W) <= scale, or none.

    Parameters
    ----------
    scale : float or mapping of str to float
        The radius; by name where `norm` is.

    Examples
    --------
    >>> from normkit.optim.recipes import scion, scion_norm
    >>> norms = {"body": scion_norm("Spectral"), "head": scion_norm("Sign")}
    >>> str(scion(norms, 2**-12, momentum=0.1, scale={"body": 50, "head": 3000}).norm)
    "modular({'body': 1/50*rms->rms, 'head': n/3000*max}, outer=linf)"
    """
    from normkit.calculus.modular import Modular

    radius = scale
    if isinstance(norm, Mapping):
        scales = scale if isinstance(scale, Mapping) else dict.fromkeys(norm, scale)
        norm, radius = Modular(norm, scales={name: 1 / Fraction(str(each)) for name, each in scales.items()}), 1.0
    if isinstance(radius, Mapping):
        raise ParameterError("a scale for each name needs a norm for each name: scion({'w': 'rms->rms'}, ...)")
    return SteepestDescent(
        norm,
        convention=LMO(float(radius)),
        lr=lr,
        momentum=1.0 - momentum,
        weight_decay=None if unconstrained else FrankWolfeDecay(),
        **options,
    )
