"""Run in a process of its own by test_sim_scale.py, with NUMBA_ENABLE_CUDASIM=1: own kernels against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from host_arrays import view

from normkit.backends.cuda.compat import SIMULATED, cuda
from normkit.backends.cuda.driver import HOST
from normkit.backends.cuda.kernels import copies, scale
from normkit.backends.cuda.polar.device import device
from normkit.backends.cuda.polar.memory import Place, Places, at
from normkit.backends.cuda.polar.ops import AddI, CopyOut, Matrix, Norm, Op, ScaleCast
from normkit.backends.cuda.polar.placement import place
from normkit.backends.cuda.polar.plan import Plan
from normkit.backends.cuda.polar.providers.launches import THREADS, Array, Launch
from normkit.backends.cuda.polar.providers.own import Own, shifted
from normkit.backends.cuda.polar.stored import narrow, raw, widen

assert SIMULATED


class Simulator:
    def prepare(self, launch: Launch) -> Any:
        def run(stream: int) -> None:
            arrays = [_array(each) if isinstance(each, Array) else each for each in launch.arguments]
            cuda.jit(launch.kernel)[launch.blocks, THREADS](*arrays)

        return run


def _array(each: Array) -> Any:
    if not each.length:
        return np.zeros(1)
    return raw(Place(each.address, (1, 1, each.length), (each.length, each.length, 1), each.dtype)).reshape(-1)


def stored(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Any:
    return narrow(np.random.default_rng(seed).standard_normal(shape), dtype)


def outside(name: str, array: Any) -> Matrix:
    rows, columns = array.shape[-2:]
    return Matrix(name, rows, columns, view(array).dtype, outside=True)


def outcome(ops: list[Op], arrays: dict[str, Any], provider: Any, *read: Matrix) -> list[Any]:
    """Carry out operations on copies of arrays; return what they wrote: bits, so that NaN is compared too."""
    mine = {name: _like(array) for name, array in arrays.items()}
    batch = next(iter(mine.values())).shape[0]
    offsets, nbytes = place(ops, batch, [each for each in read if not each.outside])
    plan = Plan((batch, 0, 0), "", (), tuple(ops), offsets, nbytes, Matrix("none", 0, 0, "float64"))
    address, room = device(HOST).workspace(nbytes, 0, None)
    places = Places(plan, address, {name: at(view(array)) for name, array in mine.items()})
    for op in ops:
        assert provider.why_not(op, places) is None
        provider.bind(op, places)(0)
    found = [raw(places[each]).copy() for each in read]
    del room
    return found


def _like(array: Any) -> Any:
    """Copy an array with its strides, negative ones too."""
    base = np.zeros(array.size * 8 + 64, array.dtype)
    made = np.ndarray(array.shape, array.dtype, base, 32 * array.itemsize + _below(array), array.strides)
    made[...] = array
    return made


def _below(array: Any) -> int:
    return sum(-(size - 1) * step for size, step in zip(array.shape, array.strides, strict=True) if step < 0)


def compare(ops: list[Op], arrays: dict[str, Any], *read: Matrix, rtol: float = 0.0) -> None:
    ours = outcome(ops, arrays, Own(Simulator()), *read)
    theirs = outcome(ops, arrays, device(HOST).providers["numpy"], *read)
    for one, other, matrix in zip(ours, theirs, read, strict=True):
        a, b = (unlifted(each) if matrix is NORMS else widen(each, matrix.dtype) for each in (one, other))
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


def unlifted(norms: Any) -> Any:
    """Return (norm, scale, 0) without the lift, whose power of two is free."""
    lift = norms[..., 3]
    return np.stack([norms[..., 0] / lift, norms[..., 1] * lift, norms[..., 2]], axis=-1)


NORMS = Matrix("norms", 1, 4, "float64")


def normed(G: Any, exact: bool = False, blocks: int = 1) -> list[Op]:
    return [Norm(NORMS, outside("G", G), Matrix("parts", 1, blocks, "float64"), exact)]


LAYOUTS = {
    "C": lambda a: a,
    "turned": lambda a: np.ascontiguousarray(a.swapaxes(1, 2)).swapaxes(1, 2),
    "reversed": lambda a: a[:, ::-1, ::-1],
    "strided": lambda a: np.repeat(np.repeat(a, 2, axis=1), 2, axis=2)[:, ::2, ::2],
}


@pytest.mark.parametrize("dtype, layout", [("float16", "C"), ("bfloat16", "turned"), ("float64", "reversed")])
def test_norms(dtype: str, layout: str) -> None:
    G = LAYOUTS[layout](stored((1, 3, 270), dtype))
    compare(normed(G, exact=dtype == "float16", blocks=2), {"G": G}, NORMS, rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_norms_of_the_extremes_and_of_what_is_no_number(dtype: str) -> None:
    G = np.stack([stored((3, 5), dtype) for _ in range(5)])
    top = np.finfo(dtype).maxexp - 3
    G[0] = 0
    G[1], G[2] = np.ldexp(G[1], top), np.ldexp(G[2], -top - 15)
    G[3, 0, 0], G[4, 2, 1] = np.nan, np.inf
    parts = {}
    for name, provider in (("ours", Own(Simulator())), ("theirs", device(HOST).providers["numpy"])):
        found = outcome(normed(G), {"G": G}, provider, NORMS)[0][:, 0]
        parts[name] = found
        true = np.linalg.norm(np.ldexp(G[1:3].astype(np.longdouble).reshape(2, -1), 0), axis=1)
        np.testing.assert_allclose(found[1:3, 0] / found[1:3, 3], true.astype(np.float64), rtol=1e-6)
        np.testing.assert_allclose(found[1:3, 0] * found[1:3, 1], 1.0, rtol=1e-14)
        np.testing.assert_array_equal(found[0, :3], 0)
        assert np.isnan(found[3:, 1]).all() and not np.isfinite(found[3:, 0]).any()
    assert np.log2(parts["ours"][:3, 3]).tolist() == np.round(np.log2(parts["ours"][:3, 3])).tolist()


SCALING = [
    ("float32", "bfloat16", "C", False),
    ("float64", "float16", "turned", True),
    ("bfloat16", "float32", "reversed", True),
    ("float32", "float16", "strided", False),
]


@pytest.mark.parametrize("given, kind, layout, turned", SCALING)
def test_scaling(given: str, kind: str, layout: str, turned: bool) -> None:
    G = LAYOUTS[layout](stored((1, 40, 5) if turned else (1, 5, 40), given))
    X = Matrix("X", 5, 40, kind)
    norm = normed(G)
    compare([*norm, ScaleCast(X, norm[0].reads[0], NORMS, turned)], {"G": G}, X)


def test_scaling_what_is_no_number() -> None:
    G = stored((3, 4, 5), "float32")
    G[0], G[1, 2, 2] = 0, np.nan
    X = Matrix("X", 4, 5, "bfloat16")
    norm = normed(G)
    ours = outcome([*norm, ScaleCast(X, norm[0].reads[0], NORMS, False)], {"G": G}, Own(Simulator()), X)
    values = widen(ours[0], "bfloat16")
    assert not values[0].any() and np.isnan(values[1]).all() and np.isfinite(values[2]).all()


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_adding_the_identity(dtype: str) -> None:
    G = stored((2, 3, 3), "float32")
    X, Y = (Matrix(name, 3, 3, dtype) for name in "XY")
    norm = normed(G)
    compare([*norm, ScaleCast(X, norm[0].reads[0], NORMS, False), AddI(Y, X, -1.5, 2.25)], {"G": G}, Y, rtol=1e-7)


COPIES = [
    ("C", False, False, True),
    ("turned", False, True, True),
    ("reversed", True, True, False),
    ("strided", True, False, True),
]


@pytest.mark.parametrize("layout, turned, gained, paired", COPIES)
def test_copies(layout: str, turned: bool, gained: bool, paired: bool) -> None:
    shape = (2, 40, 5) if turned else (2, 5, 40)
    G, T = (LAYOUTS[layout](stored(shape, dtype)) for dtype in ("float32", "bfloat16"))
    X = Matrix("X", *(G.shape[:0:-1] if turned else G.shape[1:]), "float16")
    norm = normed(G)
    arrays = {"G": G, "T": T, "gain": np.array([[[2.0]], [[-0.5]]]), "sums": np.full((2, 1, 1), np.nan)}
    gain, sums = outside("gain", arrays["gain"]), outside("sums", arrays["sums"])
    pairing = (norm[0].reads[0], NORMS, sums, Matrix("more", 1, 2, "float64")) if paired else ()
    op = CopyOut(outside("T", T), X, turned, 0.75, gain if gained else None, *pairing)
    cast = ScaleCast(X, norm[0].reads[0], NORMS, turned)
    compare([*norm, cast, op], arrays, op.out, *([sums] if paired else []), rtol=1e-12)


def test_diagonals_in_place() -> None:
    X = np.zeros((2, 9, 16), np.float16)
    X[:, :, :9] = stored((2, 9, 9), "float16")
    before = X.copy()
    Simulator().prepare(shifted(at(view(X[:, :, :9])), 0.5))(0)
    before[:, np.arange(9), np.arange(9)] += np.float16(0.5)
    np.testing.assert_array_equal(X, before)


def test_sums_are_the_same_bits_every_time_and_for_every_batch() -> None:
    G = stored((2, 3, 270), "float32")
    one, again = (outcome(normed(G), {"G": G}, Own(Simulator()), NORMS)[0] for _ in range(2))
    alone = outcome(normed(G[1:2]), {"G": G[1:2]}, Own(Simulator()), NORMS)[0]
    np.testing.assert_array_equal(one, again)
    np.testing.assert_array_equal(one[1:2], alone)


FAULTS = {
    "no scale": (copies.cast, "* lift * scale", "* lift"),
    "tile transposed": (copies.cast, "tile[i, tx])", "tile[tx, i])"),
    "rows forgotten": (copies.cast, "range(ty, 32, 8)", "range(ty, 32, 16)"),
    "half a tree": (scale.squares, "half = 128", "half = 64"),
    "padding": (copies.cast, "(b * rows + i0 + i) * ld", "(b * rows + i0 + i) * columns"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_show(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import inspect
    import textwrap

    made, old, new = FAULTS[fault]
    source = textwrap.dedent(inspect.getsource(made.__wrapped__))
    assert old in source
    module = copies if made is copies.cast else scale
    scope = dict(vars(module))
    exec(compile(source.replace("@cache\n", "").replace(old, new), module.__file__ or "", "exec"), scope)
    monkeypatch.setattr(module, made.__wrapped__.__name__, scope[made.__wrapped__.__name__])
    G = stored((1, 20, 35) if module is copies else (1, 1, 270), "float32")
    X, norm = Matrix("X", *G.shape[1:], "float16"), normed(G)
    with pytest.raises(AssertionError):
        compare([*norm, ScaleCast(X, norm[0].reads[0], NORMS, False)], {"G": G}, X, NORMS, rtol=1e-12)
