"""``sfc monitor`` and ``sfc monitor rebuild``."""

from __future__ import annotations

import typer

from sfc.cli import context
from sfc.cli.context import Elasticsearch, Kafka
from sfc.cli.roles import Port

app = typer.Typer(invoke_without_command=True)


@app.callback()
def monitor(
    ctx: typer.Context,
    kafka: Kafka = None,
    elasticsearch: Elasticsearch = None,
    port: Port = None,
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

    from sfc.bootstrap.rebuild import rebuild_index
    from sfc.cli import output

    given = {name: value for name, value in (("kafka", kafka), ("elasticsearch_url", elasticsearch)) if value is not None}
    settings = context.settings(**{**ctx.obj, **given})
    context.log_as(settings)
    began_s = time.monotonic()
    with output.progress("reading the log") as bar:
        count = rebuild_index(settings, bar.move)
    output.say(f"rebuilt the flow index from {count} records in {time.monotonic() - began_s:.1f} s")
