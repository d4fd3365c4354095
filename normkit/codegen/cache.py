"""Programs and generated source on disk: keyed by content and versions, written atomically, ignored if unreadable.

The folder is ``$NORMKIT_CACHE_DIR``, or ``normkit`` under ``$XDG_CACHE_HOME`` or ``~/.cache``. Nothing here is needed
for a result: a folder that cannot be written only costs time.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path

from normkit.codegen.plan import Program

DIGEST = 32
"""Bytes in front of a program: the SHA-256 of the rest."""


@cache
def folder() -> Path:
    """Return the cache folder of this version; it may not exist."""
    base = os.environ.get("NORMKIT_CACHE_DIR")
    root = Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "normkit"
    return root / stamp()


@cache
def installed(name: str) -> str:
    """Return the version of a package; to look one up takes a millisecond."""
    return version(name)


@cache
def stamp() -> str:
    """Return a digest of normkit's own source and the versions that shape generated code."""
    digest = hashlib.sha256()
    for name in ("normkit", "numpy", "numba", "sympy", "scipy"):
        digest.update(f"{name} {installed(name)} ".encode())
    digest.update(sys.version.encode())
    package = str(Path(__file__).parent.parent)
    for place, _, names in sorted(os.walk(package)):  # three times as fast as Path.rglob, and every process pays
        for name in sorted(names):
            if name.endswith(".py"):
                facts = os.stat(os.path.join(place, name))
                digest.update(f"{place[len(package) :]} {name} {facts.st_mtime_ns} {facts.st_size} ".encode())
    return digest.hexdigest()[:16]


def write(path: Path, data: bytes) -> bool:
    """Write a file atomically (a reader sees all of it or nothing); return whether that was possible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    except OSError:
        return False
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        return False
    return True


def _program_path(text: str) -> Path:
    return folder() / "programs" / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.pickle"


def load_program(text: str) -> Program | None:
    """Return the program stored under a spec text; None if there is none, or if its file is not whole."""
    try:
        data = _program_path(text).read_bytes()
    except OSError:
        return None
    digest, pickled = data[:DIGEST], data[DIGEST:]
    # A damaged pickle can raise anything, or take all memory: only bytes that were written here are unpickled.
    if hashlib.sha256(pickled).digest() != digest:
        return None
    stored, program = pickle.loads(pickled)
    return program if stored == text and isinstance(program, Program) else None


def store_program(text: str, program: Program) -> None:
    """Store a program under a spec text, behind a digest of its bytes."""
    pickled = pickle.dumps((text, program), protocol=pickle.HIGHEST_PROTOCOL)
    write(_program_path(text), hashlib.sha256(pickled).digest() + pickled)
