"""Derivations for people and programs: text, LaTeX for a paper, plain data, and one self-contained HTML page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from normkit.formulas.formula import Formula
from normkit.formulas.lines import aligned, lines
from normkit.formulas.nodes import eps
from normkit.latex import latex
from normkit.references import citation
from normkit.style import STYLE
from normkit.tex.mathml import mathml
from normkit.tex.plain import plain

if TYPE_CHECKING:
    from normkit.derive import Derivation, Step

NOTES = (
    "For g = 0 the maps are 0, and so is every stage whose array is zero; sign(0) = 0; "
    "a tie of a maximum takes the first index.",
    "Singular values up to ε·√max(m, n)·σ₁, at most σ₁/32, count as zero, ε the spacing of 1 in the array's type.",
)
"""Conventions of every formula; the second where singular values occur."""


def notes(derivation: Derivation) -> tuple[str, ...]:
    """Return the conventions that the formulas of a derivation rely on."""
    formulas = [step.formula for step in derivation.steps if step.formula is not None]
    if any(formula.has(eps) for formula in formulas):
        return NOTES
    return NOTES[:1] if formulas else ()


def keys(derivation: Derivation) -> list[str]:
    """Return the sources of the steps, in order of use."""
    return list(dict.fromkeys(step.source for step in derivation.steps if step.source))


# --- text ---------------------------------------------------------------------------------------------------------


def text(derivation: Derivation) -> str:
    """Return a derivation as text for a terminal."""
    blocks = [f"{derivation.of}: derivation of the dual norm, the dualize map and the update"]
    for place, step in enumerate(derivation.steps, start=1):
        source = f"  [{step.source}]" if step.source else ""
        rows = [f"{place}. {step.name}{source}"]
        rows += [f"   {_plain(step.statement)}"] if step.statement else []
        rows += [f"     {_plain(claim)}" for claim in step.claims]
        if step.formula is not None:
            rows += [f"     {row}" for row in formula_text(step.formula)]
        rows += [f"   {step.note}"] if step.note else []
        blocks.append("\n".join(rows))
    blocks.append("\n".join(f"Note: {note}" for note in notes(derivation)))
    blocks.append("\n".join(f"[{key}] {citation(key)}" for key in keys(derivation)))
    return "\n\n".join(filter(None, blocks)) + "\n"


def formula_text(formula: Formula) -> list[str]:
    """Return a formula and its `where` clauses, one per line."""
    first, *rest = (" ".join(plain(part) for part in line if part) for line in lines(formula))
    return [first, *(f"{'where ' if at == 0 else '      '}{line}" for at, line in enumerate(rest))]


def _plain(statement: str) -> str:
    """Show a statement as text; one that is outside the LaTeX subset (a third party's) is shown as it is."""
    try:
        return plain(statement)
    except ValueError:
        return statement


# --- LaTeX --------------------------------------------------------------------------------------------------------


def paper(derivation: Derivation) -> str:
    """Return a derivation as a LaTeX fragment; it needs amsmath."""
    rows = [f"% Derivation of {derivation.of}", r"\begin{enumerate}"]
    for step in derivation.steps:
        cite = rf" \cite{{{step.source}}}" if step.source else ""
        statement = rf": ${step.statement}$." if step.statement else "."
        rows.append(rf"\item \textbf{{{_upper(step.name)}}}{cite}{statement}")
        rows += [rf"\[ {claim} \]" for claim in step.claims]
        rows += [f"\\[\n{aligned(step.formula)}\n\\]"] if step.formula is not None else []
        rows += [_escaped(step.note)] if step.note else []
    return "\n".join([*rows, r"\end{enumerate}"]) + "\n"


def _upper(name: str) -> str:
    return name[:1].upper() + name[1:]


def _escaped(sentence: str) -> str:
    for mark in "\\{}":
        sentence = sentence.replace(mark, "")
    for mark in "&%$#_":
        sentence = sentence.replace(mark, rf"\{mark}")
    return sentence.replace("->", r"$\to$").replace("^", r"\^{}").replace("~", r"\~{}")


# --- data ---------------------------------------------------------------------------------------------------------


def data(derivation: Derivation) -> dict[str, Any]:
    """Return a derivation as plain data for JSON."""
    return {
        "norm": str(derivation.of),
        "dual": str(derivation.of.dual),
        "formulas": {name: _formula(derivation, name) for name in ("norm", "dual_norm", "dualize", "update")},
        "steps": [_step(step) for step in derivation.steps],
        "notes": list(notes(derivation)),
        "references": {key: citation(key) for key in keys(derivation)},
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "theorem": step.name,
        "statement": step.statement,
        "source": step.source,
        "claims": list(step.claims),
        "formula": None if step.formula is None else aligned(step.formula),
        "note": step.note,
    }


def _formula(derivation: Derivation, name: str) -> str | None:
    formula = derivation.known(name)
    return None if formula is None else aligned(formula)


# --- HTML ---------------------------------------------------------------------------------------------------------


def html(derivation: Derivation) -> str:
    """Return a derivation as one HTML page: MathML, inline style, nothing loaded from elsewhere."""
    spec = escape(str(derivation.of))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{spec}: derivation</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{STYLE}</style>\n</head>\n<body>\n{fragment(derivation)}</body>\n</html>\n"
    )


def fragment(derivation: Derivation) -> str:
    """Return the body of the page, for notebooks."""
    steps = "\n".join(_article(step) for step in derivation.steps)
    said = "\n".join(f"<p>{escape(note)}</p>" for note in notes(derivation))
    conventions = f"<section class='notes'>\n<h2>Conventions</h2>\n{said}\n</section>\n" if said else ""
    sources = "\n".join(
        f'<li id="{escape(key)}"><b>{escape(key)}</b> {escape(citation(key))}</li>' for key in keys(derivation)
    )
    return (
        f"<main>\n<header>\n<p class='kind'>Derivation</p>\n<h1>{_math(latex(derivation.of), False)}</h1>\n"
        f"<p class='spec'><code>{escape(str(derivation.of))}</code></p>\n</header>\n"
        f"<ol class='steps'>\n{steps}\n</ol>\n"
        f"{conventions}<section class='sources'>\n<h2>Sources</h2>\n<ul>\n{sources}\n</ul>\n</section>\n</main>\n"
    )


def _article(step: Step) -> str:
    source = f' <a class="source" href="#{escape(step.source)}">{escape(step.source)}</a>' if step.source else ""
    parts = [f"<h2>{escape(_upper(step.name))}{source}</h2>"]
    parts += [f'<div class="statement">{_math(step.statement)}</div>'] if step.statement else []
    parts += [f'<div class="claim">{_math(claim)}</div>' for claim in step.claims]
    parts += [_display(step.formula)] if step.formula is not None else []
    parts += [f'<p class="note">{escape(step.note)}</p>'] if step.note else []
    return "<li>\n" + "\n".join(parts) + "\n</li>"


def _display(formula: Formula) -> str:
    """Return the result on a line of its own, and its `where` clauses below."""
    first, *rest = (f"{left} {relation} {right}" for left, relation, right in lines(formula))
    where = "".join(f"<li>{_math(line, display=True)}</li>" for line in rest)
    below = f'<div class="where"><span>where</span><ul>{where}</ul></div>' if where else ""
    return f'<div class="formula">{_math(first)}{below}</div>'


def _math(statement: str, display: bool = True) -> str:
    """Show LaTeX as MathML; a third party's statement outside the subset is shown as code."""
    try:
        return mathml(statement, display)
    except ValueError:
        return f"<code>{escape(statement)}</code>"
