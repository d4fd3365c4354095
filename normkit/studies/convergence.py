r"""The constant of a spectral step is up to min(m, n) times the Euclidean one, and the nuclear rank has to pay for it.

**What holds.** For $f(W)=\frac12\mathrm{tr}(W^THW)$ with $W$ of $m$ rows and $n$ columns the gradient has the constant
$L=\lambda_1(H)$ in the Frobenius norm, and from the spectral to the nuclear norm $L_*$, the sum of the $\min(m,n)$
largest eigenvalues of $H$; for the Hessian $X\to PXQ$ it is $\sum_i\lambda_i(P)\lambda_i(Q)$, both sorted (derived for
this project). So $L\le L_*\le\min(m,n)L$, with $L_*$ near $L$ where $H$ bends in few directions and the other end at
$H=I$. For a layer, $\frac12\Vert WA-Y\Vert_F^2$ with at least as many rows as columns, $L_*/L$ is the stable rank
$\Vert A\Vert_F^2/\Vert A\Vert_{op}^2$ of its inputs.

A step of length $\Vert G\Vert_{nuc}/L_*$ along the polar factor lowers $f$ by at least $\Vert G\Vert_{nuc}^2/(2L_*)$,
gradient descent with $1/L$ by at least $\Vert G\Vert_F^2/(2L)$. The first number is the larger one if and only if the
nuclear rank $\Vert G\Vert_{nuc}^2/\Vert G\Vert_F^2$ exceeds $L_*/L$; for $H=I$ it never is.

**What needs a condition.** That the spectral step *does* more. Gradient descent may do up to twice what it is promised,
so a nuclear rank of at least $2L_*/L$ is enough (derived for this project), and a nuclear rank between $L_*/L$ and
$2L_*/L$ is not: there the Euclidean step did more in most of the cases that were drawn.

**PolarGrad** is that step with a constant learning rate $\gamma$, times $\Vert G\Vert_{nuc}$. It is linear for
$\gamma<2/L_*$, with factor $1-\mu/L_*$ at $\gamma=1/L_*$ (derived for this project). Muon's step of constant length
ends on a plateau instead, and one that shrinks geometrically stops short where its lengths do not add up to the
distance. The quadratic of S30 shows all three. Gradient descent with $1.9/L$ ends lower there than PolarGrad with
$0.2/L$ and $0.05/L$, the rates of its reference values, which suggests that tuned gradient descent wins; but $0.2/L$
is only $1.47/L_*$. With $1.9/L_*$ PolarGrad ends lower than gradient descent with $1.9/L$, on this problem and on two
others of its kind; with $1/L_*$ and $1/L$ it is the other way round. So neither order holds for quadratics in general,
nor even for one of them: it depends on how near the step is to $2/L_*$, and a step of $2.02/L_*$ diverges. What goes
with that: over the first 300 steps the median nuclear rank of the gradient is above $L_*/L=7.3$ for PolarGrad with
$1.9/L_*$ ($10.5$), and below it for $1/L_*$ and for gradient descent.

**Noise.** With momentum $1-\beta=T^{-1/2}$ and steps $T^{-3/4}$ the mean of $\Vert HW_t\Vert_{nuc}$ over a run of
Muon falls with the power $-1/4$ of its length $T$, which arXiv 2509.15816 announces; that of MVR2, with
$1-\beta=T^{-2/3}$ and steps $T^{-2/3}$, with the power $-1/3$. What these slopes show needs care. Without any noise
they are the same: a run that starts at a fixed distance needs about $T^{3/4}$, resp. $T^{2/3}$, steps to arrive, and
the share of the run that this takes is what the mean sees. Variance reduction is seen in the second halves: under the
schedule of MVR2, an average of gradients lags behind by as many steps as it takes to travel a fixed distance, and stays
five times higher at $T=10^4$. MVR2 computes two gradients at every step, so its run costs twice as many.

MVR1 without its clip is no new momentum: $B=(1-\gamma)\,\mathrm{EMA}+\gamma G$ exactly (derived for this project),
Nesterov's form for $\gamma=1-\beta$, and the plain gradient for $\gamma=1$. Averaging cannot take its variance below
the share $\gamma^2$ of that of a gradient.

What is measured here are quadratics with a few thousand entries at most. No theorem of arXiv 2505.23737 or 2509.15816
is asserted: their texts were not at hand, only what they announce. Of Hessians of low rank and of block structure,
which the former names, the first is what makes $L_*/L$ small above, and the second was not tried.
"""

from __future__ import annotations

from normkit.studies.converging import noisy, sharp, smoothness
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run, study

FINDING = (
    "A spectral step surely does more where the nuclear rank is at least 2 L*/L; PolarGrad and gradient descent trade "
    "places with the step length; the slopes -1/4 and -1/3 are there without noise too."
)


@study("convergence", "smoothness constants, the sharp step, and rates with noise", ("S30", "S31", "S34"),
       finding=FINDING)  # fmt: skip
def STUDY(at: Run) -> Outcome:
    """Compare constants, then single steps, then runs."""
    made = Outcome()
    for piece in (smoothness, sharp, noisy):
        made.add(*piece.parts(at))
    return made
