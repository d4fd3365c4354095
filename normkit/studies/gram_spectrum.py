r"""The log det of a Gram matrix is bounded by that of its subsets, and tells a contraction only next to a baseline.

SIGMA (arXiv 2601.03385) announces deterministic and stochastic bounds on the spectrum of the Gram matrix $G=XX^T$ of
embeddings, rows of $X$, as a scalable measure of how far a representation has contracted. Its theorems were not at
hand. The bounds below are classical or derived for this project, and none is attributed to that paper; there is no
optimization in them.

**What holds, for subsets of rows.** For $G_S$ of $k$ of $n$ rows, $\log\det G_S$ lies between the sums of the $k$
smallest and of the $k$ largest $\log\lambda_i(G)$ (interlacing). On average over all subsets of a size, $\det G_S$ is
$e_k(\lambda)$ over their number, and $\log\det(G_S)/k$ falls with $k$ (Han, Szasz). So a sample gives an upper bound,
and the same number per row for all rows is too much: for ten rows, from subsets of four, by 3 to 9 in $\log\det G$.
With a ridge $\epsilon$, $F(S)=\log\det(I+G_S/\epsilon)$ is monotone and has diminishing returns, so that the mean over
subsets bounds $F$ of all rows from both sides, by itself and by $n/k$ times itself; and as $F$ of $k$ unit rows is in
$[0,k\log(1+1/\epsilon)]$, Hoeffding's inequality says how many subsets are enough (derived for this project).

**Columns.** Some columns give a smaller matrix, hence a lower bound; the sum of $\det(X_PX_P^T)$ over all sets $P$ of
$p$ columns is $\det(XX^T)$ times a binomial number (Cauchy and Binet).

**Norms and moments.** $\frac1n\log\det G\le2\log(\Vert X\Vert_{nuc}/n)\le2\log(\Vert X\Vert_F/\sqrt n)\le
2\log\Vert X\Vert_{op}$, with equality at polar factors: among matrices with $\sigma_1\le1$ they are those of the
largest $\log\det G$. For rows of unit length the Frobenius bound is 0 whatever they are. Trace, $\Vert G\Vert_F$ and a
bound of one end of the spectrum give bounds from both sides, which meet where all cosines are equal (derived for this
project).

**What needs a condition.** That $\log\det G$ shows a contraction.

- It changes with the scale: halving all rows lowers it by $2n\log2$ and loses no direction. Take unit rows.
- It falls, also per row, as rows are added, for noise alone: uniform unit vectors have the mean
  $\sum_{i=1}^n\psi((d-i+1)/2)-n\psi(d/2)$, $-1.02$ a row at $n=d=64$ (derived for this project). Compare with it.

**A contraction.** A Gaussian is fitted to $n$ samples of the fit before, again and again. Its $\log\det$ is a random
walk, whose mean falls by about $d(d+1)/(2n)$ a generation, exactly by a sum of digamma functions, while the mean of its
trace stays where it was (derived for this project): the mean variance does not show what $\log\det$ does. With a fifth
of fresh samples the fall ends after a few generations. This is a demonstration on Gaussians, and says nothing about
language models.
"""

from __future__ import annotations

from normkit.studies.grams import contraction, moments, noise, subsamples
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run, study

FINDING = (
    "log det of a Gram matrix is bounded from both sides by subsets and by two moments; it falls for noise and for a "
    "mere change of scale too, so it tells a contraction only next to these."
)


@study("gram-spectrum", "log det of Gram matrices: subsets, bounds, contraction", finding=FINDING)
def STUDY(at: Run) -> Outcome:
    """Bound log det from subsets and moments, say what noise gives, then contract."""
    made = Outcome()
    for piece in (subsamples, moments, noise, contraction):
        made.add(*piece.parts(at))
    return made
