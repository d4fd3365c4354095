"""The picture of a norm: what is drawn is the ball, and files are whole or absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sympy import Rational

import normkit as nk
from normkit.errors import FileError, ShapeError
from normkit.functional import Functional, a, s, total
from normkit.plot import boundary, plot_ball


def area(points: np.ndarray) -> float:
    """Area of a polygon (shoelace)."""
    x, y = points.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("l1", 2.0),
        ("linf", 4.0),
        ("l2", np.pi),
        ("max(linf, 3/4*l1)", 4 - 4 * (2 / 3) ** 2 / 2),
        ("ballsum(linf, l2)", 4 + 8 + np.pi),
        ("infconv(l1, 4/3*linf)", 8 * (1 * 0.75) / 2),
        ("spectral", 4.0),
        ("2*nuclear", 0.5),
        ("quadratic([[2, 1], [1, 1]])", np.pi),
    ],
)
def test_the_drawn_ball_has_the_area_of_the_ball(spec: str, wanted: float) -> None:
    """Areas by plane geometry; a ball sum by Steiner's formula, an ellipse by pi / sqrt(det P)."""
    assert area(boundary(nk.norm(spec))) == pytest.approx(wanted, rel=1e-4)


class OnlyValue(nk.Norm):
    """The l3 norm, by a class that does not know its dual."""

    def value(self) -> Functional:
        return total(a**3, s ** Rational(1, 3))


def test_a_ball_without_a_dualize_map_is_drawn_from_its_value(tmp_path: Path) -> None:
    with pytest.raises(nk.NoClosedForm):
        nk.dualize(OnlyValue(), [1.0, 2.0], backend="reference")
    x, y = np.abs(boundary(OnlyValue()).T)
    np.testing.assert_allclose(x**3 + y**3, 1, rtol=1e-12)
    plot_ball(OnlyValue(), str(tmp_path / "ball.png"))
    assert (tmp_path / "ball.png").exists()


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_pictures_by_suffix(tmp_path: Path, suffix: str, magic: bytes) -> None:
    place = tmp_path / f"ball.{suffix}"
    plot_ball(nk.norm("max(linf, 3/4*l1)"), str(place))
    assert place.read_bytes().startswith(magic)
    with pytest.raises(FileError, match="--force"):
        plot_ball(nk.norm("linf"), str(place))
    plot_ball(nk.norm("linf"), str(place), gradient=(0.0, 1.0), force=True)
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


@pytest.mark.parametrize("spec", ["lp(3)", "ballsum(linf, l2)", "rms->rms", "dual(topk(3/2))"])
def test_every_kind_of_norm_is_drawn(tmp_path: Path, spec: str) -> None:
    plot_ball(nk.norm(spec), str(tmp_path / "ball.png"))
    assert (tmp_path / "ball.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("spec", "name", "error", "says"),
    [
        ("quadratic([[1, 0, 0], [0, 1, 0], [0, 0, 1]])", "a.png", ShapeError, "two entries"),
        ("linf", "a.jpg", FileError, ".png, .svg, .pdf"),
        ("linf", "nowhere/a.png", FileError, "does not exist"),
    ],
)
def test_what_cannot_be_drawn_is_said(tmp_path: Path, spec: str, name: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        plot_ball(nk.norm(spec), str(tmp_path / name))
    assert not list(tmp_path.iterdir())
