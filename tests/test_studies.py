"""Studies: quick forms with the documented verdicts, planted faults that flip them, cells that resume, the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from normkit import studies
from normkit.cli.study import study as command
from normkit.errors import ParameterError
from normkit.studies import lion_k_box, spectral_clipping
from normkit.studies.kit.claims import conditional, refuted, within


@pytest.mark.parametrize("name", studies.names())
def test_quick_forms_say_what_is_documented(name: str) -> None:
    outcome = studies.get(name)(quick=True, seed=1)
    assert outcome.claims and outcome.as_documented, [each for each in outcome.claims if not each.as_documented]


def test_a_wrong_limit_flips_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectral_clipping, "BOUND", 1.01)
    monkeypatch.setattr(spectral_clipping, "SpectralClipped", lambda rate, bound: _clipped(rate, 1.0))
    verdicts = {each.id: each.verdict for each in studies.get("spectral-clipping")(quick=True).claims}
    assert verdicts["S51.equilibrium"] == "false"
    assert verdicts["S51.formulas"] == "holds"


def _clipped(rate: float, bound: float) -> Any:
    from normkit.optim import SpectralClipped

    return SpectralClipped(rate, bound)


def test_a_decay_that_is_too_weak_leaves_the_ball(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = lion_k_box.SteepestDescent
    monkeypatch.setattr(
        lion_k_box, "SteepestDescent", lambda *args, **options: sound(*args, **{**options, "weight_decay": 0.45})
    )
    verdicts = {each.id: each.verdict for each in studies.get("lion-k-box")(quick=True).claims}
    assert verdicts == {"S33.invariant": "false", "S33.boundary": "false"}


# --- the kit --------------------------------------------------------------------------------------------------------


def test_verdicts() -> None:
    assert within("a", "", [1.0, 2.0], [1.0, 2.1], 0.2, confidence="").verdict == "holds"
    assert within("a", "", [1.0, 2.0], [1.0, 2.1], [0.2, 0.01], confidence="").verdict == "false"
    assert within("a", "", np.nan, 1.0, 1.0, confidence="").verdict == "false"
    assert refuted("a", "", True, 1, confidence="").as_documented
    assert not refuted("a", "", False, 1, confidence="").as_documented
    outcomes = [conditional("a", "", u, w, 1, confidence="").verdict for u, w in ((1, 0), (1, 1), (0, 0))]
    assert outcomes == ["conditional", "holds", "false"]


# --- the command ----------------------------------------------------------------------------------------------------


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
