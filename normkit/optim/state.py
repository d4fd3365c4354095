"""The state of a run as plain data, and as a file: restored, it goes on with the same bits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from normkit.arrays import Array
from normkit.errors import FileError, ParameterError, ShapeError
from normkit.files import output, read
from normkit.formats import Contents
from normkit.names import listed

FORMAT = 1
SEPARATOR = "::"
"""Between the name of an array and the slot, in files: names of arrays have dots and slashes."""
MADE_OF = "normkit.optim"


def packed(step: int, held: Mapping[str, Mapping[str, Array]], method: str) -> dict[str, Any]:
    """Return a state as plain data: numbers, texts and copies of arrays."""
    arrays = {name: {slot: array.copy() for slot, array in slots.items()} for name, slots in held.items() if slots}
    return {"format": FORMAT, "step": step, "method": method, "arrays": arrays}


def unpacked(state: Any, shapes: Mapping[str, tuple[int, ...]] | None) -> tuple[int, dict[str, dict[str, Array]], str]:
    """Return step, arrays and the text of the method of a packed state.

    Raises
    ------
    ParameterError
        If it is no state, or one of another format.
    ShapeError
        If it keeps arrays for names that the weights do not have, or of another shape than theirs.
    """
    if not isinstance(state, Mapping) or not {"format", "step", "method", "arrays"} <= state.keys():
        raise ParameterError(f"expected what state_dict() returns; got {type(state).__name__}")
    if state["format"] != FORMAT:
        raise ParameterError(f"the state has format {state['format']!r}; this version of normkit reads {FORMAT}")
    if not isinstance(state["arrays"], Mapping) or not isinstance(state["step"], int):
        raise ParameterError(
            "a state has a whole number as step and a mapping as arrays; take one from state_dict() as it is"
        )
    arrays = {name: {s: np.array(x) for s, x in slots.items()} for name, slots in state["arrays"].items()}
    if shapes is not None:
        check_shapes(arrays, shapes)
    return int(state["step"]), arrays, str(state["method"])


def check_shapes(arrays: Mapping[str, Mapping[str, Array]], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise `ShapeError` if something is kept for unknown names, or is as many axes of other lengths as its weights."""
    unknown = [name for name in arrays if name not in shapes]
    if unknown:
        raise ShapeError(f"the state keeps arrays for {listed(unknown)}, which the weights do not have")
    for name, slots in arrays.items():
        for slot, array in slots.items():
            if len(array.shape) == len(shapes[name]) and array.shape != shapes[name]:
                raise ShapeError(f"the state keeps {slot} of shape {array.shape} for {name!r} of shape {shapes[name]}")


def save(path: str, state: Mapping[str, Any], *, force: bool = False) -> None:
    """Write a packed state to a ``.npz`` or ``.safetensors`` file, whole or not at all."""
    step, arrays, method = unpacked(state, None)
    flat = {f"{name}{SEPARATOR}{slot}": array for name, slots in arrays.items() for slot, array in slots.items()}
    flat[MADE_OF] = facts_as_array(step, method)
    contents = Contents(flat, "npz")
    output(path, contents, force=force).write(contents)


def load(path: str) -> dict[str, Any]:
    """Return the packed state of a file.

    Raises
    ------
    FileError
        If it cannot be read, or was not written by `save`.
    """
    flat = dict(read(path).arrays)
    state = facts_in(flat, path)
    del flat[MADE_OF]
    arrays: dict[str, dict[str, Array]] = {}
    for key, array in flat.items():
        name, _, slot = key.rpartition(SEPARATOR)
        arrays.setdefault(name, {})[slot] = array
    return {**state, "arrays": arrays}


def facts_as_array(step: int, method: str) -> Array:
    """Return what a file says beside the arrays that are kept, as its array `MADE_OF`."""
    facts = json.dumps({"format": FORMAT, "step": step, "method": method})
    return np.frombuffer(facts.encode(), np.uint8)


def facts_in(arrays: Mapping[str, Array], path: str) -> dict[str, Any]:
    """Return what the arrays of a file say beside those that are kept: ``format``, ``step``, ``method``.

    Raises
    ------
    FileError
        If they are no state.
    """
    if MADE_OF not in arrays:
        raise FileError(f"{path} holds arrays, but no state of normkit.optim; give a file that save() wrote")
    try:
        state = json.loads(arrays[MADE_OF].tobytes())
    except ValueError as error:
        raise FileError(f"{path} is damaged: its facts are no JSON ({error})") from error
    if not isinstance(state, dict):
        raise FileError(f"{path} is damaged: its facts are {state!r}, not names and values")
    return state
