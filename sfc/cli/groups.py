"""``sfc groups``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from sfc.cli import bulk, context, naming, output
from sfc.cli.context import Json, Reason
from sfc.cli.naming import Timers, Why
from sfc.cli.output import Column

app = typer.Typer(help="List and show groups of blueprints; pause, resume and stop all that belongs to one.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="GROUP", help="As blueprints name it in Sfc.Group.")]


def _flows(group: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in sorted((group.get("flows") or {}).items()))
    return f"{counts}; {group['paused']} of the running are held" if group.get("paused") else counts


@app.command("list")
def list_groups(as_json: Json = False) -> None:
    """List groups."""
    with context.client() as gateway:
        found = gateway.groups()
    columns = [
        Column("group", lambda g: str(g["name"]), whole=True),
        Column("", lambda g: "paused" if g.get("hold") else ""),
        Column("blueprints", lambda g: ", ".join(g.get("blueprints") or ())),
        Column("tasks", lambda g: ", ".join(g.get("tasks") or ())),
        Column("flows", _flows),
    ]
    output.print_rows(found, columns, as_json=as_json, none="no groups: a blueprint names its group in Sfc.Group")


@app.command()
def show(group: Name, as_json: Json = False) -> None:
    """Show a group: its blueprints, the tasks they use, what holds it, its flows."""
    with context.client() as gateway:
        found = gateway.group(group)
    if as_json:
        output.print_json(found)
        return
    output.card(
        str(found["name"]),
        [
            ("held by", naming.holds_text([found["hold"]] if found.get("hold") else ())),
            ("blueprints", "\n".join(f"{name}: {status}" for name, status in (found.get("blueprints") or {}).items()) or _nobody(found)),
            ("tasks", ", ".join(found.get("tasks") or ())),
            ("flows", _flows(found) or "none"),
        ],
    )


def _nobody(group: Mapping[str, Any]) -> str:
    """What a group has that no blueprint names any more."""
    versions = group.get("versions") or {}
    older = ", ".join(f"{name}@{number}" for name, numbers in versions.items() for number in numbers)
    return "none whose current version names it" + (f"; flows of {older} belong to it" if older else "")


@app.command()
def pause(group: Name, reason: Why = "", timers: Timers = "", as_json: Json = False) -> None:
    """Hold all flows and input topics of a group's blueprints."""
    with context.client() as gateway:
        naming.done(gateway.pause_group(group, reason=reason, timers=timers), "paused", group, as_json=as_json)


@app.command()
def resume(group: Name, as_json: Json = False) -> None:
    """Lift the hold of a group."""
    with context.client() as gateway:
        naming.done(gateway.resume_group(group), "resumed", group, as_json=as_json)


@app.command()
def stop(group: Name, reason: Reason = "", yes: bulk.Yes = False, as_json: Json = False) -> None:
    """End all running flows of a group as ABORTED."""
    with context.client() as gateway:
        running = int((gateway.group(group).get("flows") or {}).get("RUNNING", 0))
        if not bulk.agreed("stop", running, yes=yes):
            return
        answer = gateway.stop_group(group, reason=reason)
    output.print_json(answer) if as_json else output.say(f"asked {answer['asked']} flows of {group} to stop")
