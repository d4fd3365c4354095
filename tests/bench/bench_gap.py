"""Ratio of medians: the table of the gap by Bartlett's law against drawing W, both in plain NumPy, one process."""

import numpy as np
from harness import head, medians, row

from normkit.studies.gap.reference import GRID
from normkit.studies.gap.sampling import moments

SAMPLES, ROUNDS = 500, 3


def table(sampler):
    return [moments(np.random.default_rng([m, n]), m, n, SAMPLES, sampler) for m, n in GRID]


def main():
    for one, other in zip(table("bartlett"), table("direct"), strict=True):
        for norm in ("op", "F"):
            spread = np.hypot(one[f"{norm}_sd"], other[f"{norm}_sd"]) / np.sqrt(SAMPLES)
            assert abs(one[norm] - other[norm]) < 5 * spread
    found = medians({name: lambda name=name: table(name) for name in ("bartlett", "direct")}, ROUNDS)
    head("work", "Bartlett s", "direct s", "ratio")
    seconds = (f"{found[name]:.3f}" for name in ("bartlett", "direct"))
    row(f"{len(GRID)} sizes, {SAMPLES} samples each", *seconds, f"{found['direct'] / found['bartlett']:.1f}x")


if __name__ == "__main__":
    main()
