"""The command line, through real processes: streams, files, exit codes, errors in one line, nothing half-written."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from normkit.cli import main
from normkit.cli import progress as progress_module

GRADIENT = np.random.default_rng(5).normal(size=(4, 6))
REFERENCE = ("--backend", "reference")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@pytest.fixture
def normkit(tmp_path: Path, cache: Path) -> Iterator[Any]:
    """Run `normkit ARGS` in an empty folder; gives (exit code, stdout, stderr)."""

    def run(*args: str, stdin: bytes = b"", text: bool = True) -> tuple[int, Any, str]:
        done = subprocess.run(
            [sys.executable, "-m", "normkit", *args],
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            env=environment(cache),
        )
        return done.returncode, done.stdout.decode() if text else done.stdout, done.stderr.decode()

    yield run


def environment(cache: Path) -> dict[str, str]:
    return {**os.environ, "NORMKIT_CACHE_DIR": str(cache), "PYTHONWARNINGS": "error"}


def polar_update(g: np.ndarray) -> np.ndarray:
    """The dualize map of rms->rms, from NumPy's own singular vectors."""
    left, _, right = np.linalg.svd(g.astype(np.float64), full_matrices=False)
    return np.sqrt(g.shape[0] / g.shape[1]) * (left @ right)


# --- dualize ------------------------------------------------------------------------------------------------------


def test_dualize_writes_the_update_and_prints_the_certificate(normkit: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "grad.npy", GRADIENT.astype(np.float32))
    code, out, err = normkit("dualize", "--norm", "rms->rms", "grad.npy", "-o", "update.npy", *REFERENCE)
    assert (code, err) == (0, "")
    assert "grad: float32 4x6" in out and "certificate holds" in out
    update = np.load(tmp_path / "update.npy")
    assert update.dtype == np.float32
    np.testing.assert_allclose(update, polar_update(GRADIENT), atol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["grad.npy", "update.npy"]


def test_the_default_back_end_dualizes(normkit: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "grad.npy", GRADIENT)
    code, out, err = normkit("dualize", "--norm", "linf", "grad.npy", "-o", "update.npy", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["arrays"]["grad"]["backend"] == "cpu"
    np.testing.assert_array_equal(np.load(tmp_path / "update.npy"), np.sign(GRADIENT))


def test_json_is_one_document(normkit: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "grads.npz", w=GRADIENT, b=2 * GRADIENT[:3])
    code, out, _ = normkit("dualize", "--norm", "rms->rms", "grads.npz", "--json", *REFERENCE)
    document = json.loads(out)
    assert code == 0 and set(document) == {"norm", "dual", "arrays"}
    assert (document["norm"], document["dual"]) == ("rms->rms", "dual(rms->rms)")
    assert list(document["arrays"]) == ["w", "b"]
    entry = document["arrays"]["b"]
    wanted = {"shape", "dtype", "dual_norm", "pairing", "norm_of_update", "gap", "kind", "backend"}
    assert wanted <= set(entry)
    nuclear = np.linalg.svd(2 * GRADIENT[:3], compute_uv=False).sum()
    assert (entry["shape"], entry["dtype"], entry["kind"], entry["backend"]) == (
        [3, 6],
        "float64",
        "exact",
        "reference",
    )
    assert entry["dual_norm"]["upper"] == pytest.approx(nuclear * np.sqrt(3 / 6), rel=1e-12)
    assert entry["norm_of_update"] == pytest.approx(1, rel=1e-12) and entry["gap"] < 1e-12


def test_batch_axes_give_lists(normkit: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "grads.npy", GRADIENT.reshape(2, 2, 6))
    code, out, _ = normkit("dualize", "--norm", "linf", "grads.npy", "--json", *REFERENCE)
    assert code == 0
    upper = json.loads(out)["arrays"]["grads"]["dual_norm"]["upper"]
    np.testing.assert_allclose(upper, np.abs(GRADIENT).sum(axis=1).reshape(2, 2), rtol=1e-14)


@pytest.mark.parametrize(
    ("options", "factor"), [(["lmo", "--radius", "0.5"], -0.5), (["sharp", "--sharpness", "4"], None), (["lmo"], -1.0)]
)
def test_conventions(normkit: Any, tmp_path: Path, options: list[str], factor: float | None) -> None:
    np.save(tmp_path / "g.npy", GRADIENT[0])
    code, out, _ = normkit(
        "dualize", "--norm", "linf", "g.npy", "-o", "u.npy", "--json", "--convention", *options, *REFERENCE
    )
    factor = -np.abs(GRADIENT[0]).sum() / 4 if factor is None else factor
    update, entry = np.load(tmp_path / "u.npy"), json.loads(out)["arrays"]["g"]
    assert code == 0 and entry["gap"] < 1e-12
    np.testing.assert_allclose(update, factor * np.sign(GRADIENT[0]), rtol=1e-14)
    assert entry["norm_of_update"] == pytest.approx(abs(factor)) and entry["pairing"] == pytest.approx(
        update @ GRADIENT[0]
    )


def test_exit_1_if_the_certificate_does_not_hold(normkit: Any, tmp_path: Path) -> None:
    """A step of length 1e-9 is zero in float16: the stored update does not descend at all."""
    np.save(tmp_path / "g.npy", GRADIENT.astype(np.float16))
    step = ("dualize", "--norm", "linf", "g.npy", "--convention", "lmo", "--json", *REFERENCE)
    code, out, err = normkit(*step, "--radius", "1e-9")
    assert code == 1 and json.loads(out)["arrays"]["g"]["holds"] is False
    assert err == "normkit: the certificate does not hold for: g\n"
    assert normkit(*step, "--radius", "0.125")[0] == 0


# --- streams and formats ------------------------------------------------------------------------------------------


def test_streams_keep_data_and_talk_apart(normkit: Any) -> None:
    stream = BytesIO()
    np.save(stream, GRADIENT)
    code, out, err = normkit(
        "dualize", "--norm", "rows(linf, l2)", "-", "-o", "-", *REFERENCE, stdin=stream.getvalue(), text=False
    )
    assert code == 0 and "certificate holds" in err
    rows = GRADIENT / np.linalg.norm(GRADIENT, axis=1, keepdims=True)
    np.testing.assert_allclose(np.load(BytesIO(out)), rows, rtol=1e-14)


def test_text_streams_keep_their_layout(normkit: Any) -> None:
    assert normkit("dualize", "--norm", "linf", "-", "-o", "-", *REFERENCE, stdin=b"3, -4,2\n")[1] == "1.0,-1.0,1.0\n"
    assert normkit("dualize", "--norm", "linf", "-", "-o", "-", *REFERENCE, stdin=b"# g\n3\n-4\n")[1] == "1.0\n-1.0\n"
    assert (
        normkit("dualize", "--norm", "sumabs", "-", "-o", "-", *REFERENCE, stdin=b"3 -4\n0 5\n")[1]
        == "0.0 0.0\n0.0 1.0\n"
    )


@pytest.mark.parametrize("suffix", ["npy", "csv", "txt"])
def test_text_and_npy_round_trips_are_exact(normkit: Any, tmp_path: Path, suffix: str) -> None:
    """A one-hot row norm keeps each number of a matrix that is its own update up to scale by 1."""
    g = GRADIENT / np.linalg.norm(GRADIENT)
    np.save(tmp_path / "g.npy", g)
    assert normkit("dualize", "--norm", "fro", "g.npy", "-o", f"a.{suffix}", *REFERENCE)[0] == 0
    assert normkit("dualize", "--norm", "fro", "g.npy", "-o", "b.npy", *REFERENCE)[0] == 0
    stored, exact = tmp_path / f"a.{suffix}", np.load(tmp_path / "b.npy")
    values = np.load(stored) if suffix == "npy" else np.loadtxt(stored, delimiter="," if suffix == "csv" else None)
    np.testing.assert_array_equal(values, exact)
    assert normkit("value", "fro", stored.name, *REFERENCE)[1] == normkit("value", "fro", "b.npy", *REFERENCE)[1]


def test_npz_keeps_names_order_and_dtypes(normkit: Any, tmp_path: Path) -> None:
    names = ["z", "file", "layer/weight", "a b"]
    arrays = dict(
        zip(names, [GRADIENT, GRADIENT.astype("f4"), GRADIENT.astype("f2"), np.asfortranarray(GRADIENT)], strict=True)
    )
    with zipfile.ZipFile(tmp_path / "g.npz", "w") as archive:
        for name, array in arrays.items():
            stream = BytesIO()
            np.save(stream, array)
            archive.writestr(f"{name}.npy", stream.getvalue())
    assert normkit("dualize", "--norm", "sumabs", "g.npz", "-o", "u.npz", *REFERENCE)[0] == 0
    with np.load(tmp_path / "u.npz") as stored:
        assert stored.files == names
        for name, array in arrays.items():
            assert stored[name].dtype == array.dtype
            place = np.unravel_index(np.argmax(np.abs(array)), array.shape)
            assert stored[name][place] == np.sign(array[place]) and np.count_nonzero(stored[name]) == 1


def test_safetensors_with_bfloat16_and_metadata(normkit: Any, tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors", reason="an extra")
    from ml_dtypes import bfloat16
    from safetensors.numpy import save_file

    tensors = {"w": GRADIENT.astype(np.float32), "half": GRADIENT.astype(bfloat16)}
    save_file(tensors, tmp_path / "g.safetensors", metadata={"format": "pt"})
    code, out, err = normkit("dualize", "--norm", "max", "g.safetensors", "-o", "u.safetensors", "--json", *REFERENCE)
    assert (code, err) == (0, "") and json.loads(out)["arrays"]["half"]["dtype"] == "bfloat16"
    with safetensors.safe_open(tmp_path / "u.safetensors", framework="np") as stored:
        assert stored.metadata() == {"format": "pt"} and set(stored.keys()) == {"w", "half"}
        np.testing.assert_array_equal(stored.get_tensor("w"), np.sign(tensors["w"]))
    data = (tmp_path / "u.safetensors").read_bytes()
    parts = dict(safetensors.deserialize(data))
    np.testing.assert_array_equal(
        np.frombuffer(parts["half"]["data"], bfloat16).reshape(4, 6), np.sign(tensors["half"])
    )


def test_missing_extra_names_the_command(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "g.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    code = "import sys; sys.modules['safetensors'] = None; from normkit.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "value", "linf", "g.safetensors"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment(cache))
    assert done.returncode == 2 and "pip install 'normkit[safetensors]'" in done.stderr and done.stderr.count("\n") == 1


# --- bad input ----------------------------------------------------------------------------------------------------


def npy(array: Any) -> bytes:
    stream = BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def npz(**arrays: Any) -> bytes:
    stream = BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def zipped(name: str, data: bytes) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, data)
    return stream.getvalue()


class Bomb:
    """Unpickling it leaves a trace."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("trace", "w"))


HUGE = npy(np.zeros(1)).replace(b"'shape': (1,), }", b"'shape': (9999999999999,), }", 1)[: 128 + 8]

BAD = {
    "unknown name": ("rsm->rsm", "g.npy", npy(GRADIENT), "unknown norm 'rsm' at column 1"),
    "p < 1": ("lp(1/2)", "g.npy", npy(GRADIENT), "p >= 1"),
    "weights that grow": ("owl([1, 2])", "g.npy", npy(GRADIENT[0]), "w_1 >= "),
    "weights of another length": ("owl([2, 1])", "g.npy", npy(GRADIENT[0]), "shape (6,)"),
    "shape": ("rms->rms", "g.npy", npy(GRADIENT[0]), "g.npy: rms->rms needs a matrix (m, n)"),
    "integers": ("linf", "g.npy", npy(np.arange(3)), "int64"),
    "complex": ("linf", "g.npy", npy(1j * GRADIENT), "complex128"),
    "nan": ("linf", "g.npy", npy(np.array([1.0, np.nan])), "nan at index [1]"),
    "infinity in text": ("linf", "g.csv", b"1, 2\n3, -inf\n", "-inf at index [1, 1]"),
    "empty": ("fro", "g.npy", npy(np.zeros((0, 3))), "(0, 3)"),
    "empty text": ("linf", "g.txt", b"\n", "no numbers"),
    "no closed form": ("linf->l1", "g.npy", npy(GRADIENT), "NP-hard"),
    "truncated npy": ("linf", "g.npy", npy(GRADIENT)[:200], "not a whole .npy file"),
    "truncated header": ("linf", "g.npy", npy(GRADIENT)[:20], "not a whole .npy file"),
    "shape beyond memory": ("linf", "g.npy", HUGE, "not a whole .npy file"),
    "truncated npz": ("linf", "g.npz", npz(a=GRADIENT)[:-30], "not a whole .npz file"),
    "corrupt npz": (
        "linf",
        "g.npz",
        npz(a=GRADIENT).replace(GRADIENT.tobytes()[:8], b"\1" * 8),
        "not a whole .npz file",
    ),
    "pickled objects": ("linf", "g.npy", npy(np.array([Bomb()], dtype=object)), "Object arrays cannot be loaded"),
    "pickle": ("linf", "g.pkl", pickle.dumps(Bomb()), "neither .npy"),
    "safetensors": ("linf", "g.safetensors", b"\xff" * 40, "not a whole .safetensors file"),
    "words": ("linf", "g.csv", b"1,2\nx,3\n", "line 2: 'x' is not a number"),
    "digits apart": ("linf", "g.csv", b"1,2\n1_000,3\n", "line 2: '1_000' is not a number"),
    "another member": ("linf", "g.npz", zipped("readme.txt", b"no array"), "holds 'readme.txt', which is no array"),
    "ragged": ("linf", "g.csv", b"1,2\n3\n", "line 2 has 1 numbers"),
    "one of several": ("spectral", "g.npz", npz(w=GRADIENT, bias=GRADIENT[0]), "array 'bias': spectral needs a matrix"),
    "array argument": ("quadratic(@p.npy)", "g.npy", npy(GRADIENT[0]), "cannot read p.npy"),
    "file": ("linf", "other.npy", b"", "other.npy is not"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_touches_nothing(normkit: Any, tmp_path: Path, case: str) -> None:
    spec, name, data, says = BAD[case]
    (tmp_path / name).write_bytes(data)
    (tmp_path / "u.npz").write_bytes(b"before")
    code, out, err = normkit("dualize", "--norm", spec, name, "-o", "u.npz", "--force", *REFERENCE)
    assert (code, out) == (2, ""), err
    assert err.startswith("normkit: error: ") and err.count("\n") == 1 and says in err
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "u.npz"])
    assert (tmp_path / "u.npz").read_bytes() == b"before"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--backend", "gpu"], "unknown back end 'gpu'"),
        (["-o", "nowhere/u.npy"], "does not exist"),
        (["-o", "."], "cannot tell the format"),
        (["-o", "folder.npy"], "it is a folder"),
        (["-o", "old.npy"], "--force"),
        (["-o", "u.pt"], ".safetensors"),
        (["-o", ""], "cannot tell the format of ''"),
        (["--radius", "1"], "--convention lmo"),
        (["--convention", "lmo", "--radius", "-1"], "positive"),
        (["--convention", "lmo", "--radius", "x"], "not a valid float"),
        (["--accuracy", "2"], "between 0 and 1"),
        (["--convention", "down"], "'down'"),
        (["--colour"], "--colour"),
    ],
)
def test_bad_options_are_one_line(normkit: Any, tmp_path: Path, args: list[str], says: str) -> None:
    np.save(tmp_path / "g.npy", GRADIENT)
    (tmp_path / "old.npy").write_bytes(b"before")
    (tmp_path / "folder.npy").mkdir()
    backend = () if "--backend" in args else REFERENCE
    code, out, err = normkit("dualize", "--norm", "linf", "g.npy", *args, *backend)
    assert (code, out) == (2, "") and err.startswith("normkit: error: ") and err.count("\n") == 1 and says in err
    assert (tmp_path / "old.npy").read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.npy", "g.npy", "old.npy"]


def test_outputs_that_cannot_hold_the_arrays_are_refused_first(normkit: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=GRADIENT, b=GRADIENT)
    np.save(tmp_path / "cube.npy", np.full((2, 2, 2), np.nan))
    for name, output, says in (("two.npz", "u.npy", "holds one array"), ("cube.npy", "u.csv", "vector or a matrix")):
        code, _, err = normkit("dualize", "--norm", "linf", name, "-o", output, *REFERENCE)
        assert code == 2 and says in err and not (tmp_path / output).exists()


def test_force_replaces_through_links_and_keeps_permissions(normkit: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "g.npy", GRADIENT)
    (tmp_path / "real.npy").write_bytes(b"before")
    (tmp_path / "real.npy").chmod(0o640)
    (tmp_path / "link.npy").symlink_to("real.npy")
    assert normkit("dualize", "--norm", "linf", "g.npy", "-o", "link.npy", "--force", *REFERENCE)[0] == 0
    assert (tmp_path / "link.npy").is_symlink()
    np.testing.assert_array_equal(np.load(tmp_path / "real.npy"), np.sign(GRADIENT))
    assert (tmp_path / "real.npy").stat().st_mode & 0o777 == 0o640


# --- processes that end early ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_run_leaves_no_half_file(tmp_path: Path, cache: Path, kill: signal.Signals) -> None:
    """Killed while it prints half a million numbers: the old file is whole."""
    np.save(tmp_path / "g.npy", np.random.default_rng(0).normal(size=500_000))
    (tmp_path / "u.csv").write_text("1.0\n")
    command = [
        sys.executable,
        "-m",
        "normkit",
        "dualize",
        "--norm",
        "l2",
        "g.npy",
        "-o",
        "u.csv",
        "--force",
        *REFERENCE,
    ]
    run = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment(cache),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what runs in the background ignores it
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".u.csv.*.part")):
        assert run.poll() is None and time.monotonic() < deadline, "the run never began to write"
    run.send_signal(kill)
    _, err = run.communicate(timeout=60)
    assert run.returncode == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[kill]
    assert (tmp_path / "u.csv").read_text() == "1.0\n"
    if kill != signal.SIGKILL:
        assert not list(tmp_path.glob(".u.csv.*")) and b"Traceback" not in err


def test_a_reader_that_leaves_is_no_error(tmp_path: Path, cache: Path) -> None:
    """A closed pipe, as after ``| head -0``: the shell's code for that, and no words."""
    np.save(tmp_path / "g.npy", GRADIENT)
    command = [sys.executable, "-m", "normkit", "value", "linf", "g.npy", *REFERENCE]
    options: Any = {"cwd": tmp_path, "env": environment(cache), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **options) as run:
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(
    "args", [("value", "linf", "g.npy"), ("dualize", "--norm", "linf", "g.npy", "-o", "-"), ("norms",), ("--help",)]
)
@pytest.mark.parametrize("buffered", [True, False])
def test_a_full_disk_behind_stdout_is_one_line(
    tmp_path: Path, cache: Path, args: tuple[str, ...], buffered: bool
) -> None:
    np.save(tmp_path / "g.npy", GRADIENT)
    variables = {**environment(cache), "PYTHONUNBUFFERED": "" if buffered else "1"}
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "normkit", *args]
        done = subprocess.run(command, cwd=tmp_path, env=variables, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2 and b"Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1] == b"normkit: error: cannot write the output: No space left on device"


@pytest.mark.parametrize(("closed", "code"), [(0, 2), (1, 0), (2, 0)])
def test_closed_streams_are_empty_streams(tmp_path: Path, cache: Path, closed: int, code: int) -> None:
    """As after ``>&-``: the file that is written does not take the number of the closed stream."""
    np.save(tmp_path / "g.npy", GRADIENT)
    source = "-" if closed == 0 else "g.npy"
    command = [sys.executable, "-m", "normkit", "dualize", "--norm", "linf", source, "-o", "u.npy", *REFERENCE]
    run = f'"$@" {closed}>&-'
    done = subprocess.run(["sh", "-c", run, "sh", *command], cwd=tmp_path, env=environment(cache), capture_output=True)
    assert done.returncode == code and b"Traceback" not in done.stderr
    if code == 0:
        np.testing.assert_array_equal(np.load(tmp_path / "u.npy"), np.sign(GRADIENT))
    else:
        assert done.stderr == b"normkit: error: the input holds no numbers\n"


# --- value, norms, derive ---------------------------------------------------------------------------------------------


def test_value_of_norm_and_dual(normkit: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", a=GRADIENT, b=-GRADIENT[:, :3])
    spectral, nuclear = (np.linalg.norm(GRADIENT, order) for order in (2, "nuc"))
    code, out, _ = normkit("value", "spectral", "w.npz", *REFERENCE)
    assert code == 0 and [line.split()[0] for line in out.splitlines()] == ["a", "b"]
    assert float(out.split()[1]) == pytest.approx(spectral, rel=1e-14)
    document = json.loads(normkit("value", "--dual", "spectral", "w.npz", "--json", *REFERENCE)[1])
    assert (document["norm"], document["dual"], document["measured"]) == ("spectral", "nuclear", "dual")
    assert document["arrays"]["a"]["value"] == pytest.approx(nuclear, rel=1e-14)


def test_bounds_of_a_hard_norm(normkit: Any) -> None:
    matrix = b"1 2\n-3 4\n"
    code, out, err = normkit("value", "linf->l1", "-", *REFERENCE, stdin=matrix)
    assert code == 2 and "--bounds" in err
    code, out, _ = normkit("value", "--bounds", "linf->l1", "-", *REFERENCE, stdin=matrix)
    lower, upper = map(float, out.split())
    # enumeration: |x + 2y| + |-3x + 4y| over signs
    assert code == 0 and lower <= 8 <= upper


def test_norms_lists_the_registry(normkit: Any) -> None:
    import normkit as nk

    code, out, _ = normkit("norms", "--json")
    rows = {row["name"]: row for row in json.loads(out)["norms"]}
    assert code == 0 and list(rows) == list(nk.norms())
    assert (rows["linf"]["dual"], rows["linf"]["cost"], rows["linf"]["parameters"]) == ("l1", "closed", [])
    assert rows["lp"]["parameters"] == [{"name": "p", "kind": "number"}]
    assert all(row["doc"] for row in rows.values())
    assert "\nlinf\n" in normkit("norms")[1]


@pytest.mark.parametrize(
    ("form", "shows"), [("text", "Hölder"), ("latex", "\\"), ("html", "<math"), ("python", "def ")]
)
def test_derive_prints_each_format(normkit: Any, form: str, shows: str) -> None:
    code, out, err = normkit("derive", "linf", "--format", form)
    assert (code, err) == (0, "") and shows in out


def test_formulas_print_in_any_locale(tmp_path: Path, cache: Path) -> None:
    command = [sys.executable, "-m", "normkit", "derive", "linf"]
    locale = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(command, capture_output=True, cwd=tmp_path, env={**environment(cache), **locale})
    assert (done.returncode, done.stderr) == (0, b"") and "∑" in done.stdout.decode()


def test_derive_json_and_plot(normkit: Any, tmp_path: Path) -> None:
    code, out, err = normkit("derive", "linf", "--json", "--plot", "ball.png")
    assert code == 0 and json.loads(out) and "ball.png" in err
    assert (tmp_path / "ball.png").read_bytes().startswith(b"\x89PNG")
    code, out, err = normkit("derive", "linf", "--plot", "ball.png")
    assert (code, out) == (2, "") and "--force" in err
    assert normkit("derive", "quadratic(@g.npy)")[0] == 2
    assert normkit("derive", "linf", "--plot", "")[0] == 2


def test_array_arguments_come_from_files(normkit: Any, tmp_path: Path) -> None:
    for scale in (1.0, 4.0):
        np.save(tmp_path / "p.npy", scale * np.eye(2))
        assert normkit("value", "quadratic(@p.npy)", "-", *REFERENCE, stdin=b"3 4")[1] == f"{5 * scale**0.5!r}\n"


# --- what is imported, what is shown ------------------------------------------------------------------------------


def imported(cache: Path, folder: Path, *args: str) -> set[str]:
    """Return the modules that a command has loaded at its end."""
    code = (
        "import sys\nfrom normkit.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit as end: assert not end.code\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *args]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment(cache), check=True)
    return {name.partition(".")[0] for name in done.stderr.split()}


def test_the_warm_path_imports_no_sympy(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", GRADIENT)
    args = ("dualize", "--norm", "rms->rms", "x.npy", *REFERENCE)
    assert "sympy" in imported(tmp_path / "cache", tmp_path, *args)
    assert not {"sympy", "matplotlib"} & imported(tmp_path / "cache", tmp_path, *args)


def test_help_imports_click_alone(tmp_path: Path) -> None:
    assert not {"numpy", "scipy", "sympy", "numba", "matplotlib"} & imported(tmp_path, tmp_path, "--help")


def test_every_command_has_help_with_an_example(normkit: Any) -> None:
    for name in main.commands:
        code, out, _ = normkit(name, "--help")
        assert code == 0 and f"\n    normkit {name}" in out and "\\b" not in out


def test_progress_shows_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    for stream, shown in ((Terminal(), True), (StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(progress_module, "WAIT", 0.01)
        monkeypatch.setattr(progress_module, "TICK", 0.01)
        with progress_module.Progress(4) as progress:
            progress.start("weight")
            progress.advance(2)
            while shown and "weight" not in stream.getvalue():
                time.sleep(0.01)
        assert ("50 %" in stream.getvalue()) == shown
        assert not shown or stream.getvalue().endswith("\r\033[K")
