"""Sphinx configuration; build with `sphinx-build -W -n docs OUT`."""

import tomllib
from pathlib import Path

pyproject = Path(__file__).parents[1] / "pyproject.toml"
metadata = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]

project = metadata["name"]
author = metadata["authors"][0]["name"]
copyright = author
release = version = metadata["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_ivar = True
# types in docstrings are words of mathematics, not names to link
nitpick_ignore_regex = [(r"py:.*", r".*")]
myst_enable_extensions = ["amsmath", "deflist", "dollarmath"]
myst_heading_anchors = 3
nitpicky = True
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"{project} {release}"


def escape_formulas(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Keep |x_i| and X_:1 in docstrings as they are: they are mathematics, not markup."""
    for place, line in enumerate(lines):
        if not line.startswith((" ", ">>>")):
            words = line.split("``")
            words[::2] = [word.replace("|", r"\|").replace("_:", r"\_:") for word in words[::2]]
            lines[place] = "``".join(words)


def setup(app: object) -> None:
    """Register the escape."""
    app.connect("autodoc-process-docstring", escape_formulas)  # type: ignore[attr-defined]
