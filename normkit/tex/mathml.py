"""MathML (Core, presentation) of formulas: what browsers lay out by themselves, without scripts or fonts from afar."""

from __future__ import annotations

from html import escape

from normkit.tex.parse import EMPTY, Tex, parse

FENCES = "()[]{}|‖⟨⟩⌊⌋⌈⌉"


def mathml(latex: str, display: bool = True) -> str:
    r"""Return a ``<math>`` element for a LaTeX formula of the subset that `normkit.tex.parse` reads.

    Examples
    --------
    >>> mathml(r"\sqrt{n}", display=False)
    '<math><msqrt><mi>n</mi></msqrt></math>'
    """
    kind = ' display="block"' if display else ""
    return f"<math{kind}>{_show(parse(latex))}</math>"


def _show(node: Tex) -> str:
    return getattr(_Show, node.kind)(node)  # type: ignore[no-any-return]


def _row(nodes: tuple[Tex, ...]) -> str:
    nodes = tuple(node for node in nodes if node != EMPTY)
    shown = []
    for node, after in zip(nodes, (*nodes[1:], EMPTY), strict=True):
        shown.append(_show(node))
        if node.kind == "script" and node.parts[0].kind == "large" and _large(after):
            shown.append('<mspace width="0.17em"/>')
    return shown[0] if len(shown) == 1 else f"<mrow>{''.join(shown)}</mrow>"


def _large(node: Tex) -> bool:
    """Tell whether a node is an operator in words, as max is, with or without limits."""
    core = node.parts[0] if node.kind == "script" else node
    return core.kind == "large" and len(core.text) > 1


class _Show:
    """One rule per kind of node."""

    @staticmethod
    def row(node: Tex) -> str:
        return _row(node.parts)

    @staticmethod
    def letter(node: Tex) -> str:
        return f"<mi>{escape(node.text)}</mi>"

    @staticmethod
    def number(node: Tex) -> str:
        return f"<mn>{node.text}</mn>"

    @staticmethod
    def sign(node: Tex) -> str:
        plain = ' stretchy="false" lspace="0" rspace="0"' if node.text in FENCES else ""
        return f"<mo{plain}>{escape(node.text)}</mo>"

    @staticmethod
    def large(node: Tex) -> str:
        if len(node.text) == 1:
            return f"<mo>{node.text}</mo>"
        return f'<mo movablelimits="true" lspace="0" rspace="0.17em">{escape(node.text)}</mo>'

    @staticmethod
    def word(node: Tex) -> str:
        upright = ' mathvariant="normal"' if len(node.text) == 1 else ""
        return f"<mi{upright}>{escape(node.text)}</mi>"

    @staticmethod
    def text(node: Tex) -> str:
        return f"<mtext>{escape(node.text).replace(' ', '&#160;')}</mtext>"

    @staticmethod
    def space(node: Tex) -> str:
        width = {"\u2009": "0.17em", "\u2005": "0.28em", " ": "0.33em", "\u2003": "1em", "\u2003\u2003": "2em", "": "0"}
        return f'<mspace width="{width[node.text]}"/>'

    @staticmethod
    def bold(node: Tex) -> str:
        return f'<mstyle style="font-weight:bold">{_row(node.parts)}</mstyle>'

    @staticmethod
    def accent(node: Tex) -> str:
        return f'<mover accent="true">{_row(node.parts)}<mo stretchy="false">{escape(node.text)}</mo></mover>'

    @staticmethod
    def frac(node: Tex) -> str:
        return f"<mfrac>{_row(node.parts[:1])}{_row(node.parts[1:])}</mfrac>"

    @staticmethod
    def root(node: Tex) -> str:
        radicand, index = node.parts
        if index == EMPTY:
            return f"<msqrt>{_show(radicand)}</msqrt>"
        return f"<mroot>{_row((radicand,))}{_row((index,))}</mroot>"

    @staticmethod
    def script(node: Tex) -> str:
        base, sub, sup = node.parts
        below = base.kind == "large"
        names = ("munder", "mover", "munderover") if below else ("msub", "msup", "msubsup")
        shown = _row((base,))
        if sup == EMPTY:
            return f"<{names[0]}>{shown}{_row((sub,))}</{names[0]}>"
        if sub == EMPTY:
            return f"<{names[1]}>{shown}{_row((sup,))}</{names[1]}>"
        return f"<{names[2]}>{shown}{_row((sub,))}{_row((sup,))}</{names[2]}>"

    @staticmethod
    def fence(node: Tex) -> str:
        opening, closing = (
            ""
            if mark == "."
            else f'<mo fence="true" stretchy="true" form="{form}" lspace="0" rspace="0">{escape(mark)}</mo>'
            for mark, form in zip(node.text, ("prefix", "postfix"), strict=True)
        )
        return f"<mrow>{opening}{_row(node.parts)}{closing}</mrow>"

    @staticmethod
    def table(node: Tex) -> str:
        columns = {"aligned": "right left", "cases": "left left"}.get(node.text, "center")
        sides = columns.split()
        rows = ""
        for row in node.parts:
            cells = "".join(
                f'<mtd class="{sides[min(at, len(sides) - 1)]}">{_show(cell)}</mtd>'
                for at, cell in enumerate(row.parts)
            )
            rows += f"<mtr>{cells}</mtr>"
        style = ' displaystyle="true"' if node.text in ("aligned", "cases") else ""
        body = f'<mtable class="{node.text}"{style}>{rows}</mtable>'
        opening, closing = {"cases": ("{", ""), "pmatrix": ("(", ")")}.get(node.text, ("", ""))
        left = f'<mo fence="true" stretchy="true" form="prefix">{opening}</mo>' if opening else ""
        right = f'<mo fence="true" stretchy="true" form="postfix">{closing}</mo>' if closing else ""
        return f"<mrow>{left}{body}{right}</mrow>"
