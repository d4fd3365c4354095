r"""LaTeX -> a small tree. Commands outside the subset raise, so nothing is ever shown half.

row    = { item }          item = core { "^" argument | "_" argument | "'" }
core   = letter | number | "{" row "}" | command | \frac argument argument | \sqrt [ "[" row "]" ] argument | \text{...}
| \left delimiter row \right delimiter | \begin{cases} rows \end{cases}
argument = core, but of a number without braces one digit
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TOKEN = re.compile(r"\\begin\{[a-z]+\}|\\end\{[a-z]+\}|\\[A-Za-z]+\*?|\\.|\d+(?:\.\d+)?|\s+|.", re.DOTALL)


@dataclass(frozen=True)
class Tex:
    """A node: `kind` is letter, number, sign, large, word, text, space, row, frac, root, script, fence, table or bold.

    `text` is what a leaf shows (for a table: cases, aligned or matrix; for a fence: its two delimiters); `parts` are
    the children: base, sub, sup of a script (an empty row where there is none), radicand and index of a root, the
    cells of a table row by row.
    """

    kind: str
    text: str = ""
    parts: tuple[Tex, ...] = ()


EMPTY = Tex("row")

LETTERS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "varepsilon": "ε", "epsilon": "ϵ",
    "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "pi": "π", "rho": "ρ",
    "sigma": "σ", "tau": "τ", "phi": "ϕ", "varphi": "φ", "psi": "ψ", "eta": "η", "zeta": "ζ", "xi": "ξ",
    "omega": "ω", "chi": "χ", "Phi": "Φ", "Psi": "Ψ", "Sigma": "Σ", "Delta": "Δ", "Lambda": "Λ",
    "Theta": "Θ", "Omega": "Ω", "Gamma": "Γ", "Pi": "Π", "ell": "ℓ", "infty": "∞", "partial": "∂",
    "nabla": "∇", "emptyset": "∅", "top": "⊤", "star": "⋆", "dagger": "†",
}  # fmt: skip
SIGNS = {
    "cdot": "·", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "neq": "≠", "ne": "≠", "in": "∈",
    "notin": "∉", "times": "×", "to": "→", "gets": "←", "mapsto": "↦", "dots": "…", "ldots": "…", "cdots": "⋯",
    "langle": "⟨", "rangle": "⟩", "circ": "∘", "perp": "⊥", "subseteq": "⊆", "subset": "⊂", "cup": "∪",
    "cap": "∩", "wedge": "∧", "vee": "∨", "neg": "¬", "quad": "\u2003", "|": "‖", "{": "{", "}": "}",
    "#": "#", "%": "%", "_": "_", "odot": "⊙", "otimes": "⊗", "oplus": "⊕", "pm": "±", "mp": "∓",
    "mid": "|", "vert": "|", "lvert": "|", "rvert": "|", "Vert": "‖", "lVert": "‖", "rVert": "‖",
    "setminus": "∖", "propto": "∝", "sim": "∼", "approx": "≈", "succeq": "⪰", "succ": "≻",
    "preceq": "⪯", "uparrow": "↑", "downarrow": "↓", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈",
    "rceil": "⌉", "forall": "∀", "exists": "∃", "Rightarrow": "⇒", "Leftrightarrow": "⇔", "iff": "⇔",
    "bigcup": "⋃", "bigcap": "⋂", "colon": ":", "bullet": "•", "equiv": "≡", "square": "□", "ast": "∗",
    "prime": "′",
}  # fmt: skip
LARGE = {"sum": "∑", "prod": "∏", "int": "∫", "max": "max", "min": "min", "sup": "sup", "inf": "inf", "lim": "lim"}
WORDS = [
    "log", "exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "sign", "det",
    "tr", "rank", "dim", "arg", "ker", "erf", "ln", "Pr",
]  # fmt: skip
SPACES = {",": "\u2009", ";": "\u2005", " ": " ", ":": "\u2005", "!": "", "quad": "\u2003", "qquad": "\u2003\u2003"}
SIZES = [
    "big", "Big", "bigg", "Bigg", "bigl", "Bigl", "biggl", "Biggl", "bigr", "Bigr", "biggr", "Biggr",
    "bigm", "displaystyle", "textstyle", "limits",
]  # fmt: skip
FONTS = {"mathrm": "word", "operatorname": "word", "operatorname*": "large", "text": "text", "textrm": "text"}
BOARD = {"R": "ℝ", "N": "ℕ", "E": "𝔼", "Z": "ℤ"}
ACCENTS = {"hat": "^", "bar": "‾", "tilde": "~", "overline": "‾", "widehat": "^"}


def parse(text: str) -> Tex:
    r"""Return the tree of a LaTeX formula (without the dollar signs).

    Raises
    ------
    ValueError
        For a command outside the subset, or unbalanced brackets; the message names it.

    Examples
    --------
    >>> parse(r"\sqrt{n}").kind
    'root'
    """
    reader = _Reader(TOKEN.findall(text))
    made = reader.row(())
    if reader.peek():
        raise ValueError(f"unexpected {reader.peek()!r} in the formula {text}")
    return made.parts[0] if len(made.parts) == 1 else made


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.at = tokens, 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        if not token:
            raise ValueError("a formula ends too early")
        self.at += 1
        return token

    def need(self, token: str) -> None:
        found = self.take()
        if found != token:
            raise ValueError(f"expected {token!r} in a formula, got {found!r}")

    def row(self, ends: tuple[str, ...]) -> Tex:
        """Read items up to one of the ends, which is left to the caller."""
        items: list[Tex] = []
        while self.peek() and self.peek() not in ends and self.peek() != "}":
            if self.peek().isspace():
                self.at += 1
                continue
            items.append(self.item())
        return Tex("row", "", tuple(items))

    def item(self) -> Tex:
        core, sub, sup, primes = self.core(), EMPTY, EMPTY, ""
        while self.peek() in ("^", "_", "'"):
            mark = self.take()
            if mark == "'":
                primes += "′"
            elif mark == "_":
                sub = self.argument()
            else:
                sup = self.argument()
        if primes:
            sup = Tex("row", "", (Tex("sign", primes), *((sup,) if sup != EMPTY else ())))
        return core if sub == sup == EMPTY else Tex("script", "", (core, sub, sup))

    def core(self) -> Tex:
        while self.peek().isspace():
            self.at += 1
        token = self.take()
        if token == "{":
            inner = self.row(())
            self.need("}")
            return inner.parts[0] if len(inner.parts) == 1 else inner
        if token.startswith("\\begin"):
            return self.table(token[7:-1])
        if token.startswith("\\"):
            return self.command(token[1:])
        if token[0].isdigit():
            return Tex("number", token)
        return Tex("letter" if token.isalpha() else "sign", "−" if token == "-" else token)

    def argument(self) -> Tex:
        r"""Read a core; of a number without braces its first digit alone, as TeX does: \frac12 is one half."""
        while self.peek().isspace():
            self.at += 1
        if (token := self.peek())[:1].isdigit() and len(token) > 1:
            self.tokens[self.at] = token[1:]
            return Tex("number", token[0])
        return self.core()

    def command(self, name: str) -> Tex:
        if name in ("frac", "tfrac", "dfrac"):
            return Tex("frac", "", (self.argument(), self.argument()))
        if name == "sqrt":
            return self.root()
        if name in FONTS:
            return self.raw(FONTS[name])
        if name in ("mathbf", "mathbb", "mathcal", "boldsymbol"):
            inner = self.core()
            return Tex("bold", "", (inner,)) if name != "mathbb" else Tex("letter", BOARD[inner.text])
        if name in ACCENTS:
            return Tex("accent", ACCENTS[name], (self.core(),))
        if name == "left":
            return self.fence()
        if name in SIZES:
            return EMPTY
        if name in SPACES:
            return Tex("space", SPACES[name])
        if name in LARGE:
            return Tex("large", LARGE[name])
        if name in WORDS:
            return Tex("word", name)
        if name in LETTERS:
            return Tex("letter", LETTERS[name])
        if name in SIGNS:
            return Tex("sign", SIGNS[name])
        raise ValueError(f"the formula uses \\{name}, which is outside the LaTeX that normkit shows")

    def root(self) -> Tex:
        index = EMPTY
        if self.peek() == "[":
            self.take()
            index = self.row(("]",))
            self.need("]")
        return Tex("root", "", (self.argument(), index))

    def raw(self, kind: str) -> Tex:
        r"""Read {words} as they stand, spaces kept; \, is a thin space, $...$ within is not allowed."""
        while self.peek().isspace():
            self.at += 1
        self.need("{")
        words, depth = "", 0
        while depth or self.peek() != "}":
            token = self.take()
            depth += (token == "{") - (token == "}")
            if token not in ("{", "}"):
                words += SPACES.get(token[1:], token[1:]) if token.startswith("\\") else token
        self.need("}")
        return Tex(kind, words)

    def fence(self) -> Tex:
        opening = self.delimiter()
        inner = self.row(("\\right",))
        self.need("\\right")
        return Tex("fence", opening + self.delimiter(), (inner,))

    def delimiter(self) -> str:
        token = self.take()
        if not token.startswith("\\"):
            return token
        if token[1:] not in SIGNS:
            raise ValueError(f"{token} is not a delimiter")
        return SIGNS[token[1:]]

    def table(self, kind: str) -> Tex:
        rows: list[Tex] = []
        cells: list[Tex] = []
        end = f"\\end{{{kind}}}"
        while True:
            cells.append(self.row(("&", "\\\\", end)))
            token = self.take()
            if token == "&":
                continue
            rows.append(Tex("row", "", tuple(cells)))
            cells = []
            if token == end:
                return Tex("table", kind, tuple(rows))
            if token != "\\\\":
                raise ValueError(f"unexpected {token!r} in {kind}")
