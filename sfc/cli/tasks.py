"""``sfc tasks``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from sfc.cli import context, output
from sfc.cli.context import Json
from sfc.cli.output import Column

app = typer.Typer(help="List and show tasks.", no_args_is_help=True)


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
    task: Annotated[str, typer.Argument(metavar="TASK", help="Name of the task.")],
    version: Annotated[int | None, typer.Option(min=1, help="Default: the current one.")] = None,
    as_json: Json = False,
) -> None:
    """Show a task and its document."""
    with context.client() as gateway:
        found = gateway.task(task, version=version)
    if as_json:
        output.print_json(found)
        return
    output.card(
        f"{found.get('name', task)}@{found.get('version') or found.get('current')}",
        [("done by", executor(found)), ("hash", str(found.get("hash") or "")), ("created", output.local_time(found.get("created_ms")))],
    )
    if found.get("document"):
        import yaml

        output.say("")
        output.say(yaml.safe_dump(found["document"], sort_keys=False, allow_unicode=True, width=120).rstrip())
