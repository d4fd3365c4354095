"""Checkpoints read and written array by array; the oracle is the safetensors package, NumPy and torch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import normkit as nk
from normkit.checkpoint import Checkpoint, Entry, digest, open_checkpoint, places, writing

DRAW = np.random.default_rng(3)
ARRAYS = {
    "half": DRAW.standard_normal((3, 5)).astype(np.float16),
    "brain": DRAW.standard_normal(7).astype(ml_dtypes.bfloat16),
    "single": DRAW.standard_normal((2, 3, 4)).astype(np.float32),
    "double": DRAW.standard_normal((4, 2)),
    "steps": np.array(12345678901, np.int64),
    "mask": np.array([True, False, True]),
    "bytes": np.arange(5, dtype=np.uint8),
    "none": np.zeros((0, 3), np.float32),
}
META = {"format": "pt", "note": "é"}


@pytest.fixture
def weights(tmp_path: Path) -> str:
    path = tmp_path / "w.safetensors"
    save_file(ARRAYS, path, META)
    return str(path)


def same(found: Any, wanted: np.ndarray) -> None:
    assert isinstance(found, np.ndarray)
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    assert found.tobytes() == wanted.tobytes()


def sharded(folder: Path) -> str:
    """Two files with an index beside them, as large models are stored."""
    names = list(ARRAYS)
    where = {name: f"model-0000{1 + place % 2}-of-00002.safetensors" for place, name in enumerate(names)}
    for file in set(where.values()):
        save_file({name: ARRAYS[name] for name in names if where[name] == file}, folder / file, META)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 123}, "weight_map": where}))
    return str(index)


# --- reading --------------------------------------------------------------------------------------------------------


def test_safetensors_are_read_as_their_package_wrote_them(weights: str) -> None:
    found = open_checkpoint(weights)
    assert set(found) == set(ARRAYS) and len(found) == len(ARRAYS)
    assert (found.metadata, found.format) == (META, "safetensors")
    assert found.shapes == {name: ARRAYS[name].shape for name in found}
    assert {name: entry.dtype for name, entry in found.entries.items()} == {n: a.dtype.name for n, a in ARRAYS.items()}
    for name, array in ARRAYS.items():
        same(found[name], array)
    with pytest.raises(KeyError):
        found["other"]


def test_an_array_is_read_when_it_is_asked_for_and_not_kept(tmp_path: Path) -> None:
    save_file({name: np.ones(1 << 20, np.float32) for name in "abcd"}, tmp_path / "w.safetensors")
    tracemalloc.start()
    found = open_checkpoint(tmp_path / "w.safetensors")
    for name in found:
        assert found[name].sum() == 1 << 20
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * (4 << 20)


def test_sharded_checkpoints_are_one(tmp_path: Path) -> None:
    found = open_checkpoint(sharded(tmp_path))
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        same(found[name], array)
    assert len(found.files) == 3 and found.index_metadata == {"total_size": 123}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed], ids=["stored", "compressed"])
def test_npz_and_npy_are_read_lazily(tmp_path: Path, save: Callable[..., None]) -> None:
    arrays = {name: array for name, array in ARRAYS.items() if name != "brain"}
    arrays["columns"] = np.asfortranarray(arrays["double"])
    save(tmp_path / "w.npz", **arrays)
    found = open_checkpoint(tmp_path / "w.npz")
    assert found.shapes == {name: array.shape for name, array in arrays.items()}
    for name, array in arrays.items():
        same(found[name], array)
    np.save(tmp_path / "one.npy", arrays["double"].astype(">f8"))
    one = open_checkpoint(tmp_path / "one.npy")
    assert list(one) == ["one"] and one.entries["one"].dtype == "float64"
    same(one["one"], arrays["double"])


def test_torch_files_are_read_with_weights_only(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch writes these files")
    table = torch.arange(9.0).reshape(3, 3)
    state = {"wte": table, "head": table, "part": {"b": torch.ones(3, dtype=torch.bfloat16), "t": table.T}}
    torch.save(state, tmp_path / "w.pt")
    found = open_checkpoint(tmp_path / "w.pt")
    assert found.shapes == {"wte": (3, 3), "head": (3, 3), "part/b": (3,), "part/t": (3, 3)}
    assert found.aliases == {"head": "wte"}, "two names of one array; the transpose lies otherwise"
    same(found["wte"], np.arange(9, dtype=np.float32).reshape(3, 3))
    np.testing.assert_array_equal(found["part/t"], np.arange(9).reshape(3, 3).T)
    assert found["part/b"].dtype.name == "bfloat16"


class Runs:
    """What a pickle may do when it is opened."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("/tmp/normkit-was-here",)


def test_torch_files_that_are_no_state_dicts_are_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch writes these files")
    for held, said in (
        ({"model": {"w": torch.ones(2)}, "epoch": 3}, "'epoch', a int, which is no tensor"),
        ([torch.ones(2)], "must be a mapping"),
        ({"w": Runs()}, "weights_only"),
    ):
        torch.save(held, tmp_path / "w.pt")
        with pytest.raises(nk.FileError, match=said) as caught:
            open_checkpoint(tmp_path / "w.pt")
        assert "state_dict()" in str(caught.value)
    assert not Path("/tmp/normkit-was-here").exists()
    (tmp_path / "w.pt").write_bytes(b"nothing of torch")
    with pytest.raises(nk.FileError, match="does not load"):
        open_checkpoint(tmp_path / "w.pt")


# --- what is broken -------------------------------------------------------------------------------------------------


def tensors(table: Any, size: int) -> bytes:
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    return len(text).to_bytes(8, "little") + text + bytes(size)


def one(**changes: Any) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}


ENTRY = json.dumps(one()).encode()
BROKEN = {
    "empty": (b"", "0"),
    "shorter than its header": (tensors({"a": one()}, 0)[:20], "its header is said to have"),
    "huge header": ((1 << 60).to_bytes(8, "little") + b"{}", "its header is said to have"),
    "no json": (tensors(b"{nothing", 8), "no JSON"),
    "deep json": (tensors(b"[" * 100_000, 8), "nested too deeply"),
    "no table": (tensors([1], 8), "no table"),
    "twice": (tensors(b'{"a": ' + ENTRY + b', "a": ' + ENTRY + b"}", 8), "names 'a' twice"),
    "overlap": (tensors({"a": one(), "b": one(data_offsets=[4, 12])}, 12), "'b' begins at .* overlaps"),
    "hole": (tensors({"a": one(), "b": one(data_offsets=[12, 20])}, 20), "'b' begins at .* hole"),
    "truncated": (tensors({"a": one()}, 7), "end at byte .* the file at"),
    "too long": (tensors({"a": one()}, 9), "end at byte .* the file at"),
    "wrong length": (tensors({"a": one(shape=[3])}, 8), r"'a', F32 \(3,\), has 8 bytes, expected 12"),
    "backwards": (tensors({"a": one(data_offsets=[8, 0])}, 8), "not described"),
    "negative": (tensors({"a": one(shape=[-2])}, 8), "not described"),
    "true for 1": (tensors({"a": one(shape=[True, 2])}, 8), "not described"),
    "no dtype": (tensors({"a": {"shape": [2], "data_offsets": [0, 8]}}, 8), "unknown dtype None"),
    "strange dtype": (tensors({"a": one(dtype="F31")}, 8), "unknown dtype 'F31'"),
    "metadata": (tensors({"__metadata__": {"a": 1}, "a": one()}, 8), "no table of texts"),
    "no arrays": (tensors({}, 0), "holds no arrays"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_corrupted_safetensors_are_refused(what: str, tmp_path: Path) -> None:
    data, said = BROKEN[what]
    path = tmp_path / "w.safetensors"
    path.write_bytes(data)
    with pytest.raises(nk.FileError, match=said) as caught:
        open_checkpoint(path)
    assert str(path) in str(caught.value)


def test_a_file_that_shrinks_is_noticed(weights: str) -> None:
    found = open_checkpoint(weights)
    os.truncate(weights, os.path.getsize(weights) - 1)
    with pytest.raises(nk.FileError, match="ends inside"):
        [found[name] for name in found]
    os.unlink(weights)
    with pytest.raises(nk.FileError, match="cannot read 'half'"):
        found["half"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda index: index["weight_map"].pop("half"), "holds 'half', which .* does not name"),
        (lambda index: index["weight_map"].update(more=index["weight_map"]["half"]), "lacks 'more', which"),
        (lambda index: index["weight_map"].update(half="../secret.safetensors"), "beside the index"),
        (lambda index: index["weight_map"].update(half="gone.safetensors"), "cannot read"),
        (lambda index: index.pop("weight_map"), "no index of a checkpoint"),
    ],
    ids=["unnamed", "missing", "elsewhere", "no file", "no map"],
)
def test_an_index_that_does_not_fit_its_files_is_refused(change: Any, said: str, tmp_path: Path) -> None:
    path = Path(sharded(tmp_path))
    index = json.loads(path.read_text())
    change(index)
    path.write_text(json.dumps(index))
    with pytest.raises(nk.FileError, match=said):
        open_checkpoint(path)


def test_an_index_that_names_an_array_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors.index.json"
    path.write_text('{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}')
    with pytest.raises(nk.FileError, match="names 'a' twice"):
        open_checkpoint(path)


def test_archives_that_are_not_whole_or_hold_other_things_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for name in ("a.npy", "a.npy"):
            with archive.open(name, "w") as member:
                np.lib.format.write_array(member, np.ones(2))  # type: ignore[arg-type]
    with pytest.raises(nk.FileError, match="names 'a' twice"):
        open_checkpoint(path)
    np.savez(path, a=np.array([{}], dtype=object))
    with pytest.raises(nk.FileError, match="nothing is unpickled"):
        open_checkpoint(path)
    np.savez(path, a=np.ones(100))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(nk.FileError, match="not a whole file"):
        open_checkpoint(path)
    np.save(tmp_path / "w.npy", np.ones(100))
    os.truncate(tmp_path / "w.npy", 200)
    with pytest.raises(nk.FileError, match="not a whole file"):
        open_checkpoint(tmp_path / "w.npy")


def test_other_names_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(nk.FileError, match=r"\.safetensors, .*\.pth"):
        open_checkpoint(tmp_path / "w.bin")
    for name in ("w.safetensors", "w.safetensors.index.json", "w.npz", "w.npy", "w.pt"):
        with pytest.raises(nk.FileError, match="cannot read"):
            open_checkpoint(tmp_path / name)


# --- writing --------------------------------------------------------------------------------------------------------


def put_all(path: str, source: Any, key: str = "", force: bool = False) -> None:
    with writing(path, source, key, force=force) as writer:
        for name in reversed(list(source)):
            writer.write(name, source[name])


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_what_the_package_reads(weights: str, tmp_path: Path) -> None:
    put_all(str(tmp_path / "out.safetensors"), open_checkpoint(weights))
    found = load_file(tmp_path / "out.safetensors")
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        same(found[name], array)
    assert open_checkpoint(tmp_path / "out.safetensors").metadata == META
    assert listing(tmp_path) == ["out.safetensors", "w.safetensors"]
    start = int.from_bytes((tmp_path / "out.safetensors").read_bytes()[:8], "little")
    assert start % 8 == 0, "arrays are aligned"


def test_dtypes_that_numpy_has_not_pass_as_their_bytes(tmp_path: Path) -> None:
    table = {"q": one(dtype="F8_E4M3", shape=[2, 3], data_offsets=[0, 6]), "p": one(dtype="F4", data_offsets=[6, 7])}
    (tmp_path / "w.safetensors").write_bytes(tensors(table, 0) + b"abcdefg")
    source = open_checkpoint(tmp_path / "w.safetensors")
    assert source["q"].tobytes() == b"abcdef" and source.entries["q"].dtype == "F8_E4M3"
    put_all(str(tmp_path / "out.safetensors"), source)
    found = open_checkpoint(tmp_path / "out.safetensors")
    assert found.shapes == source.shapes and found["q"].tobytes() == b"abcdef" and found["p"].tobytes() == b"g"
    with pytest.raises(nk.FileError, match="cannot hold F8_E4M3"):
        put_all(str(tmp_path / "out.npz"), source)


def test_shards_keep_their_names_and_index(tmp_path: Path) -> None:
    source = open_checkpoint(sharded(tmp_path))
    (tmp_path / "new").mkdir()
    path = tmp_path / "new" / "model.safetensors.index.json"
    put_all(str(path), source)
    assert listing(tmp_path / "new") == [name for name in listing(tmp_path) if name != "new"]
    assert json.loads(path.read_text()) == json.loads((tmp_path / path.name).read_text())
    for name, array in ARRAYS.items():
        same(load_file(path.parent / source.shards[name])[name], array)  # type: ignore[index]
    with pytest.raises(nk.FileError, match="a file of the input"):
        put_all(str(tmp_path / "model.safetensors.index.json"), source, force=True)
    put_all(str(tmp_path / "one.safetensors"), source)
    assert set(load_file(tmp_path / "one.safetensors")) == set(ARRAYS)


def test_npz_and_npy_are_written(weights: str, tmp_path: Path) -> None:
    arrays = {name: array for name, array in ARRAYS.items() if name != "brain"}
    np.savez(tmp_path / "w.npz", **arrays)
    put_all(str(tmp_path / "out.npz"), open_checkpoint(tmp_path / "w.npz"))
    with np.load(tmp_path / "out.npz") as found:
        for name, array in arrays.items():
            same(found[name], array)
    np.save(tmp_path / "one.npy", arrays["half"])
    put_all(str(tmp_path / "two.npy"), open_checkpoint(tmp_path / "one.npy"))
    same(np.load(tmp_path / "two.npy"), arrays["half"])
    with pytest.raises(nk.FileError, match=r"cannot hold bfloat16 \(brain\)"):
        put_all(str(tmp_path / "brain.npz"), open_checkpoint(weights))
    assert "brain.npz" not in listing(tmp_path)


def test_places_that_cannot_be_written_are_found_first(weights: str, tmp_path: Path) -> None:
    source = open_checkpoint(weights)
    before = listing(tmp_path)
    for path, said in (
        (weights, "exists"),
        (str(tmp_path / "out.pt"), "torch formats are read, not written"),
        (str(tmp_path / "no" / "out.safetensors"), "does not exist"),
        (str(tmp_path / "out.npy"), "holds one array"),
        (str(tmp_path / "out.safetensors.index.json"), "write one .safetensors file"),
    ):
        with pytest.raises(nk.FileError, match=said):
            put_all(path, source)
    assert listing(tmp_path) == before


def test_wrong_arrays_and_missing_ones_leave_nothing(weights: str, tmp_path: Path) -> None:
    source, before = open_checkpoint(weights), listing(tmp_path)
    for name, array, error in (
        ("single", ARRAYS["single"].astype(np.float64), nk.DTypeError),
        ("single", ARRAYS["single"][:1], nk.ShapeError),
        ("single", ARRAYS["single"].reshape(3, 2, 4), nk.ShapeError),
    ):
        with pytest.raises(error, match="announced"), writing(str(tmp_path / "o.safetensors"), source) as writer:
            writer.write("half", ARRAYS["half"])
            writer.write(name, array)
        assert listing(tmp_path) == before
    for path in ("o.safetensors", "o.npz"):
        with (
            pytest.raises(nk.FileError, match=r"7 arrays have not been written|cannot hold"),
            writing(str(tmp_path / path), source) as writer,
        ):
            writer.write("half", ARRAYS["half"])
    assert listing(tmp_path) == before
    assert writer.done == {"half": None}


# --- going on after an interruption ---------------------------------------------------------------------------------


def interrupted(path: str, source: Any, key: str, names: list[str]) -> None:
    with pytest.raises(KeyboardInterrupt), writing(path, source, key) as writer:
        for place, name in enumerate(names):
            writer.write(name, source[name], {"place": place})
        raise KeyboardInterrupt


def test_a_second_run_goes_on(weights: str, tmp_path: Path) -> None:
    source, path = open_checkpoint(weights), str(tmp_path / "o.safetensors")
    interrupted(path, source, "k", ["half", "brain"])
    assert not Path(path).exists()
    with writing(path, source, "k") as writer:
        assert writer.done == {"half": {"place": 0}, "brain": {"place": 1}}
        for name in source:
            if name not in writer.done:
                writer.write(name, source[name])
    for name, array in ARRAYS.items():
        same(load_file(path)[name], array)
    assert listing(tmp_path) == ["o.safetensors", "w.safetensors"]


def test_arrays_of_another_run_are_forgotten(weights: str, tmp_path: Path) -> None:
    source, path = open_checkpoint(weights), str(tmp_path / "o.safetensors")
    interrupted(path, source, "k", ["half", "brain"])
    with pytest.raises(KeyboardInterrupt), writing(path, source, "other") as writer:
        assert writer.done == {}
        raise KeyboardInterrupt
    interrupted(path, source, "k", ["half"])
    save_file({**ARRAYS, "half": ARRAYS["half"].reshape(5, 3)}, weights, META)
    with pytest.raises(KeyboardInterrupt), writing(path, open_checkpoint(weights), "k") as writer:
        assert writer.done == {}, "the same key and size, another shape"
        raise KeyboardInterrupt
    save_file({"half": ARRAYS["half"]}, weights)
    put_all(path, open_checkpoint(weights), "k")
    assert set(load_file(path)) == {"half"}


def test_bytes_that_did_not_reach_the_disk_are_written_again(weights: str, tmp_path: Path) -> None:
    source, path = open_checkpoint(weights), str(tmp_path / "o.safetensors")
    interrupted(path, source, "k", ["half", "brain"])
    part, journal = tmp_path / ".o.safetensors.part", tmp_path / ".o.safetensors.part.journal"
    data = bytearray(part.read_bytes())
    at = data.index(ARRAYS["brain"].tobytes())
    data[at : at + 4] = bytes(4)
    part.write_bytes(data)
    with journal.open("ab") as stream:
        stream.write(b'{"name": "single", "crc"')  # a line that the crash cut off
    with pytest.raises(KeyboardInterrupt), writing(path, source, "k") as writer:
        assert set(writer.done) == {"half"}
        writer.write("mask", source["mask"])
        raise KeyboardInterrupt
    with writing(path, source, "k") as writer:
        assert set(writer.done) == {"half", "mask"}
        for name in source.keys() - writer.done.keys():
            writer.write(name, source[name])
    same(load_file(path)["brain"], ARRAYS["brain"])


def test_a_killed_process_leaves_a_run_to_go_on_with(weights: str, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\nfrom normkit.checkpoint import open_checkpoint, writing\n"
        "source = open_checkpoint(sys.argv[1])\n"
        "with writing(sys.argv[2], source, 'k') as writer:\n"
        "    writer.write('double', source['double'])\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = str(tmp_path / "o.safetensors")
    killed = subprocess.run([sys.executable, "-c", code, weights, path], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    source = open_checkpoint(weights)
    with writing(path, source, "k") as writer:
        assert set(writer.done) == {"double"}
        with pytest.raises(nk.FileError, match="another process"), writing(path, source, "k"):
            pass
        for name in source.keys() - writer.done.keys():
            writer.write(name, source[name])
    same(load_file(path)["double"], ARRAYS["double"])


def test_the_digest_tells_runs_apart(weights: str, tmp_path: Path) -> None:
    source = open_checkpoint(weights)
    first = digest([source], {"radius": 0.1})
    assert digest([open_checkpoint(weights)], {"radius": 0.1}) == first
    assert digest([source], {"radius": 0.2}) != first
    os.utime(weights, ns=(1, 1))
    assert digest([source], {"radius": 0.1}) != first


def test_an_output_replaces_its_input_at_the_end(weights: str) -> None:
    source = open_checkpoint(weights)
    os.chmod(weights, 0o640)
    with writing(weights, source, force=True) as writer:
        for name in source:
            writer.write(name, np.zeros_like(source[name]))
            same(source["double"], ARRAYS["double"])
    assert not any(array.any() for array in load_file(weights).values())
    assert os.stat(weights).st_mode & 0o777 == 0o640


# --- several files ----------------------------------------------------------------------------------------------------


def vector(path: Path, name: str) -> Checkpoint:
    return Checkpoint(
        str(path), "safetensors", {name: Entry.of(name, (3,), np.dtype(np.float64))}, lambda entry: ARRAYS[entry.name]
    )


@pytest.mark.parametrize("ending", [".safetensors", ".npz"])
def test_files_beside_it_are_there_with_it_or_not_at_all(ending: str, tmp_path: Path) -> None:
    source, kept, numbers = vector(tmp_path / "w", "w"), tmp_path / "s.safetensors", np.arange(3.0)
    kept.write_bytes(b"before")
    way = [Entry.of("way", (2,), np.dtype(np.float32))]

    def put(*names: str) -> None:
        given = {"beside": {str(kept): vector(kept, "s")}, "passing": way}
        with writing(str(tmp_path / f"o{ending}"), source, **given) as writer:
            for name in names:
                writer.write(name, np.ones(2, np.float32) if name == "way" else numbers)
            if "way" in names:
                same(writer.read("way"), np.ones(2, np.float32))

    with pytest.raises(nk.FileError, match="1 arrays have not been written"):
        put("way", "w")
    assert listing(tmp_path) == ["s.safetensors"] and kept.read_bytes() == b"before"
    put("w", "way", "s")
    assert listing(tmp_path) == [f"o{ending}", "s.safetensors"]
    same(open_checkpoint(tmp_path / f"o{ending}")["w"], numbers)
    assert set(load_file(kept)) == {"s"}


def test_arrays_of_one_name_in_two_files_are_refused(tmp_path: Path) -> None:
    source, kept = vector(tmp_path / "w", "w"), str(tmp_path / "s.safetensors")
    with (
        pytest.raises(nk.FileError, match="an array of the same name"),
        writing(str(tmp_path / "o.safetensors"), source, beside={kept: source}),
    ):
        pass
    assert listing(tmp_path) == []


def test_files_whose_way_is_blocked_wait(tmp_path: Path) -> None:
    """A folder came in the way of the second file: the record stays, and the next run finishes it."""
    first, second = tmp_path / "a", tmp_path / "b"
    for path in (first, second):
        path.with_suffix(".part").write_text(path.name)
    (second / "x").mkdir(parents=True)
    moves = [(path.with_suffix(".part"), path) for path in (first, second)]
    with pytest.raises(nk.FileError, match="clear the way and run the command again"):
        places.take_places(second, moves, (), {"said": 1})
    (second / "x").rmdir()
    second.rmdir()
    assert places.finish(second) == {"said": 1} and places.finish(second) is None
    assert listing(tmp_path) == ["a", "b"] and (first.read_text(), second.read_text()) == ("a", "b")
