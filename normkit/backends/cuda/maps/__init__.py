"""Every stage of a plan on the device: hand-written kernels with the same generated scalars as the CPU's loops."""
