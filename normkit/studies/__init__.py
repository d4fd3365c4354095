"""Studies: what source documents claim, reproduced, measured and, where it is wrong, corrected; one file per study.

A module of this package is a study, its `STUDY`; packages hold the pieces of studies, and `kit` what all are made of.

Examples
--------
>>> from normkit import studies
>>> "lion-k-box" in studies.names()
True
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from normkit.errors import ParameterError
from normkit.studies.kit.study import Study


def _modules() -> list[str]:
    return [each.name for each in iter_modules(__path__) if not each.ispkg]


def _load(module: str) -> Study:
    study: Study = import_module(f"{__name__}.{module}").STUDY
    return study


@cache
def _all() -> dict[str, Study]:
    found = [_load(module) for module in _modules()]
    return {study.name: study for study in sorted(found, key=lambda study: (study.ids or ("Z",), study.name))}


def names() -> list[str]:
    """Return the names of all studies, by the first number that they reproduce."""
    return list(_all())


def get(name: str) -> Study:
    """Return a study by its name.

    Raises
    ------
    ParameterError
        If there is none of that name; with the nearest one.
    """
    if "_" not in name and (module := name.replace("-", "_")) in _modules():
        return _load(module)  # without the others, which takes a second less
    if name not in _all():
        near = get_close_matches(name, names(), 1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise ParameterError(f"unknown study {name!r}; {meant}known: {', '.join(names())}")
    return _all()[name]


def index() -> dict[str, str]:
    """Return the name of the study of every number that is reproduced, such as S51."""
    return dict(sorted((number, study.name) for study in _all().values() for number in study.ids))
