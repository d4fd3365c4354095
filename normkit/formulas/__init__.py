"""Formulas of norms and of their maps as SymPy objects that evaluate: what a derivation shows is what it computes."""
