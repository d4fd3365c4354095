"""The HTML page of a derivation in a browser: the mathematics is laid out, fits, and nothing is fetched.

A copy of the page carries a script that measures every formula and leaves what it found in the document. Without a
browser the tests are skipped; with NORMKIT_REQUIRE_BROWSER set they fail instead.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

import normkit as nk

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SPECS = [
    "rms->rms",
    "max(linf, 3/4*l1)",
    "orlicz(exp(x) - 1 - x)",
    "ksupport(2)",
    "sgl([[0, 1, 2], [3, 4], [5]], 1, 1/2, [1.0, 2.0, 1.0])",
    "quadratic([[2.0, 1.0, 0.0], [1.0, 3.0, -1.0], [0.0, -1.0, 1.0]])",
    "linf->l1",
]
WIDE, NARROW = 1280, 360

MEASURE = """
<script>
const at = (element) => element.getBoundingClientRect();
const box = (element) => { const r = at(element); return [r.left, r.top, r.right, r.bottom]; };
const root = document.documentElement;
const scrolls = (element) => element.closest("h1, .statement, .claim, .formula");
document.body.dataset.found = JSON.stringify({
  width: root.clientWidth, page: root.scrollWidth, height: root.scrollHeight,
  maths: [...document.querySelectorAll("math")].map((element) => ({
    box: box(element), name: element.namespaceURI, inside: scrolls(element) ? box(scrolls(element)) : null,
    way: scrolls(element) ? getComputedStyle(scrolls(element)).overflowX : "",
    size: parseFloat(getComputedStyle(element).fontSize) })),
  fractions: [...document.querySelectorAll("mfrac")].map((element) => [...element.children].map(box)),
  powers: [...document.querySelectorAll("msup, msub")].map(
    (element) => [element.localName, ...[...element.children].map(box)]),
  fetched: performance.getEntriesByType("resource").map((entry) => entry.name),
});
</script>
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return (page, width) -> what the browser measured."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        reason = f"no browser: none of {', '.join(BROWSERS)} is installed"
        if os.environ.get("NORMKIT_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("browser")

    def run(page: str, width: int, *options: str) -> str:
        place = folder / "page.html"
        place.write_text(page, encoding="utf-8")
        command = [
            found, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
            "--disable-dev-shm-usage", f"--user-data-dir={folder / 'profile'}", f"--window-size={width},900",
            "--host-resolver-rules=MAP * ~NOTFOUND", *options, place.as_uri(),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout

    return run


def measured(run: Any, page: str, width: int) -> dict[str, Any]:
    """The copy of a page is put into a frame of the width wanted: a window has a least width of its own."""
    dom = run(framed(page.replace("</body>", f"{MEASURE}</body>"), width), WIDE, "--dump-dom")
    found = re.search(r'data-found="([^"]*)"', dom)
    assert found, "the page was not laid out"
    return dict(json.loads(unescape(found.group(1))))


def framed(page: str, width: int) -> str:
    """Return a document of a given width with the page's own content, the script at its end."""
    return page.replace("<html ", f'<html style="width:{width}px" ', 1)


def faults(found: dict[str, Any], width: int) -> list[str]:
    """What is wrong with a page that was measured."""
    wrong = [f"fetched {name}" for name in found["fetched"]]
    if not found["maths"]:
        wrong.append("no formula")
    for at, math in enumerate(found["maths"]):
        left, top, right, bottom = math["box"]
        if math["name"] != "http://www.w3.org/1998/Math/MathML":
            wrong.append(f"formula {at} is no MathML")
        if right - left < 4 or bottom - top < 0.5 * math["size"]:
            wrong.append(f"formula {at} is not laid out")
        if right > width and math["way"] not in ("auto", "scroll"):
            wrong.append(f"formula {at} leaves the page")
        if math["inside"] is not None and (math["inside"][2] > width or math["inside"][0] < 0):
            wrong.append(f"the box of formula {at} leaves the page")
        if math["inside"] is not None and (top < math["inside"][1] - 1 or bottom > math["inside"][3] + 1):
            wrong.append(f"formula {at} is cut off by its box")
    for above, below in found["fractions"]:
        if above[3] > below[1] + 1:
            wrong.append("a numerator is not above its denominator")
    for kind, base, script in found["powers"]:
        if script[0] < base[0] or (kind == "msub" and script[3] < base[3]) or (kind == "msup" and script[1] > base[3]):
            wrong.append(f"a script of {kind} is not at its place")
    return wrong


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("spec", SPECS)
def test_the_page_is_laid_out_and_fits(spec: str, width: int, browser: Any) -> None:
    derivation = nk.derive(spec)
    found = measured(browser, derivation.html(), width)
    assert faults(found, width) == []
    assert len(found["maths"]) == derivation.html().count("<math")


def test_what_is_not_laid_out_is_seen(browser: Any) -> None:
    """Planted faults: the measures can fail."""
    page = nk.derive("rms->rms").html()
    planted = {
        "is not laid out": page.replace("</style>", "math { display: none !important; }</style>"),
        "leaves the page": re.sub("overflow-(.): (auto|hidden)", r"overflow-\1: visible", page).replace(
            "</style>", "math { min-width: 3000px; }</style>"
        ),
        "is cut off by its box": page.replace("</style>", ".formula { height: 8px; }</style>"),
        "a numerator": page.replace("</style>", "mfrac { display: block; } mfrac > * { position: relative; }"
                                    " mfrac > :first-child { top: 60px; }</style>"),
        "fetched": page.replace("</head>", '<link rel="stylesheet" href="http://example.invalid/a.css"></head>'),
    }  # fmt: skip
    for fault, broken in planted.items():
        assert broken != page, fault
        assert any(fault in each for each in faults(measured(browser, broken, WIDE), WIDE)), fault


def test_the_page_shows_ink(browser: Any, tmp_path: Path) -> None:
    """A picture of the page: dark on light, in many places."""
    picture = tmp_path / "page.png"
    browser(nk.derive("rms->rms").html(), 900, f"--screenshot={picture}")
    from matplotlib.image import imread

    ink = imread(picture)[..., :3].mean(axis=2) < 0.5
    assert 0.005 < ink.mean() < 0.2
    rows = ink.any(axis=1)
    assert (rows[1:] & ~rows[:-1]).sum() > 15
