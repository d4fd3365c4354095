"""What a check finds: a residual per law and input, the report of all of them, and the error of a broken law."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One number that a law bounds.

    Attributes
    ----------
    law : str
        Number and title of the law.
    case : str
        The input, and where it was tried: shape, dtype and back end.
    residual, tolerance : float
        The law holds if ``residual <= tolerance``; a NaN breaks it.
    detail : str
        The numbers behind the residual.
    """

    law: str
    case: str
    residual: float
    tolerance: float
    detail: str = ""

    @property
    def holds(self) -> bool:
        """Whether the law holds here."""
        return self.residual <= self.tolerance


class LawBroken(AssertionError):
    """A law that a norm breaks; the message gives the norm, the law, the input and the numbers.

    Attributes
    ----------
    finding : Finding
        The worst finding.
    """

    def __init__(self, spec: str, finding: Finding) -> None:
        self.finding = finding
        super().__init__(
            f"{spec} breaks law {finding.law} on {finding.case}: residual {finding.residual:.3g} exceeds "
            f"{finding.tolerance:.3g}. {finding.detail}".rstrip()
        )


@dataclass(frozen=True)
class Report:
    """The worst finding of every law and input that was checked."""

    spec: str
    findings: tuple[Finding, ...]

    @property
    def laws(self) -> tuple[str, ...]:
        """The laws that were checked, in their order."""
        return tuple(dict.fromkeys(finding.law for finding in self.findings))

    @property
    def worst(self) -> Finding:
        """The finding that comes closest to its tolerance."""
        return max(self.findings, key=_strain)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __str__(self) -> str:
        width = max(len(finding.law) for finding in self.findings)
        lines = [f"{self.spec}: {len(self.laws)} laws, {len(self.findings)} cases"]
        lines += [
            f"  {finding.law:<{width}}  {finding.residual:9.2e} <= {finding.tolerance:8.2e}  {finding.case}"
            for finding in self.findings
        ]
        return "\n".join(lines)


def summarise(spec: str, findings: list[Finding]) -> Report:
    """Keep the worst finding per law and input, laws in their order.

    Raises
    ------
    LawBroken
        If any law is broken, with the worst finding of the first law that is.
    """
    worst: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        key = finding.law, finding.case
        if key not in worst or _strain(finding) > _strain(worst[key]):
            worst[key] = finding
    kept = sorted(worst.values(), key=lambda finding: int(finding.law.split()[0]))
    broken = [finding for finding in kept if not finding.holds]
    if broken:
        raise LawBroken(spec, max((f for f in broken if f.law == broken[0].law), key=_strain))
    return Report(spec, tuple(kept))


def _strain(finding: Finding) -> float:
    """Residual in units of its tolerance; a NaN is the worst."""
    if finding.residual != finding.residual:
        return float("inf")
    return finding.residual / finding.tolerance if finding.tolerance > 0 else finding.residual * 1e300
