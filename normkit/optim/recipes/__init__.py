"""Published optimizers by name: each is a norm, a convention, a momentum form and a decay, and says which.

basic.py   `sgd`, `signsgd`, `lion`, `rmnp_paper`, `rmnp_code`, `modula`
muon.py    `muon`, `optax_muon`, `muon_mvr1`, `muon_mvr2`, `polargrad`, `spectral_clipped`
scion.py   `scion`, `scion_norm`

Learning rates have the defaults of the originals where these have one. An optimizer that is no norm's steepest descent
is a pipeline: see `normkit.optim.pipeline_named`.
"""

from normkit.optim.recipes.basic import lion, modula, rmnp_code, rmnp_paper, sgd, signsgd
from normkit.optim.recipes.muon import muon, muon_mvr1, muon_mvr2, optax_muon, polargrad, spectral_clipped
from normkit.optim.recipes.scion import scion, scion_norm

__all__ = [
    "lion",
    "modula",
    "muon",
    "muon_mvr1",
    "muon_mvr2",
    "optax_muon",
    "polargrad",
    "rmnp_code",
    "rmnp_paper",
    "scion",
    "scion_norm",
    "sgd",
    "signsgd",
    "spectral_clipped",
]
