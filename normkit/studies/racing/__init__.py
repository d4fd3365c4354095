"""Pieces of the study race.

objective.py   what is minimized: a protocol, files of the user's own, what can be wrong with them
builtin.py     objectives that are there: digits, logistic regression, factorization
contest.py     one run: a norm, a learning rate, a seed
judging.py     means, intervals, tables
"""

from __future__ import annotations
