"""``sfc drafts``: documents that somebody works on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sfc.cli import context, exits, naming, output
from sfc.cli.context import Json
from sfc.cli.output import Column

app = typer.Typer(help="Save documents that are not ready yet, check them, deploy them.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the blueprint or task.")]
IsTask = Annotated[bool, typer.Option("--task", help="A task's draft, not a blueprint's.")]


def _kind(task: bool) -> str:
    return "task" if task else "blueprint"


@app.command("list")
def list_drafts(as_json: Json = False) -> None:
    """List drafts."""
    with context.client() as gateway:
        found = gateway.drafts()
    columns = [
        Column("kind", lambda d: str(d["kind"])),
        Column("name", lambda d: str(d["name"]), whole=True),
        Column("saved", lambda d: output.local_time(d.get("updated_ms"))),
        Column("by", lambda d: str(d.get("by") or "")),
    ]
    output.print_rows(found, columns, as_json=as_json, none="no drafts: `sfc drafts save FILE`")


@app.command()
def show(name: Name, task: IsTask = False, as_json: Json = False) -> None:
    """Show a draft's document."""
    with context.client() as gateway:
        found = gateway.draft(_kind(task), name)
    if as_json:
        output.print_json(found)
        return
    import yaml

    output.say(yaml.safe_dump(found["document"], sort_keys=False, allow_unicode=True, width=120).rstrip())


@app.command()
def save(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One document, YAML or JSON. It need not be right.")],
    name: Annotated[str, typer.Option("--name", help="Default: as the document says, else the file's name.")] = "",
    task: IsTask = False,
    as_json: Json = False,
) -> None:
    """Save a document as a draft."""
    document = _read(file)
    kind = _kind(task or ("Name" in document and document.keys().isdisjoint(("StartAt", "States", "Sfc"))))
    with context.client() as gateway:
        saved = gateway.put_draft(kind, name or _name_in(document) or file.stem, document)
    output.print_json(saved) if as_json else output.say(f"saved the draft of {saved['kind']} {saved['name']}")


@app.command()
def validate(name: Name, task: IsTask = False, as_json: Json = False) -> None:
    """Tell all that a deploy would say of a draft."""
    with context.client() as gateway:
        found = gateway.validate_draft(_kind(task), name)
    if as_json:
        output.print_json(found)
    else:
        for problem in found["problems"]:
            line = f"{problem['severity']}: {problem['pointer'] or '/'}: {problem['message']} {problem.get('hint', '')}"
            output.say(line.rstrip())
        output.say(f"{name} can {'' if found['valid'] else 'not '}be deployed")
    if not found["valid"]:
        raise typer.Exit(exits.BAD_INPUT)


@app.command()
def deploy(name: Name, task: IsTask = False, as_json: Json = False) -> None:
    """Deploy a draft, and remove it."""
    with context.client() as gateway:
        saved = gateway.deploy_draft(_kind(task), name)
    output.print_json(saved) if as_json else output.say(f"deployed {saved['name']}@{saved['version']} ({naming.deployed(saved)})")


@app.command()
def delete(name: Name, task: IsTask = False) -> None:
    """Throw a draft away."""
    with context.client() as gateway:
        gateway.delete_draft(_kind(task), name)
    output.say(f"deleted the draft of {_kind(task)} {name}")


def _read(file: Path) -> dict[str, Any]:
    from sfc.errors import BadInput
    from sfc.registry.files import parse_document

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise BadInput(f"{file} can't be read: {getattr(e, 'strerror', None) or e}") from None
    document = parse_document(text, str(file))
    if not isinstance(document, dict):
        raise BadInput(f"{file}: a draft is an object, this is {'empty' if document is None else type(document).__name__}")
    return document


def _name_in(document: dict[str, Any]) -> str:
    section = document.get("Sfc")
    name = section.get("Name") if isinstance(section, dict) else document.get("Name")
    return name if isinstance(name, str) else ""
