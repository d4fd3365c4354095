"""From SymPy to machines: scalar bodies become Python source, functionals become SymPy-free plans, cached on disk."""
