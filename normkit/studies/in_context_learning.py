r"""Muon trains a linear transformer of one layer from 0 in as many steps whatever the condition number of its inputs.

A prompt is $x_1,\ldots,x_N,x_q\sim N(0,\Lambda)$ with $y_i=w^\top x_i$ and $w\sim N(0,I)$. A layer of linear attention
predicts $x_q^\top Wh$ from $h=\frac1N\sum_iy_ix_i$, with the loss
$L(W)=\frac12\mathbb{E}(x_q^\top Wh-w^\top x_q)^2$.

**What holds** (all of it derived for this project). With $\Gamma=(1+1/N)\Lambda+\mathrm{tr}(\Lambda)/N\cdot I$,

$$L(W)=\frac12\mathrm{tr}[\Lambda(W\Gamma\Lambda W^\top-W\Lambda-\Lambda W^\top+I)],\quad
\nabla L(W)=\Lambda(W\Gamma-I)\Lambda,$$

and the minimizer is $\Gamma^{-1}$. Let $\lambda_i$ and $\gamma_i$ be the eigenvalues of $\Lambda$ and $\Gamma$. From
$W=0$ Muon with steps $\eta_t=\eta_0\rho^t$ is one recursion for each of them,
$w_i\to w_i-\eta_t\,\mathrm{sign}(w_i-1/\gamma_i)$. With $\eta_0=(1-\rho)\max_i1/\gamma_i$ all of them are within
$10^{-6}$ of the largest $1/\gamma_i$ after $\log(10^6)/\log(1/\rho)$ steps, rounded up: 20, 39 and 132 for
$\rho=0.5$, $0.7$ and $0.9$, for every condition number $\kappa$ of $\Lambda$ and every $N$. The matrices of the
library's optimizer do the same. Gradient descent multiplies errors by
$1-\lambda_i^2\gamma_i/\max_j\lambda_j^2\gamma_j$; to $10^{-6}$ of its first excess loss it takes 1, 1224 and 133883
steps at $\kappa=1$, 10 and 100 for $N=20$, and more for longer prompts.

**What the source says.** The abstract of arXiv 2601.13474 says that simplified Muon decouples into scalar sequences in
the spectral domain, and converges linearly with a number of iterations that does not depend on the condition number,
faster than gradient descent and Adam. Its theorems, schedules and starts were not at hand: nothing on this page is a
statement about them.

**What needs a condition.** The count rests on four things:

- *Enough step, and its length known.* $\eta_0$ needs $\max_i1/\gamma_i$; with half of it runs end at half the error.
- *Steps that fall no faster than by halves.* With $\rho=0.4$ all steps together would be long enough, yet runs with
  $\kappa>1$ end at errors of 5 % to 18 %.
- *A start that commutes with $\Lambda$*, such as 0. From a Gaussian start a tenth as large as the largest entry of the
  minimizer, with steps half as long again, $\rho=0.5$ arrives for $\kappa=1$ and ends at errors of 8 % to 20 % for
  larger ones. Between an eigenvector of a large and one of a small eigenvalue the polar factor hardly moves what is
  there, so that from $\kappa=100$ on a start of $10^{-6}$ is already too large for every $\rho$ tried.
- *Exact arithmetic, where steps fall slowly.* In a basis that is not the eigenbasis, rounding puts something between
  the modes. At $\rho\le0.7$ it stays below $10^{-10}$; in the 132 steps at $\rho=0.9$ it grows to some $10^{-4}$, and
  for large $\kappa$ and $N$ a few runs end at a few times $10^{-6}$.

**Adam** with steps that fall in the same way takes about 250 steps for $\kappa=10$, 100 and 1000 where $\Lambda$ is
diagonal: there a method of signs also decouples. In a random basis no run of the grid arrives within 6000 steps for
$\kappa\ge100$. So what Muon adds here is that the basis does not matter, not that no other method is free of $\kappa$.
The grid is small, and the best ratio for Adam depends on the cell.

**What is false as a law.** In the limit of long prompts $\lambda^2\gamma$ has the condition number $\kappa^3$; for the
prompts here it grows by powers from $2.1$ to $2.6$, since $\mathrm{tr}(\Lambda)/N$ dominates $\gamma$ at small
$\lambda$.
"""

from __future__ import annotations

from normkit.studies.incontext import adam, descent, muon, pictures, sampled
from normkit.studies.kit.claims import measured
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run, study

FINDING = (
    "From 0, Muon takes the same steps for every condition number and prompt length; from a start that does not "
    "commute with the covariance it can stop short."
)


@study("in-context-learning", "a linear transformer of one layer under Muon, gradient descent and Adam",
       ("S27", "S28"), finding=FINDING)  # fmt: skip
def STUDY(at: Run) -> Outcome:
    """Check the closed forms, count steps, and take away what the counts rest on."""
    made = Outcome()
    sampled.closed(at, made)
    alone = muon.counts(at, made)
    starts = muon.conditions(at, made)
    slow = descent.steps(at, made)
    fast = adam.grid(at, made)
    made.add(
        measured("S27.methods", "steps to 1e-6 of the error at kappa = 100, N = 20",
                 {f"Muon, rho {rho}": alone[100, 20, rho].count for rho in muon.COUNTS}
                 | {"gradient descent": slow[100, 20][1]}
                 | {f"Adam, {name}": counts[100, 20] for name, counts in fast.items()},
                 confidence="this problem, these schedules"),
        *pictures.all_of(alone, starts, slow, fast),
    )  # fmt: skip
    return made
