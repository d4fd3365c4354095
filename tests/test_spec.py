"""The spec language: grammar, canonical printing, exact numbers, errors with their column, round trips, and fuzz."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from strategies import NAMED, matrices, vectors
from sympy import Integer, Max, Rational, sqrt

import normkit as nk
from normkit.errors import NormkitError, SpecError
from normkit.functional import m, n
from normkit.spec import parser as language

# --- reading ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "norm"),
    [
        ("rms->rms", nk.Induced(nk.RMS(), nk.RMS())),
        (" rms  ->\trms ", nk.Induced(nk.RMS(), nk.RMS())),
        ("2*l1 + l2", nk.Plus((2 * nk.L1(), nk.L2()))),
        ("2*(l1 + l2)", 2 * nk.Plus((nk.L1(), nk.L2()))),
        ("l1 + l2 + linf", nk.Plus((nk.L1(), nk.L2(), nk.Linf()))),
        ("2*rms->rms", 2 * nk.Induced(nk.RMS(), nk.RMS())),
        ("(2*l1)->l2", nk.Induced(2 * nk.L1(), nk.L2())),
        ("rms->rms + 3*spectral", nk.Plus((nk.Induced(nk.RMS(), nk.RMS()), 3 * nk.Spectral()))),
        ("spectral/2", Rational(1, 2) * nk.Spectral()),
        ("3*spectral/2", Rational(3, 2) * nk.Spectral()),
        ("spectral/sqrt(Max(1, m/n))", (1 / sqrt(Max(1, m / n))) * nk.Spectral()),
        ("sqrt(n/m)*spectral", sqrt(n / m) * nk.Spectral()),
        ("max", nk.Max()),
        ("max(spectral, 4*max)", nk.Maximum((nk.Spectral(), 4 * nk.Max()))),
        ("Max(2, 3)*l1", 3 * nk.L1()),
        ("rows(linf, l2)", nk.Rows(nk.Linf(), nk.L2())),
        ("lp(3/2)", nk.Lp(Rational(3, 2))),
        ("lp(oo)", nk.Lp("oo")),
        ("lp(3)->linf", nk.Induced(nk.Lp(3), nk.Linf())),
        ("owl([3, 2, 1])", nk.OWL([3, 2, 1])),
        ("owl(3, 2, 1)", nk.OWL([3, 2, 1])),
        ("owl(1/2, 0.5)", nk.OWL([0.5, 0.5])),
        ("dual(topk(5/2))", nk.TopK(Rational(5, 2)).dual),
        ("dual(l1)", nk.Linf()),
        ("dual(dual(rms))", nk.RMS()),
        ("((l1))", nk.L1()),
        ("1*l1", nk.L1()),
        ("2*3/6*l1", nk.L1()),
        ("- -2*l1", 2 * nk.L1()),
        ("2**3*l1", 8 * nk.L1()),
        ("4**(1/2)*l1", 2 * nk.L1()),
    ],
)
def test_a_text_names_a_norm(text: str, norm: nk.Norm) -> None:
    assert nk.norm(text) == norm


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("0.6*l1", Rational(3, 5)),
        ("0.1*l1", Rational(1, 10)),
        (".5*l1", Rational(1, 2)),
        ("1e-3*l1", Rational(1, 1000)),
        ("2.5e2*l1", Integer(250)),
    ],
)
def test_decimals_are_exact_rationals(text: str, factor: Any) -> None:
    assert nk.norm(text) == factor * nk.L1()


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0.5 * spectral", "1/2*spectral"),
        ("spectral/4", "1/4*spectral"),
        ("2*(3*l1)", "6*l1"),
        ("(rms)->(rms)", "rms->rms"),
        ("owl(3,2,1)", "owl([3.0, 2.0, 1.0])"),
        ("maximum(l1,l2)", "max(l1, l2)"),
        ("sqrt( n/m )*spectral", "sqrt(n)/sqrt(m)*spectral"),
        ("(n+1)*l1", "(n + 1)*l1"),
        ("2*(l1+l2)", "2*(l1 + l2)"),
        ("(2*l1)->l2", "(2*l1)->l2"),
        ("dual(rms)", "dual(rms)"),
        ("lp(1.5)", "lp(3/2)"),
    ],
)
def test_printing_is_canonical(text: str, canonical: str) -> None:
    assert str(nk.norm(text)) == canonical
    assert nk.norm(canonical) == nk.norm(text)


def test_a_norm_is_returned_as_it_is() -> None:
    assert nk.norm(nk.L1()) == nk.L1()


def test_m_and_n_are_those_of_the_node() -> None:
    """Inside transpose they are the rows and columns of the transposed array; for a vector n is the length."""
    import numpy as np

    x = np.ones((2, 8))
    ratio = nk.value("transpose(m/n*max)", x, backend="reference"), nk.value("m/n*max", x, backend="reference")
    assert ratio == (4.0, 0.25)
    assert nk.value("n*linf", np.ones(5), backend="reference") == 5.0


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty spec. See: normkit norms"),
        ("   ", "empty spec"),
        ("rsm->rms", "unknown norm 'rsm' at column 1 of 'rsm->rms'. Did you mean 'rms'\\? See: normkit norms"),
        ("l1 + spectrl", "unknown norm 'spectrl' at column 6 of .* Did you mean 'spectral'"),
        ("xyzzy", "unknown norm 'xyzzy' at column 1 of 'xyzzy'. See: normkit norms"),
        ("2", "'2' is a number, not a norm. For a multiple write 2\\*spectral"),
        ("l1 $ l2", "unexpected '\\$' at column 4"),
        ("l1)", "unexpected '\\)' at column 3"),
        ("(l1", "unexpected end of text at column 4 .*expected '\\)'"),
        ("l1 +", "unexpected end of text at column 5"),
        ("l1 l2", "unexpected 'l2' at column 4"),
        ("l1 * l2", "cannot form a norm \\* a norm"),
        ("l1 * 2", "cannot form a norm \\* a number; write scalar\\*norm"),
        ("2/l1", "cannot form a number / a norm"),
        ("l1 - l2", "cannot form a norm - a norm"),
        ("-l1", "a norm cannot be negated"),
        ("0*l1", "scaled by a positive number; got 0"),
        ("-2*l1", "scaled by a positive number; got -2"),
        ("1/0*l1", "not a finite real number"),
        ("sqrt(-1)*l1", "not a finite real number"),
        ("oo*l1", "scaled by a positive number"),
        ("m*l1", "a coefficient of l1 may use"),
        ("l1->l2->l1", "a->b->c is not a norm"),
        ("2->l1", "needs a norm on both sides"),
        ("spectral->l1", "needs two vector norms"),
        ("lp", "lp\\(p: number\\) needs 1 argument; got 0"),
        ("lp(1, 2)", "takes 1 argument; 1 too many"),
        ("lp(1/2)", "lp needs p >= 1; got p = 1/2"),
        ("lp(l1)", "got a norm where it needs number"),
        ("lp(5000)", "powers beyond underflow"),
        ("l1(2)", "l1 takes 0 arguments; 1 too many"),
        ("rows(l1)", "needs 2 arguments; got 1"),
        ("rows(spectral, l1)", "outer norm of rows must be monotone"),
        ("lift(spectral)", "needs a symmetric gauge"),
        ("owl([1, 2])", "w_1 >= ... >= w_n"),
        ("owl([1, 2)", "expected ']'"),
        ("owl([[1], [1, 2]])", "rows of one length"),
        ("owl([l1])", "a list holds numbers"),
        ("owl(@weights.npy)", "names a file; only the command line reads files"),
        ("owl(#4000:00000000)", "unknown array"),
        ("max(l1)", "needs at least two norms"),
        ("max(l1, spectral)", "needs norms on one space"),
        ("2**65*l1", "exponent at most 64"),
        ("n**60*n**60*l1", "exponent at most 64"),
        ("2**(1e-300)*l1", "its denominator at most 1000000"),
        ("sqrt(" * 25 + "n" + ")" * 25 + "*l1", "its denominator at most 1000000"),
        ("Max(n**9, 2)*l1", "exponents in Max are at most 8"),
        ("(1/3 - 1)**(1/3)*l1", "not a finite real number"),
        ("-1e300*l1", "scaled by a positive number; got -1000.*00... \\(column"),
        ("1" * 41 + "*l1", "at most 40 digits"),
        ("1e401*l1", "decimal exponent up to 400"),
        ("1e400*l1", "at most 1000 binary digits"),
        ("(2**64)**64*l1", "at most 1000 binary digits"),
        ("(" * 41 + "l1" + ")" * 41, "nested deeper than 40"),
        ("-" * 50 + "1*l1", "nested deeper than 40"),
        ("l1 " * 10_000, "at most 20000 characters; got 30000"),
        ("+".join(f"sqrt(n + {k})" for k in range(40)) + "*l1", "at most 60 operations"),
        ("sqrt(1, 2)*l1", "sqrt takes one scalar"),
        ("Max()*l1", "unknown norm 'Max'"),
    ],
)
def test_errors_say_what_and_where(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        nk.norm(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", [None, 3, 2.5, b"l1", ["l1"]])
def test_only_texts_are_specs(text: Any) -> None:
    with pytest.raises(SpecError, match="a spec is a text such as 'rms->rms'; got"):
        nk.norm(text)


def test_arrays_by_file_name_are_read_by_the_loader() -> None:
    asked: list[str] = []

    def load(name: str) -> list[int]:
        asked.append(name)
        return [2, 1]

    assert nk.norm("owl(@some/w-1.npy)", load=load) == nk.OWL([2, 1])
    assert asked == ["some/w-1.npy"]


# --- round trips ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", NAMED, ids=str)
def test_every_registered_norm_round_trips(norm: nk.Norm) -> None:
    for one in (norm, norm.dual, Rational(3, 7) * norm, norm.dual.dual):
        again = nk.norm(str(one))
        assert again == one and hash(again) == hash(one)
        assert str(again) == str(one)


QUIET = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@QUIET
@given(vectors(3))
def test_random_vector_norms_round_trip(norm: nk.Norm) -> None:
    assert nk.norm(str(norm)) == norm
    assert norm.dual.dual == norm


@QUIET
@given(matrices(3))
def test_random_matrix_norms_round_trip(norm: nk.Norm) -> None:
    assert nk.norm(str(norm)) == norm
    assert norm.dual.dual == norm


def test_long_parameters_print_as_digests_that_read_back() -> None:
    weights = [1.0 + 1.0 / k for k in range(1, 40)]
    norm = nk.OWL(weights)
    assert str(norm).startswith("owl(#39:") and len(str(norm)) < 20
    assert nk.norm(str(norm)) == norm


# --- fuzz -----------------------------------------------------------------------------------------------------------

CHARACTERS = "".join(map(chr, range(32, 127))) + "\n\té∞→λ²½\x00\u200b𝑥"
NAMES = list(nk.norms())
PIECES = [
    *NAMES, "m", "n", "oo", "sqrt", "Max", "Min", "->", "(", ")", "(", ")", "[", "]", ",", ",", "+", "-", "*", "/",
    "**", "0", "1", "2", "3/2", "0.5", "1e400", "1e-300", "9" * 39, "9" * 41, "64", "-64", "@f", "#3:0123abcd",
    " ", "_", "E",
]  # fmt: skip
VALID = sorted({str(norm) for norm in NAMED})


def characters(draw: random.Random) -> str:
    return "".join(draw.choice(CHARACTERS) for _ in range(draw.randrange(40)))


def soup(draw: random.Random) -> str:
    return "".join(draw.choice(PIECES) for _ in range(draw.randrange(1, 14)))


def mutated(draw: random.Random) -> str:
    """Delete, insert, double or replace a few pieces of a valid spec."""
    text = draw.choice(VALID)
    for _ in range(draw.randrange(1, 4)):
        at, end = sorted(draw.randrange(len(text) + 1) for _ in range(2))
        end = min(end, at + 6)
        change = draw.randrange(4)
        text = text[:at] + ("", draw.choice(PIECES), 2 * text[at:end], draw.choice(CHARACTERS))[change] + text[end:]
    return text


def scalars(draw: random.Random) -> str:
    """A multiple of a norm by a random scalar expression, well formed."""

    def expression(depth: int) -> str:
        if depth == 0:
            return draw.choice(["m", "n", "2", "3/2", "0.1", "7", "1e9"])
        inner = [expression(depth - 1) for _ in range(2)]
        form = draw.choice(
            ["({}+{})", "({}*{})", "({}/{})", "sqrt({})", "Max({},{})", "Min({},{})", "({})**3", "({}-{})"]
        )
        return form.format(*inner)

    return f"{expression(draw.randrange(1, 4))}*{draw.choice(VALID)}"


def nested(draw: random.Random) -> str:
    """Constructions around constructions, well formed in the grammar, often of the wrong kind."""
    text = draw.choice(VALID)
    for _ in range(draw.randrange(1, 5)):
        other = draw.choice(VALID)
        form = draw.choice(
            ["dual({0})", "{1}({0})", "{1}({0}, {2})", "({0})->({2})", "{0} + {2}", "2*({0})", "max({0}, {2})"]
        )
        text = form.format(text, draw.choice(NAMES), other)
    return text


EXPONENTS = ["1/2", "3/4", "-1/3", "64", "-64", "5/7", "1/999983", "0.123", "8"]
CONSTANTS = ["m", "n", "2", "3/2", "0.1", "1e9", "64", "1/3", "12345678901234567890", "1e-300", "(m+n)", "m/n"]
OF_X = ["x", "2*x", "x/3", "64*x", "x**2", "x**(3/2)", "1", "0.1*x", "x**8", "sqrt(x)", "1e9*x"]


def tree(draw: random.Random, leaves: list[str], forms: list[str], depth: int) -> str:
    if depth == 0:
        return draw.choice(leaves)
    return draw.choice(forms).format(*(tree(draw, leaves, forms, depth - 1) for _ in range(2)))


ARITHMETIC = ["({}+{})", "({}*{})", "({}-{})", "Max({},{})", "Min({},{})", "sqrt({})"]


def powers(draw: random.Random) -> str:
    """Coefficients of powers and roots, of which some would be astronomical."""
    forms = [*ARITHMETIC, "({}/{})", *(f"({{}})**({exponent})" for exponent in EXPONENTS)]
    return f"{tree(draw, CONSTANTS, forms, draw.randrange(1, 4))}*{draw.choice(['l1', 'spectral', 'max'])}"


def young(draw: random.Random) -> str:
    """Functions of one variable, few of them Young functions."""
    functions = [f"{name}({{}})" for name in ("exp", "log", "sinh", "cosh", "tanh", "asinh", "Abs")]
    forms = [*ARITHMETIC, *functions, *(f"({{}})**({exponent})" for exponent in ("2", "3/2", "3", "1/2", "8"))]
    return f"{draw.choice(['orlicz', 'amemiya'])}({tree(draw, OF_X, forms, draw.randrange(1, 4))})"


HANG = 60.0
"""Seconds of processor time after which a text counts as one that hangs."""

MIXTURE: list[tuple[Callable[[random.Random], str], int]] = [
    (characters, 30_000),
    (soup, 30_000),
    (mutated, 30_000),
    (nested, 8_000),
    (scalars, 2_000),
    (powers, 10_000),
    (young, 1_000),
]


@pytest.mark.parametrize(("make", "count"), MIXTURE, ids=lambda part: getattr(part, "__name__", str(part)))
def test_any_text_is_a_norm_or_a_spec_error(make: Callable[[random.Random], str], count: int) -> None:
    """111,000 texts with fixed seeds; any other exception, or an answer of another kind, fails with the text."""
    draw, norms, errors = random.Random(make.__name__), 0, 0
    for _ in range(count):
        text, start = make(draw), time.process_time()
        try:
            made = nk.norm(text)
        except SpecError as error:
            errors += 1
            assert "\n" not in str(error) and len(str(error)) < 1000, text
        except BaseException as error:
            raise AssertionError(f"{text!r} raises {type(error).__name__}: {error}") from error
        else:
            norms += 1
            assert isinstance(made, nk.Norm), text
        assert time.process_time() - start < HANG, text
    assert norms + errors == count
    if make in (nested, scalars, powers, young):
        assert min(norms, errors) > count // 20, "the generator should reach both outcomes"


def test_the_parser_counts_its_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """No text makes it loop: it reads every token at most once per grammar rule that can start there."""
    steps = 0
    peek = language._Parser.peek

    def counted(parser: Any) -> Any:
        nonlocal steps
        steps += 1
        return peek(parser)

    monkeypatch.setattr(language._Parser, "peek", counted)
    draw = random.Random(11)
    for _ in range(2_000):
        text = draw.choice([soup, mutated, nested])(draw)
        steps = 0
        with suppress(SpecError):
            nk.norm(text)
        assert steps <= 20 * (len(text) + 1), text


LONG = {
    "a sum of 4000 norms": " + ".join(["l1"] * 4000),
    "a product of 4000 factors": "*".join(["2/2"] * 4000) + "*l1",
    "powers of powers": "((((9**64)**64)**64)**64)*l1",
    "powers of a length": "((((n+1)**64)**64)**64)*l1",
    "roots of roots": "sqrt(2+" * 30 + "n" + ")" * 30 + "*l1",
    "a sum of surds": "(" + "+".join(f"sqrt({k})" for k in range(2, 60)) + ")*l1",
    "nested maxima": "max(l1, " * 38 + "l2" + ")" * 38,
    "nested scalar maxima": "Max(n, m+" * 12 + "1" + ")" * 12 + "*spectral",
    "brackets": "(" * 9000 + "l1",
    "signs": "-" * 9000 + "1*l1",
    "a list of 9000 numbers": "owl([" + ",".join(["1"] * 9000) + "])",
    "lists in lists": "quadratic(" + "[" * 39 + "1" + "]" * 39 + ")",
    "arrows": "->".join(["l1"] * 5000),
    "spaces": " " * 19_000 + "l1",
    "a root of a large product": "sqrt(9999999999999999999999999999999977*8888888888888888888888888888888889)*l1",
    "a number next to one": "Max(64**(1e-300), n)*l1",
    "a root of a large fraction": "(1/3/9999999999999999999999999999999999999999)**(3/128)*l1",
    "roots of a root": "sqrt(" * 9 + "(1/5555555555555555)**(1/64)" + ")" * 9 + "*l1",
    "polynomials to compare": "Max(n**64, 9999999999999999999999999999999999999977 - n)*l1",
    "products to compare": f"Max({'*'.join(f'(n+{k})**8' for k in range(9))}, 1e30*n)*l1",
    "zero in disguise": "1/(sqrt(5+2*sqrt(6))-sqrt(2)-sqrt(3))*l1",
}


@pytest.mark.parametrize("name", LONG)
def test_long_and_deep_texts_come_to_an_end(name: str) -> None:
    start = time.process_time()
    try:
        assert isinstance(nk.norm(LONG[name]), nk.Norm)
    except NormkitError as error:
        assert isinstance(error, SpecError)
        assert len(str(error)) < 1000
    assert time.process_time() - start < 10


LIMITS = ("LENGTH", "DEPTH", "DIGITS", "BITS", "EXPONENT", "ROOT", "SUM_EXPONENT", "NODES")


def test_the_page_states_the_limits() -> None:
    page = (Path(__file__).parents[1] / "docs" / "spec-language.md").read_text("utf-8")
    limits = [getattr(language, name) for name in LIMITS]
    assert [int(row.replace(",", "")) for row in re.findall(r"^\| .* \| ([\d,]+) \|$", page, re.MULTILINE)] == limits
