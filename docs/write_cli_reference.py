"""Writes the command part of docs/reference/cli.md from the commands' own help: ``make docs``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from sfc.cli.app import app

PAGE = Path(__file__).parent / "reference" / "cli.md"
HEADING = "## Commands\n"
COLUMNS = 110


def commands() -> Iterator[tuple[str, Any]]:
    """Path and command, in the order of the help."""
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        verbs = getattr(command, "commands", {})
        if not verbs or command.invoke_without_command:
            yield name, command
        yield from ((f"{name} {verb}", found) for verb, found in verbs.items())


def section(path: str, command: Any) -> str:
    """What it does, and its help without the option that every command has."""
    context = command.make_context(f"sfc {path}", [], resilient_parsing=True, terminal_width=COLUMNS, max_content_width=COLUMNS)
    usage, _, rest = command.get_help(context).partition("\n")
    rest = re.sub(r"^ +(-h, )?--help.*\n?", "", rest, flags=re.MULTILINE).strip()
    about, _, options = rest.partition("\n\n")
    told = " ".join(line.strip() for line in about.splitlines())
    listed = options.strip().removesuffix("Options:").strip()
    block = usage.removeprefix("Usage: ") + (f"\n\n{listed}" if listed else "")
    return f"### `sfc {path}`\n\n{told}\n\n```\n{block}\n```\n"


if __name__ == "__main__":
    before = PAGE.read_text().split(HEADING)[0]
    PAGE.write_text(before + HEADING + "\n" + "\n".join(section(path, command) for path, command in commands()))
