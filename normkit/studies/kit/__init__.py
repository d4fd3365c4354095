"""What every study is made of: claims with verdicts, tables, figures, cells that resume; no mathematics.

claims.py    a statement, what was measured, what was expected, and the verdict
outcome.py   tables, figures and claims of a run
study.py     a study, its options, and what a run is given
cells.py     independent pieces of Monte Carlo work: in parallel, seeded apart, resumed
threads.py   one thread
report.py    a run as text and as JSON
page.py      a run as a page of the documentation
files.py     JSON and pictures in a folder
ink.py       lines that are told apart in grey
"""

from __future__ import annotations
