"""Processes: every role in one, or each role alone, until they are told to stop."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from sfc.bootstrap.collector import spare_collections
from sfc.bootstrap.folders import check_folders
from sfc.bootstrap.gateway import start_gateway
from sfc.bootstrap.parent import end_with_parent
from sfc.bootstrap.roles import (
    Shared,
    add_workers,
    bridge_role,
    control_role,
    engine_role,
    monitor_role,
    open_index,
    own_shards,
    trigger_role,
    watch_role,
)
from sfc.bootstrap.scheduling import scheduler_role
from sfc.bootstrap.site import Site, open_site, require_kafka
from sfc.errors import LogUnavailable, RegistryUnavailable
from sfc.log import get_logger
from sfc.runtime.roles import Crew, stop_event
from sfc.settings import Settings

if TYPE_CHECKING:
    from sfc_gateway.server import Server

_log = get_logger()

DEFAULT_URL = str(Settings.model_fields["url"].default)  # where the command line looks for the gateway when it is told nothing

PATIENCE_S = 1.5  # a broker that is there answers sooner


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


def start_all(settings: Settings, *, memory: bool = False, modules: Sequence[str] = (), scaling: bool = False) -> Running:
    """Every role in this process. The page listens first; the roles follow within a second. ``scaling``: with a scheduler, which on Kafka
    runs workers in processes of their own where ``Scale`` asks for them."""
    site = open_site(settings, memory=memory)
    crew = Crew()
    index = None
    if memory:
        from sfc.adapters.sql.flow_index import SqliteFlowIndex

        index = SqliteFlowIndex(None)
        site.settings = settings.model_copy(update={"database": SecretStr("sqlite://")})
    else:
        index = open_index(site, refresh=True)
    try:
        server, closers = start_gateway(site, crew, dev=True, index=index)
    except BaseException:
        crew.stop()
        site.log.close()
        raise
    crew.add("engine", lambda: engine_role(site))
    if settings.kafka:
        crew.add("watch", lambda: watch_role(site))
    crew.add("monitor", lambda: monitor_role(site, index))
    tail = site.definitions()
    crew.add("tail", lambda: Shared(tail))
    crew.add("trigger", lambda: trigger_role(site, tail))
    crew.add("bridge", lambda: bridge_role(site, tail))
    crew.add("flow-control", lambda: control_role(site, tail))
    add_workers(site, crew, tail, modules, common=True, blueprints=None)
    if scaling and settings.kafka:  # the embedded log belongs to this process: others could not work on it
        crew.add("scheduler", lambda: scheduler_role(site, tail))
    return Running(site, crew, server, server.url, [*closers, tail.close])


def run_dev(settings: Settings, memory: bool, modules: Sequence[str] = ()) -> None:
    """Every role in one process, until it is told to stop."""
    _find_modules(modules)
    check_folders(settings)
    stop = stop_event()
    running = _outliving_the_broker(settings, stop, lambda: start_all(settings, memory=memory, modules=modules, scaling=True))
    if running is None:
        return
    where = f"Kafka at {settings.kafka}" if settings.kafka else "memory: nothing is kept" if memory else str(settings.data.resolve())
    _tell(f"sfc dev  {running.url}   API: {running.url}/docs", f"log: {where}")
    while not running.ready and not stop.wait(0.02):
        pass
    if not stop.is_set():
        _tell(
            "ready. In another terminal:",
            *([f"  export SFC_URL={running.url}"] if running.url != DEFAULT_URL else []),
            "  sfc deploy blueprints/hello",
            """  sfc start hello --input '{"name": "Ada"}'""",
            "  sfc flows list",
        )
    stop.wait()
    running.stop()


def _tell(*lines: str) -> None:
    """To whoever started it, as it stands: lines are short, and never folded."""
    print(*lines, sep="\n", file=sys.stderr, flush=True)


def _find_modules(modules: Sequence[str]) -> None:
    """A module that is not there, or does not compile, ends the process before it says that it answers."""
    from sfc_workers.tasks import load_modules

    load_modules(modules)


def _outliving_the_broker(settings: Settings, stop: threading.Event, start: Callable[[], Any]) -> Any:
    """A server says that the broker or the database is away, and keeps trying; what is wrong in another way ends it. None when told to
    stop meanwhile."""
    while True:
        waits = threading.Timer(PATIENCE_S, _log.info, ("waiting for Kafka",), {"action": "broker-awaited", "bootstrap": settings.kafka})
        waits.daemon = True
        if settings.kafka:
            waits.start()
        try:
            return start()
        except LogUnavailable as e:
            _log.error(e.message, action="broker-away", bootstrap=settings.kafka, hint=e.hint)
            if stop.wait(2.0):
                return None
        except RegistryUnavailable as e:
            _log.error(e.message, action="database-away", hint=e.hint)
            if stop.wait(2.0):
                return None
        finally:
            waits.cancel()


def _run_crew(settings: Settings, role: str, add: Callable[[Site, Crew], None]) -> None:
    """A role of its own: its threads, its health page, until it is told to stop."""
    from sfc.runtime.health import HealthServer

    require_kafka(settings, role)
    stop = stop_event()
    end_with_parent(stop)
    crew = Crew()
    started = threading.Event()
    health = HealthServer(lambda: crew.alive, lambda: started.is_set() and crew.ready, host=settings.host, port=settings.health_port())
    _log.info(f"sfc {role} answers on {health.url}", action="listening", role=role, url=health.url)
    try:
        site: Site | None = _outliving_the_broker(settings, stop, lambda: open_site(settings))
        if site is None:
            return
        try:
            add(site, crew)
            spare_collections()
            started.set()
            stop.wait()
            _log.info("stopping", action="stopping", role=role)
        finally:
            crew.stop()
            site.log.close()
    finally:
        health.close()


def run_engine(settings: Settings) -> None:
    _run_crew(settings, "engine", _add_engine)


def _add_engine(site: Site, crew: Crew) -> None:
    own_shards(site.settings.engine_shards, site.shards)  # raises here, where it ends the process, and not in a role that is made anew
    crew.add("engine", lambda: engine_role(site))
    crew.add("watch", lambda: watch_role(site))


def run_trigger(settings: Settings) -> None:
    def add(site: Site, crew: Crew) -> None:
        definitions = site.definitions()
        crew.add("definitions", lambda: Shared(definitions))
        crew.add("trigger", lambda: trigger_role(site, definitions))
        crew.add("bridge", lambda: bridge_role(site, definitions))
        crew.add("flow-control", lambda: control_role(site, definitions))

    _run_crew(settings, "trigger", add)


def run_scheduler(settings: Settings) -> None:
    def add(site: Site, crew: Crew) -> None:
        definitions = site.definitions()
        crew.add("definitions", lambda: Shared(definitions))
        crew.add("scheduler", lambda: scheduler_role(site, definitions))

    _run_crew(settings, "scheduler", add)


def run_worker(settings: Settings, modules: list[str], common: bool, blueprints: Sequence[str] = (), tasks: Sequence[str] = ()) -> None:
    require_kafka(settings, "worker")
    _find_modules(modules)
    if common or blueprints:  # others read and write no files
        check_folders(settings)

    def add(site: Site, crew: Crew) -> None:
        definitions = site.definitions()
        crew.add("definitions", lambda: Shared(definitions))
        add_workers(site, crew, definitions, modules, common=common, blueprints=tuple(blueprints), tasks=tuple(tasks))

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
        try:
            server, closers = start_gateway(site, crew, dev=False)
        except BaseException:
            crew.stop()
            site.log.close()
            raise
        return Running(site, crew, server, server.url, closers)

    running = _outliving_the_broker(settings, stop, start)
    if running is not None:
        _log.info(f"sfc gateway answers on {running.url}", action="listening", role="gateway", url=running.url)
        stop.wait()
        _log.info("stopping", action="stopping", role="gateway")
        running.stop()
