"""Claims: a statement, what was measured, what was expected within which tolerance, and the verdict.

Every claim has a *documented* verdict, the one that the pages state. A run is as documented if all verdicts are, and a
claim that is documented as false is refuted anew each time. No number at all is no evidence: a claim about an empty
list is false.
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
        Numbers, texts, lists or mappings of these; None where there is none. What is not finite is a text.
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

    It holds where all are, and is false otherwise, also for a NaN or a number that is missing. With
    ``documented="measured"`` it is only recorded where they are.

    Examples
    --------
    >>> from normkit.studies.kit.claims import within
    >>> within("X.root", "the root of 2", 2**0.5, 1.4142, 1e-4, confidence="exact").verdict
    'holds'
    >>> within("X.root", "the root of 2", 2**0.5, 1.5, 1e-4, confidence="exact").verdict
    'false'
    """
    got, want, room = (np.asarray(x, dtype=float) for x in (measured, expected, tolerance))
    same = got.size > 0 and got.shape == np.broadcast_shapes(got.shape, want.shape, room.shape)
    fine = same and bool(np.all(np.abs(got - want) <= room))
    return _claim(id, claim, measured, expected, tolerance, confidence, fine, documented)


def below(
    id: str, claim: str, measured: Any, bound: Any, *, confidence: str = "exact", documented: Verdict = "holds"
) -> Claim:
    """Return a claim that numbers are at most a bound, each.

    Examples
    --------
    >>> from normkit.studies.kit.claims import below
    >>> below("X.sine", "a sine is at most 1", [0.2, 0.9], 1.0).verdict
    'holds'
    """
    got = np.asarray(measured, dtype=float)
    fine = got.size > 0 and bool(np.all(got <= np.asarray(bound, dtype=float)))
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
    return Claim(id, claim, plain(measured), plain(expected), None, confidence, verdict, "false")


def conditional(
    id: str, claim: str, under: bool, without: bool, measured: Any, expected: Any = None, *, confidence: str
) -> Claim:
    """Return a claim that needs its condition: it held under it, and failed without it.

    Where it held without it as well it holds in this run; where it failed under it, it is false.
    """
    verdict: Verdict = "false" if not under else "holds" if without else "conditional"
    return Claim(id, claim, plain(measured), plain(expected), None, confidence, verdict, "conditional")


def measured(id: str, claim: str, value: Any, *, confidence: str) -> Claim:
    """Return a number without a claim about it."""
    return Claim(id, claim, plain(value), None, None, confidence, "measured", "measured")


def _claim(
    id: str, claim: str, got: Any, want: Any, room: Any, confidence: str, fine: bool, documented: Verdict
) -> Claim:
    if documented == "false":
        raise ValueError(f"{id}: what is documented as false would be so whatever was measured; state it by refuted()")
    verdict: Verdict = documented if fine else "false"
    return Claim(id, claim, plain(got), plain(want), plain(room), confidence, verdict, documented)


def largest(*numbers: Any) -> float:
    """Return the largest of numbers and arrays; a NaN among them is the largest, for it is no evidence.

    Python's max may pass over a NaN, and a claim about what is left would hold.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.kit.claims import largest
    >>> largest(0.5, [0.25, 2.0]), max(0.5, np.nan), largest(0.5, np.nan)
    (2.0, 0.5, nan)
    """
    return float(np.max([np.max(each) for each in numbers]))


def plain(value: Any) -> Any:
    """Return a value as JSON has it; numbers that are not finite, which JSON has not, as texts.

    Examples
    --------
    >>> import numpy as np
    >>> from normkit.studies.kit.claims import plain
    >>> plain({"gap": np.array([0.5, np.nan]), "steps": (np.int64(3), None)})
    {'gap': [0.5, 'nan'], 'steps': [3, None]}
    """
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(each) for each in value]
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value


def _text(value: Any) -> str:
    flat = np.ravel(np.asarray(value, dtype=float))
    return ", ".join(f"{each:.6g}" for each in flat[:6]) + (", ..." if len(flat) > 6 else "")
