"""What the commands load: norms and programs from specs, and arrays that are named in errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from normkit.errors import FileError, NormkitError

if TYPE_CHECKING:
    from normkit.codegen.plan import Program
    from normkit.formats import Contents
    from normkit.norm import Norm


def norm_of(text: str) -> Norm:
    """Return the norm of a spec; ``@file`` arguments are read from the working folder."""
    from normkit.spec import norm

    return norm(text, load=_array)


def program_of(text: str) -> Program:
    """Return the program of a spec; from the disk cache, without SymPy, unless it reads files.

    A spec that names files is not cached under its text, because the files may change.
    """
    from normkit.programs import program

    return program(norm_of(text) if "@" in text else text)


def _array(path: str) -> Any:
    from normkit.files import read

    arrays = read(path).arrays
    if len(arrays) > 1:
        raise FileError(f"{path} holds {len(arrays)} arrays, an argument needs one: {', '.join(arrays)[:80]}")
    return next(iter(arrays.values()))


def check_shapes(program: Program, contents: Contents, file: str) -> None:
    """Raise if an array of a file does not fit a norm, before anything is computed."""
    from normkit.arrays import as_array, batch

    for name, array in contents.arrays.items():
        with naming(name, contents, file):
            batch(as_array(array), program.shape, program.spec)


@contextmanager
def naming(name: str, contents: Contents, file: str) -> Iterator[None]:
    """Put the file, and the array if there are several, in front of an error."""
    where = f"{file}, array {name!r}" if len(contents.arrays) > 1 else file
    try:
        yield
    except NormkitError as error:
        raise NormkitError(f"{where}: {error}") from error
