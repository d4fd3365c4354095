"""The cheap laws on random norms: expressions of depth up to 3 over the whole registry."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, event, given, seed, settings
from strategies import matrices, vectors

import normkit as nk
from normkit.errors import NoClosedForm
from normkit.testing import check_norm

CHEAP = (1, 2, 3, 4, 6, 8)
QUIET = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def obeys(norm: nk.Norm, shape: tuple[int, ...]) -> None:
    """Check the cheap laws; norms of which nothing is explicit are drawn again."""
    try:
        report = check_norm(norm, shape=shape, dtypes=["float64"], laws=CHEAP, slack=8.0)
    except NoClosedForm:
        assume(False)
    event(f"{len(report.laws)} laws")
    assert report.worst.holds


@seed(1)
@QUIET
@given(vectors(3))
def test_random_vector_norms_obey_the_laws(norm: nk.Norm) -> None:
    obeys(norm, (6,))


@seed(2)
@QUIET
@given(matrices(3))
def test_random_matrix_norms_obey_the_laws(norm: nk.Norm) -> None:
    obeys(norm, (4, 3))
