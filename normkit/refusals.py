"""Names that people try although no norm bears them: what they are, and the norm that comes nearest."""

from __future__ import annotations

_NOT_HOMOGENEOUS = "is not a norm: it is not homogeneous, N(2x) differs from 2 N(x)."

REFUSALS = {
    "huber": f"{_NOT_HOMOGENEOUS} Its Orlicz norm is one: "
    "nk.Orlicz(Piecewise((x**2/2, x < 1), (x - Rational(1, 2), True))); or l1 + l2",
    "elasticnet": f"{_NOT_HOMOGENEOUS} Near it are a*l1 + b*l2, max(a*l1, b*l2), or nk.Orlicz(x + x**2)",
    "l2squared": f"{_NOT_HOMOGENEOUS} l2 is; its steepest descent has the same direction",
    "logcosh": f"{_NOT_HOMOGENEOUS} The Orlicz norm of the same function is one: nk.Orlicz(log(cosh(x)))",
    "entropy": "is not a norm: it is not even. Its nearest relative is the Orlicz norm nk.Orlicz(x*log(1 + x))",
    "l0": "is not a norm: N(2x) = N(x). The nearest norms are ksupport(k) and dual(topk(k))",
    "rank": "is not a norm: N(2X) = N(X). The nearest norms are nuclear and lift(ksupport(k))",
    "mcp": "is not a norm: it is not convex. The nearest norms are l1 and ksupport(k)",
    "scad": "is not a norm: it is not convex. The nearest norms are l1 and ksupport(k)",
    "asymmetric": "is a gauge, not a norm: N(-x) differs from N(x). Symmetric: wlp(1, [weights])",
    "pinball": "is a gauge, not a norm: N(-x) differs from N(x). Symmetric: wlp(1, [weights])",
    "relu": "is a gauge, not a norm: N(-x) differs from N(x). Symmetric: l1",
    "tv": "is a seminorm: constants have N(x) = 0. On a graph with a ground node: dual(quotient(linf, [[...]]))",
    "cvar": "is a gauge, not a norm: N(-x) differs from N(x). Symmetric: topk(k)",
}
"""Reason by name; the spec language answers with it instead of the nearest spelling."""
