"""``python -m sfc``: the command line without its script."""

from sfc.cli import main

main()
