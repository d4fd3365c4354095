"""Test tools for norms: `check_norm` holds any norm, also a user's own, against the laws of norms and their duals."""

from normkit.testing.check import check_norm
from normkit.testing.report import Finding, LawBroken, Report

__all__ = ["Finding", "LawBroken", "Report", "check_norm"]
