r"""With many more columns than rows Muon and RMNP are, on average over Gaussian gradients, of order $1/\sqrt n$ apart.

The source prints a bound of this order that is to hold with probability $1-n^{-2}$: that is false, and repaired below.

For $W$ of $m$ rows and $n$ columns, independent $N(0,1)$ entries, Muon moves along $A^{-1/2}W$ and RMNP along
$D^{-1/2}W$, where $A=WW^T$ and $D=\mathrm{diag}(A)$. The gap is $\Delta=(A^{-1/2}-D^{-1/2})W$. Its norms depend on $W$
through $A$ alone, and $A=LL^T$ with independent $L_{ii}^2\sim\chi^2_{n-i+1}$ and $L_{ij}\sim N(0,1)$ below the
diagonal, so a sample costs the same for every $n$.

**What holds.** For fixed $m$ the mean norms of the gap fall like $1/\sqrt n$: the source's table of 72 means, of 500
samples each, agrees with runs of up to a million samples in every cell, within rounding and four standard errors, and
the slopes are $-1/2$. The constants do depend on $m$. With $G_0$ symmetric, zero on the diagonal and $N(0,1)$ beside
it, $\sqrt n\|\Delta\|_F$ tends in law to $\chi_k/\sqrt2$, $k=m(m-1)/2$, and $\sqrt n\|\Delta\|_{op}$ to
$\|G_0\|_{op}/2$ (derived for this project): the means to $\Gamma((k+1)/2)/\Gamma(k/2)$ and to $0.853$, $1.511$,
$2.602$, $4.038$ for $m=3,5,10,20$. Lemmas 3.1 to 3.4, 3.6 and 3.7 of the source hold as printed.

**What the source prints.** That there is a constant $c$, of $m$ alone, with $\|\Delta\|\le c/\sqrt n$ with probability
at least $1-n^{-2}$ for all large $n$.

**The counter-example.** Two rows. There $P(\sqrt n\|\Delta\|_{op}>c)$ tends to $2\Phi(-2c)$, a positive number for
every $c$, while $n^{-2}$ tends to 0. At $n=10^5$ it is $0.318$, $0.046$ and $0.0028$ for $c=0.5$, $1$ and $1.5$, where
the statement asks for at most $10^{-10}$ at some $c$. A larger $c$ only delays it: for $c=4$ the statement fails by a
factor of 100 from $n=10^9$ on. The same statement for $\|\Delta\|_F$ falls with it, being the stronger. For two rows
this tail is a quadrature (derived for this project), with $\|\Delta\|_F^2=4-2(a+b)(1+s)/\sqrt{a^2+b^2+2abs}$ for row
norms $a,b$, cosine $\rho$ and $s=\sqrt{1-\rho^2}$.

The step at fault is 3.5(c): $u=c\sqrt n$ in Bernstein's inequality leaves $u^2/n=c^2$, which does not grow, so the
bound on $\|A-D\|_{op}$ holds with a probability below 1 that does not depend on $n$. The other three parts of 3.5 are
right. The repairs:

- (R1) $\|\Delta\|\le c\sqrt{\log n/n}$ with probability at least $1-n^{-2}$;
- (R2) $\|\Delta\|\le c\sqrt{\log(m/\delta)/n}$ with probability at least $1-\delta$, for $n\ge C\log(m/\delta)$;
- (R3) the mean norms are of order $1/\sqrt n$, and the laws of $\sqrt n\|\Delta\|$ converge. The table shows this.

**What needs a condition.** All of this is for $n$ much larger than $m$. At a fixed ratio $m/n=g$ the gap does not
vanish: $\|\Delta\|_{op}$ tends to $\sqrt g$, and for a square matrix the two directions differ by
$\sqrt{2-16/(3\pi)}=0.55$ in relative Frobenius norm (derived for this project).

**Diagonal dominance.** The ratio of $A_{ii}$ to the mean of its row beside the diagonal is about $\sqrt{\pi n/2}$ for
noise: $20$ at $64\times256$ and $40$ at $1024\times1024$. Only what exceeds that can be structure. With few rows it is
larger by the share $(\pi/2-1)/(m-1)$, 4 % for 16 rows: one $16\times64$ matrix may well show $10.07$, the mean over
many is $10.4$.

**Cost.** Five quintic steps against one normalization of rows: the ratio grows with $m$. Its size is that of the
machine.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from normkit.studies.gap import aspect, concentration, constants, cost, dominance, lemmas, rows, table, tails
from normkit.studies.gap.reference import SAMPLES
from normkit.studies.gap.sampling import SAMPLERS
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Option, Run, study

PIECES = (table, constants, tails, lemmas, concentration, rows, aspect, dominance)
OPTIONS = {
    "m": Option(int, (), "Rows; repeatable. With --m or --n the table alone is made.", many=True),
    "n": Option(int, (), "Columns; repeatable.", many=True),
    "samples": Option(int, SAMPLES, "Samples a cell of the table."),
    "sampler": Option(str, "bartlett", f"How the table is sampled: {' or '.join(SAMPLERS)}."),
}


FINDING = (
    "At Gaussian gradients with many more columns than rows Muon and RMNP are of order 1/sqrt(n) apart on average; the "
    "printed bound of high probability is false, and repaired."
)


@study("muon-rmnp-gap", "how far Muon and RMNP are apart, and what is wrong as printed",
       tuple(f"S0{number}" for number in range(1, 10)), OPTIONS, FINDING)  # fmt: skip
def STUDY(at: Run) -> Outcome:
    """Run the pieces; with cells of one's own, the table alone; in the long form also the shipped values."""
    made = Outcome()
    table.grid(at.options)  # refuses before anything runs
    if at.options.get("m") or at.options.get("n"):
        made.add(*table.parts(at))
    else:
        with ThreadPoolExecutor(1) as aside:
            times = aside.submit(cost.seconds, cost.sizes(at))
            for piece in PIECES:
                made.add(*piece.parts(at))
            made.add(*cost.parts(at, times.result()))
    if at.long:
        made.add(*table.long_run(at))
    return made
