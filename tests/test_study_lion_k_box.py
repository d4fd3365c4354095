"""The study lion-k-box: verdicts, and a planted fault."""

from __future__ import annotations

import pytest

from normkit import studies
from normkit.studies import lion_k_box as module


def test_every_claim_holds() -> None:
    outcome = studies.get("lion-k-box")(quick=True)
    assert outcome.as_documented
    assert {claim.verdict for claim in outcome.claims} == {"holds"}


def test_a_decay_that_is_too_weak_leaves_the_ball(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = module.SteepestDescent
    monkeypatch.setattr(
        module, "SteepestDescent", lambda *args, **options: sound(*args, **{**options, "weight_decay": 0.45})
    )
    verdicts = {each.id: each.verdict for each in studies.get("lion-k-box")(quick=True).claims}
    assert verdicts == {"S33.invariant": "false", "S33.boundary": "false"}
