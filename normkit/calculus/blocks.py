"""Groups of indices, and sizes of blocks, as the norms over them take them: checked lists."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from normkit.errors import ParameterError
from normkit.parameter import Parameter


def as_blocks(values: object, name: str, *, disjoint: bool) -> tuple[tuple[int, ...], ...]:
    """Return lists of indices that cover 0, 1, ..., n-1, exactly once if `disjoint`, or raise `ParameterError`."""
    if not isinstance(values, Iterable):
        raise ParameterError(f"{name} needs groups of indices such as [[0, 1], [2, 3]]; got {values}")
    blocks = tuple(_block(block, name) for block in values)
    if not blocks:
        raise ParameterError(f"{name} needs at least one group of indices, such as [[0, 1], [2, 3]]")
    count: dict[int, int] = {}
    for index in chain.from_iterable(blocks):
        count[index] = count.get(index, 0) + 1
    missing = next((index for index in range(max(count) + 1) if index not in count), None)
    if missing is not None:
        raise ParameterError(f"the groups of {name} must cover every index from 0 on; index {missing} is in none")
    twice = next((index for index, times in sorted(count.items()) if times > 1), None)
    if disjoint and twice is not None:
        raise ParameterError(f"the groups of {name} must be disjoint; index {twice} is in two. For overlaps use latent")
    return blocks


def _block(values: object, name: str) -> tuple[int, ...]:
    if not isinstance(values, Iterable):
        raise ParameterError(f"{name} needs groups of indices such as [[0, 1], [2, 3]]; got {values} for a group")
    block = tuple(_index(value, name) for value in values)
    if not block:
        raise ParameterError(f"a group of {name} is empty; leave it out")
    if len(set(block)) < len(block):
        raise ParameterError(f"a group of {name} names an index twice: {list(block)}")
    return block


def _index(value: Any, name: str) -> int:
    try:
        index = int(value)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"the groups of {name} hold indices; got {value!r}") from error
    if index != value or index < 0:
        raise ParameterError(f"the groups of {name} hold indices 0, 1, 2, ...; got {value!r}")
    return index


def group_weights(values: object, blocks: tuple[tuple[int, ...], ...], name: str) -> Parameter:
    """Return one positive weight per group; a single weight is that of every group."""
    weights = Parameter.of(values)
    if len(weights) == 1:
        weights = Parameter.of(list(weights) * len(blocks))
    if weights.shape != (len(blocks),):
        raise ParameterError(f"{name} needs one weight for each of {len(blocks)} groups; got shape {weights.shape}")
    if min(weights) <= 0:
        raise ParameterError(f"the weights of {name} must be positive; got {min(weights):.6g}")
    return weights


def as_sizes(values: object, name: str) -> tuple[int, ...]:
    """Return block sizes as positive integers, or raise `ParameterError`."""
    given = tuple(values) if isinstance(values, Iterable) else (values,)
    if not given or any(not isinstance(size, int | float) or size != int(size) or size < 1 for size in given):
        raise ParameterError(f"the sizes of {name} must be positive integers such as [2, 3]; got {values}")
    return tuple(int(size) for size in given)
