"""Minimax steps: the published rows, the error bound, and how many steps an error takes (S40, S41)."""

from __future__ import annotations

from typing import Any

import numpy as np

import normkit as nk
from normkit.polar.remez import minimax
from normkit.studies.kit.claims import below, refuted, within
from normkit.studies.kit.outcome import Outcome, Table

PUBLISHED = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    (1.875, -1.25, 0.375),
)
"""arXiv 2505.16932, the list of eight, without safety."""
ROOM = (1e-12,) * 6 + (1e-10, 1e-8)
SAFE = (
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
)
"""The production list with safety 1.02 and cushion 0.02."""
CANS = (
    (8.4703, -25.1081, 18.6293),
    (4.1828, -3.1087, 0.5806),
    (3.9619, -2.9541, 0.5630),
    (3.2866, -2.4647, 0.5074),
    (2.2737, -1.6447, 0.4162),
)
"""arXiv 2506.10935."""
ERRORS = (0.12, 1e-3, 1e-6)
STEPS = {1e-1: (2, 3, 4), 1e-2: (4, 5, 6), 1e-3: (5, 6, 7), 1e-4: (7, 8, 9), 1e-5: (9, 10, 10), 1e-6: (10, 11, 12)}
"""Fewest quintic steps, without margins, for these errors over [lower, 1]."""
LOWERS = (0.1, 0.3, 0.5, 0.7, 0.9)
SEEN = 1e-14
"""Errors below are lost beside 1 in double precision."""


def generator(made: Outcome) -> None:
    """Compare the rows that the library designs with those that were published."""
    lists: list[tuple[str, Any, tuple[float, ...], dict[str, float]]] = [
        ("pe8", PUBLISHED, ROOM, {"safety": 1.0}),
        ("pe5-1.02", SAFE, (1e-13,) * 5, {"safety": 1.02, "cushion": 0.02}),
        ("cans5", CANS, (6e-5,) * 5, {"safety": 1.0, "cushion": 0.0}),
    ]
    table, far, rooms = [], [], []
    for name, rows, room, margins in lists:
        designed = nk.polar_schedule(steps=len(rows), lower=1e-3, dtype="float64", allow_unsafe=True, **margins)
        for t, (got, want) in enumerate(zip(designed.coefficients, rows, strict=True)):
            table.append([name, t + 1, *got, float(np.max(np.abs(np.subtract(got, want))))])
            far.append(table[-1][-1])
            rooms.append(room[t])
    columns = ("list", "step", *"abc", "distance")
    made.add(
        Table("rows", "Designed steps, and how far the published rows are", columns, table),
        within("S40.rows", "three published lists are compositions of best approximations", far, 0.0, rooms,
               confidence="exact; cans5 is printed to four decimals"),
    )  # fmt: skip


def steps(made: Outcome) -> None:
    """Count the steps that errors take."""
    counts = {
        lower: [
            nk.polar_schedule(
                accuracy=error, lower=lower, dtype="float64", safety=1.0, cushion=0.0, allow_unsafe=True
            ).steps
            for error in ERRORS
        ]
        for lower in STEPS
    }
    columns = ("lower end", *(f"error {error:g}" for error in ERRORS))
    made.add(
        Table("steps", "Fewest quintic steps", columns, [[lower, *count] for lower, count in counts.items()]),
        within("S40.steps", "steps grow with the logarithm of the lower end", list(counts.values()),
               list(STEPS.values()), 0, confidence="exact"),
    )  # fmt: skip


def bound(made: Outcome) -> None:
    """Compare errors of greedy compositions with the two exponents of their bound."""
    table = []
    for degree in (3, 5):
        for lower in LOWERS:
            low, high = lower, 1.0
            for count in range(1, 5):
                # Margins aside, a step leaves [1 - E, 1 + E].
                error = minimax(degree, low, high)[1]
                low, high = 1 - error, 1 + error
                right, printed = ((1 - lower**2) ** (base**count) for base in ((degree + 1) // 2, degree + 1))
                table.append([degree, lower, count, error, right, printed])
    seen = [row for row in table if row[3] > SEEN]
    over = [row for row in seen if row[3] > row[5]]
    example = next(row for row in table if row[:3] == [5, 0.7, 2])
    columns = ("degree", "lower", "steps", "error", "(1-l^2)^((q+1)^T)", "(1-l^2)^((d+1)^T)")
    made.add(
        Table("bounds", "Errors of greedy compositions on [l, 1] and two bounds, d = 2q + 1", columns, table,
              note=f"errors below {SEEN:g} rest on an interval that double precision has rounded"),
        below("S41.bound", "error / (1 - l^2)^((q+1)^T) is at most 1 in 40 cases", [row[3] / row[4] for row in table],
              1.0, confidence="exact"),
        within("S41.example", "quintic, l = 0.7, T = 2: error and printed bound", [example[3], example[5]],
               [2.6125e-8, 2.9684e-11], [1e-12, 1e-15], confidence="exact"),
        refuted("S41.printed", "the error is at most (1 - l^2)^((d+1)^T)", example[3] > example[5],
                f"{len(over)} of {len(seen)} cases above {SEEN:g} are over", 0, confidence="exact"),
        within("S41.count", "cases over the printed bound that double precision resolves", len(over), 12, 0,
               confidence="exact"),
    )  # fmt: skip
