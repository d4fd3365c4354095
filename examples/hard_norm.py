"""A norm that is NP-hard to evaluate is not guessed: it is refused, or bounded from both sides."""

import numpy as np

import normkit as nk

X = np.random.default_rng(0).standard_normal((20, 18))
try:
    nk.value("linf->l1", X)
except nk.NoClosedForm as refused:
    print(refused)
b = nk.bounds("linf->l1", X)
print(f"{b.lower:.4f} <= N(X) <= {b.upper:.4f}, attained from below by a sign vector")
assert b.witness is not None
assert np.isclose(np.abs(X @ b.witness).sum(), b.lower)
assert b.lower <= b.upper <= 1.7823 * b.lower
