"""Published coefficient lists, by the names under which people use them, with their origin.

The lists are what was published, digit for digit, except that of `pe8` rows 1 to 7 and all of `pe5-1.02` come from
`normkit.polar.remez.composition`: the published rows agree with them to 2e-14 (row 7 of `pe8` to 2e-11, where the
published one has lost digits). Row 8 of `pe8` is the limit (15, -10, 3)/8 in both. `cans5` is published to four
decimals, so the designed list differs from it by up to 5e-5.
"""

from __future__ import annotations

from dataclasses import dataclass

from normkit.polar.remez import Row


@dataclass(frozen=True)
class Preset:
    """A published list.

    Attributes
    ----------
    source : str
        Where it was published.
    rows : tuple of tuple of float
        Coefficients (a, b, c) of x, x^3, x^5, one row for each step.
    start : float
        The list is meant for G / (start * bound) where others take G / bound.
    remark : str
        What to know before using it.
    """

    source: str
    rows: tuple[Row, ...]
    start: float = 1.0
    remark: str = ""


_MUON = (3.4445, -4.7750, 2.0315)

PRESETS: dict[str, Preset] = {
    "muon5": Preset(
        "Muon (2024), https://kellerjordan.github.io/posts/muon",
        (_MUON,) * 5,
        remark="its fixed point 0.868 repels: it never tends to 1, whatever the number of steps",
    ),
    "cubic": Preset(
        "Newton-Schulz; Higham, Functions of Matrices (2008), chapter 8",
        ((1.5, -0.5),) * 5,
        remark="slow at first: a slope of 1.5 a step",
    ),
    "quintic": Preset(
        "Padé [2/0]; Kenney & Laub, SIAM J. Matrix Anal. Appl. 12 (1991) 273",
        ((15 / 8, -10 / 8, 3 / 8),) * 5,
        remark="monotone on [0, 1]; slope 1.875 a step",
    ),
    "docs5": Preset(
        "Modula documentation, https://docs.modula.systems",
        ((3.0, -16 / 5, 6 / 5),) * 5,
        remark="p'(1) = -0.6: converges linearly",
    ),
    "speedrun5": Preset(
        "https://leloykun.github.io/ponder/muon-opt-coeffs",
        (
            (4.0848, -6.8946, 2.9270),
            (3.9505, -6.3029, 2.6377),
            (3.7418, -5.5913, 2.3037),
            (2.8769, -3.1427, 1.2046),
            (2.8366, -3.0525, 1.2012),
        ),
        remark="made for exactly 5 steps: cycled to 6 it steps into noise",
    ),
    "modula6": Preset(
        "Modula, modula/atom.py, https://github.com/modula-systems/modula",
        (
            (3955 / 1024, -8306 / 1024, 5008 / 1024),
            (3735 / 1024, -6681 / 1024, 3463 / 1024),
            (3799 / 1024, -6499 / 1024, 3211 / 1024),
            (4019 / 1024, -6385 / 1024, 2906 / 1024),
            (2677 / 1024, -3029 / 1024, 1162 / 1024),
            (2172 / 1024, -1833 / 1024, 682 / 1024),
        ),
        remark="made for exactly 6 steps",
    ),
    "pe8": Preset(
        "Amsel, Persson, Musco & Gower, The Polar Express, arXiv 2505.16932, without safety",
        (
            (8.287212018145626, -23.595886519098826, 17.300387312530926),
            (4.107059111542201, -2.947849916737909, 0.5448431082926598),
            (3.9486908534822933, -2.9089021159629476, 0.5518191394370132),
            (3.318419657370601, -2.488488024314874, 0.5100489401237198),
            (2.300652019954818, -1.6689039845747504, 0.41880731195256743),
            (1.8913014077873986, -1.2679958271945881, 0.37680408948524896),
            (1.8750014808442192, -1.2500016453814813, 0.3750001645381862),
            (1.875, -1.25, 0.375),
        ),
        remark="without a safety factor its basin ends at 1.000004",
    ),
    "pe5-1.02": Preset(
        "The production list of arXiv 2505.16932, as in https://github.com/microsoft/dion, with safety 1.02",
        (
            (8.156554524902461, -22.483292925577945, 15.878769915207453),
            (4.042929935166728, -2.8089174659087064, 0.5000178451051303),
            (3.891667802292663, -2.7724841532176856, 0.5060648178503394),
            (3.2857536577556554, -2.3681294933425376, 0.464490242330031),
            (2.346541325859639, -1.7097828382687075, 0.42323551169305246),
        ),
        start=1.02,
        remark="made for exactly 5 steps, in half precision",
    ),
    "cans5": Preset(
        "CANS, arXiv 2506.10935",
        (
            (8.4703, -25.1081, 18.6293),
            (4.1828, -3.1087, 0.5806),
            (3.9619, -2.9541, 0.5630),
            (3.2866, -2.4647, 0.5074),
            (2.2737, -1.6447, 0.4162),
        ),
        remark="its basin ends at 1.000006",
    ),
    "aol4-a": Preset(
        "https://github.com/NVIDIA-NeMo/Emerging-Optimizers, for AOL scaling (arXiv 2512.04632)",
        (
            (4.0098, -7.0585, 2.4635),
            (3.4585, -5.5479, 2.5959),
            (2.7573, -3.2939, 1.4254),
            (2.7215, -3.0494, 1.3169),
        ),
        remark="turns the sign of singular values above 0.8837; with 3.4635 for 2.4635 it overshoots to 2.54",
    ),
    "aol4-b": Preset(
        "https://github.com/microsoft/dion, after AOL scaling",
        (
            (4.6051, -9.6552, 5.6769),
            (4.7505, -6.0861, 2.1790),
            (2.7763, -2.3190, 0.5523),
            (2.4231, -2.2861, 0.8193),
        ),
        remark="AOL scaling multiplies by a diagonal matrix, which changes the polar factor",
    ),
    "cubic5": Preset(
        "arXiv 2606.00371",
        (
            (3.3656576, -3.3420992),
            (2.5744352, -1.4957376),
            (2.5368962, -1.4312570),
            (2.4418906, -1.2764040),
            (2.2230472, -0.9630650),
        ),
        remark="tuned for singular values above 7e-3; the cheapest steps",
    ),
    "ds10": Preset(
        "DeepSeek-V4 report, as in https://github.com/NVIDIA-NeMo/Emerging-Optimizers",
        ((_MUON,) * 8) + ((2.0, -1.5, 0.5),) * 2,
        remark="lifts rounding noise most; its first 5 steps are muon5",
    ),
}
