r"""Muon's steps on a factorization move modes one by one, in counts free of the condition number from aligned starts.

The source, the abstract of arXiv 2601.13474, says that simplified Muon (polar factors of gradients, no momentum)
decouples into scalar sequences in the spectral domain, and converges linearly with counts independent of the condition
number. Its text, schedules and figures were not at hand: recursions, schedules and numbers here are derived for this
project, and nothing here is a statement about that paper's theorems.

**What holds.** For $\frac14\|XX^\top-M\|_F^2$, $M=U\,\mathrm{diag}(\lambda)U^\top$, and $X=U\,\mathrm{diag}(x)Q^\top$
with $Q$ orthogonal, Muon moves $x_i\to x_i-\eta_t\,\mathrm{sign}(x_i(x_i^2-\lambda_i))$ and nothing else. A start
$10^{-3}Q$ is of that form. With $\eta_t=\eta_0\rho^t$, $\rho\ge\frac12$, and $x_i$ at first within $\eta_0/(1-\rho)$ of
one of $\pm\sqrt{\lambda_i}$, it stays within $\eta_0\rho^t/(1-\rho)$ of one; below $\rho=\frac12$ it need not. So the
count to a relative residual of $10^{-6}$ has a bound without $\kappa$: 20 or 21 steps at $\rho=\frac12$ for $\kappa$
from 1 to 1000, where gradient descent takes 21 to 13302. The same goes for $\frac12\|PQ^\top-M\|_F^2$ from aligned
starts. There Muon keeps $(P^\top P)^{1/2}-(Q^\top Q)^{1/2}$ while modes stay positive; gradient descent keeps
$P^\top P-Q^\top Q$, nearly.

**What needs a condition.** The learning rate has to fall: at a constant one Muon stops at a plateau, as sign descent
does. The start counts: from a Gaussian one and $\rho=\frac12$ most runs stall at $10^{-6}$ to $10^{-4}$. Where $P$ and
$Q$ are drawn apart, their polar factors are turned against each other, and turning them uses up what the schedule has:
no run arrives at $\rho=\frac12$, about half at $\rho=0.8$ for $\kappa\le100$, none of these for $\kappa=1000$. At
$\rho=0.9$ the orientation decides. $\det(U^\top P)\det(Q^\top V)$ is positive where $PQ^\top=M$; from starts of this
sign every run arrives, of the other sign about half do for $\kappa=1$. Sixteen halvings of the rate end at $10^{-8}$
from independent orthogonal factors of the one orientation, and at $10^{-2}$ from those of the other (derived for this
project).

**Rounding.** Modes that are nearly equal are turned by rounding where the rate falls slowly: at $\rho=0.9$ singular
values follow the scalar recursion to $10^{-13}$ for 20 steps and to $5\cdot10^{-3}$ later; counts differ by a few
steps. One case is off by more: $PQ^\top=M$ with all singular values 1, where the recursion by itself takes 78 steps and
the matrices take 106.

**Baselines.** Sign descent and Adam with a learning rate that falls, each the best of a grid, which is shown whole.
Neither knows the basis of $M$, and counts depend on the draw. Sign descent takes 124 or 1050 steps for $\kappa=10$,
whichever schedule goes far enough, and arrives at no rate for $\kappa=1000$. Adam takes 12 times the steps of Muon at
$\rho=\frac12$, and 16 to 30 times for $\kappa=1000$: far from proportional to $\kappa$, with or without decay. Other
starts, schedules and problems order the methods differently.

**Which modes come first.** From small factors Muon raises all singular values by the learning rate a step, and they
settle in the order of their size, the smallest first; gradient descent learns the largest first (arXiv 2606.30509,
rerun from its published parameters).

**Where a number is not one of an earlier run.** That run found 114 to 121 steps at $\rho=0.9$ for every independent
Gaussian start; here starts of the other orientation fail at times, and a few take up to 125. Adam's best count for
$\kappa=1000$ was 413; draws lie between 330 and 620. That of sign descent for $\kappa=100$ was 1413, here 1160 to 1520.
The overlap of $P^\top P-Q^\top Q$ under Muon was 11.0 after 1199 steps; draws lie between 10.3 and 11, and those of
gradient descent differ by 0.05.
"""

from __future__ import annotations

from normkit.studies.factoring import (
    asymmetric,
    baselines,
    conserved,
    decoupling,
    halvings,
    staircase,
    starts,
    symmetric,
)
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run, study

PIECES = (symmetric, decoupling, asymmetric, starts, baselines, staircase, halvings, conserved)
FINDING = (
    "Muon decouples into scalar recursions whose counts do not depend on the condition number, if the rate falls and "
    "the start is aligned; a start of the other orientation may never arrive."
)


@study(
    "matrix-factorization",
    "Muon, gradient descent, sign descent and Adam on matrix factorization",
    ("S20", "S21", "S22", "S23", "S24", "S25", "S26"),
    finding=FINDING,
)
def STUDY(at: Run) -> Outcome:
    """Run the pieces."""
    made = Outcome()
    for piece in PIECES:
        made.add(*piece.parts(at))
    return made
