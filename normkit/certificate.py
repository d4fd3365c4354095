"""Certificates: numbers that prove how good a candidate is, by Hölder's inequality alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from normkit import blockwise, device, device_polar
from normkit.arrays import as_array, batch, check_finite
from normkit.codegen.plan import Missing, Product, Program
from normkit.descent import dual_value, value
from normkit.errors import ShapeError
from normkit.named import Named, take
from normkit.programs import product, program
from normkit.witness import upper_bound

if TYPE_CHECKING:
    from normkit.norm import Norm

Kind = Literal["exact", "certified", "estimate"]


@dataclass(frozen=True)
class Certificate:
    """Proof of how close t / N(t) comes to the maximum of <g, t> over the unit ball.

    For every t != 0: ``<g, t> / N(t) <= N*(g) <= upper``. The lower bound reaching the upper one proves t optimal.
    Over a batch every field but `kind` is an array.

    Attributes
    ----------
    pairing : float
        <g, t>.
    norm : float
        N(t), or a proven bound on it from above (kind ``certified``), or infinity if none is known (``estimate``).
    lower, upper : float
        Bounds on the dual norm N*(g): ``max(0, pairing / norm)`` and a proven bound.
    gap : float
        1 - lower / upper, in [0, 1]; 0 if g = 0.
    kind : {"exact", "certified", "estimate"}
        ``exact``: norm and dual norm by closed forms. ``certified``: N(t) bounded by a decomposition of t.
        ``estimate``: no bound on N(t) is known; nothing is proved.

    Examples
    --------
    >>> import normkit as nk
    >>> c = nk.certify("linf", [3.0, -4.0], [1.0, 0.5])
    >>> float(c.lower), float(c.upper), c.kind, c.holds()
    (1.0, 7.0, 'exact', False)
    """

    pairing: Any
    norm: Any
    lower: Any
    upper: Any
    gap: Any
    kind: Kind

    def holds(self, rtol: float = 1e-6) -> bool:
        """Tell whether t is feasible and optimal to a relative tolerance, for every item; never for an estimate.

        Zero is optimal for g = 0.
        """
        feasible = np.asarray(self.norm) <= 1 + rtol
        tight = np.asarray(self.upper) - np.asarray(self.pairing) <= rtol * np.asarray(self.upper)
        return bool(self.kind != "estimate" and np.all(feasible & tight))


def certify(norm: Norm | str | Program, g: Any, t: Any, *, dual_norm: Any = None, backend: str = "auto") -> Certificate:
    """Return the certificate of a candidate t for dualize(g).

    Parameters
    ----------
    norm : Norm or str
        A norm or its spec.
    g, t : array_like
        Gradient and candidate of one shape; leading axes are batch axes. For a `Modular` norm mappings of its names to
        arrays.
    dual_norm : float or ndarray, optional
        N*(g), if the pass that made t has computed it.

    Raises
    ------
    NoClosedForm
        If the dual norm N*(g) has no closed form.
    ShapeError, DTypeError, NonFiniteError
        If the arrays do not fit the norm or each other.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.certify("linf", [3.0, -4.0], [1.0, -1.0]).holds(1e-12)
    True
    """
    if (blocks := product(norm)) is not None:
        return _certify_blocks(blocks, g, t, dual_norm, backend)
    made = program(norm)
    if device.on_device(g):
        return _certify_on_device(made, g, t, dual_norm, backend)
    gradient, candidate = as_array(g, "the gradient"), as_array(t, "the candidate")
    if gradient.shape != candidate.shape:
        raise ShapeError(f"gradient and candidate differ in shape: {gradient.shape} and {candidate.shape}")
    items, candidates = (batch(array, made.shape, made.spec) for array in (gradient, candidate))
    known = dual_value(made, items.items, backend=backend) if dual_norm is None else dual_norm
    upper = np.asarray(known, dtype=np.float64).reshape(len(items.items))
    kind: Kind
    if not isinstance(made.value, Missing):
        size, kind = np.atleast_1d(value(made, candidates.items, backend=backend)), "exact"
    else:
        check_finite(np.full(len(candidates.items), np.nan), candidates, "the candidate")
        pairs = zip(items.items, candidates.items, strict=True)
        size = np.array([upper_bound(made, u, v, backend) for u, v in pairs], dtype=np.float64)
        kind = "certified" if np.isfinite(size).all() else "estimate"
    paired = np.array([_pairing(u, v) for u, v in zip(items.items, candidates.items, strict=True)])
    fields = [items.values(field) for field in bounds_of(paired, size, upper)]
    return Certificate(fields[0], fields[1], fields[2], fields[3], fields[4], kind)


def _certify_on_device(made: Program, g: Any, t: Any, dual_norm: Any, backend: str) -> Certificate:
    """Certify arrays in device memory where they are; a bound by decomposition brings the candidate to the CPU.

    Norms that are multiples of the spectral norm are bounded by products, without singular values.
    """
    items, candidates, paired = device.pairings(made, g, t, backend)
    proof = device_polar.proved(made, items, candidates) if dual_norm is None else None
    if proof is not None:
        bounds = [items.values(field) for field in bounds_of(*proof)]
        return Certificate(bounds[0], bounds[1], bounds[2], bounds[3], bounds[4], "certified")
    if isinstance(made.value, Missing):
        return certify(made, device.to_host(g), device.to_host(t), dual_norm=dual_norm)
    known = dual_value(made, items.items, backend=backend) if dual_norm is None else dual_norm
    upper = np.asarray(known, dtype=np.float64).reshape(len(paired))
    size = np.asarray(value(made, candidates.items, backend=backend)).reshape(len(paired))
    fields = [items.values(field) for field in bounds_of(paired, size, upper)]
    return Certificate(fields[0], fields[1], fields[2], fields[3], fields[4], "exact")


def _certify_blocks(blocks: Product, g: Any, t: Any, dual_norm: Any, backend: str) -> Certificate:
    """Certify named arrays: an upper bound of every block is one of the whole, because the outer norm is monotone."""
    gradient, candidate = take(blocks, g, "the gradient"), take(blocks, t, "the candidate")
    paired = _pair_blocks(gradient, candidate)
    upper = blockwise.dual_value(blocks, g, backend, "raise") if dual_norm is None else np.float64(dual_norm)
    kind: Kind = "exact"
    if any(isinstance(each.value, Missing) for each in (*blocks.programs, blocks.outer)):
        size, kind = _bound_blocks(blocks, gradient, candidate, backend)
    else:
        size = blockwise.value(blocks, t, backend, "raise")
    fields = [np.float64(each[0]) for each in bounds_of(*(np.array([each]) for each in (paired, size, upper)))]
    return Certificate(fields[0], fields[1], fields[2], fields[3], fields[4], kind)


def _bound_blocks(blocks: Product, gradient: Named, candidate: Named, backend: str) -> tuple[Any, Kind]:
    """Return a bound on N(t) from the certificates of the blocks, and its kind."""
    arrays = zip(blocks.kinds, gradient.arrays, candidate.arrays, strict=True)
    proofs = [certify(blocks.programs[kind], u, v, backend=backend) for kind, u, v in arrays]
    if any(proof.kind == "estimate" for proof in proofs):
        return np.inf, "estimate"
    scales = np.array(blocks.scales)
    sizes, duals = (np.array([getattr(proof, name) for proof in proofs]) for name in ("norm", "upper"))
    whole = certify(blocks.outer, duals / scales, sizes * scales, backend=backend)
    return whole.norm, "estimate" if whole.kind == "estimate" else "certified"


def pairing(norm: Norm | str | Program, g: Any, x: Any) -> Any:
    """<g, x> in float64: a scalar for one item or for named arrays, an array over the batch otherwise.

    Raises
    ------
    ShapeError, DTypeError
        If the arrays do not fit the norm or each other.
    """
    if (blocks := product(norm)) is not None:
        return _pair_blocks(take(blocks, g, "the gradient"), take(blocks, x, "the array"))
    made = program(norm)
    if device.on_device(g):
        found, _, paired = device.pairings(made, g, x)
        return found.values(paired)
    items, others = (batch(as_array(array), made.shape, made.spec) for array in (g, x))
    if items.items.shape != others.items.shape or items.leading != others.leading:
        raise ShapeError(f"the arrays of a pairing differ in shape: {np.shape(g)} and {np.shape(x)}")
    return items.values(np.array([_pairing(u, v) for u, v in zip(items.items, others.items, strict=True)]))


def _pair_blocks(gradient: Named, other: Named) -> np.float64:
    for place, (u, v) in enumerate(zip(gradient.arrays, other.arrays, strict=True)):
        if u.shape != v.shape:
            raise ShapeError(f"{gradient.called(place)} and {other.what} differ in shape: {u.shape} and {v.shape}")
    return np.float64(sum(_pairing(u, v) for u, v in zip(gradient.arrays, other.arrays, strict=True)))


PIECE = 1 << 16
"""Entries that are widened to float64 at a time."""


def _pairing(u: NDArray[Any], v: NDArray[Any]) -> float:
    """Return the sum of products in float64, piece by piece so that no wide copy of the arrays is made."""
    if u.ndim > 1:
        return float(sum(_pairing(x, y) for x, y in zip(u, v, strict=True)))
    pieces = range(0, len(u), PIECE)
    with np.errstate(over="ignore"):
        return _summed(u, v, pieces)


def _summed(u: NDArray[Any], v: NDArray[Any], pieces: range) -> float:
    return float(sum(np.dot(u[k : k + PIECE].astype(np.float64), v[k : k + PIECE].astype(np.float64)) for k in pieces))


def bounds_of(
    pairing: NDArray[np.float64], size: NDArray[np.float64], upper: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    """Return (pairing, norm, lower, upper, gap) from <g, t>, N(t) and a bound on N*(g), item by item."""
    lower = np.zeros_like(upper)
    np.divide(np.maximum(pairing, 0.0), size, out=lower, where=size > 0)
    gap = np.zeros_like(upper)
    np.divide(lower, upper, out=gap, where=upper > 0)
    gap = np.where(upper > 0, np.clip(1.0 - gap, 0.0, 1.0), 0.0)
    return pairing, size, lower, upper, gap
