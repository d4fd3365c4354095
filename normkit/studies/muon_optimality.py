r"""Muon's update is the best first-order step in a ball of the RMS operator norm: a proof, and its argument replayed.

For a gradient $G$ of $m$ rows (outputs) and $n$ columns with singular value decomposition $U\Sigma V^T$, the source
poses $\min\langle G,\Delta W\rangle$ subject to $\|\Delta W\|_{RMS}\le\eta$, where
$\|A\|_{RMS}=\sup\|Ax\|_{RMS}/\|x\|_{RMS}=\sqrt{n/m}\,\sigma_1(A)$ and $\|x\|_{RMS}=\|x\|_2/\sqrt n$.

**What holds.** The solution is $-\eta\sqrt{m/n}\,UV^T$ with thin factors, of value $-\eta\sqrt{m/n}\,\|G\|_{nuc}$. So
do the warm-up (the best $b$ for $a^Tb$ with $\|b\|_2\le\alpha$ is $\alpha a/\|a\|_2$), the reduction (with the singular
basis of $G$ it is a linear program in the singular values, all of which go to their bound), facts 1 to 3, and the
contradiction argument: whoever has a better value has some $B_{ii}>\eta\sqrt{m/n}$ for $B=-U^TAV$, so
$\|Be_i\|_2\ge B_{ii}$ and a norm beyond $\eta$. The argument is replayed here on random better candidates, and no step
of it fails.

A shorter proof: $\langle-G,A\rangle\le N^*(G)\,N(A)$ for every norm $N$ and its dual norm $N^*$, with equality at minus
the dualize map. The contradiction argument is this inequality for the RMS operator norm, and the derivation of the
dual norm is below, theorem by theorem.

**What the source prints.** Four slips, none of which touches the result:

- The constraint is called equivalent to $\|\Delta Wx\|_{RMS}<\eta\sqrt{m/n}\,\|x\|_2$ for all $x$. The right side is
  larger by $\sqrt m$ than $\eta\|x\|_{RMS}$, which would be: a $3\times5$ matrix of norm $1.71\,\eta$ satisfies the
  printed bound. The sign is $\le$, for the optimum attains it.
- $(Bv)_j=B_{ij}$ for the coordinate vector $v=e_i$ is row $i$; $Bv$ is column $i$, of entries $B_{ji}$. The inequality
  $\|Bv\|_2\ge B_{ii}$ that is drawn from it holds.
- A footnote has $\langle(1,1),(1,1)\rangle=4$. It is $2$, which still exceeds $\max_i|x_i|^2=1$: there is no
  Cauchy-Schwarz inequality for this norm, as the footnote says.
- The spectral norm carries a star, which elsewhere marks the nuclear or a dual norm, and two equations carry the number
  (2). Here it is $\|\cdot\|_{op}$.

**What needs a condition.** $UV^T$ with the square factors of a full decomposition, which facts and proof use, is a
product only for $m=n$; otherwise it is $UI_{m\times n}V^T$. And the optimum is unique only if $G$ has full rank: below
it any contraction may be added between the null spaces of $G$ without a change of the value.

The problem rests on the first-order model of the loss, whose error grows with $\eta^2$; that Muon's step is the best
for the model says nothing about a loss at a distance.
"""

from __future__ import annotations

from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run, study
from normkit.studies.optimality import corrections, derived, expansion, facts, problem, replay

FINDING = (
    "Muon's update is optimal for the first-order model in the RMS operator norm; the printed bound on the outputs of "
    "a layer is weaker than the constraint by a factor sqrt(m)."
)


@study("muon-optimality", "the best first-order step in a ball of the RMS operator norm", ("S10",), finding=FINDING)
def STUDY(at: Run) -> Outcome:
    """Derive, check the facts, pose the problem, replay the argument, correct, and expand."""
    made = Outcome()
    made.add(*derived.parts())
    for piece in (facts, problem, replay, corrections, expansion):
        made.add(*piece.parts(at))
    return made
