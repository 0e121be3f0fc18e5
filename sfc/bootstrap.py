"""The only place that wires adapters to rooms: what each role of SFC consists of, on the embedded log or on Kafka."""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from sfc.adapters.clock import SystemClock
from sfc.errors import BadInput, LogUnavailable
from sfc.log import get_logger
from sfc.ports import Clock, Log, StateStore, TopicSpec
from sfc.runtime.definitions import Definitions
from sfc.runtime.roles import Crew, Role, stop_event
from sfc.runtime.topics import ensure_topics
from sfc.settings import Settings, instance_name
from sfc.wire.topics import Names, core_topics, job_topic

if TYPE_CHECKING:
    from sfc_gateway.server import Server

    from sfc.runtime.answers import Answers

_log = get_logger()


def open_log(settings: Settings, *, memory: bool = False) -> Log:
    """Kafka where it is named, else the embedded log under the data directory, or in memory."""
    if settings.kafka:
        from sfc.adapters.kafka import KafkaLog

        return KafkaLog(settings.kafka_properties(), replication=settings.replication)
    from sfc.adapters.embedded import EmbeddedLog

    return EmbeddedLog.memory() if memory else EmbeddedLog.open(settings.data / "log")


@dataclass
class Site:
    """What all roles of a process share."""

    settings: Settings
    log: Log
    names: Names
    shards: int
    instance: str
    clock: Clock = field(default_factory=SystemClock)

    def definitions(self) -> Definitions:
        return Definitions(self.log, self.names)


def open_site(settings: Settings, *, memory: bool = False) -> Site:
    """The log with SFC's topics made and checked. Raises LogUnavailable, TopicMissing, TopicMismatch."""
    if not settings.kafka and not memory:
        settings.data.mkdir(parents=True, exist_ok=True)
    log = open_log(settings, memory=memory)
    names = Names(settings.namespace)
    shards = _shards(log, names, settings)
    specs = [TopicSpec(name, partitions, config) for name, (partitions, config) in core_topics(names, shards).items()]
    ensure_topics(log, specs, create=settings.create_topics)
    return Site(settings, log, names, shards, instance_name(settings))


def _shards(log: Log, names: Names, settings: Settings) -> int:
    """The recorded shard count; before it is recorded, that of the command topic; before that, the setting."""
    topics = log.topics()
    if names.definitions in topics:
        definitions = Definitions(log, names)
        definitions.load()
        definitions.close()
        if definitions.settings is not None:
            return definitions.settings.shards
    return topics.get(names.commands, settings.shards)


def require_kafka(settings: Settings, role: str) -> None:
    """A role of its own needs a log that processes share."""
    if not settings.kafka:
        raise BadInput(
            f"`sfc {role}` needs Kafka, and none is named: the embedded log belongs to one process",
            hint="name it with --kafka HOST:PORT or SFC_KAFKA; on a laptop `sfc dev` runs all roles in one process",
        )


# -- roles ---------------------------------------------------------------------------------------------------------------


class Shared:
    """A role that others use too: its thread only steps it, and it is closed with the process."""

    def __init__(self, role: Definitions | Answers) -> None:
        self._role = role

    @property
    def ready(self) -> bool:
        return self._role.ready

    def step(self, timeout_s: float = 0.1) -> int:
        return self._role.step(timeout_s)

    def close(self) -> None:
        """A thread that is made anew goes on with the same one."""


def engine_role(site: Site) -> Role:
    """A lane with its store: LMDB beside Kafka, memory beside the embedded log."""
    from sfc.runtime.lane import Lane, LaneLimits

    s = site.settings
    limits = LaneLimits(s.interval_ms / 1000, s.interval_commands_max, s.interval_bytes_max)
    store, folder = _store(site)
    lane = Lane(site.log, site.names, site.shards, site.definitions(), store, site.clock, limits)
    return _WithStore(lane, store, folder)


def _store(site: Site) -> tuple[StateStore, Path | None]:
    if not site.settings.kafka:
        from sfc.adapters.memory_store import MemoryStateStore

        return MemoryStateStore(), None
    from sfc.adapters.lmdb_store import LmdbStore

    folder = Path(tempfile.mkdtemp(prefix="sfc-lane-"))
    return LmdbStore(folder), folder


class _WithStore:
    """A lane and the scratch store that goes with it."""

    def __init__(self, lane: Any, store: StateStore, folder: Path | None) -> None:
        self._lane, self._store, self._folder = lane, store, folder

    @property
    def ready(self) -> bool:
        return bool(self._lane.ready)

    def step(self, timeout_s: float = 0.1) -> int:
        return int(self._lane.step(timeout_s))

    def close(self) -> None:
        try:
            self._lane.close()
        finally:
            self._store.close()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)


def trigger_role(site: Site, definitions: Definitions) -> Role:
    from sfc.runtime.triggers import TriggerRole

    return TriggerRole(site.log, site.names, site.shards, definitions)


def bridge_role(site: Site, definitions: Definitions) -> Role:
    from sfc.runtime.bridge import BridgeRole

    return BridgeRole(site.log, site.names, site.shards, definitions)


def open_index(site: Site) -> Any:
    """The flow index: an SQLite file under the data directory, beside a log in memory one in memory."""
    from sfc.adapters.sql.flow_index import SqliteFlowIndex

    return SqliteFlowIndex(site.settings.data / "flows.db")


def monitor_role(site: Site, index: Any) -> Role:
    from sfc.monitor.indexer import Indexer

    return Indexer(site.log, site.names, index)


class OutboxRole:
    """The registry's outbox in a thread of its own: it publishes when kicked, and looks by itself twice a second: another gateway may
    have died."""

    def __init__(self, outbox: Any, kicked: threading.Event) -> None:
        self._outbox = outbox
        self._kicked = kicked

    @property
    def ready(self) -> bool:
        return True

    def step(self, timeout_s: float = 0.5) -> int:
        self._kicked.wait(0.5)
        self._kicked.clear()
        return int(self._outbox.step())

    def close(self) -> None:
        self._outbox.close()


# -- processes -----------------------------------------------------------------------------------------------------------


@dataclass
class Running:
    """A gateway that listens, with the roles beside it. ``stop`` ends all."""

    site: Site
    crew: Crew
    server: Server
    url: str
    closers: list[Callable[[], None]]

    @property
    def ready(self) -> bool:
        return self.crew.ready

    def stop(self) -> None:
        """First who lets work in, last who finishes it."""
        self.server.stop()
        self.crew.stop(first=("trigger", "bridge"))
        for close in reversed(self.closers):
            close()
        self.site.log.close()


def start_gateway(site: Site, crew: Crew, *, dev: bool, index: Any = None) -> tuple[Server, list[Callable[[], None]]]:
    """Registry, outbox, answers and HTTP. What must be closed afterwards, in order of its making."""
    from sfc_gateway.app import create_app
    from sfc_gateway.server import serve
    from sfc_gateway.services import Services

    from sfc.registry import Registry
    from sfc.registry.outbox import Outbox
    from sfc.runtime.answers import Answers
    from sfc.runtime.starts import Appender

    definitions = site.definitions()
    definitions.load()
    registry = Registry(site.settings.database_url(), site.clock)
    registry.raise_revision(definitions.revision_max)
    registry.settings(site.shards)
    kicked = threading.Event()
    kicked.set()
    crew.add("outbox", lambda: OutboxRole(Outbox(registry, site.log, site.names, site.shards), kicked))
    crew.add("definitions", lambda: Shared(definitions))
    answers = Answers(site.log, site.names, site.instance)
    crew.add("answers", lambda: Shared(answers))
    index = index if index is not None else open_index(site)
    appender = Appender(site.log, site.names, site.shards)
    services = Services(
        log=site.log,
        names=site.names,
        shards=site.shards,
        clock=site.clock,
        instance=site.instance,
        definitions=definitions,
        registry=registry,
        kick=kicked.set,
        index=index,
        appender=appender,
        answers=answers,
        dev=dev,
        embedded=not site.settings.kafka,
        create_topics=site.settings.create_topics,
        live=lambda: crew.alive,
        ready=lambda: crew.ready,
    )
    server = serve(create_app(services), site.settings.host, site.settings.port)
    return server, [definitions.close, registry.close, index.close, appender.close, answers.close]


def start_all(settings: Settings, *, memory: bool = False, modules: Sequence[str] = ()) -> Running:
    """Every role in this process. The page listens first; the roles follow within a second."""
    site = open_site(settings, memory=memory)
    crew = Crew()
    index = None
    if memory:
        from sfc.adapters.sql.flow_index import SqliteFlowIndex

        index = SqliteFlowIndex(None)
        site.settings = settings.model_copy(update={"database": SecretStr("sqlite://")})
    else:
        index = open_index(site)
    try:
        server, closers = start_gateway(site, crew, dev=True, index=index)
    except BaseException:
        crew.stop()
        site.log.close()
        raise
    crew.add("engine", lambda: engine_role(site))
    crew.add("monitor", lambda: monitor_role(site, index))
    tail = site.definitions()
    crew.add("tail", lambda: Shared(tail))
    crew.add("trigger", lambda: trigger_role(site, tail))
    crew.add("bridge", lambda: bridge_role(site, tail))
    _add_workers(site, crew, tail, modules, common=True)
    return Running(site, crew, server, server.url, [*closers, tail.close])


def _add_workers(site: Site, crew: Crew, definitions: Definitions, modules: Sequence[str], *, common: bool) -> None:
    from sfc_workers.tasks import load_modules
    from sfc_workers.worker import Worker

    if modules:
        handlers = load_modules(modules)
        ensure_job_topics(site, list(handlers))
        crew.add("worker", lambda: Worker(site.log, site.names, handlers, definitions, instance=site.instance))
    if common:
        from sfc_workers.http import CommonWorker

        crew.add("common", lambda: CommonWorker(site.log, site.names, definitions, instance=site.instance))


def ensure_job_topics(site: Site, tasks: Sequence[str]) -> None:
    """``sfc.task.<task>`` of these tasks, which their worker is about to subscribe to."""
    partitions, config = job_topic(site.shards)
    missing = [t for t in tasks if site.names.task(t) not in site.log.topics()]
    if missing and site.settings.create_topics:
        site.log.create([TopicSpec(site.names.task(t), partitions, config) for t in missing])


def publisher(site: Site, topic: str) -> Callable[[list[bytes]], None]:
    """Appends values to a topic, which is made when it is missing; returns when the log has them."""
    if site.log.describe(topic) is None:
        site.log.create([TopicSpec(topic, site.shards)])
    producer = site.log.producer(busy=True)

    def publish(values: list[bytes]) -> None:
        for value in values:
            producer.send(topic, value)
        producer.flush()

    return publish


def blueprints_folder() -> Path:
    """The example blueprints: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    packed = package / "_blueprints"
    return packed if packed.is_dir() else package.parent / "blueprints"


def run_dev(settings: Settings, memory: bool, modules: Sequence[str] = ()) -> None:
    """Every role in one process, until it is told to stop."""
    from rich.console import Console

    stop = stop_event()
    running = _outliving_the_broker(settings, stop, lambda: start_all(settings, memory=memory, modules=modules))
    if running is None:
        return
    console = Console(stderr=True)
    where = f"Kafka at {settings.kafka}" if settings.kafka else "memory: nothing is kept" if memory else str(settings.data.resolve())
    console.print(f"[bold]sfc dev[/bold]  {running.url}   API [link]{running.url}/docs[/link]   log: {where}", highlight=False)
    while not running.ready and not stop.wait(0.02):
        pass
    if not stop.is_set():
        console.print(
            "ready. In another terminal: sfc deploy blueprints/hello, sfc start hello --input '{}', sfc flows list", highlight=False
        )
    stop.wait()
    running.stop()


def _outliving_the_broker(settings: Settings, stop: threading.Event, start: Callable[[], Any]) -> Any:
    """A server says that the broker is away, and keeps trying; what is wrong in another way ends it. None when told to stop meanwhile."""
    while True:
        try:
            return start()
        except LogUnavailable as e:
            _log.error(e.message, action="broker-away", bootstrap=settings.kafka, hint=e.hint)
            if stop.wait(2.0):
                return None


def _run_crew(settings: Settings, role: str, add: Callable[[Site, Crew], None]) -> None:
    """A role of its own: its threads, its health page, until it is told to stop."""
    from sfc.runtime.health import HealthServer

    require_kafka(settings, role)
    stop = stop_event()
    crew = Crew()
    started = threading.Event()
    health = HealthServer(lambda: crew.alive, lambda: started.is_set() and crew.ready, host=settings.host, port=settings.health_port())
    _log.info(f"sfc {role} answers on {health.url}", action="listening", role=role, url=health.url)
    site: Site | None = _outliving_the_broker(settings, stop, lambda: open_site(settings))
    if site is not None:
        add(site, crew)
        started.set()
        stop.wait()
        _log.info("stopping", action="stopping", role=role)
        crew.stop()
        site.log.close()
    health.close()


def run_engine(settings: Settings) -> None:
    _run_crew(settings, "engine", _add_engine)


def _add_engine(site: Site, crew: Crew) -> None:
    crew.add("engine", lambda: engine_role(site))


def run_trigger(settings: Settings) -> None:
    def add(site: Site, crew: Crew) -> None:
        definitions = site.definitions()
        crew.add("definitions", lambda: Shared(definitions))
        crew.add("trigger", lambda: trigger_role(site, definitions))
        crew.add("bridge", lambda: bridge_role(site, definitions))

    _run_crew(settings, "trigger", add)


def run_worker(settings: Settings, modules: list[str], common: bool) -> None:
    sys.path.insert(0, str(Path.cwd()))  # modules are named as `python -m` would find them

    def add(site: Site, crew: Crew) -> None:
        definitions = site.definitions()
        crew.add("definitions", lambda: Shared(definitions))
        _add_workers(site, crew, definitions, modules, common=common)

    _run_crew(settings, "worker", add)


def run_monitor(settings: Settings) -> None:
    def add(site: Site, crew: Crew) -> None:
        index = open_index(site)
        crew.add("monitor", lambda: monitor_role(site, index))

    settings.data.mkdir(parents=True, exist_ok=True)
    _run_crew(settings, "monitor", add)


def run_gateway(settings: Settings) -> None:
    require_kafka(settings, "gateway")
    settings.data.mkdir(parents=True, exist_ok=True)
    stop = stop_event()

    def start() -> Running:
        site, crew = open_site(settings), Crew()
        server, closers = start_gateway(site, crew, dev=False)
        return Running(site, crew, server, server.url, closers)

    running = _outliving_the_broker(settings, stop, start)
    if running is not None:
        _log.info(f"sfc gateway answers on {running.url}", action="listening", role="gateway", url=running.url)
        stop.wait()
        running.stop()
