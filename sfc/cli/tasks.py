"""``sfc tasks``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from sfc.cli import context, naming, output
from sfc.cli.context import Json
from sfc.cli.naming import Timers, Why
from sfc.cli.output import Column

app = typer.Typer(help="List and show tasks; pause and resume them.", no_args_is_help=True)


Name = Annotated[str, typer.Argument(metavar="TASK", help="Name of the task.")]


def executor(task: Mapping[str, Any]) -> str:
    """Who does the task, in a few words."""
    document = task.get("document") or task
    if kafka := document.get("Kafka"):
        return f"topic {kafka.get('Topic', '')}"
    if http := document.get("Http"):
        return f"{http.get('Method', 'POST')} {http.get('Url', '')}"
    return "workers"


@app.command("list")
def list_tasks(as_json: Json = False) -> None:
    """List tasks."""
    with context.client() as gateway:
        found = gateway.tasks()
    columns = [
        Column("task", lambda t: str(t["name"]), whole=True),
        Column("version", lambda t: f"@{t.get('current') or t.get('version', '')}", "right"),
        Column("done by", executor),
    ]
    output.print_rows(found, columns, as_json=as_json, none="no tasks yet: `sfc deploy PATH`")


@app.command()
def show(
    task: Name,
    version: Annotated[int | None, typer.Option(min=1, help="Default: the current one.")] = None,
    as_json: Json = False,
) -> None:
    """Show a task, what holds it, and its document."""
    with context.client() as gateway:
        found = gateway.task(task, version=version)
    if as_json:
        output.print_json(found)
        return
    output.card(
        f"{found.get('name', task)}@{found.get('version') or found.get('current')}",
        [
            ("done by", executor(found)),
            ("held by", naming.holds_text(found.get("holds"))),
            ("hash", str(found.get("hash") or "")),
            ("created", output.local_time(found.get("created_ms"))),
        ],
    )
    if found.get("document"):
        import yaml

        output.say("")
        output.say(yaml.safe_dump(found["document"], sort_keys=False, allow_unicode=True, width=120).rstrip())


@app.command()
def pause(task: Name, reason: Why = "", timers: Timers = "", as_json: Json = False) -> None:
    """Hold flows that come to a task, of whatever blueprint: no more jobs of it are sent."""
    with context.client() as gateway:
        naming.done(gateway.pause_task(task, reason=reason, timers=timers), "paused", task, as_json=as_json)


@app.command()
def resume(task: Name, as_json: Json = False) -> None:
    """Lift the hold of a task."""
    with context.client() as gateway:
        naming.done(gateway.resume_task(task), "resumed", task, as_json=as_json)
