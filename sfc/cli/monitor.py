"""``sfc monitor`` and ``sfc monitor rebuild``."""

from __future__ import annotations

from typing import Annotated

import typer

from sfc.cli import context
from sfc.cli.context import Elasticsearch, Kafka

app = typer.Typer(invoke_without_command=True)


@app.callback()
def monitor(
    ctx: typer.Context,
    kafka: Kafka = None,
    elasticsearch: Elasticsearch = None,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Where to listen; 0: any free port (SFC_PORT).")] = None,
) -> None:
    """Run the monitor: it indexes the history for lists and statistics."""
    ctx.obj = {"kafka": kafka, "elasticsearch_url": elasticsearch}
    if ctx.invoked_subcommand is not None:
        return
    settings = context.settings(**ctx.obj, port=port)
    from sfc import bootstrap

    context.log_as(settings)
    bootstrap.run_monitor(settings)


@app.command()
def rebuild(ctx: typer.Context, kafka: Kafka = None, elasticsearch: Elasticsearch = None) -> None:
    """Make the index anew from the log, and put it in the old one's place. A monitor may run meanwhile."""
    import time

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from sfc.bootstrap.rebuild import rebuild_index
    from sfc.cli import output

    given = {name: value for name, value in (("kafka", kafka), ("elasticsearch_url", elasticsearch)) if value is not None}
    settings = context.settings(**{**ctx.obj, **given})
    context.log_as(settings)
    console = output.error_console()
    began_s = time.monotonic()
    columns = (TextColumn("reading the log"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        count = rebuild_index(settings, lambda done, total: bar.update(task, completed=done, total=total))
    output.say(f"rebuilt the flow index from {count} records in {time.monotonic() - began_s:.1f} s")
