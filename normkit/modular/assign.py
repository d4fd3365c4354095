"""Assigning: the first rule that covers an array, its shape against the norm, and its scale from the masses."""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from normkit.errors import ParameterError, ShapeError
from normkit.memory import same_arrays, shape_of
from normkit.modular.assignment import Assigned, Assignment, Shape
from normkit.modular.schema import Rule
from normkit.names import flat
from normkit.programs import program

if TYPE_CHECKING:
    from normkit.modular.rules import Rules


def assign(
    rules: Rules, arrays: Mapping[str, Any], aliases: Mapping[str, str], still: Container[str] = ()
) -> Assignment:
    """Return what rules give to arrays; see `Rules.assign`."""
    given = dict(flat(arrays, "the arrays of a model"))
    if not given:
        raise ParameterError("the model has no arrays; give a mapping of names to arrays or shapes")
    shapes = {name: shape_of(array, name) for name, array in given.items()}
    found = _matched(rules, shapes)
    same = {**same_arrays(given), **aliases}
    same.update({name: str(rules.rules[at].tie) for name, at in found.items() if rules.rules[at].tie is not None})
    _check_same(same, shapes, rules)
    _check_covered(rules, shapes, found, {name for name in given if name in same or name in still})
    made = tuple(_assigned(rules, name, shapes[name], found.get(name), same.get(name), name in still) for name in given)
    _check_shapes(made)
    return Assignment(_weighed(rules, made), rules.outer)


def _matched(rules: Rules, shapes: Mapping[str, Shape]) -> dict[str, int]:
    """Return the place of the first rule that covers each array."""
    first = (
        (name, next((at for at, one in enumerate(rules.rules) if one.covers(name, len(shape))), None))
        for name, shape in shapes.items()
    )
    return {name: at for name, at in first if at is not None}


def _check_same(same: Mapping[str, str], shapes: Mapping[str, Shape], rules: Rules) -> None:
    for name, other in same.items():
        if other not in shapes or other in same:
            why = "another name itself" if other in same else "no array of the model"
            near = difflib.get_close_matches(other, [each for each in shapes if each != name], 1)
            hint = f". Did you mean {near[0]!r}?" if near and other not in shapes else ""
            raise ParameterError(f"{rules.source}: {name!r} is tied to {other!r}, which is {why}{hint}")
        if shapes[name] != shapes[other]:
            raise ShapeError(
                f"{rules.source}: {name!r} {shapes[name]} is tied to {other!r} {shapes[other]}; one array has one shape"
            )


def _check_covered(
    rules: Rules, shapes: Mapping[str, Shape], found: Mapping[str, int], without: Container[str]
) -> None:
    bare = [f"{name!r} {shape}" for name, shape in shapes.items() if name not in found and name not in without]
    if bare:
        raise ParameterError(
            f"{rules.source}: no rule covers {', '.join(bare)}. Write one (update = 'frozen' leaves alone)"
        )
    used = set(found.values())
    idle = [one for at, one in enumerate(rules.rules) if at not in used and not one.optional]
    if idle:
        hidden = [one.where for one in idle if any(one.covers(name, len(shape)) for name, shape in shapes.items())]
        why = "; earlier rules take what it matches" if hidden else "; correct it, or set optional = true"
        raise ParameterError(f"{', '.join(one.where for one in idle)}: covers no array of the model{why}")


def _assigned(rules: Rules, name: str, shape: Shape, at: int | None, same_as: str | None, still: bool) -> Assigned:
    one = None if at is None else rules.rules[at]
    if same_as is not None:
        return Assigned(name, shape, one, at, same_as=same_as)
    if one is None or one.frozen or still:
        return Assigned(name, shape, one, at, frozen=True)
    return Assigned(name, shape, one, at, one.spec, Fraction(1), one.update, one.options)


def _check_shapes(made: Iterable[Assigned]) -> None:
    """Raise with all arrays that their norms do not take."""
    wrong = []
    known: dict[Any, str] = {}
    for each in made:
        if each.spec is not None:
            assert each.rule is not None
            key = each.rule.where, each.shape
            if key not in known:
                known[key] = _misfit(each)
            wrong += [f"{each.name!r} {each.shape}: {known[key]}"] if known[key] else []
    if wrong:
        raise ShapeError(f"norms that do not take their arrays: {'; '.join(wrong)}")


def _misfit(each: Assigned) -> str:
    """Return why a norm does not take an array; empty if it does."""
    assert each.rule is not None
    if each.rule.axes is not None:
        try:
            each.rule.axes.sizes(each.shape)
        except ShapeError as error:
            return f"{each.rule.where}: {error}"
    wanted = program(str(each.spec)).shape
    fits = len(wanted) == len(each.shape) and 0 not in each.shape
    if fits and all(want in (None, have) for want, have in zip(wanted, each.shape, strict=True)):
        return ""
    lengths = ", ".join("any" if want is None else str(want) for want in wanted)
    hint = "say which axes are rows and cols, or give another rule"
    return f"{each.rule.where}: {each.spec} takes a shape ({lengths}); {hint}"


def _weighed(rules: Rules, made: tuple[Assigned, ...]) -> tuple[Assigned, ...]:
    """Return the same with their scales: those of the rules, times (sum of masses) / mass where rules state masses."""
    counts: dict[int, int] = {}
    for each in made:
        if each.spec is not None and each.index is not None:
            counts[each.index] = counts.get(each.index, 0) + 1
    masses = {at: _mass(rules.rules[at], count) for at, count in counts.items()}
    _check_masses(rules, made, masses)
    whole = sum((mass * counts[at] for at, mass in masses.items() if mass is not None), Fraction(0))
    return tuple(
        replace(each, factor=_factor(each, masses[each.index], whole))
        if each.spec is not None and each.index is not None
        else each
        for each in made
    )


def _mass(rule: Rule, count: int) -> Fraction | None:
    return rule.mass if rule.tare is None else rule.tare / count


def _check_masses(rules: Rules, made: tuple[Assigned, ...], masses: Mapping[int, Fraction | None]) -> None:
    if all(each.frozen or each.same_as is not None for each in made):
        raise ParameterError(
            f"{rules.source}: the masses are all zero, or all arrays are frozen; nothing is left to update"
        )
    if not masses and any(each.frozen and each.rule is not None and each.rule.spec is not None for each in made):
        raise ParameterError(
            f"{rules.source}: the masses of all arrays that have a norm are zero; give one to some of them"
        )
    without = [rules.rules[at].where for at, mass in masses.items() if mass is None]
    if without and len(without) < len(masses):
        raise ParameterError(
            f"{without[0]}: it states no mass, and other rules do; state one in every rule with a norm"
        )


def _factor(each: Assigned, mass: Fraction | None, whole: Fraction) -> Any:
    assert each.rule is not None
    own = each.rule.factor.at(each.rule.axes, each.shape)
    return own if mass is None else own * (whole / mass)
