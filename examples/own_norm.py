"""A norm of one's own in ten lines: value and dual are stated, everything else follows."""

from pathlib import Path

import numpy as np

import normkit as nk
from normkit.functional import Functional, a, max_of, maximum, n, total
from normkit.testing import check_norm


class MeanCap(nk.Norm, name="meancap"):
    r"""max(|x| / 3, mean |x|): small on average, no entry huge."""

    theorem = nk.Theorem("infimal convolution", r"\max(N_1,N_2)^*=N_1^*\,\square\,N_2^*", "rockafellar1970convex")

    def value(self) -> Functional:
        """Return max(|x| / 3, mean |x|)."""
        return max_of((maximum(a / 3), total(a / n)))

    def dual_value(self) -> Functional:
        """Return inf over u of 3 |u|_1 + n |g - u|_inf, which sorts the magnitudes."""
        return nk.norm("max(1/3*linf, 1/n*l1)").dual_value()


g = np.load(Path(__file__).parent / "data" / "hidden.npy")[0]
norm = nk.norm("meancap")
t = nk.dualize(norm, g)
print(nk.derive(norm).text())
print("entries that move:", np.count_nonzero(t), "of", t.size)
assert nk.certify(norm, g, t).holds(1e-6)
check_norm(norm, shape=(12,))
