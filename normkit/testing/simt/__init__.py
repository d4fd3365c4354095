"""A SIMT emulator in NumPy: runs the unchanged Python source of a numba.cuda kernel on the CPU.

Every value of a thread is a NumPy vector over the threads of a *group* (a warp, a warpgroup or a block), and each PTX
instruction of `normkit.backends.cuda.instructions` is a lane-exact model: fragments of ldmatrix and mma.sync, copies,
the tensor-memory accelerator with its swizzle, phases of mbarriers, descriptors of wgmma. Neither a GPU nor a compiler
is needed; NumPy and what the kernel's module imports is enough.

Timing is unkind and reproducible. One group runs at a time, and gives way only where it waits, so a missing barrier
lets it run ahead of the others; `order` says who goes first. With ``late="copies"`` asynchronous copies land only when
somebody waits for them, with ``late="reads"`` they land at once but wgmma reads its operands only at the wait: what
lacks a wait finds NaN, what reuses a buffer too early finds other numbers. Shared memory starts as NaN, global accesses
are checked against the arrays given, and a deadlock is an error.

A kernel for the emulator keeps its branches uniform over a group, writes sections for one elected lane as ``if
lead(condition):``, takes the role of a warp from `first_lane`, and leaves a condition per lane to instructions that end
in ``_if``. What needs a fence before it (mbarriers and tensor maps for the accelerator, sums for wgmma, shared memory
that threads use for the asynchronous proxy) is refused without one; registers that change hands are counted. Not
modelled: races inside a group, clusters, speed. The models are a reading of the PTX ISA; only hardware can say whether
it is right.
"""

from normkit.testing.simt.faults import planted
from normkit.testing.simt.formats import to_bits, to_float
from normkit.testing.simt.launch import launch
from normkit.testing.simt.memory import TensorMap
from normkit.testing.simt.models import model
from normkit.testing.simt.scheduler import Deadlock

__all__ = ["Deadlock", "TensorMap", "launch", "model", "planted", "to_bits", "to_float"]
