r"""SpecMuon (arXiv:2602.16167) as two readers transcribed it: orthogonalization with a factor for each leading mode.

The paper's own text was not at hand, and the transcriptions disagree, so both are here under names of their own. Their
factors are driven by the loss, so neither is a norm's steepest descent, and neither keeps what is claimed of it: in A
every h_j s_j is nearly the learning rate, so that the factors do not part; in B those of the dominant modes go to 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from normkit.arrays import Array
from normkit.errors import ParameterError, ShapeError
from normkit.lengths import positive
from normkit.optim.momentum import share
from normkit.optim.stage import At, Room, Slots, Stage, combine, wide
from normkit.optim.stages.moments import length

if TYPE_CHECKING:
    from normkit.norm import Norm

Floats = NDArray[np.float64]


class _Spectral(Stage):
    """Stages that take matrices and a loss that is not negative."""

    needs: tuple[str, ...] = ("loss",)

    def check(self, at: At) -> None:
        """Raise for arrays that are no matrices, and for a loss that is missing or negative."""
        super().check(at)
        if at.weights.ndim != 2:
            raise ShapeError(f"SpecMuon takes a matrix (m, n); {at.name!r} has shape {at.weights.shape}")
        if not 0 <= float(at.loss or 0.0) < math.inf:
            raise ParameterError(f"SpecMuon takes the root of the loss, which must not be negative; got {at.loss!r}")


def rooms(k: int, shape: tuple[int, ...]) -> dict[str, Room]:
    """Return what `factors` keeps."""
    return {"factors": ((min(k, *shape),), np.dtype(np.float64))}


def modes(u: Array, eps: float) -> tuple[Floats, Floats, Floats]:
    """Return U, s, V' of U/(|U|_F + eps), without directions of rounding alone; none for 0."""
    left, s, right = np.linalg.svd(u.astype(np.float64) / (length(u) + eps), full_matrices=False)
    rank = int(np.count_nonzero(s > max(u.shape) * np.finfo(wide(u.dtype)).eps * s[0]))
    return left[:, :rank], s[:rank], right[:rank]


def factors(slots: Slots, count: int, first: float) -> Array:
    """Return the kept factors r, at first all `first`."""
    if "factors" not in slots:
        slots["factors"] = np.full(count, first)
    return slots["factors"]


@dataclass(frozen=True)
class SpecMuonA(_Spectral):
    r"""O = sum over j <= k of r'_j/(L + eps) u_j v_j' + tail, L = sqrt(f + kappa), of G/(|G|_F + eps) = U diag(s) V'.

    r'_j = r_j / (1 + (h_j/2) s_j/(L + eps)), h_j = lr/(s_j + eps), r_j = L at first. Then r <- chi r' + (1 - chi) L,
    chi = clip((L - sqrt(T))/(L - r' + eps), 0, 1), T = (1 - xi) r'^2 + xi r^2 + (1 - xi)(r' - r)^2: 0 < r' <= r, and
    the new r lies between r' and L. Momentum comes after: follow it by ``HeavyBall(0.9)``.

    Parameters
    ----------
    k : int
        How many modes have a factor.
    xi, eps, kappa : float
        As above.
    tail : {"scaled", "polar"}
        The other modes: their singular values stay (as the source has it in code), or become 1 (as it says in words).

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.optim import Pipeline, SpecMuonA, SteepestDescent
    >>> opt = SteepestDescent(Pipeline(SpecMuonA(k=2), name="SpecMuon A"), lr=0.1)
    >>> W = opt.step({"w": np.zeros((2, 2))}, {"w": np.diag([3.0, -1.0])}, loss=1.0)
    >>> W["w"].round(4).tolist()  # one factor for both modes: 1/(1 + 0.1/2)
    [[-0.0952, 0.0], [0.0, 0.0952]]
    """

    k: int = 6
    xi: float = 0.2
    eps: float = 1e-8
    kappa: float = 1e-8
    tail: Literal["scaled", "polar"] = "scaled"

    def __post_init__(self) -> None:
        _count(self.k)
        share(self.xi, "xi")
        positive(self.eps, "eps")
        positive(self.kappa, "kappa")
        if self.tail not in ("scaled", "polar"):
            raise ParameterError(f"tail must be 'scaled' or 'polar'; got {self.tail!r}")

    def keeps(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[str, Room]:
        """Return that of r."""
        return rooms(self.k, shape)

    def apply(self, u: Array, slots: Slots, at: At) -> Array:
        """Return O, and relax the factors."""
        level = math.sqrt(float(at.loss or 0.0) + self.kappa)
        left, s, right = modes(u, self.eps)
        kept = factors(slots, min(self.k, *u.shape), level)
        r = kept[: len(s)]
        head = s[: len(r)]
        shrunk = r / (1.0 + at.lr / (head + self.eps) / 2.0 * head / (level + self.eps))
        weights = np.ones_like(s) if self.tail == "polar" else s.copy()
        weights[: len(r)] = shrunk / (level + self.eps)
        mixed = (1.0 - self.xi) * shrunk**2 + self.xi * r**2 + (1.0 - self.xi) * (shrunk - r) ** 2
        chi = np.clip((level - np.sqrt(mixed)) / (level - shrunk + self.eps), 0.0, 1.0)
        r[...] = chi * shrunk + (1.0 - chi) * level
        return np.asarray((left * weights) @ right, wide(u.dtype))


@dataclass(frozen=True)
class SpecMuonB(_Spectral):
    r"""Q + sum over i <= k of (r~_i/E - 1) c_i u_i v_i', Q = dualize_N of an average of G, c_i = u_i' Q v_i.

    U, s, V' as in `SpecMuonA`, E = sqrt(f + kappa), r~_i = r_i/(1 + (h_i/2)(s_i/E)^2), h_i = step/s_i, r_i = E at
    first. The loss at the new weights (before decay), below 0 taken as 0, gives E+, and r <- x r~ + (1 - x) E+: x is
    (-b - sqrt(b^2 - 4 a c))/(2 a) cut to [0, 1], a = (r~ - E+)^2, b = 2 E+ (r~ - E+), c = E+^2 - r~^2 - psi D, D_i =
    (lr c_i r~_i/E)^2/h_i; x = 0 where a = 0 or the root is complex. Its momentum is inside: the modes are those of G.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.optim import Pipeline, SpecMuonB, SteepestDescent
    >>> opt = SteepestDescent(Pipeline(SpecMuonB(beta=0.0), name="SpecMuon B"), lr=0.1)
    >>> W = {"w": np.diag([1.0, 1.0])}
    >>> W = opt.step(W, W, loss=lambda W: float(np.sum(W["w"] ** 2)) / 2)
    >>> W["w"].round(4).tolist()
    [[0.9066, 0.0], [0.0, 0.9066]]
    """

    beta: float = 0.95
    k: int = 8
    step: float = 0.2
    psi: float = 0.95
    eps: float = 1e-8
    kappa: float = 1e-8
    norm: Norm | str = "spectral"

    needs = ("loss", "loss_at")

    def __post_init__(self) -> None:
        from normkit.norm import as_norm

        object.__setattr__(self, "norm", as_norm(self.norm))
        _count(self.k)
        share(self.beta, "beta")
        for what in ("step", "psi", "eps", "kappa"):
            positive(getattr(self, what), what)

    def keeps(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[str, Room]:
        """Return those of the average and of r."""
        return {"momentum": (shape, wide(dtype)), **rooms(self.k, shape)}

    def apply(self, u: Array, slots: Slots, at: At) -> Array:
        """Return the direction, and relax the factors at the loss that it leads to."""
        from normkit.descent import dualize

        momentum = slots.zeros("momentum", u)
        combine(momentum, self.beta, momentum, 1.0 - self.beta, u)
        made = np.asarray(dualize(self.norm, momentum, accuracy=at.accuracy), np.float64)
        level = math.sqrt(float(at.loss or 0.0) + self.kappa)
        left, s, right = modes(u, self.eps)
        r = factors(slots, min(self.k, *u.shape), level)[: len(s)]
        left, s, right = left[:, : len(r)], s[: len(r)], right[: len(r)]
        h = self.step / s
        shrunk = r / (1.0 + h / 2.0 * (s / level) ** 2)
        c = np.einsum("mi,mn,in->i", left, made, right)
        made += (left * ((shrunk / level - 1.0) * c)) @ right
        assert at.loss_at is not None
        after = float(at.loss_at(np.asarray(at.weights - at.lr * made, wide(at.weights.dtype))))
        reached = math.sqrt(max(after, 0.0) + self.kappa)
        x = _relaxation(shrunk, reached, self.psi * (at.lr * shrunk / level * c) ** 2 / h)
        r[...] = x * shrunk + (1.0 - x) * reached
        return made.astype(wide(u.dtype))


def _relaxation(shrunk: Floats, reached: float, dissipated: Floats) -> Floats:
    """Return the smaller root x of (x r~ + (1 - x) E+)^2 = r~^2 + psi D, cut to [0, 1]; 0 where there is none."""
    a, b = (shrunk - reached) ** 2, 2.0 * reached * (shrunk - reached)
    inner = b**2 - 4.0 * a * (reached**2 - shrunk**2 - dissipated)
    valid = (a > 0) & (inner >= 0)
    root = np.divide(-b - np.sqrt(np.where(valid, inner, 0.0)), 2.0 * a, out=np.zeros_like(a), where=valid)
    return np.clip(root, 0.0, 1.0)


def _count(k: Any) -> None:
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ParameterError(f"k is a whole number of modes, from 1 on; got {k!r}")
