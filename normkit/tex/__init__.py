"""The subset of LaTeX that formulas and theorems are written in, read once and shown as MathML or as plain text."""
