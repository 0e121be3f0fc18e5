"""The roles: each runs until it is told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sfc.cli import context
from sfc.cli.context import Elasticsearch, Kafka

Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Where to listen; 0: any free port (SFC_PORT).")]
Data = Annotated[Path | None, typer.Option("--data", file_okay=False, help="Directory of what is kept (SFC_DATA).")]


def dev(
    memory: Annotated[bool, typer.Option("--memory", help="Keep nothing on disk.")] = False,
    workers: Annotated[
        list[str] | None, typer.Option("--worker", metavar="MODULE", help="A Python module with @task functions; may be repeated.")
    ] = None,
    port: Port = None,
    kafka: Kafka = None,
    elasticsearch: Elasticsearch = None,
    data: Data = None,
) -> None:
    """Run every role in one process, on the embedded log or on Kafka."""
    settings = context.settings(port=port, kafka=kafka, elasticsearch_url=elasticsearch, data=data)
    if memory and settings.kafka:
        raise typer.BadParameter("--memory is for the embedded log; Kafka keeps what it is given")
    if memory and elasticsearch:
        raise typer.BadParameter("--memory keeps nothing, and Elasticsearch does")
    from sfc import bootstrap

    context.log_as(settings)
    bootstrap.run_dev(settings, memory, workers or [])


def demo(
    kafka: Kafka = None,
    elasticsearch: Elasticsearch = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the demo's data; `sfc dev --data` shows it later.")] = False,
) -> None:
    """Run the example orders through the tmall-order blueprint, and check every number."""
    import shutil
    import tempfile
    import time

    from sfc.cli import output

    settings = context.settings(kafka=kafka, elasticsearch_url=elasticsearch)
    from sfc import bootstrap, log
    from sfc.cli import demo as play
    from sfc.client import Client
    from sfc.masking import mask_url

    data = settings.data / "demo" if keep else Path(tempfile.mkdtemp(prefix="sfc-demo-"))
    shutil.rmtree(data, ignore_errors=True)  # of the demo before: its numbers would count
    log.configure("error", settings.log_format)
    # On a shared broker or Elasticsearch the demo has names of its own, so that its numbers are its own too.
    url = settings.elasticsearch_url.get_secret_value()
    shared = bool(settings.kafka or url)
    update = {"data": data, "port": 0, **({"namespace": f"sfc-demo-{int(time.time())}"} if shared else {})}
    own = [f"SFC_NAMESPACE={update['namespace']} "] if shared else []
    named = [f" --kafka {settings.kafka}"] if settings.kafka else []
    named += [f" --elasticsearch {mask_url(url)}"] if url else []
    kept = "".join([*own, f"sfc dev --data {data}", *named]) if keep else ""
    try:
        running = bootstrap.start_all(settings.model_copy(update=update), modules=["sfc_workers.examples.tmall"])
        try:
            ready_s = time.monotonic() + 30.0
            while not running.ready and time.monotonic() < ready_s:
                time.sleep(0.02)  # else the first half is over before anybody counts
            with Client(running.url, api_key=settings.api_key.get_secret_value()) as client:
                publish = bootstrap.publisher(running.site, play.TOPIC)
                code = play.run(client, output.console(), publish, bootstrap.blueprints_folder(), kept=kept)
        finally:
            running.stop()
    finally:
        if not keep:
            shutil.rmtree(data, ignore_errors=True)
    raise typer.Exit(code)


def engine(
    state_dir: Annotated[
        Path | None,
        typer.Option(
            "--state-dir", file_okay=False, help="Directory of the local copy of flow states, for quick restarts (SFC_STATE_DIR)."
        ),
    ] = None,
    shards: Annotated[
        str | None, typer.Option("--shards", metavar="LIST", help="These shards alone, such as 0-3,6, and no group (SFC_ENGINE_SHARDS).")
    ] = None,
    standby: Annotated[
        bool, typer.Option("--standby", help="Follow the states of shards that others own too, to take them quickly (SFC_STANDBY).")
    ] = False,
    kafka: Kafka = None,
    port: Port = None,
) -> None:
    """Run a flow engine: it decides what each flow does next."""
    settings = context.settings(kafka=kafka, port=port, state_dir=state_dir, engine_shards=shards, standby=standby or None)
    from sfc import bootstrap

    context.log_as(settings)
    bootstrap.run_engine(settings)


def trigger(kafka: Kafka = None, port: Port = None) -> None:
    """Run the triggers: input topics and reply topics."""
    settings = context.settings(kafka=kafka, port=port)
    from sfc import bootstrap

    context.log_as(settings)
    bootstrap.run_trigger(settings)


def worker(
    modules: Annotated[list[str] | None, typer.Argument(metavar="MODULE", help="Python modules with @task functions.")] = None,
    common: Annotated[
        bool | None,
        typer.Option("--common/--no-common", help="Whether to do jobs of common blueprints' HTTP tasks too; with --blueprint: no."),
    ] = None,
    blueprints: Annotated[
        list[str] | None,
        typer.Option("--blueprint", metavar="NAME", help="Do the jobs of this specific blueprint, HTTP tasks included; may be repeated."),
    ] = None,
    tasks: Annotated[
        list[str] | None, typer.Option("--task", metavar="NAME", help="Do only this task of the modules; may be repeated.")
    ] = None,
    kafka: Kafka = None,
    port: Port = None,
) -> None:
    """Run a worker: it does the jobs of the tasks in its modules, and the common ones; or those of specific blueprints."""
    common = not blueprints if common is None else common
    if not modules and not common and not blueprints:
        raise typer.BadParameter("name a MODULE: with --no-common and without one there is nothing to do")
    settings = context.settings(kafka=kafka, port=port)
    from sfc import bootstrap

    context.log_as(settings)
    bootstrap.run_worker(settings, modules or [], common, blueprints or [], tasks or [])


def scheduler(kafka: Kafka = None, port: Port = None) -> None:
    """Run a scheduler: it starts and stops workers on this machine, as Scale and the lag of their jobs ask. One of several leads."""
    settings = context.settings(kafka=kafka, port=port)
    from sfc import bootstrap

    context.log_as(settings)
    bootstrap.run_scheduler(settings)


def gateway(kafka: Kafka = None, elasticsearch: Elasticsearch = None, port: Port = None) -> None:
    """Run the HTTP gateway with the registry."""
    settings = context.settings(kafka=kafka, elasticsearch_url=elasticsearch, port=port)
    from sfc import bootstrap

    context.log_as(settings)
    bootstrap.run_gateway(settings)
