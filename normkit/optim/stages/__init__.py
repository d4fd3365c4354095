"""What pipelines are made of beside momentum: maps of norms, second moments, scales, spectral factors.

maps.py       `Dualize`, `Sign`, `PolarFirst`
moments.py    `Adam`, `SecondMoment`
scales.py     `MatchRMS`, `Standardize`, `Sinkhorn`
specmuon.py   `SpecMuonA`, `SpecMuonB`
"""

from normkit.optim.stages.maps import Dualize, PolarFirst, Sign
from normkit.optim.stages.moments import Adam, SecondMoment
from normkit.optim.stages.scales import MatchRMS, Sinkhorn, Standardize
from normkit.optim.stages.specmuon import SpecMuonA, SpecMuonB

__all__ = [
    "Adam",
    "Dualize",
    "MatchRMS",
    "PolarFirst",
    "SecondMoment",
    "Sign",
    "Sinkhorn",
    "SpecMuonA",
    "SpecMuonB",
    "Standardize",
]
