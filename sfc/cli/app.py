"""The commands by name. Typer reads their signatures; what they do is imported when they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from sfc.cli import (
    audit,
    blueprints,
    dead_letters,
    doctor,
    documents,
    drafts,
    explaining,
    flows,
    graph,
    groups,
    keys,
    monitor,
    overview,
    roles,
    schedules,
    schemas,
    starts,
    tasks,
    topic_making,
    topics,
    trying,
    workers,
)
from sfc.cli.context import Group
from sfc.cli.exits import EPILOG

app = typer.Typer(
    name="sfc",
    cls=Group,
    help="service-flow-conductor: routes messages between microservices by blueprints, exactly once.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: rich would double its time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS: list[Callable[..., None]] = [
    *(roles.dev, roles.demo, roles.engine, roles.trigger, roles.worker, roles.gateway, roles.scheduler),
    *(documents.deploy, starts.start, flows.signal, topics.publish, topics.tail),
    *(overview.stats, documents.validate, graph.graph, schemas.schema, overview.settings, overview.version),
    *(trying.run, trying.step, explaining.explain, audit.audit, doctor.doctor),
]


def _version(asked: bool) -> None:
    if asked:
        overview.version()
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_version, help="Show SFC's version.")] = False,
) -> None:
    """service-flow-conductor: routes messages between microservices by blueprints, exactly once."""


for command in COMMANDS:
    app.command()(command)
app.command("test")(trying.try_cases)
app.add_typer(monitor.app, name="monitor")
app.add_typer(flows.app, name="flows")
app.add_typer(blueprints.app, name="blueprints")
app.add_typer(tasks.app, name="tasks")
app.add_typer(groups.app, name="groups")
app.add_typer(drafts.app, name="drafts")
app.add_typer(workers.app, name="workers")
app.add_typer(topic_making.app, name="topics")
app.add_typer(schedules.app, name="schedules")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(keys.app, name="keys")
