"""Array parameters of norms (weights, matrices, atoms) as both towers read them; no SymPy, no NumPy."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from normkit.errors import ParameterError


@dataclass(frozen=True)
class Parameter:
    """An array parameter as mathematics holds it: shape and float64 values, hashable and comparable.

    The machines read it with ``numpy.frombuffer(p.data).reshape(p.shape)``; nothing here computes with NumPy.

    Examples
    --------
    >>> import normkit as nk
    >>> nk.Parameter.of([[2, 1], [1, 2]])
    [[2.0, 1.0], [1.0, 2.0]]
    >>> nk.Parameter.of(list(range(100)))
    #100:f650820b
    """

    shape: tuple[int, ...]
    data: bytes

    @classmethod
    def of(cls, values: Any) -> Parameter:
        """Take a (nested) sequence of numbers, anything with ``tolist``, or a `Parameter`.

        Raises
        ------
        ParameterError
            For ragged, empty, non-numeric or non-finite values.
        """
        if isinstance(values, Parameter):
            return values
        if hasattr(values, "astype") and hasattr(values, "tobytes"):
            array = values.astype("float64")
            parameter = cls(tuple(array.shape), array.tobytes())
        else:
            shape, flat = _flatten(values)
            parameter = cls(shape, struct.pack(f"={len(flat)}d", *flat))
        numbers = list(parameter)
        if not numbers:
            raise ParameterError(f"an array parameter needs entries; got shape {parameter.shape}")
        if not all(abs(number) < float("inf") for number in numbers):
            raise ParameterError("an array parameter must be finite; got a NaN or an infinity")
        return parameter

    def __iter__(self) -> Iterator[float]:
        return iter(struct.unpack(f"={len(self.data) // 8}d", self.data))

    def __len__(self) -> int:
        return len(self.data) // 8

    def rows(self) -> list[tuple[float, ...]]:
        """Return the values cut along the first axis, each piece flattened."""
        flat, width = tuple(self), len(self) // self.shape[0]
        return [flat[r * width : (r + 1) * width] for r in range(self.shape[0])]

    def nested(self) -> Any:
        """Return the values as nested tuples of the parameter's shape."""
        flat: list[Any] = list(self)
        for width in reversed(self.shape[1:]):
            flat = [tuple(flat[r : r + width]) for r in range(0, len(flat), width)]
        return tuple(flat)

    @cached_property
    def digest(self) -> str:
        """First eight hexadecimal digits of the SHA-256 of shape and values."""
        return hashlib.sha256(repr(self.shape).encode() + self.data).hexdigest()[:8]

    def __repr__(self) -> str:
        if len(self) > 16:
            return f"#{'x'.join(map(str, self.shape))}:{self.digest}"
        return repr(self.nested()).replace(",)", ")").replace("(", "[").replace(")", "]")


def _flatten(values: Any) -> tuple[tuple[int, ...], list[float]]:
    if hasattr(values, "tolist"):
        values = values.tolist()
    if not isinstance(values, list | tuple):
        try:
            return (), [float(values)]
        except (TypeError, ValueError) as error:
            raise ParameterError(f"an array parameter needs numbers; got {values!r}") from error
    parts = [_flatten(value) for value in values]
    if len({shape for shape, _ in parts}) > 1:
        raise ParameterError("an array parameter needs rows of one length; got a ragged sequence")
    inner = parts[0][0] if parts else ()
    return (len(parts), *inner), [number for _, flat in parts for number in flat]
