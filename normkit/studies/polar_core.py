r"""Polynomial and rational iterations for the polar factor: what their coefficients are, and where they fail.

**What holds.** An odd polynomial step acts on singular values alone. The best composition of such steps is greedy: each
is the best approximation of 1 on what the ones before leave of $[\ell,1]$. Three published lists are such compositions;
the library's exchange algorithm reproduces two of them to $10^{-13}$ (but for the seventh row of the longest list,
which is $2\cdot10^{-11}$ away) and the third to its four decimals. The error after $T$ steps of degree $d=2q+1$ is at
most $(1-\ell^2)^{(q+1)^T}$.

**What the source prints.** The appendix of arXiv 2505.16932 has the exponent $(d+1)^T$. It is false: for quintic steps,
$\ell=0.7$ and $T=2$ the error is $2.6\cdot10^{-8}$, the printed bound $3.0\cdot10^{-11}$. Of 40 cases (degrees 3 and 5,
five values of $\ell$, one to four steps) 20 are over it in exact arithmetic, 12 of these with errors that double
precision resolves.

**Rational steps.** QDWH takes $\ell$ to 1 in six steps from $10^{-16}$ on, Zolotarev's functions of type $(17,16)$ in
two. Their coefficients need care: elliptic functions whose parameter $1-\ell^2$ rounds to 1 lose them from
$\ell\approx10^{-8}$ down, and a descending Landen recursion does not.

**Half precision** is another matter than exact arithmetic. Newton-Schulz on the short side, where $R=XX^\top$ follows
its steps and only the factors are gathered, is the same iteration in float64. With every product rounded to a storage
dtype its error grows, and without restarts it is useless in bfloat16 (singular values up to some hundred). This is a
model (sums in float32, one rounding of each result), derived for this project, not a measurement of a kernel.

**Traps.** A list in use is negative at 1 and turns an orthogonal matrix $Q$ into $-0.9935\,Q$; lists that are cycled
past their length undo what they did; a basin that ends at 1.000006 is left by rounding to bfloat16; and a large slope
makes directions out of rounding noise. More steps are therefore not always more exact.
"""

from __future__ import annotations

from normkit.studies.cores import designs, halves, rationals, traps
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run, study

FINDING = (
    "Published coefficients are minimax compositions; the printed error bound is false, its repair holds; in half "
    "precision several lists and the short side without restarts fail."
)


@study(
    "polar-core",
    "coefficients, bounds and rounding of polar iterations",
    ("S40", "S41", "S42", "S43", "S44", "S45"),
    finding=FINDING,
)
def STUDY(at: Run) -> Outcome:
    """Design, bound, follow, round, and walk into the traps."""
    made = Outcome()
    designs.generator(made)
    designs.steps(made)
    designs.bound(made)
    rationals.recursions(made)
    halves.forms(at, made)
    halves.model(at, made)
    traps.turned(at, made)
    traps.cycled(at, made)
    traps.noise(at, made)
    return made
