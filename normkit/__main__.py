"""``python -m normkit`` is the command ``normkit``."""

from normkit.cli import main

main()
