"""Sphinx configuration; build with `sphinx-build -W -n docs OUT`."""

import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from docutils.nodes import SkipNode

from normkit.tex.mathml import mathml

pyproject = Path(__file__).parents[1] / "pyproject.toml"
metadata = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]

project = metadata["name"]
author = metadata["authors"][0]["name"]
copyright = author
release = version = metadata["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_mock_imports = [name for name in ("jax", "optax") if find_spec(name) is None]  # an extra: not everywhere
napoleon_google_docstring = False
napoleon_use_ivar = True
# types in docstrings are words of mathematics, not names to link
nitpick_ignore_regex = [(r"py:.*", r".*")]
myst_enable_extensions = ["amsmath", "deflist", "dollarmath"]
myst_heading_anchors = 3
nitpicky = True
exclude_patterns = ["_build"]

html_theme = "furo"
html_math_renderer = "mathml"
html_title = f"{project} {release}"


def escape_formulas(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Keep |x_i| and X_:1 in docstrings as they are: they are mathematics, not markup."""
    for place, line in enumerate(lines):
        if not line.startswith((" ", ">>>")):
            words = line.split("``")
            words[::2] = [word.replace("|", r"\|").replace("_:", r"\_:") for word in words[::2]]
            lines[place] = "``".join(words)


def inline_math(writer: Any, node: Any) -> None:
    """Write a formula as MathML, as derivations are: pages need no script and no network."""
    writer.body.append(mathml(node.astext(), display=False))
    raise SkipNode


def display_math(writer: Any, node: Any) -> None:
    """Write a formula of its own lines."""
    box = '<div class="formula" style="overflow-x: auto; overflow-y: hidden; padding: 0.3rem 0">'
    writer.body.append(f"{box}{mathml(node.astext())}</div>")
    raise SkipNode


def setup(app: Any) -> None:
    """Register the escape and the formulas."""
    app.connect("autodoc-process-docstring", escape_formulas)
    app.add_html_math_renderer("mathml", (inline_math, None), (display_math, None))
