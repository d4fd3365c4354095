"""Norms meet the pytrees of JAX: what `normkit.optax` is made of. Needs JAX and optax.

leaves.py      a pytree as named arrays, and back
layouts.py     norms of matrices (out, in) for leaves (in, out), and the norm of a whole pytree
numbers.py     learning rates, momentum and decay that may be traced
descent.py     one step: momentum and decay in JAX, around the maps
host.py        the maps on the CPU, between two pieces of a JAX program
printed.py     the maps in JAX, as codegen prints them; which of the two
stateless.py   the dualize map and the projection alone
ruled.py       rules on a pytree, by optax.multi_transform
optimizers.py  the optimizers of optax that rules name
"""
