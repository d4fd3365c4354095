"""Run by test_device.py in a process with numba's simulator: norms on arrays in (simulated) device memory."""

from __future__ import annotations

import json
import sys
from tempfile import TemporaryDirectory

import ml_dtypes
import numpy as np
from click.testing import CliRunner
from numba import cuda

import normkit as nk
from normkit.cli import main
from normkit.errors import BackendError, DTypeError, NonFiniteError, NormkitError, ParameterError, ShapeError

RNG = np.random.default_rng(7)
G = RNG.standard_normal((2, 3, 4))


def close(made, expected, tolerance=1e-12):
    np.testing.assert_allclose(np.asarray(made.copy_to_host(), float), np.asarray(expected, float), atol=tolerance)


def refused(error: type[NormkitError], said: str, call) -> None:
    try:
        call()
    except error as caught:
        assert said in str(caught), caught
    else:
        raise AssertionError(f"no {error.__name__}: {said}")


def updates() -> None:
    """Maps, values and steps are those of the CPU, in arrays of the caller's own kind."""
    for spec in ("rows(linf, l2)", "max"):
        d = cuda.to_device(G)
        t = nk.dualize(spec, d)
        assert type(t) is type(d) and t.dtype == d.dtype and t.shape == d.shape
        close(t, nk.dualize(spec, G))
        np.testing.assert_allclose(nk.value(spec, d), nk.value(spec, G), rtol=1e-14)
        np.testing.assert_allclose(nk.dual_value(spec, d, backend="cuda"), nk.dual_value(spec, G), rtol=1e-14)
        close(nk.lmo(spec, d, radius=0.5), nk.lmo(spec, G, radius=0.5))
        close(nk.steepest_descent(spec, d, sharpness=3.0), nk.steepest_descent(spec, G, sharpness=3.0))
        k = nk.compile(spec)
        made, dual_norm = k.with_value(d)
        close(made, nk.dualize(spec, G))
        np.testing.assert_allclose(dual_norm, nk.dual_value(spec, G), rtol=1e-14)
        np.testing.assert_array_equal(d.copy_to_host(), G, err_msg="the gradient was written to")


def orthogonal() -> None:
    """Polar factors by plans of products, which NumPy carries out here: of low rank, to an accuracy, by fixed steps."""
    for spec in ("rms->rms", "spectral"):
        d = cuda.to_device(G)
        close(nk.dualize(spec, d), nk.dualize(spec, G))
        np.testing.assert_allclose(nk.dual_value(spec, d), nk.dual_value(spec, G), rtol=1e-12)
        close(nk.steepest_descent(spec, d, sharpness=3.0), nk.steepest_descent(spec, G, sharpness=3.0))
    wide = RNG.standard_normal((6, 17)).astype(np.float32)
    rough = nk.dualize("spectral", cuda.to_device(wide), accuracy=3e-2).copy_to_host()
    u, _, v = np.linalg.svd(wide, full_matrices=False)
    assert np.linalg.norm(rough - u @ v) <= 3e-2 * np.sqrt(6) and rough.dtype == np.float32
    assert np.linalg.norm(rough - u @ v) > 1e-4, "the accuracy was not passed on: more was computed than was asked for"
    close(nk.dualize("spectral", cuda.to_device(wide.T)), (u @ v).T, 2e-5)
    low = G[0] * 0
    low[0, 1] = -2.0
    close(nk.dualize("spectral", cuda.to_device(low)), low / 2)
    close(nk.dualize("nuclear", cuda.to_device(G)), nk.dualize("nuclear", G))
    close(nk.polar(cuda.to_device(wide)), u @ v, 2e-5)
    five = nk.polar(cuda.to_device(wide), schedule="muon5", precision="float32")
    assert five.dtype == np.float32
    u, s, v = np.linalg.svd(wide.astype(float), full_matrices=False)
    s /= np.linalg.norm(s)
    for _ in range(5):
        s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
    close(five, (u * s) @ v, 1e-5)
    spread = nk.polar(cuda.to_device(np.full((2, 3), np.inf)), steps=5, nan_policy="propagate").copy_to_host()
    assert np.isnan(spread).all()
    refused(NonFiniteError, "the matrix holds inf", lambda: nk.polar(cuda.to_device(np.full((2, 3), np.inf)), steps=5))
    refused(ParameterError, "method='svd' is for matrices in CPU memory", lambda: nk.polar(d, method="svd"))
    refused(ParameterError, "leave accuracy=", lambda: nk.polar(d, steps=5, accuracy=0.1))
    refused(BackendError, "take polar(G), and certify", lambda: nk.polar_report(d))
    for spec in ("rms->rms", "2*spectral"):
        t = nk.dualize(spec, d)
        proof = nk.certify(spec, d, t)
        assert proof.kind == "certified" and proof.holds(1e-9)
        assert (proof.lower <= nk.dual_value(spec, G) * (1 + 1e-13)).all()
        assert (proof.upper >= nk.dual_value(spec, G) * (1 - 1e-13)).all()
        assert (proof.norm >= nk.value(spec, t.copy_to_host()) * (1 - 1e-13)).all()
        assert not nk.certify(spec, d, cuda.to_device(G)).holds(1e-2)


def layouts() -> None:
    """Transposed and sliced arrays, one item, half precision."""
    turned = cuda.to_device(np.asfortranarray(G[0]))
    close(nk.dualize("rows(linf, l2)", turned), nk.dualize("rows(linf, l2)", G[0]))
    assert isinstance(nk.value("max", turned), np.float64)
    half = G.astype(ml_dtypes.bfloat16)
    made = nk.dualize("max", cuda.to_device(half))
    assert made.dtype == half.dtype
    np.testing.assert_array_equal(made.copy_to_host(), nk.dualize("max", half))


def written_to() -> None:
    """out= is the result, may be the gradient, and stays as it is if the gradient is not finite."""
    d = cuda.to_device(G)
    out = cuda.to_device(np.zeros_like(G))
    assert nk.dualize("max", d, out=out) is out
    close(out, nk.dualize("max", G))
    assert nk.lmo("max", d, radius=2.0, out=d) is d
    close(d, -2.0 * np.sign(G))
    many = RNG.standard_normal((2, 2, 3, 4))
    loose = cuda.to_device(np.asfortranarray(np.zeros_like(many)))
    assert nk.dualize("max", cuda.to_device(many), out=loose, nan_policy="propagate") is loose
    close(loose, np.sign(many))
    close(nk.dualize("max", cuda.to_device(np.asfortranarray(many))), np.sign(many))
    bad = G.copy()
    bad[1, 2, 3] = np.nan
    kept = cuda.to_device(G)
    refused(NonFiniteError, "nan at index [1, 2, 3]", lambda: nk.dualize("max", cuda.to_device(bad), out=kept))
    close(kept, G, 0.0)
    spread = nk.dualize("max", cuda.to_device(bad), nan_policy="propagate").copy_to_host()
    assert np.isnan(spread[1]).all() and (spread[0] == np.sign(G[0])).all()


def mistakes() -> None:
    """What does not fit is said in one line."""
    d = cuda.to_device(G)
    refused(BackendError, "which the back end 'cpu' does not read", lambda: nk.dualize("max", d, backend="cpu"))
    refused(ShapeError, "needs a matrix", lambda: nk.dualize("max", cuda.to_device(G[0, 0])))
    refused(ShapeError, "got shape (3, 4)", lambda: nk.dualize("max", d, out=cuda.to_device(G[0])))
    single = cuda.to_device(G.astype(np.float32))
    refused(DTypeError, "got dtype float32", lambda: nk.dualize("max", d, out=single))
    refused(DTypeError, "got a ndarray", lambda: nk.dualize("max", d, out=np.empty_like(G)))
    refused(DTypeError, "has dtype int64", lambda: nk.dualize("max", cuda.to_device(np.arange(6).reshape(2, 3))))


def certificates() -> None:
    """Proofs of arrays where they are: as on the CPU, also of a wrong candidate, and in half precision."""
    d = cuda.to_device(G)
    for spec in ("rows(linf, l2)", "max"):
        t = nk.dualize(spec, d)
        made, expected = nk.certify(spec, d, t), nk.certify(spec, G, t.copy_to_host())
        assert made.holds(1e-12) and made.kind == "exact"
        for name in ("pairing", "norm", "lower", "upper"):
            np.testing.assert_allclose(getattr(made, name), getattr(expected, name), rtol=1e-13, err_msg=name)
        assert not nk.certify(spec, d, cuda.to_device(G)).holds(1e-3)
    long = RNG.standard_normal((3, 1, 1)) * np.ones((3, 2, 700))
    proof = nk.certify("max", cuda.to_device(long), cuda.to_device(long))
    np.testing.assert_allclose(proof.pairing, np.sum(long * long, axis=(1, 2)), rtol=1e-13)
    turned = cuda.to_device(np.asfortranarray(G[0]))
    np.testing.assert_allclose(nk.certify("max", cuda.to_device(G[0]), turned).pairing, np.sum(G[0] * G[0]), rtol=1e-13)
    refused(BackendError, "and the candidate is not", lambda: nk.certify("max", d, G))
    refused(ShapeError, "differ in shape", lambda: nk.certify("max", d, cuda.to_device(G[0])))


def memory() -> None:
    """Too little memory is an error that says how much is needed; what was kept is given back before it is raised."""
    from normkit.backends.cuda import room
    from normkit.backends.cuda.maps import run as runs

    sound, refusals = room.cuda.device_array, []

    def scarce(size, dtype=np.float64, **options):
        if refusals and refusals.pop():
            raise RuntimeError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")
        return sound(size, dtype, **options)

    room.cuda.device_array = scarce
    d = cuda.to_device(G)
    kept = cuda.to_device(np.zeros_like(G))
    arena = runs.Arena()
    arena.take(5, "float64")
    arena.release()
    refusals[:] = [False, True]
    assert arena.take(7, "float64").shape == (7,) and not arena.free, "what was kept was not given back"
    refusals[:] = [True] * 9
    refused(BackendError, "56 bytes of device memory more are needed", lambda: runs.Arena().take(7, "float64"))
    refusals[:] = [True] * 9
    refused(BackendError, "split the batch", lambda: nk.dualize("rows(linf, l2)", d, out=kept))
    close(kept, 0 * G, 0.0)


def hosted() -> None:
    """NumPy arrays go there and back where the back end is asked for; otherwise they stay."""
    np.testing.assert_allclose(nk.dualize("rows(linf, l2)", G, backend="cuda"), nk.dualize("rows(linf, l2)", G))
    assert nk.dualize("max", G, backend="cuda").dtype == np.float64


def command() -> None:
    """The command line sends arrays there and certifies what comes back."""
    with TemporaryDirectory() as folder:
        np.save(f"{folder}/g.npy", G)
        asked = ["dualize", "--norm", "rows(linf, l2)", f"{folder}/g.npy", "-o", f"{folder}/t.npy", "--backend", "cuda"]
        run = CliRunner().invoke(main, [*asked, "--json"], standalone_mode=False)
        assert run.return_value == 0, run.output
        assert json.loads(run.output)["arrays"]["g"]["backend"] == "cuda"
        np.testing.assert_allclose(np.load(f"{folder}/t.npy"), nk.dualize("rows(linf, l2)", G))


if __name__ == "__main__":
    globals()[sys.argv[1]]()
