"""What the rules give to the arrays of a model."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from normkit.codegen.plan import Product
from normkit.errors import ShapeError
from normkit.memory import shape_of
from normkit.modular.schema import Rule
from normkit.programs import program

if TYPE_CHECKING:
    from normkit.calculus.modular import Modular
    from normkit.norm import Norm

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Assigned:
    """What one array gets.

    Attributes
    ----------
    name, shape
        Of the array.
    rule : Rule or None
        The rule that covers it; None for another name of an array, or an array of integers that needs none.
    index : int or None
        The place of the rule, from 0.
    spec : str or None
        Its norm N_l as a spec, if it has one and is not frozen.
    factor : Fraction or SymPy number
        s_l, exactly: what N_l is multiplied with.
    update : str or None
        The pipeline that updates it instead.
    options : mapping
        Options of the pipeline.
    frozen : bool
        Whether it is left alone.
    same_as : str or None
        The array whose other name this is: it is stepped once, under that name.
    """

    name: str
    shape: Shape
    rule: Rule | None
    index: int | None
    spec: str | None = None
    factor: Any = Fraction(1)
    update: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    frozen: bool = False
    same_as: str | None = None

    @property
    def scale(self) -> float:
        """s_l as a number."""
        return float(self.factor)

    @property
    def norm(self) -> Norm | None:
        """N_l, without its scale; None if it has none."""
        from normkit.spec import norm

        return None if self.spec is None else norm(self.spec)


@dataclass(frozen=True)
class Assignment:
    """What all arrays of a model get, in their order; ``made[name]`` is one of them.

    Attributes
    ----------
    arrays : tuple of Assigned
        One for every name.
    outer : str
        The norm over the arrays, as a spec.
    """

    arrays: tuple[Assigned, ...]
    outer: str

    def __getitem__(self, name: str) -> Assigned:
        return self._named[name]

    @cached_property
    def _named(self) -> dict[str, Assigned]:
        return {each.name: each for each in self.arrays}

    @cached_property
    def normed(self) -> tuple[Assigned, ...]:
        """The arrays that have a norm."""
        return tuple(each for each in self.arrays if each.spec is not None)

    @cached_property
    def norm(self) -> Modular | None:
        """outer(s_1 N_1(W_1), ..., s_k N_k(W_k)) of the arrays that have a norm; None if none has."""
        from normkit.calculus.modular import Modular
        from normkit.norm import scale
        from normkit.spec import norm

        kinds = {(each.spec, each.factor) for each in self.normed}
        made = {kind: scale(kind[1], norm(str(kind[0]))) for kind in kinds}
        norms = tuple(made[each.spec, each.factor] for each in self.normed)
        return Modular.of(norm(self.outer), tuple(each.name for each in self.normed), norms) if norms else None

    @cached_property
    def product(self) -> Product | None:
        """The program of `norm`, from programs on disk without SymPy where they are there."""
        if not self.normed:
            return None
        places = {spec: place for place, spec in enumerate(dict.fromkeys(str(each.spec) for each in self.normed))}
        return Product(
            f"the modular norm of {len(self.normed)} arrays, outer={self.outer}",
            tuple(each.name for each in self.normed),
            tuple(places[str(each.spec)] for each in self.normed),
            tuple(each.scale for each in self.normed),
            tuple(map(program, places)),
            program(self.outer),
        )

    @property
    def pipelines(self) -> dict[str, tuple[str, Mapping[str, Any]]]:
        """(update, options) by name, of the arrays that a pipeline updates."""
        return {each.name: (each.update, each.options) for each in self.arrays if each.update is not None}

    @property
    def frozen(self) -> tuple[str, ...]:
        """The names of the arrays that are left alone."""
        return tuple(each.name for each in self.arrays if each.frozen)

    @property
    def aliases(self) -> dict[str, str]:
        """Other names of arrays, with the name under which each is stepped."""
        return {each.name: each.same_as for each in self.arrays if each.same_as is not None}

    def check_gradients(self, shapes: Mapping[str, Any], what: str = "the gradients") -> None:
        """Raise unless there is a gradient of the right shape for every array that is stepped, and for no stranger.

        Gradients of arrays that are frozen, or that are other names, may be there.

        Raises
        ------
        ShapeError
            With all missing and unknown names, or all shapes that differ.
        """
        needed = [each for each in self.arrays if not each.frozen and each.same_as is None]
        missing = [each.name for each in needed if each.name not in shapes]
        unknown = [name for name in shapes if name not in self._named]
        if missing or unknown:
            parts = [f"lack {_all(missing)}"] * bool(missing) + [f"have {_all(unknown)}, which no weights have"] * bool(
                unknown
            )
            near = difflib.get_close_matches(unknown[0], missing or self._named, 1) if unknown else []
            hint = f". Did you mean {near[0]!r} by {unknown[0]!r}?" if near else ""
            raise ShapeError(f"{what} {' and '.join(parts)}{hint}")
        wrong = [
            f"{each.name!r}: {shape_of(shapes[each.name], each.name)} for weights {each.shape}"
            for each in needed
            if shape_of(shapes[each.name], each.name) != each.shape
        ]
        if wrong:
            raise ShapeError(f"{what} have other shapes than the weights: {'; '.join(wrong)}")


def _all(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
