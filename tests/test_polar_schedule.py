"""Polynomial schedules: published lists reproduced, ranges proved and tight, unsafe uses refused, the command line."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

import normkit as nk
from normkit.errors import DTypeError, FileError, ParameterError, SpecError, UnsafeSchedule
from normkit.polar.image import basins, image, images
from normkit.polar.lists import listed, repeats
from normkit.polar.presets import PRESETS
from normkit.polar.remez import CUSHION, composition, evaluate, minimax
from normkit.polar_plot import plot_schedule

PAGE = Path(__file__).parents[1] / "docs" / "schedules.md"

PE8 = [
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    (1.875, -1.25, 0.375),
]
"""arXiv 2505.16932, as printed."""

PE5 = [
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
]
"""The production list with safety 1.02, as printed."""


def far(rows: Any, others: Any) -> list[float]:
    """Largest difference of each row."""
    return [max(abs(a - b) for a, b in zip(row, other, strict=True)) for row, other in zip(rows, others, strict=True)]


# --- the generator ------------------------------------------------------------------------------------------------


def test_the_generator_gives_the_published_polar_express_list() -> None:
    rows = composition(1e-3, 1.0, [5] * 8, cushion=0.02407327424182761)
    differences = far(rows, PE8)
    assert max(differences[:6]) < 5e-14 and differences[6] < 1e-10 and differences[7] < 1e-8
    assert listed("pe8", None, 1.0, 0.0, allow_unsafe=False)[2] == rows


def test_the_generator_gives_the_production_list() -> None:
    rows = composition(1e-3, 1.0, [5] * 5, safety=1.02, cushion=0.02)
    assert max(far(rows, PE5)) < 5e-14
    assert PRESETS["pe5-1.02"].rows == rows


def test_the_generator_gives_cans_to_its_four_decimals() -> None:
    rows = composition(1e-3, 1.0, [5] * 5, cushion=0.0)
    assert max(far(rows, PRESETS["cans5"].rows)) < 5.1e-5


@pytest.mark.parametrize(
    ("cushion", "ends"),
    [
        (CUSHION, [0.008287, 0.034034, 0.134276, 0.439583, 0.876441, 0.998815, 1.000000]),
        (0.0, [0.0084703, 0.0354280, 0.140229, 0.454107, 0.886552, 0.999084, 1 - 4.8e-10]),
    ],
)
def test_lower_ends_step_by_step(cushion: float, ends: list[float]) -> None:
    x, found = 1e-3, []
    for row in composition(1e-3, 1.0, [5] * 7, cushion=cushion):
        x = evaluate(row, x)
        found.append(x)
    np.testing.assert_allclose(found, ends, rtol=0, atol=6e-7)
    if not cushion:
        assert 1 - found[-1] == pytest.approx(4.8e-10, rel=0.01)


def test_cubic_steps_have_their_closed_form() -> None:
    for lower, upper in [(1e-12, 1.0), (1e-3, 1.0), (0.3, 1.7), (0.9, 1.1), (0.999, 1.0)]:
        alpha = (3 / (upper**2 + lower * upper + lower**2)) ** 0.5
        beta = 4 / (2 + lower * upper * (lower + upper) * alpha**3)
        row, error = minimax(3, lower, upper)
        np.testing.assert_allclose(row, [1.5 * beta * alpha, -0.5 * beta * alpha**3], rtol=1e-13)
        assert error == pytest.approx(beta - 1, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("degree", [3, 5, 7])
@pytest.mark.parametrize("lower", [1e-300, 1e-12, 1e-6, 1e-3, 0.2, 0.9])
def test_the_best_polynomial_alternates(degree: int, lower: float) -> None:
    """Chebyshev: best iff 1 - p takes +E, -E, ... at one more point than there are coefficients."""
    with mp.workdps(60):
        row, error = minimax(degree, lower, 1.0)
        points = [mpf(lower), *turning(row, mpf(lower), mpf(1)), mpf(1)]
        assert len(points) == degree // 2 + 2
        values = [1 - at(row, x) for x in points]
        assert [mpmath.sign(v) for v in values] == [(-1) ** k for k in range(len(points))]
        assert max(abs(abs(v) - error) for v in values) < 5e-15 + 1e-13 * error


@pytest.mark.parametrize("degree", [3, 5, 7])
@pytest.mark.parametrize("gap", [1e-6, 1e-9, 1e-12, 2.0**-53])
def test_a_short_interval_gives_newton_schulz_about_its_middle(degree: int, gap: float) -> None:
    """Near lower = upper the best polynomial is Padé's, scaled to the middle of the squares, up to gap^2."""
    pade = {3: (3 / 2, -1 / 2), 5: (15 / 8, -10 / 8, 3 / 8), 7: (35 / 16, -35 / 16, 21 / 16, -5 / 16)}[degree]
    lower = 1 - gap
    middle = ((1 + lower**2) / 2) ** 0.5
    row, error = minimax(degree, lower, 1.0)
    np.testing.assert_allclose(row, [c / middle ** (2 * k + 1) for k, c in enumerate(pade)], rtol=20 * gap**2 + 4e-16)
    assert 0 < error <= gap ** (degree // 2 + 1)
    np.testing.assert_array_equal(minimax(degree, 1.0, 1.0)[0], pade)


def at(row: Any, x: Any) -> Any:
    return sum(mpf(c) * x ** (2 * k + 1) for k, c in enumerate(row))


def turning(row: Any, low: Any, high: Any) -> list[Any]:
    """Zeros of p' in (low, high), by mpmath's roots of the polynomial in x^2."""
    kept = list(row)
    while kept[-1] == 0:
        kept.pop()
    squares = mpmath.polyroots([(2 * k + 1) * mpf(c) for k, c in enumerate(kept)][::-1], maxsteps=200, extraprec=300)
    roots = [mpmath.sqrt(y.real) for y in squares if abs(y.imag) < 1e-30 and y.real > 0]
    return sorted(x for x in roots if low < x < high)


# --- the corrected error bound --------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.floats(0.02, 0.99), st.sampled_from([1, 2, 3]), st.integers(1, 5))
def test_the_corrected_bound_holds(lower: float, q: int, steps: int) -> None:
    """With degree 2 q + 1 the error is at most (1 - lower^2)^((q + 1)^steps)."""
    rows = composition(lower, 1.0, [2 * q + 1] * steps, cushion=0.0)
    low, high = images(rows, lower, 1.0)[-1]
    assert max(1 - low, high - 1) <= (1 - lower**2) ** ((q + 1) ** steps) + 2e-15


@pytest.mark.parametrize(("degree", "lower", "steps", "error"), [(5, 0.7, 2, 2.6e-8), (3, 0.9, 1, 2.1e-3)])
def test_the_printed_bound_is_false(degree: int, lower: float, steps: int, error: float) -> None:
    """The appendix of arXiv 2505.16932 prints the exponent (degree + 1)^steps."""
    low, high = images(composition(lower, 1.0, [degree] * steps, cushion=0.0), lower, 1.0)[-1]
    assert max(1 - low, high - 1) == pytest.approx(error, rel=0.03)
    assert 1 - low > 1.5 * (1 - lower**2) ** ((degree + 1) ** steps)


@pytest.mark.parametrize(
    ("lower", "plain", "cushioned"),
    [
        (1e-1, (2, 3, 4), (2, 3, 4)),
        (1e-2, (4, 5, 6), (4, 5, 6)),
        (1e-3, (5, 6, 7), (6, 7, 7)),
        (1e-4, (7, 8, 9), (7, 8, 9)),
        (1e-5, (9, 10, 10), (9, 10, 10)),
        (1e-6, (10, 11, 12), (10, 11, 12)),
        (1e-8, (13, 14, 15), (14, 15, 15)),
    ],
)
def test_steps_needed(lower: float, plain: tuple[int, ...], cushioned: tuple[int, ...]) -> None:
    for cushion, wanted in ((0.0, plain), (CUSHION, cushioned)):
        made = [
            nk.polar_schedule(accuracy=a, lower=lower, safety=1.0, cushion=cushion, dtype="f64")
            for a in (0.12, 1e-3, 1e-6)
        ]
        assert tuple(s.steps for s in made) == wanted
        assert all(s.error <= a for s, a in zip(made, (0.12, 1e-3, 1e-6), strict=True))


# --- what is proved -------------------------------------------------------------------------------------------------

TABLE = {
    # rows, slope, range from 1e-3, range from 1e-2, p(1), stable
    "muon5": (("muon5", None, 1.0), 484.9, (0.471, 1.202), (0.682, 1.134), 0.696, 1.2637),
    "cubic": (("cubic", 5, 1.0), 7.6, (0.008, 1), (0.076, 1), 1, 5**0.5),
    "cubic x 15": (("cubic", 15, 1.0), 438, (0.417, 1), (1, 1), 1, 5**0.5),
    "quintic": (("quintic", 5, 1.0), 23.2, (0.023, 1), (0.229, 1), 1, (7 / 3) ** 0.5),
    "docs5": (("docs5", 5, 1.0), 243, (0.241, 1.211), (0.972, 1.188), 1, (5 / 3) ** 0.5),
    "speedrun5": (("speedrun5", None, 1.0), 492.7, (0.475, 1.145), (0.978, 1.032), 0.978, 1.3246),
    "modula6": (("modula6", None, 1.0), 1137.5, (0.866, 0.999), (0.996, 0.999), 0.998, 1.0829),
    "pe8 raw, 5": (("pe8", 5, 1.0), 1026.1, (0.876, 1.124), (0.876, 1.124), 1.124, 1.000006),
    "pe8 /1.01, 5": (("pe8", 5, 1.01), 976.3, (0.846, 1.124), (0.870, 1.124), 1.029, 1.0109),
    "pe8 /1.01": (("pe8", None, 1.01), 6363, (1, 1), (1, 1), 1, 1.0109),
    "pe5-1.02": (("pe5-1.02", None, 1.0), 970, (0.847, 1.141), (0.859, 1.141), 0.904, 1.0218 * 1.02),
    "pe8 /1.05, 5": (("pe8", 5, 1.05), 803.9, (0.729, 1.124), (0.846, 1.124), 1.019, 1.0547),
    "cans5": (("cans5", None, 1.0), 1048.9, (0.884, 1.120), (0.884, 1.120), 1.005, 1.000007),
    "aol4-a": (("aol4-a", None, 1.0), 104.1, (-1.084, 1.084), (-1.084, 1.084), -0.994, None),
    "aol4-b": (("aol4-b", None, 1.0), 147.2, (0.147, 1.050), (0.941, 1.050), 0.944, 1.1044),
    "cubic5": (("cubic5", None, 1.0), 119.3, (0.119, 1.300), (0.774, 1.300), 0.774, 1.1829),
    "ds10": (("ds10", None, 1.0), 79263, (1.000, 1.0005), (1.000, 1.0005), 1, 1.2637),
}
"""Composite behaviour of the lists in use, computed independently in exact arithmetic."""


@pytest.mark.parametrize("row", TABLE)
def test_every_list_behaves_as_the_table_says(row: str) -> None:
    (preset, steps, safety), slope, wide, narrow, at_one, stable = TABLE[row]
    made = nk.polar_schedule(preset, steps=steps, safety=safety, allow_unsafe=True)
    assert made.slope == pytest.approx(slope, rel=1e-3, abs=0.06)
    np.testing.assert_allclose(made.image, wide, atol=6e-4)
    np.testing.assert_allclose(dataclasses.replace(made, lower=1e-2).image, narrow, atol=6e-4)
    assert float(made(1.0)) == pytest.approx(at_one, abs=6e-4)
    if stable is not None:
        # The table lets a list end at any bounded value; here the last step goes on for ever.
        assert made.basin == pytest.approx(stable, abs=1.3e-4 if stable > 1.001 else 1e-6)
    assert made.unsafe and made.lower == 1e-3


def test_pe8_with_safety_ends_within_1e_6() -> None:
    assert nk.polar_schedule("pe8", safety=1.01).error < 1e-6


SCHEDULES = [
    *(nk.polar_schedule(name, allow_unsafe=True).coefficients for name in PRESETS),
    composition(1e-3, 1.0, [7, 7, 5, 3], 1.02),
    composition(1e-8, 1.0, [5] * 12, 1.01),
    composition(0.9, 1.1, [7, 7]),
]


@pytest.mark.parametrize("rows", SCHEDULES)
@pytest.mark.parametrize("lower", [1e-6, 0.3])
def test_images_are_proved_and_tight(rows: Any, lower: float) -> None:
    """mpmath, 60 digits: extremes of each step from its turning points; the enclosure holds them, to 1e-12."""
    with mp.workdps(60):
        low, high = mpf(lower), mpf(1)
        for row, (least, most) in zip(rows, images(rows, lower, 1.0), strict=True):
            ends = [low, high]
            if low < 0:
                ends += [s * x for s in (1, -1) for x in turning(row, mpf(0), max(-low, high)) if low < s * x < high]
            else:
                ends += turning(row, low, high)
            values = [at(row, x) for x in ends]
            low, high = min(values), max(values)
            assert mpf(least) <= low and high <= mpf(most)
            assert low - mpf(least) <= 1e-12 * abs(low) and mpf(most) - high <= 1e-12 * abs(high)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(-9, 9), min_size=1, max_size=4).filter(lambda row: any(row)),
    st.floats(0, 3),
    st.floats(0, 3),
    st.floats(0, 1),
)
def test_an_image_contains_every_value(row: list[float], start: float, length: float, share: float) -> None:
    lower, upper = start, start + length
    least, most = image(tuple(row), lower, upper)
    x = min(max(lower + share * length, lower), upper)
    with mp.workdps(60):
        assert mpf(least) <= at(row, mpf(x)) <= mpf(most)
        assert mpf(most) - mpf(least) <= 2 * sum(abs(c) * mpf(upper) ** (2 * k + 1) for k, c in enumerate(row)) + 1e-12
    mirrored = image(tuple(row), -upper, -lower)
    assert mirrored == (-most, -least)


@pytest.mark.parametrize("rows", [rows for rows in SCHEDULES if rows[0][0] != 4.0098])
def test_basins_hold_and_are_the_largest(rows: Any) -> None:
    """In exact arithmetic up to 120 repetitions: from inside nothing grows, from just outside something does."""
    edge = basins(rows)[0]
    with mp.workdps(60):
        inside = [mpf(edge) * k / 100 for k in range(1, 101)]
        assert max(abs(x) for x in run(rows, inside, 40)) < 4
        outside = [mpf(edge) * (1 + mpf(10) ** -9)]
        assert max(abs(x) for x in run(rows, outside, 120)) > 1e6


def run(rows: Any, values: list[Any], repeated: int) -> list[Any]:
    for row in [*rows, *[rows[-1]] * repeated]:
        values = [at(row, x) if abs(x) < 1e7 else x for x in values]
    return values


def test_an_interval_that_explodes_is_infinite_not_an_error() -> None:
    assert images([(3.0, -5.0, 2.5)] * 12, 1e-3, 5.0)[-1] == (-np.inf, np.inf)


# --- design ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bf16", "f16", "f32", "f64"])
@pytest.mark.parametrize(("accuracy", "steps", "degree"), [(1e-2, 5, 5), (1e-1, 3, 7), (1e-3, 8, 3), (1e-6, 9, 5)])
def test_accuracy_and_steps_give_the_widest_interval(dtype: str, accuracy: float, steps: int, degree: int) -> None:
    made = nk.polar_schedule(accuracy=accuracy, steps=steps, degree=degree, dtype=dtype)
    assert made.steps == steps and accuracy * 0.9 < made.error <= accuracy
    wider = nk.polar_schedule(steps=steps, degree=degree, dtype=dtype, lower=made.lower * 0.99)
    assert wider.error > accuracy


def test_few_steps_are_fewest_and_degrees_may_vary() -> None:
    made = nk.polar_schedule(accuracy=1e-3, lower=1e-3)
    assert nk.polar_schedule(steps=made.steps - 1, lower=1e-3).error > 1e-3 >= made.error
    mixed = nk.polar_schedule(steps=6, degree=(7, 5, 5, 5, 3, 3))
    assert mixed.degrees == (7, 5, 5, 5, 3, 3)
    assert mixed.array().shape == (6, 4) and mixed.array()[0, 3] == mixed.coefficients[0][3]
    assert not mixed.array()[1:, 3].any() and not mixed.array()[4:, 2].any()


def test_upper_scales_the_interval() -> None:
    one, two = nk.polar_schedule(steps=6), nk.polar_schedule(steps=6, lower=2e-3, upper=2.0)
    sigma = np.geomspace(1e-4, 1, 200)
    np.testing.assert_allclose(two(2 * sigma), one(sigma), rtol=1e-9)


def test_the_default_safety_lets_rounding_pass() -> None:
    for dtype, roundoff in (("bf16", 2.0**-8), ("f16", 2.0**-11), ("f32", 2.0**-24), ("f64", 2.0**-53)):
        for lower in (1e-2, 1e-4, 1e-8, 1e-12):
            assert nk.polar_schedule(accuracy=1e-2, lower=lower, dtype=dtype).basin >= 1 + 2 * roundoff


def test_the_composite_is_evaluated_and_frozen() -> None:
    made = nk.polar_schedule("modula6", dtype=np.float32)
    sigma = np.linspace(0, 1, 7)
    expected = sigma
    for a, b, c in made.array()[:, :3]:
        expected = a * expected + b * expected**3 + c * expected**5
    np.testing.assert_allclose(made(sigma), expected, rtol=1e-13)
    np.testing.assert_array_equal(sigma, np.linspace(0, 1, 7))
    assert made == nk.polar_schedule("modula6") and len({made, nk.polar_schedule("modula6")}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.lower = 0.1  # type: ignore[misc]
    text = str(made)
    assert "modula6: 6 steps of degree 5" in text and repr(3955 / 1024) in text and "1137.45" in text


def test_a_step_that_ends_at_1_repeats() -> None:
    made = nk.polar_schedule("pe8", safety=1.01)
    longer = made.extended(10)
    assert longer.coefficients[8:] == ((1.875, -1.25, 0.375),) * 2 and longer.error < 1e-14
    assert longer == nk.polar_schedule("pe8", safety=1.01, steps=10)
    assert {name for name in PRESETS if nk.polar_schedule(name, allow_unsafe=True).repeats} == {
        "cubic", "quintic", "docs5", "pe8", "ds10",
    }  # fmt: skip
    with pytest.raises(ParameterError, match="cannot extend"):
        made.extended(3)


@pytest.mark.parametrize(("row", "sound"), [((1.5, -0.5), True), ((2.0, -1.0), False), ((3.0, -2.0), False)])
def test_a_fixed_point_that_repels_does_not_repeat(row: tuple[float, ...], sound: bool) -> None:
    """p(1) = 1 in all of them, p'(1) = 0, -1, -3."""
    assert repeats(row, 2.0**-24) is sound


# --- rounding -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "store"), [("f32", np.float32), ("f16", np.float16), ("bf16", ml_dtypes.bfloat16)])
@pytest.mark.parametrize(
    "options", [{"preset": "quintic"}, {"preset": "cubic5"}, {"steps": 4, "lower": 0.03}, {"steps": 8, "lower": 0.01}]
)
def test_the_rounding_model_is_of_the_right_size(dtype: str, store: Any, options: dict[str, Any]) -> None:
    """Every product rounded to the dtype against float64: the spectral error is below the model and within 60 of it."""
    made = nk.polar_schedule(dtype=dtype, **options)
    rng = np.random.default_rng(3)
    u, v = (np.linalg.qr(rng.normal(size=(n, 40)))[0] for n in (40, 96))
    x = (u * np.geomspace(made.lower, 1, 40)) @ v.T

    def rounded(y: np.ndarray) -> np.ndarray:
        return y.astype(store).astype(np.float64)

    exact, low = x, rounded(x)
    for a, b, c, _ in made.array():
        gram = exact @ exact.T
        exact = a * exact + (b * gram + c * gram @ gram) @ exact
        gram = rounded(low @ low.T)
        low = rounded(a * low + rounded(b * gram + c * rounded(gram @ gram)) @ low)
    error = np.linalg.norm(low - exact, 2)
    assert min(made.rounding, 1.0) / 60 < error < made.rounding


# --- refusals -------------------------------------------------------------------------------------------------------

UNSAFE: list[tuple[dict[str, Any], str]] = [
    ({"preset": "aol4-a"}, r"turns the sign.*0\.8837.*-0\.994.*uphill.*pe5-1\.02"),
    ({"preset": "aol4-a", "upper": 0.5}, "turns the sign"),
    ({"preset": "aol4-a", "safety": 1.02}, "turns the sign"),
    ({"preset": "aol4-a", "steps": 2, "dtype": "f64"}, "turns the sign"),
    ({"preset": "cans5", "dtype": "bf16"}, r"1\.0078125.*basin 1\.00000642.*safety=1\.02"),
    ({"preset": "cans5", "dtype": "f16"}, "stable basin"),
    ({"preset": "pe8", "dtype": "bf16"}, "stable basin"),
    ({"preset": "pe8", "dtype": "f16", "steps": 5}, "stable basin"),
    ({"preset": "speedrun5", "steps": 6}, "made for 5 steps, not 6.*0.9853"),
    ({"preset": "muon5", "steps": 10}, "made for 5 steps"),
    ({"preset": "modula6", "steps": 7, "dtype": "bf16"}, "made for 6 steps"),
    ({"preset": [(1.5, -0.5)], "steps": 5}, "has 1 rows for 5 steps"),
    ({"preset": "pe8", "steps": 3}, r"above 1\.35"),
    ({"steps": 2}, r"above 1\.35: take more steps"),
    (
        {"preset": [(4.0098, -7.0585, 3.4635), *PRESETS["aol4-a"].rows[1:]]},
        r"leaves singular values between 0.104 and 2.54",
    ),
    ({"preset": [(1.0, -2.0)]}, "turns the sign"),
]


@pytest.mark.parametrize(("options", "says"), UNSAFE)
def test_unsafe_uses_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UnsafeSchedule, match=says) as caught:
        nk.polar_schedule(**options)
    assert "allow_unsafe=True" in str(caught.value) and "\n" not in str(caught.value)
    made = nk.polar_schedule(**options, allow_unsafe=True)
    assert made.unsafe and made.steps == (options.get("steps") or made.steps)


def test_a_schedule_checks_itself_however_it_is_made() -> None:
    made = nk.polar_schedule("aol4-a", allow_unsafe=True)
    with pytest.raises(UnsafeSchedule, match="turns the sign"):
        dataclasses.replace(made, unsafe=False)
    assert dataclasses.replace(made, unsafe=False, upper=0.5).image[0] > 0


def test_what_is_refused_in_half_precision_passes_in_float32_or_with_safety() -> None:
    for name in ("cans5", "pe8"):
        assert nk.polar_schedule(name).basin < 1.00001
        assert nk.polar_schedule(name, dtype="bf16", safety=1.02).basin > 1.02


def test_every_other_preset_is_safe_in_every_dtype() -> None:
    for name in set(PRESETS) - {"aol4-a", "cans5", "pe8"}:
        for dtype in ("bf16", "f16", "f32", "f64"):
            assert nk.polar_schedule(name, dtype=dtype).image[0] > 0


def test_cycling_is_what_it_says() -> None:
    made = nk.polar_schedule("speedrun5", steps=6, allow_unsafe=True)
    assert made.coefficients[5] == made.coefficients[0]
    assert made.error > 0.6


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({}, ParameterError, "a preset, an accuracy or a number of steps"),
        ({"preset": "muon"}, SpecError, "unknown preset 'muon'.*muon5"),
        ({"preset": "muon5", "accuracy": 0.1}, ParameterError, "designed"),
        ({"preset": []}, ParameterError, "at least one row"),
        ({"preset": [(-1.0, 2.0)]}, ParameterError, "a > 0"),
        ({"preset": [(1.0, float("nan"))]}, ParameterError, "finite"),
        ({"accuracy": 1.5}, ParameterError, "between 0 and 1"),
        ({"accuracy": 1e-18, "dtype": "f64"}, ParameterError, "float64 coefficients"),
        ({"accuracy": 1e-12, "steps": 2, "dtype": "bf16"}, ParameterError, "no interval below 1"),
        ({"accuracy": 1e-6, "steps": 5, "lower": 1e-3}, ParameterError, "leave an error of"),
        ({"accuracy": 1e-3, "degree": (5, 5)}, ParameterError, "not reached: 2 steps"),
        ({"steps": 0}, ParameterError, "from 1 to"),
        ({"steps": 3, "degree": 4}, ParameterError, "degree 3, 5 or 7"),
        ({"steps": 3, "degree": (5, 5)}, ParameterError, "2 steps, but 3"),
        ({"steps": 3, "lower": 2.0}, ParameterError, "lower < upper"),
        ({"steps": 3, "lower": 0.0}, ParameterError, "lower < upper"),
        ({"preset": "muon5", "lower": 0.0}, ParameterError, "lower < upper"),
        ({"steps": 3, "safety": 0.9}, ParameterError, "safety"),
        ({"steps": 3, "cushion": 1.0}, ParameterError, "cushion"),
        ({"steps": 3, "dtype": "int8"}, DTypeError, "bfloat16 .bf16."),
        ({"steps": 3, "dtype": np.complex64}, DTypeError, "complex64"),
    ],
)
def test_wrong_arguments_are_said(options: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        nk.polar_schedule(**options)


def test_dtypes_by_any_name() -> None:
    for given_as in ("bf16", "bfloat16", ml_dtypes.bfloat16, np.dtype(ml_dtypes.bfloat16)):
        assert nk.polar_schedule("muon5", dtype=given_as).dtype == "bfloat16"
    assert nk.polar_schedule("muon5", dtype=np.float64).dtype == "float64"


# --- the page, the picture, the command line --------------------------------------------------------------------------


def page_rows() -> list[str]:
    """The table of presets in docs/schedules.md."""
    lines = []
    for name, preset in PRESETS.items():
        made = nk.polar_schedule(name, allow_unsafe=True)
        low, high = made.image
        repeated = "yes" if made.repeats else "no"
        lines.append(
            f"| `{name}` | {made.steps} | {made.slope:.1f} | {low:.3f} to {high:.3f} | {float(made(1.0)):.3f} | "
            f"{made.basin:.6f} | {repeated} | {preset.remark} |"
        )
    return lines


def test_the_page_shows_what_the_code_says() -> None:
    text = PAGE.read_text("utf-8")
    table = text[text.index("## Published lists") : text.index("Sources:")]
    assert [line for line in table.splitlines() if line.startswith("| `")] == page_rows()
    assert all(preset.source in text for preset in PRESETS.values())


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_pictures_by_suffix(tmp_path: Path, suffix: str, magic: bytes) -> None:
    place = tmp_path / f"range.{suffix}"
    plot_schedule(nk.polar_schedule(accuracy=1e-2), str(place))
    assert place.read_bytes().startswith(magic)
    with pytest.raises(FileError, match="--force"):
        plot_schedule(nk.polar_schedule("muon5"), str(place))
    plot_schedule(nk.polar_schedule("aol4-a", allow_unsafe=True), str(place), force=True)
    assert [path.name for path in tmp_path.iterdir()] == [place.name]
    with pytest.raises(FileError, match=r"\.png"):
        plot_schedule(nk.polar_schedule("muon5"), str(tmp_path / "range.jpg"))


def cli(folder: Path, *args: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "normkit", "schedule", *args],
        capture_output=True,
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        text=True,
        encoding="utf-8",
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command_prints_the_table_and_draws(tmp_path: Path) -> None:
    code, out, err = cli(tmp_path, "--accuracy", "1e-2", "--steps", "5", "--dtype", "bf16", "--plot", "range.png")
    assert (code, err) == (0, "normkit: wrote range.png\n")
    assert out == str(nk.polar_schedule(accuracy=1e-2, steps=5, dtype="bf16")) + "\n"
    assert "step" in out and "image     0.99 .. 1.01" in out and "basin" in out and "rounding" in out
    assert (tmp_path / "range.png").stat().st_size > 10_000
    code, out, err = cli(tmp_path, "--preset", "muon5", "--plot", "range.png")
    assert (code, out) == (2, "") and err.startswith("normkit: error: ") and err.count("\n") == 1 and "exists" in err


def test_the_command_prints_json(tmp_path: Path) -> None:
    code, out, err = cli(tmp_path, "--steps", "4", "--degree", "7,5,5,3", "--lower", "1e-2", "--json")
    document, made = json.loads(out), nk.polar_schedule(steps=4, degree=(7, 5, 5, 3), lower=1e-2)
    assert (code, err) == (0, "")
    assert [tuple(step["coefficients"]) for step in document["steps"]] == list(made.coefficients)
    assert tuple(document["image"]) == made.image and document["basin"] == made.basin
    assert document["steps"][-1]["slope"] == document["slope"] == made.slope
    assert document["rounding"] == made.rounding and document["repeats"] is False


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--preset", "aol4-a"), "turns the sign"),
        (("--preset", "cans5", "--dtype", "bf16"), "stable basin"),
        (("--degree", "five", "--steps", "3"), "--degree is 3, 5 or 7"),
        ((), "a preset, an accuracy or a number of steps"),
        (("--steps", "5", "--dtype", "int8"), "bf16"),
    ],
)
def test_errors_of_the_command_are_one_line(tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    code, out, err = cli(tmp_path, *args)
    assert (code, out) == (2, "")
    assert err.startswith("normkit: error: ") and err.count("\n") == 1 and says in err


def test_the_command_lets_unsafe_schedules_through_when_asked(tmp_path: Path) -> None:
    code, out, _ = cli(tmp_path, "--preset", "aol4-a", "--allow-unsafe")
    assert code == 0 and "-1.08444 .. 1.08444" in out


def test_schedules_need_no_numba_and_no_sympy() -> None:
    code = (
        "import sys, normkit as nk; nk.polar_schedule(steps=5); print({'numba', 'sympy', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
