"""What a call of the polar core says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normkit.backends.cuda.polar.device import Device
from normkit.backends.cuda.polar.memory import Place
from normkit.backends.cuda.polar.plan import Plan
from normkit.errors import NonFiniteError
from normkit.polar.schedule import Schedule


@dataclass(frozen=True)
class Info:
    """How matrices were served.

    Attributes
    ----------
    plan : Plan
        What was done: operations, segments, bytes of the workspace.
    schedule : Schedule
        The steps; its `image` holds the singular values of T * `top`, for those of G from ``lower ||G||_F`` on.
    providers : dict
        Who carried out each kind of operation.
    top : float
        What T was divided by.
    error : float or None
        The largest ||T T' - I||_F / sqrt(m) of the batch, before the division, if an accuracy was asked for.
    reached : bool
        Whether it was reached; if not, nothing was written to T.
    """

    plan: Plan
    schedule: Schedule
    providers: dict[str, str]
    top: float
    error: float | None
    reached: bool
    _norms: Place | None
    _where: tuple[Device, int, Any]

    def norms(self) -> NDArray[np.float64]:
        """Return ||G||_F of every matrix, NaN or infinite where an entry is, once the device has come so far.

        Before the next call on the same stream: the workspace is used again.
        """
        device, stream, _ = self._where
        if self._norms is None:
            return np.zeros(self.plan.batch)
        found = device.fetch(self._norms, stream)[:, 0]
        return np.asarray(found[:, 0] / found[:, 3])

    def check(self) -> None:
        """Wait for the device, and raise if a matrix holds a NaN or an infinity: its T is NaN everywhere.

        Raises
        ------
        NonFiniteError
            With the number of the first such matrix.
        """
        device, stream, _ = self._where
        bad = np.zeros(1) if self._norms is None else ~np.isfinite(device.fetch(self._norms, stream)[:, 0, 0])
        if bad.any():
            raise NonFiniteError(f"matrix {int(np.argmax(bad))} of {len(bad)} holds a NaN or an infinity")
