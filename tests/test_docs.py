"""Documentation that runs: generated pages are fresh, public names have examples, code blocks of the pages work."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import normkit as nk
from normkit import studies
from normkit.studies.kit.claims import plain

ROOT = Path(__file__).parents[1]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


STUDIES = [f"studies/{name}.md" for name in studies.names()]


@pytest.mark.parametrize(
    "name",
    ["catalogue.md", "cli.md", "api.md", "references.md", "conventions.md", "studies/index.md", *STUDIES],
)
def test_generated_pages_are_what_the_code_says(name: str) -> None:
    assert (ROOT / "docs" / name).read_text("utf-8") == generator().page(name), "run: python docs/generate.py"


@pytest.mark.parametrize("name", studies.names())
def test_pages_of_studies_show_a_full_run_of_the_study_as_it_is(name: str) -> None:
    """A run that is kept is of the full form, as documented, with its pictures, and of this study's options."""
    folder, study = ROOT / "docs" / "studies", studies.get(name)
    assert (folder / f"{name}.json").exists(), f"run: normkit study {name} --out docs/studies"
    run = json.loads((folder / f"{name}.json").read_text("utf-8"))
    assert (run["study"], run["title"], run["form"], tuple(run["ids"])) == (name, study.title, "full", study.ids)
    assert [claim["id"] for claim in run["claims"] if claim["verdict"] != claim["documented"]] == []
    assert run["options"] == plain({option: each.default for option, each in study.options.items()})
    for figure in run["figures"]:
        picture = folder / f"{name}-{figure['id']}.png"
        assert picture.stat().st_size < 120_000, f"{picture.name} is large for a page"


def is_norm_class(item: object) -> bool:
    return inspect.isclass(item) and issubclass(item, nk.Norm)


@pytest.mark.parametrize("name", nk.__all__)
def test_public_names_are_documented(name: str) -> None:
    item = getattr(nk, name)
    if not (inspect.isclass(item) or callable(item)):
        pytest.fail(f"{name} is neither a class nor a function")
    text = item.__doc__ or ""
    assert len(text) > 20, f"{name} has no docstring"
    if is_norm_class(item) and item.name:
        assert f"## `{item.name}`" in (ROOT / "docs" / "catalogue.md").read_text("utf-8")
    elif not (inspect.isclass(item) and issubclass(item, Exception)):
        assert ">>>" in text or is_norm_class(item), f"{name} has no example"


@pytest.mark.parametrize("module", sorted({nk.home(name) for name in nk.__all__}))
def test_docstring_examples_run(module: str) -> None:
    with np.printoptions(legacy=False):
        result = doctest.testmod(importlib.import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/adapters.md",
        "docs/adding-a-norm.md",
        "docs/codegen.md",
        "docs/conventions.md",
        "docs/modular.md",
        "docs/optim.md",
        "docs/optax.md",
        "docs/polar.md",
        "docs/rules.md",
        "docs/schedules.md",
        "docs/sharpness.md",
        "docs/spec-language.md",
        "docs/step.md",
        "docs/running-studies.md",
        "docs/what-is-a-norm.md",
    ],
)
def test_python_blocks_of_pages_run(page: str) -> None:
    """In a process of their own: a norm that a page registers must not outlive it. Frameworks that are missing skip."""
    for framework, about in (("optax", "docs/optax.md"), ("torch", "docs/adapters.md")):
        if page == about:
            pytest.importorskip(framework, reason=f"the page is about the adapter of {framework}")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    assert blocks
    needed = {name for block in blocks for name in re.findall(r"^import (torch|optax)", block, re.MULTILINE)}
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        blocks = [block for block in blocks if not any(name in block for name in missing)]
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(blocks)], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
