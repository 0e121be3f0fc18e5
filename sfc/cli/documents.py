"""``sfc deploy`` and ``sfc validate``: documents from files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sfc.cli import context, exits
from sfc.cli.context import Json

Paths = Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files (YAML or JSON) or folders of them.")]


def is_task(document: dict[str, Any]) -> bool:
    """A document without states is a task's."""
    return "States" not in document and "StartAt" not in document


def deploy(paths: Paths, as_json: Json = False) -> None:
    """Save blueprints and tasks: a changed one becomes a new version. Tasks go first, since blueprints name them."""
    from sfc.cli import output
    from sfc.registry.documents import load_documents

    documents = [document for path in paths for document in load_documents(path)]
    documents.sort(key=lambda pair: not is_task(pair[1]))
    with context.client() as gateway:
        saved = gateway.deploy(documents)
    for row in saved:
        for warning in row.get("warnings") or ():
            output.warn(f"{row.get('source') or row.get('name')}#{_warned(warning)}")
    columns = [
        output.Column("kind", lambda row: str(row.get("kind", ""))),
        output.Column("name", lambda row: str(row.get("name", "")), whole=True),
        output.Column("version", lambda row: str(row.get("version", "")), "right"),
        output.Column("", lambda row: "new version" if row.get("created") else "unchanged"),
    ]
    output.print_rows(saved, columns, as_json=as_json, none="nothing to deploy")


def _warned(warning: dict[str, Any]) -> str:
    from sfc.errors import Problem

    problem = Problem("", str(warning.get("pointer") or ""), str(warning.get("message")), str(warning.get("hint") or ""))
    return f"{problem.pointer or '/'}: {problem.said()}"


def validate(paths: Paths, as_json: Json = False) -> None:
    """Check documents without any server: all problems at once, each with its JSON pointer and what to write instead."""
    from sfc.cli import output
    from sfc.cli.checking import problems_of
    from sfc.registry.documents import load_documents

    documents = [document for path in paths for document in load_documents(path)]
    found = problems_of(documents)
    errors = sum(problem.severity == "error" for _, problem in found)
    if as_json:
        output.print_json({"documents": len(documents), "problems": [{"file": file, **problem._asdict()} for file, problem in found]})
    else:
        for file, problem in found:
            output.say(f"{problem.severity}: {file}#{problem.pointer or '/'}: {problem.said()}")
        warnings = len(found) - errors
        counts = [(len(documents), "document"), (errors, "problem"), *([(warnings, "warning")] if warnings else [])]
        output.say(", ".join(f"{count} {word}{'s' * (count != 1)}" for count, word in counts))
    if errors:
        raise typer.Exit(exits.BAD_INPUT)
