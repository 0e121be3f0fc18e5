"""The command line: ``sfc``. Everything heavy is imported by the command that needs it."""

from __future__ import annotations


def main() -> None:
    """The entry point of the script ``sfc``."""
    from sfc.cli.app import app
    from sfc.cli.pipes import be_lenient

    be_lenient()
    app(prog_name="sfc")
