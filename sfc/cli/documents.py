"""``sfc deploy`` and ``sfc validate``: documents from files."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TextIO

import typer

from sfc.cli import context, exits, naming
from sfc.cli.context import Json

if TYPE_CHECKING:
    from sfc.cli.checking import Found
    from sfc.registry.places import Read

Paths = Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files (YAML or JSON) or folders of them.")]


def is_task(document: dict[str, Any]) -> bool:
    """A document without states, in whatever spelling, is a task's."""
    return {name.lower() for name in document}.isdisjoint(("states", "startat", "startstate", "sfc"))


def deploy(paths: Paths, as_json: Json = False) -> None:
    """Save blueprints and tasks: a changed one becomes a new version. Tasks go first, since blueprints name them."""
    from sfc.cli import output
    from sfc.cli.checking import Found, of_a_deploy, read_all
    from sfc.errors import InvalidDocument

    read = read_all(paths)
    if broken := [Found(r.source, problem, place, r.places.line(place.line)) for r in read for problem, place in r.problems]:
        refuse(broken, "deployed")
    read.sort(key=lambda one: not is_task(one.document))
    try:
        with context.client() as gateway:
            saved = gateway.deploy([(one.source, one.document) for one in read])
    except InvalidDocument as e:
        if not e.problems:
            raise
        refuse(of_a_deploy(read, e.problems), "deployed")
    _warn(read, saved)
    columns = [
        output.Column("kind", lambda row: str(row.get("kind", ""))),
        output.Column("name", lambda row: str(row.get("name", "")), whole=True),
        output.Column("version", lambda row: str(row.get("version", "")), "right"),
        output.Column("", naming.deployed),
    ]
    output.print_rows(saved, columns, as_json=as_json, none="nothing to deploy")


def refuse(found: Sequence[Found], done: str) -> NoReturn:
    """Each problem with its place, on stderr. ``done``: what was not, since some are errors. Raises BadInput."""
    from sfc.errors import BadInput

    _print(found, sys.stderr)
    errors = sum(one.problem.severity == "error" for one in found)
    raise BadInput(f"nothing was {done}: {errors} problem{'s' * (errors != 1)}")


def _warn(read: Sequence[Read], saved: Sequence[Mapping[str, Any]]) -> None:
    """Warnings of what was deployed, with their places where the gateway says of which file."""
    from sfc.cli.checking import Found, located
    from sfc.errors import Problem

    by_source = {one.source: one for one in read}
    for row in saved:
        for warning in row.get("warnings") or ():
            fields = {name: str(value) for name, value in warning.items() if name in ("code", "pointer", "message", "hint")}
            problem = Problem(**{"code": "warning", "pointer": "", "message": "", **fields}, severity="warning")
            source = str(row.get("source") or "")
            found = located(by_source[source], problem) if source in by_source else Found(source or str(row.get("name")), problem)
            _print([found], sys.stderr)


def validate(
    paths: Paths,
    as_json: Json = False,
    sarif: Annotated[
        Path | None, typer.Option("--sarif", metavar="FILE", help="Write the problems as SARIF 2.1.0 to a file; - for standard output.")
    ] = None,
) -> None:
    """Check documents without any server: all problems at once, each with its line, its JSON pointer and what to write instead."""
    from sfc.cli import output
    from sfc.cli.checking import check, read_all

    read = read_all(paths)
    found = check(read)
    errors = sum(one.problem.severity == "error" for one in found)
    if sarif is not None:
        _write_sarif(found, sarif)
    if as_json:
        output.print_json({"documents": len(read), "problems": [one.as_json() for one in found]})
    elif str(sarif) != "-":
        _print(found, sys.stdout)
        warnings = len(found) - errors
        counts = [(len(read), "document"), (errors, "problem"), *([(warnings, "warning")] if warnings else [])]
        output.say(", ".join(f"{count} {word}{'s' * (count != 1)}" for count, word in counts))
    if errors:
        raise typer.Exit(exits.BAD_INPUT)


def _write_sarif(found: Sequence[Found], to: Path) -> None:
    import json

    from sfc.cli.sarif import sarif
    from sfc.errors import BadInput

    text = json.dumps(sarif(found, Path.cwd()), ensure_ascii=False, indent=2) + "\n"
    if str(to) == "-":
        sys.stdout.write(text)
        return
    try:
        to.write_text(text, encoding="utf-8")
    except OSError as e:
        raise BadInput(f"{to} can't be written: {e.strerror}") from None


def _print(found: Sequence[Found], stream: TextIO) -> None:
    """One line for each problem; on a terminal the line of the file too, with a mark below the place."""
    for one in found:
        print(one.line(), file=stream)
        if stream.isatty() and (caret := one.caret()):
            print(caret, file=stream)
