"""Kernels in numba.cuda. Each module describes what it makes as a `DeviceKernel`, and builds the function on demand.

Kernels take addresses and scalars, never arrays, so the same machine code serves numba, cuda.core and any other
launcher, and bfloat16 needs no type of its own. Matrices are row-major. A batch is a stack: entry b starts ``b * rows``
rows after the first one, and every row starts `ld` elements (its leading dimension) after the row before.

Padding
-------
Any number of rows and columns from 1 on is taken. The kernels of 16-bit types move 16 bytes at a time, so they require
addresses that are multiples of 16 and leading dimensions that are multiples of 8 (`DeviceKernel.align`). What lies
between the end of a row and its leading dimension is *padding*: it is never read as part of an operand, whatever it
holds, and a kernel may write anything to the padding of its result. Rows beyond the last are neither read nor written.
"""
