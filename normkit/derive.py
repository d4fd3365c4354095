r"""Derivations: from a norm to its dual, its dualize map and its update, one theorem at a time.

Every formula is a `Formula`: the SymPy object that is printed is the one that evaluates, and its slopes are those of
the `DualityMap` from which the kernels are generated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from normkit.duality import gradient
from normkit.errors import NoClosedForm
from normkit.formulas.build import MapFormulas, image_formula, map_formulas, value_formula
from normkit.formulas.check import Check, check
from normkit.formulas.formula import Formula
from normkit.latex import latex
from normkit.norm import Dual, Norm, Scaled, Theorem, children
from normkit.spec import norm as parse

GRADIENT = Theorem(
    "gradient of the dual norm",
    r"\operatorname*{arg\,max}\{\langle g,t\rangle : N(t)\le 1\}=\partial N^*(g)",
    "rockafellar1970convex",
)
DESCENT = Theorem(
    "steepest descent",
    r"\operatorname*{arg\,min}_{\Delta}\ \langle g,\Delta\rangle+\tfrac{\lambda}{2}N(\Delta)^2"
    r"=-\tfrac{N^*(g)}{\lambda}\,t(g)",
    "bernstein2024old",
)
VALUE = Theorem("definition of the norm", "", "")


@dataclass(frozen=True)
class Step:
    """One theorem of a derivation.

    Attributes
    ----------
    name : str
        Name of the theorem.
    statement : str
        What it says, in LaTeX.
    source : str
        Key of `normkit.references`; empty for definitions.
    claims : tuple of str
        What it gave here, in LaTeX: an equality of norms, for each norm that it was used on.
    formula : Formula or None
        The formula that it led to.
    note : str
        A sentence on what is not known.

    Examples
    --------
    >>> import normkit as nk
    >>> step = nk.derive("linf").steps[1]
    >>> step.name, step.source
    ('Hölder', 'hardy1934inequalities')
    """

    name: str
    statement: str
    source: str
    claims: tuple[str, ...] = ()
    formula: Formula | None = None
    note: str = ""


@dataclass(frozen=True)
class Derivation:
    """The theorems used for a norm, and the formulas that they lead to.

    ``norm``, ``dual_norm``, ``dualize`` and ``update`` are `Formula` objects: call them on a small exact matrix, print
    them, or substitute into them. Where one has no closed form, asking for it raises `NoClosedForm`.

    Attributes
    ----------
    of : Norm
        The norm.

    Examples
    --------
    >>> import normkit as nk
    >>> d = nk.derive("linf")
    >>> d.dual_norm([3, -4, 0]), list(d.dualize([3, -4, 0]))
    (7, [1, -1, 0])
    >>> d.update([3, -4, 0], sharpness=2)
    Matrix([
    [-7/2],
    [ 7/2],
    [   0]])
    """

    of: Norm

    # --- formulas ------------------------------------------------------------------------------------------------

    @cached_property
    def norm(self) -> Formula:
        """N as a function of x (X for matrices)."""
        return value_formula(self.of.value(), self.of.shape, "x", f"N({self._letter('x')})")

    @cached_property
    def dual_norm(self) -> Formula:
        """N* as a function of g (G for matrices)."""
        return self._formulas.value

    @cached_property
    def dualize(self) -> Formula:
        """The maximiser t of <g, t> over N(t) <= 1."""
        return self._formulas.map

    @cached_property
    def update(self) -> Formula:
        """The steepest-descent update -(N*(g) / sharpness) t."""
        return self._formulas.update

    @cached_property
    def _formulas(self) -> MapFormulas:
        return map_formulas(gradient(self.of.dual_value()), self.of.shape, f"N^*({self._letter('g')})")

    def _letter(self, letter: str) -> str:
        return letter if self.of.ndim == 1 else letter.upper()

    # --- steps -----------------------------------------------------------------------------------------------------

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The definition, the theorems from the whole norm down to its parts, the gradient, the update."""
        found = [self._definition(), *_merged(_theorems(self.of)), self._dual_step()]
        if found[-1].formula is not None:
            found.append(Step(GRADIENT.name, GRADIENT.statement, GRADIENT.source, (), self.dualize))
            found.append(Step(DESCENT.name, DESCENT.statement, DESCENT.source, (), self.update))
        return tuple(found)

    def _definition(self) -> Step:
        try:
            return Step(VALUE.name, "", "", (f"N = {latex(self.of)}",), self.norm)
        except NoClosedForm as error:
            return Step(VALUE.name, "", "", (f"N = {latex(self.of)}",), None, f"The norm itself: {error}.")

    def _dual_step(self) -> Step:
        theorem = Norm.theorem
        dual = self.of.dual
        claims = () if isinstance(dual, Dual) else (f"N^* = {latex(dual)}",)
        try:
            return Step("the dual norm", theorem.statement, "", claims, self.dual_norm)
        except NoClosedForm as error:
            return Step("the dual norm", theorem.statement, "", claims, None, f"No dualize map: {error}.")

    # --- presentation --------------------------------------------------------------------------------------------

    def text(self) -> str:
        """Return the derivation as text for a terminal."""
        from normkit.report import text

        return text(self)

    def latex(self) -> str:
        r"""Return the derivation as LaTeX to paste into a paper (needs amsmath): theorems and ``aligned`` formulas."""
        from normkit.report import paper

        return paper(self)

    def html(self) -> str:
        """Return the derivation as one self-contained HTML page with MathML."""
        from normkit.report import html

        return html(self)

    def json(self) -> dict[str, Any]:
        """Return the derivation as plain data: spec of norm and dual, steps, formulas in LaTeX, references."""
        from normkit.report import data

        return data(self)

    def python(self) -> str:
        """Return the formulas as one Python module of plain loops (`numpy.linalg.svd` where singular values occur)."""
        from normkit.formulas.python import module

        found = [(name, self.known(name)) for name in ("norm", "dual_norm", "dualize", "update")]
        return module(str(self.of), [(name, formula) for name, formula in found if formula is not None])

    def known(self, name: str) -> Formula | None:
        """Return the formula ``norm``, ``dual_norm``, ``dualize`` or ``update``, None if it has no closed form."""
        try:
            formula: Formula = getattr(self, name)
        except NoClosedForm:
            return None
        return formula

    def check(self, seed: int = 0) -> Check:
        """Evaluate the formulas on small exact arrays and test what makes t optimal; see `normkit.formulas.check`.

        Raises
        ------
        ArithmeticError
            If N(t) = 1, <g, t> = N*(g) or Hölder's inequality fails beyond 1e-12.
        NoClosedForm
            If there is no dualize map to check.
        """
        subspace = self.of.subspace
        projection = None if subspace is None else image_formula(subspace, self.of.shape)
        return check(self.known("norm"), self.dual_norm, self.dualize, self.of.shape, seed, projection)

    def _repr_latex_(self) -> str:
        """The dualize map, or what is known instead: the norm's formula, at least its name."""
        shown = self.known("dualize") or self.known("norm") or self.of
        return f"$\\displaystyle {latex(shown)}$"

    def _repr_html_(self) -> str:
        from normkit.report import fragment

        return fragment(self)


def derive(norm: Norm | str) -> Derivation:
    """Derive the dual norm, the dualize map and the steepest-descent update of a norm.

    Parameters
    ----------
    norm : Norm or str
        A norm or its spec.

    Returns
    -------
    Derivation
        Steps with their theorems, and formulas that evaluate; of a `Modular` norm on mappings of arrays.

    Raises
    ------
    SpecError
        If the text is not a norm. A norm without a closed form raises nothing here: its derivation says what is known.

    Examples
    --------
    >>> import normkit as nk
    >>> [step.name for step in nk.derive("rms->rms").steps][1:4]
    ['induced norm', 'scaling', 'von Neumann trace inequality']
    """
    made = parse(norm)
    if made.named_blocks() is None:
        return Derivation(made)
    from normkit.derive_blocks import BlockDerivation

    return BlockDerivation(made)


# --- walking the norm ---------------------------------------------------------------------------------------------


def _theorems(norm: Norm) -> Iterator[tuple[Theorem, str]]:
    """Yield (theorem, claim) for a norm and its parts, from the whole down."""
    lowered = _lowered(norm)
    if lowered is not None:
        yield norm.theorem, f"{latex(norm)} = {latex(lowered)}"
        yield from _theorems(lowered)
        return
    yield norm.theorem, _claim(norm)
    for part in parts(norm):
        yield from _theorems(part)


def _claim(norm: Norm) -> str:
    shown = latex(norm)
    grouped = shown if not _wide(norm) else rf"\left({shown}\right)"
    if isinstance(norm, Dual):
        return rf"{grouped}^* = {latex(norm.of)}"
    dual = norm.dual
    return "" if isinstance(dual, Dual) else rf"{grouped}^* = {latex(dual)}"


def _wide(norm: Norm) -> bool:
    return norm.name != "lp" and (isinstance(norm, Scaled) or norm.name == "induced" or bool(fields(norm)))  # type: ignore[arg-type]


def _lowered(norm: Norm) -> Norm | None:
    """Return what a norm's identity table makes of it, if it has one."""
    table = getattr(norm, "lowered", None)
    try:
        return table() if table is not None else None
    except NoClosedForm:
        return None


def parts(norm: Norm) -> list[Norm]:
    """Return the norms that a norm is made of: its norm-valued fields, or the gauge of a named lift."""
    found = children(norm)
    return found if found or norm.ndim != 2 or norm.gauge is None else [norm.gauge]


def _merged(theorems: Iterator[tuple[Theorem, str]]) -> list[Step]:
    """One step per theorem, with all that it was used for."""
    claims: dict[Theorem, list[str]] = {}
    for theorem, claim in theorems:
        known = claims.setdefault(theorem, [])
        if claim and claim not in known:
            known.append(claim)
    return [Step(each.name, each.statement, each.source, tuple(known)) for each, known in claims.items()]
