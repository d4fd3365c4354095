"""The shipped gradients are what their README says: shapes, dtype, a right backward pass, reproducible."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

DATA = Path(__file__).parents[1] / "examples" / "data"
SHAPES = {
    "embedding": (8, 17),
    "conv": (16, 8, 3, 3),
    "conv_bias": (16,),
    "hidden": (128, 576),
    "hidden_bias": (128,),
    "narrow": (64, 128),
    "narrow_bias": (64,),
    "head": (10, 64),
    "head_bias": (10,),
}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    pytest.importorskip("sklearn")
    spec = importlib.util.spec_from_file_location("make_gradients", DATA / "make_gradients.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_arrays_have_the_documented_shapes():
    with np.load(DATA / "gradients.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    assert {name: array.shape for name, array in arrays.items()} == SHAPES
    for array in arrays.values():
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
        assert np.linalg.norm(array) > 1e-3


def test_single_files_repeat_the_archive():
    with np.load(DATA / "gradients.npz") as archive:
        for name in ("embedding", "conv", "hidden"):
            np.testing.assert_array_equal(np.load(DATA / f"{name}.npy"), archive[name])


def test_all_files_stay_small():
    assert sum(path.stat().st_size for path in DATA.iterdir() if path.is_file()) < 2_000_000


def test_head_gradient_has_rank_nine():
    with np.load(DATA / "gradients.npz") as archive:
        singular = np.linalg.svd(archive["head"].astype(np.float64), compute_uv=False)
    assert singular[9] < 1e-6 * singular[0] < singular[8]


def test_script_reproduces_the_files_and_passes_its_own_check(script):
    script.main(["--check", "--verify"])


def test_finite_differences_catch_a_wrong_gradient(script):
    parameters, tokens, labels, _ = script.train()
    tokens, labels = tokens[:32], labels[:32]
    _, gradient = script.loss_and_gradient(parameters, tokens, labels)
    wrong = {name: 1.001 * value for name, value in gradient.items()}
    right_errors = script.finite_difference_errors(parameters, gradient, tokens, labels)
    wrong_errors = script.finite_difference_errors(parameters, wrong, tokens, labels)
    assert max(right_errors.values()) < 1e-7
    assert min(wrong_errors.values()) > 1e-6


def test_verify_notices_a_changed_file(script, tmp_path):
    with np.load(DATA / "gradients.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    for name in script.SINGLES:
        np.save(tmp_path / f"{name}.npy", arrays[name])
    arrays["narrow"] = arrays["narrow"] * np.float32(1.001)
    np.savez(tmp_path / "gradients.npz", **arrays)
    with pytest.raises(AssertionError, match="differ"):
        script.main(["--verify", "--folder", str(tmp_path)])
