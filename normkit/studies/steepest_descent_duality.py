r"""Steepest descent under a norm is a duality map times a dual norm, for one array and for the layers of a model.

The source derives steepest descent in three parts: induced and dual norms (A), one array (B), several layers (C).

**What holds.** Let $N^*(g)=\max_{N(t)\le1}\langle g,t\rangle$, and $D(g)$ a point where it is attained. Then
$\langle g,x\rangle+\frac\lambda2N(x)^2$ is least at $-\frac{N^*(g)}\lambda D(g)$, where it is
$-\frac{N^*(g)^2}{2\lambda}$ (proposition 1). This is tried for the norms of idealized optimizers with a closed value
and a closed dual. That the dual norms are right is shown by cutting planes: linear programs over half-spaces that are
found from values of the norm alone bound $N^*(g)$ from both sides. Induced norms are compared with a sweep of the
sphere; those that are hard in general are refused by the library, and bracketed.

For layers, $\sum_l\langle G_l,X_l\rangle+\frac\lambda2\max_ls_l^2N_l(X_l)^2$ is least at $X_l=-\frac\eta{s_l}D_l(G_l)$,
$\eta=\frac1\lambda\sum_kN_k^*(G_k)/s_k$. Under spectral norms that is $-\eta U_lV_l^T$, with the sum of all singular
values over $\lambda$ for $\eta$.

For a convex function the constant of the descent lemma under $\ell_p$ is the norm of the Hessian from $\ell_p$ to
$\ell_q$: $\max_iH_{ii}$ for $p=1$, the largest eigenvalue for $p=2$, and the largest $s^THs$ over signs for
$p=\infty$, at most $\sum_{ij}|H_{ij}|$. For an indefinite $H$ the two differ: they are $1$ and $3$ under $\ell_\infty$
for $H_{11}=0$, $H_{12}=1$, $H_{22}=-1$.

**What the source prints**, what it is, and a counter-example:

| printed | is | in numbers |
|---|---|---|
| B.1, second line: $+\nabla F(x)$ in the integral | $-$, and $+\langle\nabla F(x),y-x\rangle$ | $2.5$ for $1.5$ |
| step $-\mathrm{argmax}$ of the objective | argmin | it grows: $37$, $1.5\cdot10^3$, $1.3\cdot10^5$ |
| $N^*(g)=\min_{N(t)=1}g^Tt$ | max | $-7$ for $7$ |
| $\langle A,B\rangle=\mathrm{tr}(AB)$ | $\mathrm{tr}(A^TB)$ | $0$ for $1$ |
| $\mathrm{tr}(G^TW)$ | $\mathrm{tr}(G^T\Delta W)$ | $8$ for $-1$ |
| B.3: difference of gradients $=$ integral | $\le$ | $0$ and $1$ |
| $\lambda\ge0$ | $\lambda>0$, or $g=0$ | falls without end at $\lambda=0$ |
| C.3: $+\eta UV^T$ | $-\eta UV^T$ | $+3/2$ for $-1/2$ times $(\mathrm{tr}\,\Sigma)^2/\lambda$ |
| $\|T\|=1$, so all $\sigma(T)=1$ | the largest; then von Neumann's inequality | $\mathrm{diag}(1,0)$ |
| minimum only where all $s_lc_l$ are equal | if every $N_l^*(G_l)>0$ | $c_1$ is free where $G_1=0$ |
| the maximum did not matter | it couples the layers | 1.25 and 5 times the lengths of an $\ell_2$ sum |

One more is of type only: a constant $L_n$ that is $L_p$ further on. Proposition 1, the descent lemma and the modular
solution stand.

**The output of a network.** With the scales of the recursion of masses, $\|df\|_{RMS}\le N(dW)$ to first order, for
weights and inputs of norm at most 1. Random changes are below a third of the bound, those that a functional of the
output asks for within a few hundredths of it. How far random changes stay below depends on how they are drawn: the
largest share of 300 was 0.21 in an earlier run; here it is 0.1 for Gaussian changes of all layers, and 0.3 where all
layers have the same $s_lN_l$.
"""

from __future__ import annotations

from normkit.studies.duals import couplings, curvature, derivations, descent, layers, network, sweep, triples
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run, study

FINDING = (
    "Proposition 1 and its modular form hold for every norm tried; eleven lines of their derivation are corrected, "
    "among them that the maximum over the layers does not matter."
)


@study("steepest-descent-duality", "dual norms, duality maps, proposition 1, modular steepest descent, Hessian norms",
       ("S11", "S12", "S13", "S14"), finding=FINDING)  # fmt: skip
def STUDY(at: Run) -> Outcome:
    """Norms, then steps, then layers, then curvature, then a network; corrections after what they correct."""
    made = Outcome()
    for piece in (descent, layers):
        made.add(*piece.parts(at))
    made.add(*couplings.parts())
    for piece in (triples, sweep):
        made.add(*piece.parts(at))
    made.add(*derivations.parts())
    for piece in (curvature, network):
        made.add(*piece.parts(at))
    return made
