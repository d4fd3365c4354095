"""Norms meet the pytrees of JAX: what `normkit.optax` is made of. Needs JAX.

leaves.py      a pytree as named arrays, and back
layouts.py     norms of matrices (out, in) for leaves (in, out), and the norm of a whole pytree
numbers.py     learning rates, momentum and decay that may be traced
host.py        the maps on the CPU, between two pieces of a JAX program
"""
