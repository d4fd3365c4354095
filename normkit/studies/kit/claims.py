"""Claims: a statement, what was measured, what was expected within which tolerance, and the verdict.

Every claim has a *documented* verdict, the one that the pages state. A run is as documented if all verdicts are, and a
claim that is documented as false is refuted anew each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Verdict = Literal["holds", "conditional", "false", "measured"]


@dataclass(frozen=True)
class Claim:
    """One statement and its fate in one run.

    Attributes
    ----------
    id : str
        The study's number and a word: ``S01.table``.
    claim : str
        The statement, in words that can be true or false.
    measured, expected, tolerance : JSON
        Numbers, texts, lists or mappings of these; None where there is none.
    confidence : str
        What the tolerance rests on: "exact", "4 standard errors of 500 samples", "one seed".
    verdict : {"holds", "conditional", "false", "measured"}
        Of this run.
    documented : {"holds", "conditional", "false", "measured"}
        The one that the pages state.
    """

    id: str
    claim: str
    measured: Any
    expected: Any
    tolerance: Any
    confidence: str
    verdict: Verdict
    documented: Verdict

    @property
    def as_documented(self) -> bool:
        """Whether this run says what the pages say."""
        return self.verdict == self.documented


def within(
    id: str, claim: str, measured: Any, expected: Any, tolerance: Any, *, confidence: str, documented: Verdict = "holds"
) -> Claim:
    """Return a claim that numbers, or sequences of them, are what is expected up to an absolute tolerance, each.

    It holds where all are, and is false otherwise. With ``documented="measured"`` it is only recorded where they are.
    """
    got, want, room = (np.asarray(x, dtype=float) for x in (measured, expected, tolerance))
    fine = got.shape == np.broadcast_shapes(got.shape, want.shape, room.shape) and bool(
        np.all(np.abs(got - want) <= room)
    )
    return _claim(id, claim, measured, expected, tolerance, confidence, fine, documented)


def below(
    id: str, claim: str, measured: Any, bound: Any, *, confidence: str = "exact", documented: Verdict = "holds"
) -> Claim:
    """Return a claim that numbers are at most a bound, each."""
    fine = bool(np.all(np.asarray(measured, dtype=float) <= np.asarray(bound, dtype=float)))
    return _claim(id, claim, measured, f"<= {_text(bound)}", None, confidence, fine, documented)


def check(
    id: str,
    claim: str,
    passed: bool,
    measured: Any,
    expected: Any = None,
    *,
    confidence: str = "exact",
    documented: Verdict = "holds",
) -> Claim:
    """Return a claim that holds if a test passed, and is false if it did not."""
    return _claim(id, claim, measured, expected, None, confidence, bool(passed), documented)


def refuted(id: str, claim: str, evidence: bool, measured: Any, expected: Any = None, *, confidence: str) -> Claim:
    """Return a claim that is documented as false: it is, if there is evidence against it; else it holds in this run."""
    verdict: Verdict = "false" if evidence else "holds"
    return Claim(id, claim, _plain(measured), _plain(expected), None, confidence, verdict, "false")


def conditional(
    id: str, claim: str, under: bool, without: bool, measured: Any, expected: Any = None, *, confidence: str
) -> Claim:
    """Return a claim that needs its condition: it held under it, and failed without it.

    Where it held without it as well it holds in this run; where it failed under it, it is false.
    """
    verdict: Verdict = "false" if not under else "holds" if without else "conditional"
    return Claim(id, claim, _plain(measured), _plain(expected), None, confidence, verdict, "conditional")


def measured(id: str, claim: str, value: Any, *, confidence: str) -> Claim:
    """Return a number without a claim about it."""
    return Claim(id, claim, _plain(value), None, None, confidence, "measured", "measured")


def _claim(
    id: str, claim: str, got: Any, want: Any, room: Any, confidence: str, fine: bool, documented: Verdict
) -> Claim:
    verdict: Verdict = documented if fine else "false"
    return Claim(id, claim, _plain(got), _plain(want), _plain(room), confidence, verdict, documented)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value


def _text(value: Any) -> str:
    flat = np.ravel(np.asarray(value, dtype=float))
    return ", ".join(f"{each:.6g}" for each in flat[:6]) + (", ..." if len(flat) > 6 else "")
