"""Which path a step of torch parameters takes, by where they are and what runs here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from normkit.errors import BackendError, ParameterError

torch = pytest.importorskip("torch", reason="torch is an extra")


def tensor(where: str) -> Any:
    kind = where.partition(":")[0]
    return SimpleNamespace(device=SimpleNamespace(type=kind, __str__=lambda self: where))


@pytest.mark.parametrize(
    ("path", "where", "available", "expected"),
    [
        ("auto", ("cpu",), True, "numpy"),
        ("auto", ("cuda:0", "cuda:1"), True, "cuda"),
        ("auto", ("cuda:0",), False, "torch"),
        ("auto", ("cpu", "cuda:0"), True, "torch"),
        ("auto", ("mps",), True, "torch"),
        ("torch", ("cuda:0",), True, "torch"),
        ("torch", ("cpu",), True, "torch"),
        ("cuda", ("cuda:0",), True, "cuda"),
        ("cuda", (), True, "cuda"),
    ],
)
def test_the_path(
    path: str, where: tuple[str, ...], available: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from normkit import torch_views

    monkeypatch.setattr(torch_views.CUDA, "why_not", lambda self: None if available else "no GPU")
    views = torch_views.views(path, [tensor(each) for each in where])
    maps = getattr(views, "maps", None)
    assert {None: "numpy", torch_views.printed: "torch", torch_views.on_gpu: "cuda"}[maps] == expected


def test_a_path_that_cannot_be_taken_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    from normkit import torch_views

    monkeypatch.setattr(torch_views.CUDA, "why_not", lambda self: "no GPU here")
    with pytest.raises(BackendError, match="needs the back end cuda: no GPU here"):
        torch_views.views("cuda", [tensor("cuda:0")])
    with pytest.raises(ParameterError, match="path='cuda' needs parameters in the memory of a GPU; some are on"):
        torch_views.views("cuda", [tensor("cuda:0"), tensor("cpu")])
    with pytest.raises(ParameterError, match="unknown path 'gpu'; known: auto, numpy, torch, cuda"):
        torch_views.views("gpu", [])
