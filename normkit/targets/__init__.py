"""Plans as standalone Python of NumPy, Numba, PyTorch or JAX: one printer of the stages, a vocabulary for each target.

A printed function works on *rows*: an array (items, entries) with one item per row, and numbers of items as
(items, 1). What it does to rows is said in words (`_sum`, `_order`, `_svd`, ...), which are functions of the printed
file; `normkit.targets.words` has them for every target. So the printer knows no target, and a target no mathematics.
"""
