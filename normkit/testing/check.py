"""`check_norm`: every law of norms, duals and dualize maps, on one norm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import DTypeLike

from normkit import descent
from normkit.backends.linear import apply
from normkit.codegen.plan import Missing
from normkit.errors import NoClosedForm, ShapeError
from normkit.norm import Norm
from normkit.programs import program
from normkit.testing.laws import LAWS
from normkit.testing.report import Finding, Report, summarise
from normkit.testing.subject import Subject

VECTORS: tuple[tuple[int, ...], ...] = ((1,), (2,), (6,))
MATRICES: tuple[tuple[int, ...], ...] = ((1, 1), (1, 4), (3, 1), (4, 3), (3, 4), (3, 3))


def check_norm(
    norm: Norm | str,
    *,
    shape: tuple[int, ...] | None = None,
    dtypes: Iterable[DTypeLike] = ("float64", "float32"),
    backends: Iterable[str] = ("reference",),
    laws: Iterable[int] | None = None,
    seed: int = 0,
    slack: float = 1.0,
) -> Report:
    r"""Check that N is a norm, that N* is its dual, and that dualize attains <g, t> = N*(g) at N(t) = 1.

    The laws: 1 norm, 2 feasible and tight, 3 Hölder, 4 odd and scale-free, 5 policies, 6 biduality, 7 gradient,
    8 recogniser, 10 equivalences, 12 agreement, 13 certificate honesty. Those that need a value which the norm does
    not state (a synthesis norm has no explicit N) are replaced by what the dual says of it. Inputs are Gaussian,
    heavy-tailed, integer, one-hot, constant, tied, nearly tied, rank 1, with zero rows, and at the ends of the dtype's
    range. A residual may reach c * sqrt(size) * eps, where c is 4 for cost class ``closed``, 8 for ``sort``, 32 for
    ``root`` and ``svd``.

    Parameters
    ----------
    norm : Norm or str
        The norm, or its spec.
    shape : tuple of int, optional
        Shape of one item. By default several small ones, as the norm's own `shape` allows.
    dtypes, backends : iterable
        What to run on; law 12 compares the back ends with the first one.
    laws : iterable of int, optional
        The numbers of the laws to check; by default all.
    seed : int
        Seed of the random inputs.
    slack : float
        Factor on every tolerance, for norms with badly conditioned parameters.

    Returns
    -------
    Report
        The worst residual per law and input; ``print`` it for a table.

    Raises
    ------
    LawBroken
        An `AssertionError` that names the law, the input and the numbers.
    NoClosedForm
        If neither N nor N* has an explicit value: nothing can be checked.
    ShapeError
        If the norm takes none of the shapes.

    Examples
    --------
    >>> import normkit as nk
    >>> from normkit.testing import check_norm
    >>> report = check_norm("linf", dtypes=["float64"])
    >>> report.worst.holds
    True
    """
    if not isinstance(norm, Norm):
        from normkit.spec import norm as parse

        norm = parse(norm)
    _require_explicit(norm)
    wanted, back_ends = set(LAWS if laws is None else laws), tuple(backends)
    findings: list[Finding] = []
    for dtype in [np.dtype(given) for given in dtypes]:
        for item in shapes(norm) if shape is None else [shape]:
            subjects = [Subject(norm, item, dtype, name, seed, slack) for name in back_ends]
            findings += [found for subject in subjects for found in _run(subject, wanted, subjects[0])]
    return summarise(str(norm), findings)


def _run(subject: Subject, wanted: set[int], first: Subject) -> Iterator[Finding]:
    for number in sorted(wanted & set(LAWS)):
        for law in LAWS[number]:
            yield from law(subject, first)


def _require_explicit(norm: Norm) -> None:
    made = program(norm)
    if isinstance(made.value, Missing) and isinstance(made.dual, Missing):
        raise NoClosedForm(made.dual.message, made.dual.cost_class)


def shapes(norm: Norm) -> list[tuple[int, ...]]:
    """Return the small item shapes that a norm takes.

    Raises
    ------
    ShapeError
        If it takes none of those tried.
    """
    free = {1: VECTORS, 2: MATRICES}.get(norm.ndim, [(*first, *[2] * (norm.ndim - 2)) for first in MATRICES])
    filled = (tuple(own or any_ for own, any_ in zip(norm.shape, item, strict=True)) for item in free)
    taken = [item for item in dict.fromkeys(filled) if _takes(norm, item)]
    if not taken:
        raise ShapeError(f"{norm} takes none of the shapes {', '.join(map(str, free))}; give shape=")
    return taken


def _takes(norm: Norm, item: tuple[int, ...]) -> bool:
    """Tell whether a norm takes items of a shape, and its subspace holds more than zero there."""
    made = program(norm)
    ask = descent.value if isinstance(made.dual, Missing) else descent.dual_value
    g = np.random.default_rng(0).standard_normal(item)
    try:
        inside = g if norm.subspace is None else apply(norm.subspace, g, item)
        ask(norm, inside, backend="reference")
    except ShapeError:
        return False
    return bool(inside.any())
