"""The Rosetta stone of update rules: what options of other libraries are called here, as norms.

A *scale* s of an orthogonalized update, Y = s * polar(G), is the dualize map of the norm ``spectral / s``. W is out x
in, m = out, n = in. Steepest descent proper carries s twice: its length is s <G, polar(G)> / sharpness along Y.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from normkit.errors import ParameterError


@dataclass(frozen=True)
class Entry:
    """One geometry.

    Attributes
    ----------
    update : str
        What Y is, for people.
    spec : str or None
        The norm whose dualize map it is, of W (out, in); None if it is that of no norm.
    options : tuple of str
        ``library:option``; the defaults of their libraries end in ``*``.
    """

    update: str
    spec: str | None
    options: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The options without the sign of defaults."""
        return tuple(option.rstrip("*") for option in self.options)


SCALES: tuple[Entry, ...] = (
    Entry(
        "sqrt(m/n) polar(G)",
        "rms->rms",
        (
            *("torch:spectral_unclamped", "dion:spectral_norm*", "gns:spectral_norm", "eo:unit_rms_norm"),
            *("timm:rms_to_rms", "scion:Spectral*", "eo:Scion", "modula:Linear", "heavyball:Scion"),
            "pytorch_optimizer:SCION",
        ),
    ),
    Entry(
        "sqrt(max(1, m/n)) polar(G)",
        "spectral/sqrt(Max(1, m/n))",
        (
            *(
                "kellerjordan:Muon*",
                "torch:original*",
                "eo:shape_scaling",
                "timm:original",
                "optax:consistent_rms=None*",
            ),
            *("heavyball:scale*", "optimuon:original*", "scion:Spectral(max=True)", "normuon:Muon", "flash-muon:Muon"),
            *("modded-nanogpt:Muon", "pytorch_optimizer-4.0:use_adjusted_lr=True"),
            "pytorch_optimizer-4.1:use_adjusted_lr=False*",
        ),
    ),
    Entry(
        "0.2 sqrt(max(m, n)) polar(G)",
        "spectral/(0.2*sqrt(Max(m, n)))",
        (
            *("torch:match_rms_adamw", "timm:match_rms_adamw*", "dion:rms_norm", "gns:rms_norm*"),
            *("optax:consistent_rms=0.2", "optimuon:match_rms_adamw", "muon-fsdp2:rms_scale", "moonlight:Muon"),
            *("pytorch_optimizer-4.0:use_adjusted_lr=False*", "pytorch_optimizer-4.1:use_adjusted_lr=True"),
        ),
    ),
    Entry("sqrt(max(m, n)) polar(G)", "spectral/sqrt(Max(m, n))", ("eo:spectral*", "optax:consistent_rms=1")),
    Entry("polar(G)", "spectral", ("dion:None", "gns:None", "timm:None", "optimuon:none", "heavyball:none")),
    Entry("sqrt(m) polar(G)", "l2->rms", ("scion:Spectral(normalized=False)",)),
)
"""Orthogonalized updates."""

GEOMETRIES: tuple[Entry, ...] = (
    Entry("column j: sqrt(m) g_j / l2(g_j)", "l1->rms", ("scion:ColNorm",)),
    Entry("column j: sqrt(m) g_j / (n l2(g_j))", "n*(l1->rms)", ("scion:ColNorm(normalized=True)",)),
    Entry(
        "row v of a table (vocab, d): sqrt(d) g_v / l2(g_v)",
        "transpose(l1->rms)",
        ("scion:ColNorm(transpose=True)", "modula:Embed"),
    ),
    Entry("row i: g_i / (sqrt(n) l2(g_i))", "rms->linf", ("scion:RowNorm",)),
    Entry("row i: g_i / l2(g_i)", "l2->linf", ("scion:RowNorm(normalized=False)", "eo:row_norm_fn")),
    Entry("row i: sqrt(max(1, m/n)) g_i / l2(g_i)", "(l2->linf)/sqrt(Max(1, m/n))", ("rmnp:RMNP",)),
    Entry("sign(G) / n", "n*max", ("scion:Sign",)),
    Entry("sign(G)", "max", ("scion:Sign(normalized=False)", "signsgd:signSGD", "lion:Lion")),
    Entry("g / rms(g), a vector", "rms", ("scion:BiasRMS", "heavyball:Scion(ndim=1)")),
)
"""Updates in other norms."""

NONE: tuple[Entry, ...] = (
    Entry("fro(G)/fro(Q) polar(G): a spectral direction of Euclidean length", None, ("heavyball:graft",)),
    Entry(
        "<polar(G), G> polar(G): steepest descent of spectral, convention Sharp(1), no LMO",
        None,
        ("polargrad:PolarGrad", "eo:PolarGrad", "eo:MOP"),
    ),
    Entry("s <polar(U), U> polar(U): neither LMO nor steepest descent unless s = 1", None, ("optax:adaptive=True",)),
    Entry("rows divided by max(1, rms): a projection", None, ("lipschitz:Embed", "lipschitz:Unembed")),
    Entry(
        "a metric from second moments",
        None,
        ("normuon:NorMuon", "timm:adamuon", "adago:AdaGO", "soap:SOAP", "psgd:PSGD"),
    ),
)
"""Updates that are no norm's dualize map."""


def lookup(option: str) -> Entry:
    """Return what an option of a library, ``library:option``, means.

    Raises
    ------
    ParameterError
        If it is not in the table.

    Examples
    --------
    >>> from normkit.rosetta import lookup
    >>> lookup("torch:match_rms_adamw").spec
    'spectral/(0.2*sqrt(Max(m, n)))'
    >>> lookup("eo:spectral").update, lookup("dion:spectral_norm").update
    ('sqrt(max(m, n)) polar(G)', 'sqrt(m/n) polar(G)')
    """
    found = {name: entry for entry in entries() for name in entry.names}
    if option not in found:
        near = difflib.get_close_matches(option, found, 3, cutoff=0.4)
        hint = f" Close to it: {', '.join(near)}." if near else ""
        raise ParameterError(f"{option!r} is not in the table of other libraries' options.{hint}")
    return found[option]


def entries() -> Iterator[Entry]:
    """Yield all entries."""
    yield from (*SCALES, *GEOMETRIES, *NONE)


def tables() -> Iterator[str]:
    """Yield the tables as Markdown."""
    for title, rows in (
        ("Orthogonalized updates", SCALES),
        ("Other norms", GEOMETRIES),
        ("No norm's dualize map", NONE),
    ):
        yield f"### {title}\n"
        yield "| update Y | norm | options, defaults marked * |\n|---|---|---|"
        for row in rows:
            spec = "none" if row.spec is None else f"`{row.spec}`"
            yield f"| {row.update} | {spec} | {', '.join(f'`{name}`' for name in row.options)} |"
        yield ""
