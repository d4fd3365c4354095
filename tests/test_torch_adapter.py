"""`normkit.torch`: steps of parameters against the NumPy optimizer, a loop with an SVD, and what torch expects."""

from __future__ import annotations

import copy
import csv
import doctest
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import normkit as nk
from normkit import optim
from normkit.errors import DTypeError, FileError, NonFiniteError, ParameterError, ShapeError
from normkit.foreign import from_foreign
from normkit.optim import EMA, MVR2, HeavyBall, LionMomentum, Pipeline
from normkit.optim import SteepestDescent as OnArrays

torch = pytest.importorskip("torch", reason="the adapter needs torch")

from torch import nn  # noqa: E402

from normkit import torch_views  # noqa: E402
from normkit.torch import SteepestDescent, rules_from  # noqa: E402
from normkit.torch_tensors import Tensor  # noqa: E402

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def arrays(tensors: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: from_foreign(x.detach().clone(), name) for name, x in tensors.items()}


def weights(model: Any) -> dict[str, np.ndarray]:
    return arrays(dict(model.named_parameters()))


def gradients(model: Any) -> dict[str, np.ndarray]:
    return arrays({name: p.grad for name, p in model.named_parameters() if p.grad is not None})


def matrices(*sizes: int, dtype: Any = None) -> Any:
    """A chain of bias-free linear layers."""
    layers = [nn.Linear(n, m, bias=False, dtype=dtype) for n, m in pairwise(sizes)]
    return nn.Sequential(*layers)


def backward(model: Any, seed: int = 0) -> Any:
    """Leave gradients on a model of linear layers, and return the loss."""
    first = next(model.parameters())
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(8, first.shape[1], generator=draw).to(first.dtype)
    model.zero_grad()
    loss = (model(x) - 1).square().mean()
    loss.backward()
    return loss


# --- training ---------------------------------------------------------------------------------------------------------


def train(model: Any, opt: Any, reference: OnArrays, loss_of: Callable[[int], Any], steps: int) -> list[float]:
    """Train a model, and step the reference with its gradients; both have the same bits after every step."""
    held, losses = weights(model), []
    for step in range(steps):
        opt.zero_grad()
        loss = loss_of(step)
        loss.backward()
        given = gradients(model)
        opt.step()
        assert all(np.array_equal(g, given[name]) for name, g in gradients(model).items()), "a gradient was written to"
        held = reference.step(held, given)
        for name, w in weights(model).items():
            assert np.array_equal(w, held[name]), f"{name} differs at step {step}"
        losses.append(loss.item())
    return losses


def digits() -> tuple[Any, Any]:
    datasets = pytest.importorskip("sklearn.datasets", reason="the digits come with scikit-learn")
    data = datasets.load_digits()
    return torch.tensor(data.data[:1024] / 16, dtype=torch.float32), torch.tensor(data.target[:1024])


def test_a_perceptron_on_digits_goes_as_the_numpy_optimizer() -> None:
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    rules = rules_from(model)
    opt = SteepestDescent(model, rules=rules, lr=0.2, momentum=EMA(0.9, nesterov=True), weight_decay=0.1)
    same = OnArrays(rules.norm, lr=0.2, momentum=EMA(0.9, nesterov=True), weight_decay=0.1, accuracy=1e-3)

    def loss_of(step: int) -> Any:
        batch = slice(128 * (step % 8), 128 * (step % 8 + 1))
        return nn.functional.cross_entropy(model(x[batch]), y[batch])

    losses = train(model, opt, same, loss_of, 40)
    assert np.mean(losses[-8:]) < 0.3 * losses[0]


class Head(nn.Module):
    """A matrix of scores that is tied to a table."""

    def __init__(self, table: Any) -> None:
        super().__init__()
        self.weight = table

    def forward(self, x: Any) -> Any:
        return x @ self.weight.T


class TinyGPT(nn.Module):
    """One block of attention and a perceptron on characters, with a tied head."""

    def __init__(self, words: int, dim: int = 32, length: int = 24) -> None:
        super().__init__()
        self.table, self.place = nn.Embedding(words, dim), nn.Embedding(length, dim)
        self.before, self.after = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, 4, batch_first=True)
        self.up, self.down = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.head = Head(self.table.weight)

    def forward(self, tokens: Any) -> Any:
        length = tokens.shape[1]
        x = self.table(tokens) + self.place(torch.arange(length))
        h = self.before(x)
        later = torch.triu(torch.ones(length, length, dtype=torch.bool), 1)
        x = x + self.attention(h, h, h, attn_mask=later, need_weights=False)[0]
        x = x + self.down(nn.functional.gelu(self.up(self.after(x))))
        return self.head(x)


def test_a_tiny_gpt_on_characters_goes_as_the_numpy_optimizer() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    letters = sorted(set(text))
    data = torch.tensor([letters.index(letter) for letter in text])
    model = TinyGPT(len(letters))
    rules = rules_from(model, also={Head: {"weight": "rms->linf"}})
    assert [rule.same_as for rule in rules.rules if rule.name == "table.weight"] == [("head.weight",)]
    opt = SteepestDescent(model, norm=rules.norm, lr=0.05, momentum=0.9)
    same = OnArrays(rules.norm, lr=0.05, momentum=0.9, accuracy=1e-3)
    draw = torch.Generator().manual_seed(1)

    def loss_of(step: int) -> Any:
        starts = torch.randint(0, len(data) - 25, (16,), generator=draw)
        batch = torch.stack([data[start : start + 25] for start in starts])
        scores = model(batch[:, :-1])
        return nn.functional.cross_entropy(scores.reshape(-1, len(letters)), batch[:, 1:].reshape(-1))

    losses = train(model, opt, same, loss_of, 40)
    assert np.mean(losses[-8:]) < 0.8 * np.mean(losses[:4])


@pytest.mark.parametrize("path", ["numpy", "torch"])
@pytest.mark.parametrize(
    ("options", "dtype"),
    [
        ({"momentum": 0.9, "weight_decay": 0.1}, "float32"),
        ({"momentum": HeavyBall(0.9, nesterov=True), "convention": "sharp"}, "float32"),
        ({"momentum": LionMomentum()}, "float32"),
        ({"momentum": 0.9, "weight_decay": 0.1}, "bfloat16"),
        ({"maximize": True, "convention": nk.TrustRegion(0.5, 2.0)}, "float32"),
    ],
    ids=["ema", "sharp heavy ball", "lion", "bfloat16", "maximize"],
)
def test_both_paths_go_as_the_numpy_optimizer(path: str, options: dict[str, Any], dtype: str) -> None:
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes", reason="bfloat16 arrays need it")
    model = matrices(6, 4, 4, dtype=getattr(torch, dtype))
    options = {**options, "accuracy": 1e-3 if path == "numpy" else None}  # other maps may miss it elsewhere
    opt = SteepestDescent(model, lr=0.05, path=path, **options)
    same = OnArrays("rms->rms", lr=0.05, **options)
    held = weights(model)
    for step in range(5):
        backward(model, step)
        held = same.step(held, gradients(model))
        opt.step()
    for name, w in weights(model).items():
        if path == "numpy":
            assert np.array_equal(w, held[name])
        assert np.allclose(w.astype(np.float64), held[name].astype(np.float64), rtol=0, atol=1e-6)


def by_hand(model: Any, lr: float, beta: float, averages: list[Any]) -> None:
    """One step of orthogonalized momentum, written with torch alone."""
    with torch.no_grad():
        for p, average in zip(model.parameters(), averages, strict=True):
            average.mul_(beta).add_(p.grad, alpha=1 - beta)
            u, _, vh = torch.linalg.svd(average, full_matrices=False)
            p -= lr * (p.shape[0] / p.shape[1]) ** 0.5 * (u @ vh)


def differs_from_svd(path: str = "auto") -> float:
    model = matrices(6, 4, 5, dtype=torch.float64)
    other = copy.deepcopy(model)
    averages = [torch.zeros_like(p) for p in other.parameters()]
    opt = SteepestDescent(model, lr=0.05, momentum=0.9, accuracy=None, path=path)
    for step in range(20):
        backward(model, step)
        backward(other, step)
        opt.step()
        by_hand(other, 0.05, 0.9, averages)
    pairs = zip(model.parameters(), other.parameters(), strict=True)
    return max((p - q).abs().max().item() for p, q in pairs)


@pytest.mark.parametrize("path", ["numpy", "torch"])
def test_lmo_steps_are_those_of_a_loop_with_svd(path: str) -> None:
    assert differs_from_svd(path) < 1e-9


@pytest.mark.parametrize("fault", ["copies for views", "momentum", "length"])
def test_planted_faults_are_seen_by_the_loop(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if fault == "copies for views":
        view = torch_views.NumPyViews.array
        monkeypatch.setattr(torch_views.NumPyViews, "array", lambda self, tensor: view(self, tensor).copy())
    elif fault == "momentum":
        monkeypatch.setattr(EMA, "apply", lambda self, u, slots, at: u)
    else:
        put = optim.engine.put
        monkeypatch.setattr(optim.engine, "put", lambda d, c, a, n, factor, *rest: put(d, c, a, n, 1.001, *rest))
    assert differs_from_svd("numpy") > 1e-5


def test_maps_can_be_computed_by_torch() -> None:
    """What code generation gives: a function of tensors, here by an SVD of torch."""

    def maps(program: Any, accuracy: float | None) -> Any:
        assert program.spec == "rms->rms" and accuracy == 1e-3

        def dualize(items: Any) -> tuple[Any, Any]:
            u, s, vh = torch.linalg.svd(items, full_matrices=False)
            scale = (items.shape[1] / items.shape[2]) ** 0.5
            return scale * (u @ vh), scale * s.sum(1)

        return dualize

    gradient = torch.randn(2, 4, 6)
    product = nk.Modular(dict.fromkeys("ab", "rms->rms"))
    made = nk.optim.method.Method(nk.programs.product(product), nk.LMO(1.0), accuracy=1e-3)
    held = [torch.zeros(4, 6), torch.zeros(4, 6)]
    how = torch_views.TensorViews(maps)
    given = {name: how.array(g) for name, g in zip("ab", gradient, strict=True)}
    targets = {name: how.array(w) for name, w in zip("ab", held, strict=True)}
    optim.engine.advance(made, optim.engine.Clock(1, 0.1), optim.engine.Arrays(targets, given, {}, targets))
    wanted = -0.1 * np.stack([nk.dualize("rms->rms", g.numpy()) for g in gradient])
    assert np.allclose(torch.stack(held).numpy(), wanted, atol=1e-6)


@pytest.mark.parametrize("printable", [True, False], ids=["printed", "not printed"])
def test_maps_are_printed_for_torch_or_go_through_the_cpu(printable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> Any:
        raise nk.NoClosedForm("not printed")

    def unused(*args: Any, **options: Any) -> Any:
        raise AssertionError("the CPU was asked")

    monkeypatch.setattr(torch_views, *(("through_cpu", unused) if printable else ("function", refuse)))
    assert differs_from_svd("torch") < 1e-9


# --- parameters -------------------------------------------------------------------------------------------------------


def test_shapes_that_do_not_fit_are_listed_at_construction() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    with pytest.raises(ShapeError, match=r"3 parameters do not fit.*'0\.bias'.*'1\.weight'.*'1\.bias'"):
        SteepestDescent(model, lr=0.1)
    with pytest.raises(ShapeError, match="param 1 of group 0"):
        SteepestDescent(list(nn.Linear(3, 3).parameters()), lr=0.1)
    with pytest.raises(ShapeError, match=r"'weight'.*\(h=2 d\)"):
        SteepestDescent(nn.Linear(4, 3, bias=False), nk.Slices("rms->rms", "(h=2 d) i", over="h"), lr=0.1)


def test_groups_have_options_of_their_own() -> None:
    model = nn.Linear(4, 3)
    opt = SteepestDescent(
        [
            {"params": [("weight", model.weight)], "norm": "max", "lr": 0.5},
            {"params": [("bias", model.bias)], "norm": "rms", "convention": nk.LMO(2.0), "weight_decay": 1.0},
        ],
        lr=0.1,
    )
    before = weights(model)
    model.weight.grad, model.bias.grad = torch.randn(3, 4), torch.randn(3)
    opt.step()
    after = weights(model)
    assert np.allclose(after["weight"], before["weight"] - 0.5 * np.sign(model.weight.grad.numpy()))
    g = model.bias.grad.numpy()
    assert np.allclose(after["bias"], 0.9 * before["bias"] - 0.2 * g / np.sqrt(np.mean(g * g)), atol=1e-6)


def test_a_group_shares_one_outer_norm() -> None:
    model = matrices(4, 4, 4)
    backward(model)
    opt = SteepestDescent(model, convention="sharp", lr=0.5, accuracy=None)
    before, total = weights(model), 0.0
    for g in gradients(model).values():
        total += np.linalg.svd(g, compute_uv=False).sum()
    opt.step()
    for name, w in weights(model).items():
        assert np.isclose(np.linalg.norm(w - before[name], 2), 0.5 * total, rtol=1e-4)


def test_add_param_group_and_mistakes_in_it() -> None:
    model, later = matrices(3, 3), matrices(3, 2)
    opt = SteepestDescent(model.parameters(), lr=0.1)
    with pytest.raises(ShapeError, match="param 0 of group 1"):
        opt.add_param_group({"params": later.parameters(), "norm": "rms"})
    with pytest.raises(ParameterError, match="Did you mean 'momentum'"):
        opt.add_param_group({"params": later.parameters(), "momentun": 0.9})
    assert len(opt.param_groups) == 1
    opt.add_param_group({"params": later.parameters(), "norm": "max", "name": "later"})
    before = weights(later)
    backward(later)
    opt.step()
    assert np.allclose(np.abs(weights(later)["0.weight"] - before["0.weight"]), 0.1)


def test_missing_gradients_frozen_and_tied_parameters() -> None:
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    model[1].weight = model[0].weight
    model[2].weight.requires_grad_(False)
    idle = nn.Linear(4, 4, bias=False)
    opt = SteepestDescent(nn.ModuleList([model, idle]), "max", lr=0.1)
    assert len(opt.param_groups[0]["params"]) == 3
    before, resting = weights(model), weights(idle)
    backward(model)
    opt.step()
    after = weights(model)
    assert np.allclose(np.abs(after["0.weight"] - before["0.weight"]), 0.1)
    assert np.array_equal(after["2.weight"], before["2.weight"])
    assert np.array_equal(weights(idle)["weight"], resting["weight"]) and idle.weight not in opt.state
    given = [*model.named_parameters(remove_duplicate=False)]
    assert len(SteepestDescent(given, "max", lr=0.1).param_groups[0]["params"]) == 2


def test_a_parameter_that_is_thawed_starts_at_its_own_first_step() -> None:
    model = matrices(4, 4, 4)
    model[0].weight.requires_grad_(False)
    opt = SteepestDescent(model, "fro", convention="sharp", lr=1.0, momentum=EMA(0.9, debias=True))
    for step in range(3):
        backward(model, step)
        opt.step()
    model[0].weight.requires_grad_(True)
    before = weights(model)["0.weight"]
    backward(model, 4)
    model[1].weight.grad = None
    opt.step()
    # at the first step the average without bias is the gradient itself
    assert np.allclose(weights(model)["0.weight"], before - model[0].weight.grad.numpy(), atol=1e-6)
    assert opt.state[model[0].weight]["step"] == 1 and opt.state[model[1].weight]["step"] == 3


def test_channels_last_kernels_are_stepped_in_place() -> None:
    model = nn.Conv2d(3, 4, 2, bias=False).to(memory_format=torch.channels_last)
    model.weight.grad = torch.randn_like(model.weight)
    assert not model.weight.is_contiguous()
    opt = SteepestDescent(model, rules=rules_from(model), lr=0.1, accuracy=None)
    before, g = weights(model)["weight"], model.weight.grad.numpy().reshape(4, 12)
    opt.step()
    u, _, vt = np.linalg.svd(g, full_matrices=False)
    wanted = before - 0.1 * np.sqrt(4 / 12) * (u @ vt).reshape(4, 3, 2, 2)
    assert np.allclose(weights(model)["weight"], wanted, atol=1e-6)


class DTensor(torch.Tensor):
    """A stand-in by name: the adapter does not import what is distributed."""


def test_parameters_that_have_no_step_are_refused() -> None:
    shard = nn.Parameter(torch.zeros(2, 2).as_subclass(DTensor))
    with pytest.raises(ParameterError, match="sharded"):
        SteepestDescent([shard], lr=0.1)
    with pytest.raises(DTypeError, match="complex"):
        SteepestDescent([nn.Parameter(torch.zeros(2, 2, dtype=torch.complex64))], lr=0.1)
    with pytest.raises(ParameterError, match="meta"):
        SteepestDescent(nn.Linear(2, 2, bias=False, device="meta"), lr=0.1)
    table = nn.Embedding(5, 2, sparse=True)
    opt = SteepestDescent(table, "max", lr=0.1)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(ParameterError, match=r"gradient of 'weight' is sparse"):
        opt.step()


def test_a_real_dtensor_is_refused() -> None:
    distributed = pytest.importorskip("torch.distributed")
    if not distributed.is_available() or not distributed.is_gloo_available():
        pytest.skip("torch was built without torch.distributed and gloo")
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
        try:
            mesh = init_device_mesh("cpu", (1,))
            shard = nn.Parameter(distribute_tensor(torch.zeros(4, 2), mesh, [Shard(0)]))
            with pytest.raises(ParameterError, match=r"param 0 of group 0.*sharded"):
                SteepestDescent([shard], lr=0.1)
        finally:
            distributed.destroy_process_group()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lr": -1.0}, "learning rate"),
        ({"lr": "fast"}, "learning rate"),
        ({"lr": lambda step: 0.1}, "lr_scheduler"),
        ({"lr": 0.1, "pipeline": 3}, "pipeline"),
        ({"lr": 0.1, "momentum": 1.5}, "beta"),
        ({"lr": 0.1, "nan": "ignore"}, "nan"),
        ({"lr": 0.1, "path": "gpu"}, "path"),
        ({"lr": 0.1, "convention": "fast"}, "convention"),
        ({"lr": 0.1, "norm": nk.Modular({"other": "max"})}, "lacks '0.weight'"),
        ({"lr": 0.1, "norm": "max", "rules": "muon"}, "not both"),
    ],
    ids=["lr", "no number", "schedule", "pipeline", "momentum", "nan", "path", "convention", "names", "both"],
)
def test_options_out_of_their_domain_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        SteepestDescent(matrices(3, 3), **options)


def test_mistakes_of_other_kinds() -> None:
    with pytest.raises(nk.NoClosedForm, match=r"'0\.weight'.*NP-hard"):
        SteepestDescent(matrices(3, 3), "linf->l1", lr=0.1)
    with pytest.raises(ParameterError, match="'params'"):
        SteepestDescent([{"parms": []}], lr=0.1)
    with pytest.raises(ParameterError, match="several parameters named 'a'"):
        SteepestDescent([("a", torch.nn.Parameter(torch.ones(2, 2))) for _ in range(2)], lr=0.1)
    with pytest.raises(ParameterError, match="state_dict"):
        SteepestDescent(matrices(3, 3), lr=0.1).load_state_dict({"arrays": {}})


# --- rules ------------------------------------------------------------------------------------------------------------


class Stages(optim.Stage):
    """A stage without state."""

    def apply(self, u: Any, slots: Any, at: Any) -> Any:
        return np.sign(u)


class StandIn:
    """What `normkit.Rules` promises: patterns to norms, pipelines and what is left alone."""

    def __init__(self, piped: Any) -> None:
        self.piped = piped

    def assign(self, shapes: dict[str, tuple[int, ...]]) -> Any:
        norms = {name: "rms->rms" for name, shape in shapes.items() if len(shape) == 2 and name != "2.weight"}
        piped = {name: self.piped for name, shape in shapes.items() if len(shape) == 1}
        return SimpleNamespace(norm=nk.Modular(norms), pipelines=piped, frozen=("2.weight",), aliases={})


@pytest.mark.parametrize("named", [False, True], ids=["pipeline", "by name"])
def test_rules_give_norms_pipelines_and_what_is_left_alone(named: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"signs": lambda scale: Pipeline(Stages(), name="signs", lr_scale=scale)}
    monkeypatch.setattr(optim, "pipeline_named", lambda name, **options: made[name](**options), raising=False)
    piped = ("signs", {"scale": 0.5}) if named else made["signs"](0.5)
    model = nn.Sequential(nn.Linear(4, 4), nn.Identity(), nn.Linear(4, 4, bias=False))
    opt = SteepestDescent(model, rules=StandIn(piped), lr=0.1)
    before = weights(model)
    model(torch.randn(3, 4)).square().sum().backward()
    opt.step()
    after = weights(model)
    assert np.isclose(np.linalg.norm(after["0.weight"] - before["0.weight"], 2), 0.1, rtol=1e-3)
    assert np.allclose(np.abs(after["0.bias"] - before["0.bias"]), 0.05, atol=1e-7)
    assert np.array_equal(after["2.weight"], before["2.weight"])
    row = opt.report()["0.bias"]
    assert row.norm == "-" and np.isnan(row.dual_norm)
    assert np.isclose(row.update_rms, 0.05) and row.lr == 0.05


def test_rules_of_a_file_and_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    rules = SimpleNamespace(
        load=lambda path: asked.append(("load", path)) or StandIn(Pipeline(Stages())),
        ready=lambda name: asked.append(("ready", name)) or StandIn(Pipeline(Stages())),
    )
    monkeypatch.setattr(nk, "Rules", rules, raising=False)
    SteepestDescent(matrices(3, 3), rules="muon", lr=0.1)
    SteepestDescent([{"params": matrices(3, 3), "rules": Path("my.toml")}], lr=0.1)
    assert asked == [("ready", "muon"), ("load", "my.toml")]


def test_a_group_may_be_a_pipeline() -> None:
    model = nn.Linear(3, 3)
    opt = SteepestDescent(
        [{"params": [model.weight]}, {"params": [model.bias], "pipeline": Pipeline(Stages())}], lr=0.1
    )
    before = weights(model)
    model(torch.ones(3)).sum().backward()
    opt.step()
    assert np.allclose(np.abs(weights(model)["bias"] - before["bias"]), 0.1)


@pytest.mark.parametrize("name", ["adamw", "sgd", "lion"])
def test_pipelines_run_where_the_tensors_are(name: str) -> None:
    found = []
    for path in ("numpy", "torch"):
        torch.manual_seed(0)
        model = matrices(4, 4)
        opt = SteepestDescent(model, pipeline=name, lr=0.02, path=path)
        for step in range(3):
            backward(model, step)
            opt.step()
        found.append(weights(model)["0.weight"])
    assert np.allclose(found[0], found[1], atol=1e-7)
    with pytest.raises(DTypeError, match="path='numpy'"):
        SteepestDescent(model, pipeline="sinkgd", lr=0.02, path="torch").step()


def test_modules_give_norms() -> None:
    model = nn.Sequential(
        nn.Embedding(7, 4),
        nn.Conv2d(4, 6, 3, groups=2),
        nn.ConvTranspose1d(4, 6, 3),
        nn.MultiheadAttention(4, 2),
        nn.LSTM(4, 5),
        nn.BatchNorm2d(4),
    )
    rules = rules_from(model)
    table = rules.table()
    assert len(table.splitlines()) == 1 + len(list(model.parameters()))
    norms = {rule.name: nk.norm(rule.norm) for rule in rules.rules}
    draw = np.random.default_rng(0)
    for name, p in model.named_parameters():
        norms[name](draw.standard_normal(tuple(p.shape)))  # every norm takes the shape of its parameter
    spectral = lambda matrix: np.linalg.norm(matrix, 2) * np.sqrt(matrix.shape[1] / matrix.shape[0])  # noqa: E731
    w = draw.standard_normal((7, 4))
    assert np.isclose(norms["0.weight"](w), np.sqrt((w * w).mean(1)).max())
    w = draw.standard_normal((6, 2, 3, 3))
    assert np.isclose(norms["1.weight"](w), max(spectral(half.reshape(3, 18)) for half in (w[:3], w[3:])))
    w = draw.standard_normal((4, 6, 3))
    assert np.isclose(norms["2.weight"](w), spectral(w.transpose(1, 0, 2).reshape(6, 12)))
    w = draw.standard_normal((12, 4))
    assert np.isclose(norms["3.in_proj_weight"](w), max(spectral(part) for part in np.split(w, 3)))
    w = draw.standard_normal((20, 4))
    assert np.isclose(norms["4.weight_ih_l0"](w), max(spectral(part) for part in np.split(w, 4)))
    w = draw.standard_normal(4)
    assert np.isclose(norms["5.weight"](w), np.abs(w).max())


def test_unknown_modules_are_listed_and_can_be_given() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.token = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(1, 3))

    model = nn.Sequential(nn.Linear(3, 3), Own())
    with pytest.raises(ParameterError, match=r"1\.scale of Own, \(3,\); 1\.token of Own, \(1, 3\)"):
        rules_from(model)
    rules = rules_from(model, also={Own: {"scale": "linf"}, "*.token": "l2->rms"})
    assert [rule.norm for rule in rules.rules][2:] == ["linf", "l2->rms"]
    with pytest.raises(ParameterError, match="another module"):
        SteepestDescent(nn.Linear(5, 5), rules=rules, lr=0.1)


# --- state ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_saved_state_goes_on_with_the_same_bits(dtype: str, tmp_path: Path) -> None:
    model = matrices(6, 4, 4, dtype=getattr(torch, dtype))
    opt = SteepestDescent(model, lr=0.05, momentum=HeavyBall(0.9), weight_decay=0.1)
    for step in range(3):
        backward(model, step)
        opt.step()
    torch.save({"model": model.state_dict(), "opt": opt.state_dict()}, tmp_path / "run.pt")
    other = matrices(6, 4, 4, dtype=getattr(torch, dtype))
    resumed = SteepestDescent(other, lr=0.3, momentum=HeavyBall(0.9), weight_decay=0.2)
    read = torch.load(tmp_path / "run.pt", weights_only=True)
    other.load_state_dict(read["model"])
    resumed.load_state_dict(read["opt"])
    assert resumed.param_groups[0]["lr"] == 0.05 and resumed.param_groups[0]["weight_decay"] == 0.1
    kept = {slot: x.dtype for slot, x in resumed.state[other[0].weight].items() if isinstance(x, torch.Tensor)}
    assert set(kept.values()) == {torch.float32} and ("master" in kept) == (dtype != "float32")
    for step in range(3, 6):
        for each, by in ((model, opt), (other, resumed)):
            backward(each, step)
            by.step()
    for name, w in weights(model).items():
        assert np.array_equal(w, weights(other)[name])


def trained(**options: Any) -> tuple[Any, Any]:
    model = matrices(4, 4, 4)
    opt = SteepestDescent(model, lr=0.05, **options)
    backward(model)
    opt.step()
    return model, opt


def test_a_rule_change_keeps_what_fits_and_says_what_does_not() -> None:
    model, opt = trained(momentum=0.9)
    other = SteepestDescent(model, "max", lr=0.05, momentum=EMA(0.8))
    other.load_state_dict(opt.state_dict())  # another norm and another beta: the average of gradients is still one
    assert other.param_groups[0]["norm"] == "max" and other.param_groups[0]["momentum"] == EMA(0.8)
    kept = other.state[model[0].weight]["momentum"]
    assert torch.equal(kept, opt.state[model[0].weight]["momentum"])
    assert kept.data_ptr() != opt.state[model[0].weight]["momentum"].data_ptr()
    sums = SteepestDescent(model, lr=0.05, momentum=HeavyBall(0.9))
    with pytest.warns(UserWarning, match=r"2 parameters.*0\.weight \(momentum, step\)"):
        sums.load_state_dict(opt.state_dict())
    assert model[0].weight not in sums.state
    backward(model)
    sums.step()
    bigger = matrices(5, 5, 5)
    wide = SteepestDescent(bigger, lr=0.05, momentum=0.9)
    with pytest.warns(UserWarning, match="shapes"):
        wide.load_state_dict(opt.state_dict())
    backward(bigger)
    wide.step()


def test_float32_weights_are_kept_whatever_else_changes() -> None:
    model = matrices(4, 4, dtype=torch.bfloat16)
    opt = SteepestDescent(model, lr=0.05, momentum=HeavyBall(0.9))
    backward(model)
    opt.step()
    plain = SteepestDescent(model, lr=0.05)
    with pytest.warns(UserWarning, match="momentum"):
        plain.load_state_dict(opt.state_dict())
    assert list(plain.state[model[0].weight]) == ["master"]


def test_a_state_of_another_optimizer_is_dropped_with_a_warning() -> None:
    model = matrices(4, 4)
    other = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    backward(model)
    other.step()
    opt = SteepestDescent(model.parameters(), lr=0.05)
    with pytest.warns(UserWarning, match="momentum_buffer"):
        opt.load_state_dict(other.state_dict())
    assert opt.param_groups[0]["lr"] == 0.2 and opt.param_groups[0]["norm"] == "rms->rms"


def test_copies_and_hooks_of_torch() -> None:
    model, opt = trained(momentum=0.9)
    both = copy.deepcopy({"model": model, "opt": opt})
    for each in (SimpleNamespace(model=model, opt=opt), SimpleNamespace(**both)):
        backward(each.model, 3)
        each.opt.step()
    assert all(np.array_equal(w, weights(both["model"])[name]) for name, w in weights(model).items())
    seen = []
    opt.register_step_post_hook(lambda *_: seen.append("stepped"))
    opt.register_load_state_dict_pre_hook(lambda _, state: seen.append("loading"))
    backward(model)
    opt.step()
    opt.load_state_dict(opt.state_dict())
    assert seen == ["stepped", "loading"]


# --- what torch's trainers do -----------------------------------------------------------------------------------------


def test_schedulers_set_the_learning_rate() -> None:
    model = matrices(4, 4)
    opt = SteepestDescent(model, "max", lr=0.4)
    schedule = torch.optim.lr_scheduler.StepLR(opt, step_size=1, gamma=0.5)
    cycle = torch.optim.lr_scheduler.OneCycleLR(SteepestDescent(model, lr=0.1, momentum=0.9), 1.0, total_steps=4)
    assert cycle.get_last_lr()[0] < 0.1
    for rate in (0.4, 0.2, 0.1):
        before = weights(model)["0.weight"]
        backward(model)
        opt.step()
        schedule.step()
        assert np.allclose(np.abs(weights(model)["0.weight"] - before), rate, atol=1e-6)


def test_closures_are_evaluated_with_gradients() -> None:
    model = matrices(4, 4)
    opt = SteepestDescent(model, lr=0.05)
    with torch.no_grad():
        losses = [opt.step(lambda: backward(model)).item() for _ in range(10)]
    assert losses[-1] < losses[0]


def test_scaled_gradients_and_steps_that_are_skipped() -> None:
    model = matrices(4, 4)
    opt = SteepestDescent(model, "max", lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    for clipped in (False, True):
        before = weights(model)["0.weight"]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(torch.randn(8, 4)).square().mean()
        opt.zero_grad()
        scaler.scale(loss).backward()
        if clipped:
            scaler.unscale_(opt)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(opt)
        scaler.update()
        assert np.allclose(np.abs(weights(model)["0.weight"] - before), 0.1, atol=1e-6)
    before, scale = weights(model)["0.weight"], scaler.get_scale()
    scaler.scale(model(torch.randn(8, 4)).sum()).backward()
    model[0].weight.grad[0, 0] = torch.inf
    scaler.step(opt)
    scaler.update()
    assert np.array_equal(weights(model)["0.weight"], before) and scaler.get_scale() < scale


def test_a_gradient_that_is_not_finite_changes_nothing() -> None:
    model = matrices(4, 4, 3)
    groups = [{"params": [("first", model[0].weight)]}, {"params": [("second", model[1].weight)], "norm": "max"}]
    for nan in ("raise", "skip"):
        opt = SteepestDescent(groups, lr=0.1, momentum=0.9, nan=nan)
        backward(model)
        opt.step()
        model[1].weight.grad[2, 1] = torch.nan
        before, state = weights(model), copy.deepcopy(opt.state_dict())
        if nan == "raise":
            with pytest.raises(NonFiniteError, match=r"'second' holds nan at index \[2, 1\]"):
                opt.step()
        else:
            opt.step()
            assert opt.skipped == 1 and opt.report().skipped == 1
        assert all(np.array_equal(w, before[name]) for name, w in weights(model).items())
        after = opt.state_dict()
        assert after["param_groups"] == state["param_groups"]
        assert all(torch.equal(after["state"][k]["momentum"], state["state"][k]["momentum"]) for k in (0, 1))


def test_what_a_momentum_form_needs_is_asked_for() -> None:
    model = matrices(4, 4)
    opt = SteepestDescent(model, "fro", lr=0.1, momentum=MVR2(0.5, gamma=1.0, clip=None), convention="sharp")
    same = OnArrays("fro", lr=0.1, momentum=MVR2(0.5, gamma=1.0, clip=None), convention="sharp", accuracy=1e-3)
    backward(model)
    held = weights(model)
    with pytest.raises(ParameterError, match="previous="):
        opt.step()
    assert np.array_equal(weights(model)["0.weight"], held["0.weight"])
    earlier = torch.randn(4, 4)
    opt.step(previous={"0.weight": earlier})
    held = same.step(held, gradients(model), previous={"0.weight": earlier.numpy()})
    assert np.array_equal(weights(model)["0.weight"], held["0.weight"])


def test_a_compiled_model_keeps_its_names() -> None:
    model = matrices(4, 4)
    try:
        made = torch.compile(model, backend="eager")
        backward(made)
    except Exception as error:
        pytest.skip(f"torch.compile does not run here: {type(error).__name__}")
    opt = SteepestDescent(made, "max", lr=0.1)
    assert opt.param_groups[0]["param_names"] == ["0.weight"]
    before = weights(model)["0.weight"]
    opt.step()
    assert np.allclose(np.abs(weights(model)["0.weight"] - before), 0.1, atol=1e-6)
    assert [rule.name for rule in rules_from(made).rules] == ["0.weight"]


def test_a_stale_graph_is_an_error_as_in_torch() -> None:
    model = matrices(4, 4)
    opt = SteepestDescent(model, "max", lr=0.1)
    stale = model(torch.randn(2, 4, requires_grad=True)).sum()
    backward(model)
    opt.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        stale.backward()


# --- reports ----------------------------------------------------------------------------------------------------------


def test_reports_and_the_log(tmp_path: Path) -> None:
    model = nn.Linear(4, 3)
    opt = SteepestDescent(model, rules=rules_from(model), lr=0.1, accuracy=1e-2)
    path = tmp_path / "run.csv"
    opt.log_to(str(path), every=2, certify_every=3)
    for _ in range(6):
        opt.zero_grad()
        model(torch.randn(8, 4)).square().sum().backward()
        opt.step()
    g = gradients(model)
    duals = {
        "weight": np.linalg.svd(g["weight"], compute_uv=False).sum() * np.sqrt(3 / 4),
        "bias": np.linalg.norm(g["bias"]) * np.sqrt(3),
    }
    for row in opt.report().rows:
        assert np.isclose(row.dual_norm, duals[row.name], rtol=1e-3)
        assert np.isclose(row.share, duals[row.name] / sum(duals.values()), rtol=1e-3)
        assert 0 <= row.gap < 1e-2 and row.lr == 0.1
    assert np.isclose(opt.report()["bias"].update_rms, 0.1)
    size = np.linalg.norm(weights(model)["weight"], 2) * np.sqrt(4 / 3)
    assert np.isclose(opt.report()["weight"].weight_norm, size, rtol=1e-5)
    assert "share" in str(opt.report())
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], row["name"]) for row in rows] == [
        (str(s), n) for s in (2, 3, 4, 6) for n in ("weight", "bias")
    ]
    assert [row["step"] for row in rows if row["gap"]] == ["3", "3", "6", "6"]
    opt.log_to(str(path))  # goes on where the columns are the same
    (tmp_path / "other.csv").write_text("a,b\n")
    with pytest.raises(FileError, match="other columns"):
        opt.log_to(str(tmp_path / "other.csv"))
    with pytest.raises(FileError, match="cannot log"):
        opt.log_to(str(tmp_path / "no" / "run.csv"))


def test_functions_that_tensors_do_not_have_are_named() -> None:
    with pytest.raises(DTypeError, match=r"np\.median .*cpu"):
        np.median(Tensor(torch.ones(3)))
    with pytest.raises(DTypeError, match=r"np\.add\.reduce"):
        np.add.reduce(Tensor(torch.ones(3)))


@pytest.mark.parametrize("module", ["torch", "torch_modules", "optim.optimizer"])
def test_examples_run(module: str) -> None:
    result = doctest.testmod(import_module(f"normkit.{module}"), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted and not result.failed
