"""``sfc topics create``: SFC's topics with the settings that they need, made or written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sfc.cli import broker, context
from sfc.cli.context import Json, Kafka

if TYPE_CHECKING:
    from sfc.ports import TopicSpec
    from sfc.settings import Settings

app = typer.Typer(help="Make SFC's topics.", no_args_is_help=True)


@app.callback()
def topics() -> None:
    """Make SFC's topics."""


@app.command()
def create(
    written: Annotated[bool, typer.Option("--print", help="Only print kafka-topics.sh commands, for who may make topics.")] = False,
    replication: Annotated[
        int | None, typer.Option("--replication", min=1, help="Replicas (SFC_REPLICATION); default: the broker's.", show_default=False)
    ] = None,
    kafka: Kafka = None,
    as_json: Json = False,
) -> None:
    """Make SFC's topics that are missing, with the settings that they need. With three replicas, two must have a record."""
    from msgspec import to_builtins

    from sfc.bootstrap.doctoring import topics_of
    from sfc.cli import output
    from sfc.errors import BadInput
    from sfc.runtime.topics import ensure_topics

    settings = context.settings(kafka=kafka, replication=replication)
    if not settings.kafka:
        if not written:
            raise BadInput(
                "there is no broker to make topics on: the embedded log makes its own",
                hint="name it with --kafka HOST:PORT or SFC_KAFKA; or --print",
            )
        _print([_safe(spec, settings) for spec in topics_of(None, settings)], settings)
        return
    with broker.opened(settings) as log, broker.patience(settings.kafka):
        specs = [_safe(spec, settings) for spec in topics_of(log, settings)]
        if written:
            _print(specs, settings)
            return
        there = log.topics()
        made = [spec for spec in specs if spec.name not in there]
        ensure_topics(log, specs, create=True, bootstrap=settings.kafka)
    if as_json:
        output.print_json(
            {"made": [to_builtins(spec._asdict()) for spec in made], "there": sorted(s.name for s in specs if s.name in there)}
        )
        return
    for spec in made:
        output.say(f"made {spec.name}, {spec.partitions} partition{'s' * (spec.partitions != 1)}")
    output.say(f"{len(made)} made, {len(specs) - len(made)} were there; `sfc doctor` looks at their settings")


def _safe(spec: TopicSpec, settings: Settings) -> TopicSpec:
    """With three replicas or more, a record counts as written when two have it."""
    return spec if settings.replication < 3 else spec._replace(config={**spec.config, "min.insync.replicas": "2"})


def _print(specs: list[TopicSpec], settings: Settings) -> None:
    """Commands for a shell."""
    from sfc.runtime.topics import creating

    replicas = f" --replication-factor {settings.replication}" if settings.replication > 0 else ""
    for spec in specs:
        print(f"{creating(spec, settings.kafka or 'HOST:PORT')}{replicas} --if-not-exists")
