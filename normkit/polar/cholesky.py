"""Symmetric products, Cholesky factors and solves of one matrix, in tiles that threads share.

OpenBLAS gains nothing from a second core in ``potrf`` and little in ``trsm`` and ``syrk``. Here every thread calls the
routines on tiles of its own, with one BLAS thread each (`normkit.backends.cpu.blas_threads`): on two cores that is 1.7
times as fast for ``potrf`` and 1.2 to 1.3 times for the others.

The memory of a C-ordered matrix X (m, n) is LAPACK's column-major X' (n, m) of leading dimension n, so nothing is
copied or transposed: the lower triangle of a C-ordered matrix is LAPACK's upper one. Symmetric matrices keep their
lower triangle; what lies above it is scratch.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from numpy.typing import NDArray

from normkit.backends.cpu.blas_threads import controls, single_threaded_blas

Matrix = NDArray[Any]
Task = Callable[[], object]

PANEL = 192
"""Columns of a Cholesky panel, and of the blocks of a triangular solve."""
ONE_PANEL = 256
"""Side up to which the plain routines are as fast."""
SLAB = 512
"""Most of the long side that a thread takes at a time."""
_pools: dict[int, ThreadPoolExecutor] = {}
os.register_at_fork(after_in_child=_pools.clear)  # a child has none of the threads of its parent
_count = 1


@contextlib.contextmanager
def tiled_threads() -> Iterator[None]:
    """Let the functions here use as many threads as SciPy's BLAS is set to, and BLAS one under each of them."""
    global _count
    found, before = controls(), _count
    threads = max(before, found[0]() if found else 1)
    with single_threaded_blas():
        _count = threads
        try:
            yield
        finally:
            _count = before


def parallel(tasks: Sequence[Task]) -> None:
    """Run independent tasks, the largest first, on the threads of `tiled_threads`; this thread takes its share."""
    helpers = min(_count, len(tasks)) - 1
    if helpers < 1:
        for task in tasks:
            task()
        return
    left = deque(tasks)

    def work() -> None:
        with contextlib.suppress(IndexError):
            while True:
                left.popleft()()

    if _count not in _pools:
        _pools[_count] = ThreadPoolExecutor(_count - 1)
    started = [_pools[_count].submit(work) for _ in range(helpers)]
    work()
    wait(started)
    for job in started:
        job.result()


@functools.cache
def _routine(name: str) -> Callable[..., None]:
    """Return a BLAS or LAPACK routine of SciPy that releases the interpreter's lock while it runs."""
    from scipy.linalg import cython_blas, cython_lapack

    tables = (vars(module)["__pyx_capi__"] for module in (cython_blas, cython_lapack))
    table = next(table for table in tables if name in table)
    label, pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    label.restype, label.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address = pointer(table[name], label(table[name]))
    return ctypes.CFUNCTYPE(None)(address)


class At:
    """The place of entry (i, j) in a C-ordered array of stride `lead`: what LAPACK is told of a block."""

    def __init__(self, A: Matrix, i: int = 0, j: int = 0) -> None:
        self.lead = A.strides[0] // A.itemsize if A.shape[0] > 1 else max(A.shape[1], 1)
        self.size = A.itemsize
        self.address = A.ctypes.data + (i * self.lead + j) * self.size

    def __call__(self, i: int, j: int) -> At:
        """Return the place i rows and j columns further on."""
        other = object.__new__(At)
        other.lead, other.size = self.lead, self.size
        other.address = self.address + (i * self.lead + j) * self.size
        return other


def _call(name: str, size: int, *arguments: str | int | float | At) -> int:
    """Call a routine with Fortran's arguments; an `At` gives an address and its leading dimension. Returns info."""
    real = ctypes.c_float if size == 4 else ctypes.c_double
    passed: list[Any] = []
    for value in arguments:
        if isinstance(value, At):
            passed += [ctypes.c_void_p(value.address), ctypes.byref(ctypes.c_int(value.lead))]
        elif isinstance(value, str):
            passed.append(ctypes.c_char_p(value.encode()))
        else:
            passed.append(ctypes.byref(ctypes.c_int(value) if isinstance(value, int) else real(value)))
    info = ctypes.c_int(0)
    if name in ("potrf", "trtri", "lauum"):
        passed.append(ctypes.byref(info))
    _routine(("s" if size == 4 else "d") + name)(*passed)
    return info.value


def _cuts(length: int, pieces: int, multiple: int = 16) -> list[tuple[int, int]]:
    """Return about `pieces` ranges of like length, ends at multiples of a register tile."""
    step = max(-(-length // (max(pieces, 1) * multiple)) * multiple, 1)
    return [(start, min(start + step, length)) for start in range(0, length, step)]


def _rank_k(alpha: float, A: At, tall: bool, size: int, depth: int, beta: float, C: At) -> None:
    """C <- beta C + alpha A A' on the lower triangle, A (size, depth); A' A of a tall A (depth, size)."""
    pieces = 1 if _count == 1 or size < 64 else _count if size < 384 else 2 * _count
    grid, (first, second) = _cuts(size, pieces), "NT" if tall else "TN"

    def tile(i: tuple[int, int], j: tuple[int, int]) -> Task:
        rows, columns, target = i[1] - i[0], j[1] - j[0], C(i[0], j[0])
        here, there = (A(0, i[0]), A(0, j[0])) if tall else (A(i[0], 0), A(j[0], 0))
        if i == j:
            return lambda: _call("syrk", A.size, "U", first, rows, depth, alpha, here, beta, target)
        return lambda: _call("gemm", A.size, first, second, columns, rows, depth, alpha, there, here, beta, target)

    pairs = [(i, j) for i in grid for j in grid if j <= i]
    parallel([tile(i, j) for i, j in sorted(pairs, key=lambda pair: pair[0] == pair[1])])


def gram(X: Matrix, R: Matrix) -> None:
    """R <- X X' on the lower triangle, or X' X of a tall X: the short side's, at half the work of a product."""
    m, n = X.shape
    _rank_k(1.0, At(X), m > n, min(m, n), max(m, n), 0.0, At(R))


def _block_lengths(m: int) -> list[tuple[int, int]]:
    step = m if m <= ONE_PANEL else PANEL
    return [(start, min(start + step, m)) for start in range(0, m, step)]


def factor(M: Matrix) -> bool:
    """M = L L' with L in place of M's lower triangle; False where M is not positive definite."""
    m, A = len(M), At(M)
    for start, stop in _block_lengths(m):
        width = stop - start
        if _call("potrf", A.size, "U", width, A(start, start)):
            return False
        if stop < m:

            def below(i: int, j: int, start: int = start, width: int = width) -> Task:
                corner, panel = A(start, start), A(i, start)
                return lambda: _call("trsm", A.size, "L", "U", "T", "N", width, j - i, 1.0, corner, panel)

            parallel([below(stop + i, stop + j) for i, j in _cuts(m - stop, _count)])
            _rank_k(-1.0, A(stop, start), False, m - stop, width, 1.0, A(stop, stop))
    return True


def _forward(L: At, m: int, X: At, tall: bool, width: int) -> None:
    """X <- L^-1 X for `width` columns; X L'^-1 for `width` rows of a tall X."""
    for i, stop in _block_lengths(m):
        b, block = stop - i, X(0, i) if tall else X(i, 0)
        if tall:
            if i:
                _call("gemm", X.size, "T", "N", b, width, i, -1.0, L(i, 0), X, 1.0, block)
            _call("trsm", X.size, "L", "U", "T", "N", b, width, 1.0, L(i, i), block)
        else:
            if i:
                _call("gemm", X.size, "N", "N", width, b, i, -1.0, X, L(i, 0), 1.0, block)
            _call("trsm", X.size, "R", "U", "N", "N", width, b, 1.0, L(i, i), block)


def _backward(L: At, m: int, X: At, tall: bool, width: int) -> None:
    """X <- L'^-1 X for `width` columns; X L^-1 for `width` rows of a tall X."""
    for i, stop in reversed(_block_lengths(m)):
        b, rest, below = stop - i, m - stop, L(stop, i)
        block, done = (X(0, i), X(0, stop)) if tall else (X(i, 0), X(stop, 0))
        if tall:
            if rest:
                _call("gemm", X.size, "N", "N", b, width, rest, -1.0, below, done, 1.0, block)
            _call("trsm", X.size, "L", "U", "N", "N", b, width, 1.0, L(i, i), block)
        else:
            if rest:
                _call("gemm", X.size, "N", "T", width, b, rest, -1.0, done, below, 1.0, block)
            _call("trsm", X.size, "R", "U", "T", "N", width, b, 1.0, L(i, i), block)


def _slabs(length: int, run: Callable[[int, int], object]) -> None:
    """Give every thread ranges of the long side, whose part of X stays in cache."""
    parallel([functools.partial(run, *cut) for cut in _cuts(length, _count * -(-length // (_count * SLAB)))])


def _sides(S: Matrix, X: Matrix) -> tuple[bool, int]:
    """Tell whether S (m, m) stands to the right of X (n, m) rather than to the left of X (m, n), and return n."""
    right = X.shape[0] != len(S)
    return right, X.shape[0] if right else X.shape[1]


def _apply(L: Matrix, X: Matrix, run: Callable[[At, bool, int], object]) -> None:
    place, (right, length) = At(X), _sides(L, X)
    _slabs(length, lambda i, j: run(place(i, 0) if right else place(0, i), right, j - i))


def solve(L: Matrix, X: Matrix) -> None:
    """X <- (L L')^-1 X, L from `factor`; X (L L')^-1 of a tall X."""
    place, m = At(L), len(L)

    def both(slab: At, tall: bool, width: int) -> None:
        _forward(place, m, slab, tall, width)
        _backward(place, m, slab, tall, width)

    _apply(L, X, both)


def solve_lower(L: Matrix, X: Matrix) -> None:
    """X <- L^-1 X, L from `factor`; X L'^-1 of a tall X."""
    place, m = At(L), len(L)
    _apply(L, X, lambda slab, tall, width: _forward(place, m, slab, tall, width))


def solve_upper(L: Matrix, X: Matrix) -> None:
    """X <- L'^-1 X, L from `factor`; X L^-1 of a tall X."""
    place, m = At(L), len(L)
    _apply(L, X, lambda slab, tall, width: _backward(place, m, slab, tall, width))


def add_symmetric(alpha: float, S: Matrix, X: Matrix, out: Matrix) -> None:
    """out <- out + alpha S X, S symmetric by its lower triangle; out + alpha X S of a tall X. `out` must not be X."""
    m, symmetric, source, target, (tall, length) = len(S), At(S), At(X), At(out), _sides(S, X)

    def run(i: int, j: int) -> None:
        if tall:
            _call("symm", source.size, "L", "U", m, j - i, alpha, symmetric, source(i, 0), 1.0, target(i, 0))
        else:
            _call("symm", source.size, "R", "U", j - i, m, alpha, symmetric, source(0, i), 1.0, target(0, i))

    _slabs(length, run)


def multiply(Q: Matrix, X: Matrix, out: Matrix) -> None:
    """out <- Q X, Q square; X Q' of a tall X. `out` must not be X."""
    m, square, source, target, (tall, length) = len(Q), At(Q), At(X), At(out), _sides(Q, X)

    def run(i: int, j: int) -> None:
        if tall:
            _call("gemm", source.size, "T", "N", m, j - i, m, 1.0, square, source(i, 0), 0.0, target(i, 0))
        else:
            _call("gemm", source.size, "N", "N", j - i, m, m, 1.0, source(0, i), square, 0.0, target(0, i))

    _slabs(length, run)


def rowwise(X: Matrix, run: Callable[[slice], object]) -> None:
    """Run a NumPy statement on the rows of X, every thread on some."""
    parallel([functools.partial(run, slice(*cut)) for cut in _cuts(len(X), 2 * _count if X.size > 16384 else 1)])
