"""All studies: each has its tests, its page and its run, every number has a study, and the command runs a real one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from normkit import studies
from normkit.cli.study import study as command
from normkit.errors import ParameterError

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", studies.names())
def test_every_study_has_its_tests_and_a_page_of_a_full_run(name: str) -> None:
    assert (ROOT / "tests" / f"test_study_{name.replace('-', '_')}.py").is_file()
    folder = ROOT / "docs" / "studies"
    run = json.loads((folder / f"{name}.json").read_text())
    assert run["form"] == "full" and run["seed"] == 0
    assert all(claim["verdict"] == claim["documented"] for claim in run["claims"])
    assert run["figures"] and all((folder / f"{name}-{each['id']}.png").is_file() for each in run["figures"])
    page = (folder / f"{name}.md").read_text()
    assert all(claim["id"] in page for claim in run["claims"]), "docs/generate.py writes the page"


def test_the_command_writes_one_document_and_pictures(tmp_path: Path) -> None:
    run = CliRunner().invoke(
        command, ["lion-k-box", "--quick", "--json", "--out", str(tmp_path)], standalone_mode=False
    )
    assert run.return_value == 0, run.output
    made = json.loads(run.stdout)
    assert made == json.loads((tmp_path / "lion-k-box.json").read_text())
    assert {claim["verdict"] for claim in made["claims"]} == {"holds"}
    assert {"study", "seed", "versions", "claims", "tables"} <= made.keys()
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".png", ".svg"]
    assert "invariant" in run.stderr


def test_the_list_and_unknown_studies() -> None:
    listed = json.loads(CliRunner().invoke(command, ["list", "--json"]).stdout)
    assert listed["index"]["S33"] == "lion-k-box"
    with pytest.raises(ParameterError, match=r"known: .*lion-k-box"):
        studies.get("lion-box")
    both = CliRunner().invoke(command, ["lion-k-box", "--quick", "--long"])
    assert isinstance(both.exception, ParameterError)


def test_every_number_has_a_study() -> None:
    """The numbered results of the sources; each has a claim of its own in the page of its study."""
    spans = ((1, 14), (20, 28), (30, 36), (40, 45), (50, 51), (62, 62))
    numbers = [f"S{number:02}" for first, last in spans for number in range(first, last + 1)]
    assert sorted(studies.index()) == numbers
    for number, name in studies.index().items():
        run = json.loads((ROOT / "docs" / "studies" / f"{name}.json").read_text())
        assert any(claim["id"].startswith(f"{number}.") for claim in run["claims"]), number
