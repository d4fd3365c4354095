r"""SpecMuon as two readers transcribed it: in one the modes do not part, in the other the dominant ones freeze.

SpecMuon (arXiv:2602.16167) gives each leading mode of the gradient a factor that the loss drives, as schemes with a
scalar auxiliary variable do. Its own text was not at hand, and the two transcriptions disagree: neither is asserted to
be the paper's algorithm, and no number of the paper is quoted or checked. Both are in the library,
`normkit.optim.SpecMuonA` and `normkit.optim.SpecMuonB`. In both a factor $r$ first shrinks to $r'$, $0<r'\le r$; what
the polar factor has in its mode is multiplied by $r'/\sqrt f$; then $r'$ is relaxed towards the root of the loss $f$.

**What holds of A.** A factor shrinks by $1+\frac{h_js_j}{2\sqrt f}$ with $h_j=\eta/(s_j+\varepsilon)$, and $h_js_j$ is
$\eta$ for every singular value far above $\varepsilon=10^{-8}$. So all factors are one number: they differ by less than
$10^{-5}$ of themselves after 200 steps on a quadratic, and by less than $10^{-4}$ over all modes of all matrices of a
small network. With a factor for every mode A is Muon, its momentum after the polar factor, times that number.

What becomes of that number is derived for this project. With $T=(1-\xi)r'^2+\xi r^2+(1-\xi)(r'-r)^2$ the relaxation
gives the median of $r'$, $\sqrt f$ and $\sqrt T$. Since $T\le r^2$, it never is larger than $r$. This is an energy that
falls whatever the loss does: while the loss stands still, $r$ falls in every step by the factor $\sqrt T/r$, which is
about $1-(1-\xi)\eta/(2\sqrt f)$. On the quadratic the loss falls to 0.002, rises to 0.006 and stays, for the factors
are gone.

**What holds of B.** There a factor shrinks by $1+\frac h2\frac{s_i^2}{f}$ with $h=0.2/s_i$ and $s_i$ relative to the
norm of the gradient. So factors part: those of dominant modes fall first, to below $10^{-4}$ within 120 steps, and 99 %
of the square of what is left of the gradient lies in the two modes that froze. With $E_+$ the root of the loss after
the step, the relaxation gives $\min(E_+,\sqrt{r'^2+\psi D})$ (derived for this project). A factor therefore never rises
if the learning rate is at most $0.2/\sqrt\psi=0.205$; at $0.5$ it does.

The transcription provides for a complex root. There is none: the discriminant is $4(r'-E_+)^2(r'^2+\psi D)$. But where
a factor has fallen to some $10^{-8}$ of $E_+$, rounding can make it negative, and the rule then sets the factor to
$E_+$. On the network this is what frees modes again; when it happens depends on the last digits.

**The heat equation.** A network 2-16-16-1 is fitted to $u_t=0.1\,u_{xx}$ by its residual and its boundary values; loss
and gradient are written by hand. Reference numbers do not exist, so that losses here are measurements and no claims: of
one problem, five learning rates and 400 steps. In them Muon with the momentum after the polar factor, which is A
without factors, ends lower than A, and A far lower than B. Rates under a Polyak-Lojasiewicz condition, which a
transcription mentions, are not tested.
"""

from __future__ import annotations

from normkit.studies.energies import fits, pictures, quadratic
from normkit.studies.kit.outcome import Outcome
from normkit.studies.kit.study import Run, study

FINDING = (
    "In one transcription the factors of all modes are one number, which falls to 0; in the other they part, and the "
    "dominant modes freeze."
)


@study("specmuon", "energies and factors of two transcriptions", ("S32", "S62"), finding=FINDING)
def STUDY(at: Run) -> Outcome:
    """Follow the factors on a quadratic and on a small network, then compare losses."""
    made = Outcome()
    plain = quadratic.both(at, made)
    followed = fits.factors(at, made)
    runs = fits.race(at, made)
    middle = {name: (losses, tracks["W2"]) for name, (losses, tracks) in followed.items()}
    made.add(*pictures.all_of(plain, middle, runs))
    return made
