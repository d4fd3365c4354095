"""What else the factors of a matrix give: signs, roots, functions of singular values, leading pairs, whitening.

Functions take finite batches with entries near 1 (the callers scale by powers of two) and change none of them.
"""
