"""Gram and standard form of Newton-Schulz, in float64 and under the model of half precision (S43, S44)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

import normkit as nk
from normkit.polar.bounds import spectral_bound
from normkit.polar.schedule import Schedule, polar_schedule
from normkit.studies.cores.stored import iterate
from normkit.studies.kit.claims import below, check, largest, within
from normkit.studies.kit.ink import inks
from normkit.studies.kit.outcome import Figure, Outcome, Table
from normkit.studies.kit.study import Run

Array = NDArray[Any]

FORMS: dict[str, tuple[int, ...] | None] = {"standard": None, "Gram [2]": (2,), "Gram [2, 4]": (2, 4), "no restart": ()}
INPUTS = {
    "256x1024 Gaussian": (256, 1024, 0.0),
    "256x1024 to 1e-4": (256, 1024, 1e-4),
    "512x512 Gaussian": (512, 512, 0.0),
}
"""Shape, and the share of the largest singular value to which they fall."""
EXPECTED: dict[str, dict[str, tuple[float, ...]]] = {
    "256x1024 Gaussian": {
        "bfloat16": (8.6e-3, 1.2e-2, 9.8e-3, 1.4e-2),
        "float16": (1.1e-3, 1.6e-3, 1.2e-3, 1.7e-3),
    },
    "256x1024 to 1e-4": {
        "bfloat16": (7.4e-2, 2.4e-1, 6.4e-2, 25.0),
        "float16": (9.2e-3, 3.0e-2, 8.0e-3, 2.4e-1),
        "float32": (0.0, 1.7e-4, 1.8e-5, 6.8e-4),
    },
    "512x512 Gaussian": {
        "bfloat16": (9.4e-3, 1.6e-1, 2.5e-2, 2.1e-1),
        "float16": (1.2e-3, 2.0e-2, 3.1e-3, 2.7e-2),
    },
}
"""|Y - Y_float32|_F / sqrt(m) of the four forms."""
FACTOR = 1.5
SHAPES = ((32, 96), (64, 64), (48, 200))


def schedule() -> Schedule:
    """Return the first five steps of pe8 with a safety of 1.05."""
    return polar_schedule("pe8", steps=5, safety=1.05, dtype="bfloat16")


def gaussian(rng: np.random.Generator, m: int, n: int, smallest: float = 0.0) -> Array:
    """A Gaussian matrix of Frobenius norm 1; with `smallest` its singular values fall geometrically to that share."""
    G = rng.standard_normal((m, n))
    if smallest:
        G = (nk.polar(rng.standard_normal((m, m))) * np.geomspace(1.0, smallest, m)) @ nk.polar(G)
    return np.asarray(G / np.linalg.norm(G))


def forms(at: Run, made: Outcome) -> None:
    """Compare the two forms in float64, and the standard form with the library's and with the composite itself."""
    known, apart, library, composite = schedule(), [], [], []
    for m, n in SHAPES:
        G = gaussian(at.rng("forms", m, n), m, n)
        left, sigma, right = np.linalg.svd(G, full_matrices=False)
        X, shares = G / sigma[0], sigma / sigma[0]
        plain = iterate(X, known.coefficients, "float64")
        apart += [float(np.max(np.abs(iterate(X, known.coefficients, "float64", k) - plain))) for k in ((), (2,))]
        composite.append(float(np.max(np.abs((left * known(shares)) @ right - plain))))
        # The library divides by a bound of the largest singular value that is a little above it.
        followed = nk.polar(X, schedule=known, precision="float64")
        library.append(float(np.max(np.abs(followed - (left * known(shares / spectral_bound(X))) @ right))))
    made.add(
        below("S43.gram", "Gram Newton-Schulz is Newton-Schulz in float64: largest difference", apart, 1e-12),
        below("S43.composite", "both apply the composite to the singular values", composite, 1e-11),
        below("S43.library", "nk.polar(schedule=...) does, too", library, 1e-11),
    )


def model(at: Run, made: Outcome) -> None:
    """Run the model of half precision over the table."""
    names = list(INPUTS)[: at.pick(2, None)]
    found = at.cells.map("half", measure, [(name, *INPUTS[name]) for name in names])
    rows = [
        [name, storage, form, *numbers, want]
        for name, measured in zip(names, found, strict=True)
        for storage, wanted in EXPECTED[name].items()
        for form, numbers, want in zip(FORMS, measured[storage], wanted, strict=True)
    ]
    ratios = [math.log(row[3] / row[5]) for row in rows if row[5]]
    worst = max(row[4] for row in rows if row[1:3] == ["bfloat16", "no restart"])
    kept = largest(*(row[4] for row in rows if row[2] in ("standard", "Gram [2, 4]")))
    columns = ("input", "storage", "form", "error", "largest singular value", "expected error")
    made.add(
        Table("half", "Model of rounded products, five steps of pe8 / 1.05", columns, rows,
              note="error = |Y - Y_float32|_F / sqrt(m); [k] restarts the short side before step k, counted from 0"),
        within("S44.errors", "errors are those expected up to a factor 1.5: logarithms of the ratios", ratios, 0.0,
               math.log(FACTOR), confidence="one draw of each input"),
        check("S44.restart", "in bfloat16 the short side without restarts leaves singular values above 20; the "
              "standard form and restarts before steps 2 and 4 keep them below 1.2", worst > 20 and kept < 1.2,
              {"without": worst, "with": kept}, confidence="one draw of each input"),
        Figure("half", "Errors of four forms under the model.", lambda canvas: _draw(canvas, rows)),
    )  # fmt: skip


def measure(
    rng: np.random.Generator, name: str, m: int, n: int, smallest: float
) -> dict[str, list[tuple[float, float]]]:
    """Return error and largest singular value of each form, for every storage of an input."""
    G, rows = gaussian(rng, m, n, smallest), schedule().coefficients
    exact = iterate(G, rows, "float32")

    def numbers(storage: str, restarts: tuple[int, ...] | None) -> tuple[float, float]:
        Y = iterate(G, rows, storage, restarts).astype(np.float64)
        top = math.sqrt(float(nk.value("spectral", Y @ Y.T)))
        return float(np.linalg.norm(Y - exact)) / math.sqrt(m), top

    return {storage: [numbers(storage, form) for form in FORMS.values()] for storage in EXPECTED[name]}


def _draw(canvas: Any, rows: list[list[Any]]) -> None:
    axes = canvas.subplots()
    places = list(dict.fromkeys((row[0], row[1]) for row in rows))
    for form, ink in zip(FORMS, inks(), strict=False):
        errors = [max(row[3], 1e-8) for row in rows if row[2] == form]
        axes.semilogy(errors, label=form, **(ink | {"linestyle": "none", "markersize": 7}))
    axes.set_xticks(range(len(places)), [f"{name.replace(' ', chr(10), 1)}\n{kind}" for name, kind in places])
    axes.tick_params(axis="x", labelsize=7.5)
    axes.set(ylabel=r"$\|Y-Y_{32}\|_F\,/\,\sqrt{m}$  (0 drawn at $10^{-8}$)", xlabel="input and storage")
    axes.legend(loc="upper left", ncols=4, bbox_to_anchor=(0, 1.12))
