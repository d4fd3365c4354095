"""What can go wrong, each said in one line: what came, what was expected, what to do."""

from __future__ import annotations


class NormkitError(Exception):
    """Base of every error that a user of normkit can cause; the CLI prints it in one line and exits 2."""


class SpecError(NormkitError, ValueError):
    """A spec string that the grammar or the registry does not know."""


class ParameterError(NormkitError, ValueError):
    """A parameter outside its domain: p < 1, increasing weights, a singular matrix, a non-symmetric gauge."""


class ShapeError(NormkitError, ValueError):
    """An array whose shape the norm cannot take."""


class DTypeError(NormkitError, TypeError):
    """An array whose entry type the norm cannot take: integers, complex numbers, objects."""


class NonFiniteError(NormkitError, ValueError):
    """A NaN or an infinity in the input; the message names the first bad index."""


class FileError(NormkitError, OSError):
    """A file that cannot be read or written; nothing has been changed on disk."""


class BackendError(NormkitError, RuntimeError):
    """An unknown or unavailable back end."""


class MissingExtra(NormkitError, ImportError):
    """An optional dependency that is not installed; the message names the extra."""


class UnsafeSchedule(NormkitError, ValueError):
    """A schedule whose use would leave its basin, flip signs or step uphill; ``allow_unsafe=True`` lets it through."""


class NoClosedForm(NormkitError, NotImplementedError):
    """The quantity asked for has no closed form here.

    Attributes
    ----------
    cost_class : str
        ``"solver"`` (an optimisation problem of polynomial size) or ``"hard"`` (NP-hard in general).
    """

    def __init__(self, message: str, cost_class: str = "solver") -> None:
        super().__init__(message)
        self.cost_class = cost_class
