"""Formulas as plain text for a terminal."""

from __future__ import annotations

import re

from normkit.tex.parse import EMPTY, Tex, parse

RAISED = str.maketrans("0123456789+−-n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻ⁿ")
RELATIONS = "=≤≥<>∈→∘×"


def plain(latex: str) -> str:
    r"""Return a LaTeX formula of the subset that `normkit.tex.parse` reads as text.

    Examples
    --------
    >>> plain(r"\sqrt{\tfrac{n}{m}}\,\sigma_1")
    '√(n/m) σ_1'
    """
    return re.sub(r" +", " ", _show(parse(latex))).strip()


def _show(node: Tex) -> str:
    match node.kind:
        case "row":
            return _row(node.parts)
        case "sign":
            return (
                f" {node.text} "
                if node.text in RELATIONS
                else {",": ", ", ":": " : ", "\u2003": "  "}.get(node.text, node.text)
            )
        case "space":
            return " " if node.text else ""
        case "bold":
            return _row(node.parts)
        case "accent":
            return f"{_row(node.parts)}{'^' if node.text == '^' else '~'}"
        case "frac":
            over, under = (_grouped(_show(part)) for part in node.parts)
            return f"{over}/{under}"
        case "root":
            radicand, index = node.parts
            sign = "√" if index == EMPTY else {"3": "∛", "4": "∜"}.get(_show(index), f"root{_show(index)}")
            inner = _show(radicand).strip()
            return f"{sign}({inner})"
        case "script":
            return _script(*node.parts)
        case "fence":
            return f"{node.text[0].strip('.')}{_row(node.parts).strip()}{node.text[1].strip('.')}"
        case "table":
            return _table(node)
        case _:
            return node.text


def _row(nodes: tuple[Tex, ...]) -> str:
    text = ""
    for place, node in enumerate(nodes):
        shown = _show(node)
        wide = node.kind in ("letter", "root", "word", "frac", "bold", "number")
        wide = wide or (node.kind == "script" and node.parts[0].kind not in ("sign", "fence", "row"))
        before = nodes[place - 1].kind if place else ""
        if wide and before in ("letter", "script", "root", "number", "frac", "large", "fence"):
            text += " "
        if node.kind == "sign" and node.text in "+−" and place and not _opens(nodes[place - 1]):
            shown = f" {node.text} "
        text += shown
    return text


def _opens(node: Tex) -> bool:
    """Tell whether a sign after this one is a sign of a number, not an operation."""
    return node.kind in ("text", "large") or (node.kind == "sign" and node.text in "([{,;:" + RELATIONS)


def _script(base: Tex, sub: Tex, sup: Tex) -> str:
    text = _show(base)
    below = "" if sub == EMPTY else f"_{_tight(_show(sub))}"
    power = _show(sup).strip()
    if power and (set(power) <= set("′") or (set(power) <= set("⋆⊤*") and not below)):
        return f"{text}{power}{below}"
    text += below
    if power:
        raised = power.translate(RAISED)
        short = all(mark in "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ" for mark in raised)
        text += raised if short else f"^{_tight(power)}"
    return text + (" " if base.kind == "large" else "")


def _tight(text: str) -> str:
    text = text.strip()
    squeezed = re.sub(r" ([=≤≥<>→]) ", r"\1", text)
    squeezed = squeezed.replace(" ", "") if re.fullmatch(r"[\w ]+", squeezed) else squeezed
    return squeezed if len(squeezed) == 1 or re.fullmatch(r"[^\W_]+", squeezed) else f"{{{squeezed}}}"


def _grouped(text: str) -> str:
    text = text.strip()
    return text if re.fullmatch(r"[^\s/+−·]+", text) or re.fullmatch(r"√\([^()]*\)", text) else f"({text})"


def _table(node: Tex) -> str:
    rows = [[_show(cell).strip() for cell in row.parts] for row in node.parts]
    if node.text == "cases":
        return "{ " + "; ".join("  ".join(row) for row in rows) + " }"
    if node.text == "aligned":
        return "\n".join(" ".join(row) for row in rows)
    return "[" + "; ".join(", ".join(row) for row in rows) + "]"
