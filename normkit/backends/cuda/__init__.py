"""The CUDA machine: kernels that numba.cuda compiles. Importing this package imports no numba.cuda."""
