"""LaTeX as TeX reads it: arguments without braces are one digit long."""

from __future__ import annotations

import pytest

from normkit.tex.parse import parse


@pytest.mark.parametrize(
    ("short", "braced"),
    [
        (r"\frac12 a", r"\frac{1}{2} a"),
        (r"\frac1n", r"\frac{1}{n}"),
        (r"\frac1{10}", r"\frac{1}{10}"),
        (r"\frac 123", r"\frac{1}{2}3"),
        (r"x^10", r"x^{1}0"),
        (r"\sqrt23", r"\sqrt{2}3"),
    ],
)
def test_arguments_without_braces(short: str, braced: str) -> None:
    assert parse(short) == parse(braced)
    assert parse(r"\frac{1}{2}") != parse(r"\frac{12}{2}")


def test_a_formula_that_ends_too_early_is_refused() -> None:
    with pytest.raises(ValueError, match="ends too early"):
        parse(r"\frac1")
