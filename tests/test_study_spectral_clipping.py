"""The study spectral-clipping: verdicts, planted faults, and its limits by a recursion of one number."""

from __future__ import annotations

import numpy as np
import pytest

import normkit as nk
from normkit import studies
from normkit.studies import spectral_clipping as module
from normkit.studies.kit.outcome import Outcome


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return studies.get("spectral-clipping")(quick=True)


def test_every_claim_holds(outcome: Outcome) -> None:
    assert outcome.as_documented
    assert {claim.verdict for claim in outcome.claims} == {"holds"}


def test_limits_are_those_of_one_number(outcome: Outcome) -> None:
    """s -> s + lr, then s -> (1 - a) s + a min(s, b), in either order."""
    share, bound, length = 0.3, 1.0, 0.05
    after = before = 0.0
    for _ in range(200):
        after += length
        after = (1 - share) * after + share * min(after, bound)
        before = (1 - share) * before + share * min(before, bound) + length
    found = [row[1] for table in outcome.tables if table.id == "limits" for row in table.rows]
    assert found == pytest.approx([after, before], abs=1e-12)


def test_another_decay_flips_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = module.SpectralClipped
    monkeypatch.setattr(module, "SpectralClipped", lambda rate, bound: wrong(rate * 1.01, bound))
    made = studies.get("spectral-clipping")(quick=True)
    assert [claim.id for claim in made.claims if not claim.as_documented] == ["S51.equilibrium"]


def test_half_of_the_decay_flips_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    right = module.Decoupled
    monkeypatch.setattr(module, "Decoupled", lambda rate: right(rate / 2))
    made = studies.get("spectral-clipping")(quick=True)
    assert [claim.id for claim in made.claims if not claim.as_documented] == ["S51.decay"]


def test_what_is_no_number_is_no_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nk, "spectral_relu", lambda W, a: np.full_like(W, np.nan))
    made = studies.get("spectral-clipping")(quick=True)
    assert [claim.id for claim in made.claims if not claim.as_documented] == ["S51.formulas"]
