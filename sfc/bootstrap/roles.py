"""What each role consists of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sfc.bootstrap.assignment import ShardsTold
from sfc.bootstrap.site import Site
from sfc.errors import BadInput
from sfc.ports import TopicSpec
from sfc.runtime.definitions import Definitions
from sfc.runtime.roles import Crew, Role
from sfc.wire.topics import job_topic

if TYPE_CHECKING:
    from sfc.bootstrap.stores import KeptStore
    from sfc.runtime.answers import Answers
    from sfc.runtime.lane import Lane


FENCES_AT_ONCE = 8


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
    """A lane with its store."""
    from sfc.bootstrap.stores import open_store
    from sfc.runtime.lane import Lane, LaneLimits

    s = site.settings
    limits = LaneLimits(s.interval_ms / 1000, s.interval_commands_max, s.interval_bytes_max)
    fixed = own_shards(s.engine_shards, site.shards)
    kept = open_store(site)
    try:
        lane = Lane(
            site.log, site.names, site.shards, site.definitions(), kept.store, site.clock, limits, site.attempts, fixed,
            standby=s.standby, fences_at_once=FENCES_AT_ONCE if s.kafka else 1,
        )  # fmt: skip
    except BaseException:
        kept.close()
        raise
    return _WithStore(lane, kept, ShardsTold() if s.kafka else None)


def own_shards(listed: str, shards: int) -> list[int] | None:
    """The shards of a list such as ``0-3,6``; None for an empty one. Raises BadInput."""
    if not listed:
        return None
    found: set[int] = set()
    for part in listed.split(","):
        first, _, last = part.partition("-")
        numbers = range(int(first), int(last or first) + 1)
        if not numbers or numbers[-1] >= shards:
            raise BadInput(f"--shards (SFC_ENGINE_SHARDS) is {listed!r}: {part} was expected within 0-{shards - 1}, from low to high")
        found.update(numbers)
    return sorted(found)


class _WithStore:
    """A lane and the store that goes with it. ``told``: says which shards it has; beside the embedded log they are always all."""

    def __init__(self, lane: Lane, kept: KeptStore, told: ShardsTold | None) -> None:
        self._lane, self._kept, self._told = lane, kept, told

    @property
    def ready(self) -> bool:
        return self._lane.ready

    def step(self, timeout_s: float = 0.1) -> int:
        done = self._lane.step(timeout_s)
        if self._told is not None:
            self._told.look(self._lane.shards, settled=self._lane.ready)
        return done

    def close(self) -> None:
        try:
            self._lane.close()
            if self._told is not None:
                self._told.look((), settled=True)
        finally:
            self._kept.close()


def watch_role(site: Site) -> Role:
    from sfc.runtime.watch import Watch

    return Watch(site.log, site.names, site.shards, site.topic_specs(), site.settings.kafka)


def trigger_role(site: Site, definitions: Definitions) -> Role:
    from sfc.runtime.triggers import TriggerRole

    return TriggerRole(site.log, site.names, site.shards, definitions)


def bridge_role(site: Site, definitions: Definitions) -> Role:
    from sfc.runtime.bridge import BridgeRole

    return BridgeRole(site.log, site.names, site.shards, definitions)


def control_role(site: Site, definitions: Definitions) -> Role:
    from sfc.runtime.control import ControlRole

    return ControlRole(site.log, site.names, site.shards, definitions)


def open_index(site: Site, *, refresh: bool = False) -> Any:
    """The flow index: on Elasticsearch where it is named, else an SQLite file under the data directory. ``refresh``: what is written is
    found at once, for a person who looks; Elasticsearch else takes up to a second."""
    if url := site.settings.elasticsearch_url.get_secret_value():
        from sfc.adapters.elasticsearch import ElasticsearchFlowIndex

        api_key = site.settings.elasticsearch_api_key.get_secret_value()
        return ElasticsearchFlowIndex(url, site.settings.namespace, api_key=api_key, refresh=refresh)
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


def add_workers(
    site: Site,
    crew: Crew,
    definitions: Definitions,
    modules: Sequence[str],
    *,
    common: bool,
    blueprints: Sequence[str] | None = (),
    tasks: Sequence[str] = (),
) -> None:
    """Workers of these modules, or of these ``tasks`` of them: of the tasks' own topics and, with ``common``, of HTTP jobs; with
    ``blueprints``, of these specific ones; None: of all specific ones. A worker of specific blueprints takes jobs of tasks' topics only
    with ``common``."""
    from sfc_workers.secrets import Secrets
    from sfc_workers.tasks import chosen, load_modules
    from sfc_workers.worker import Worker

    from sfc.registry.shapes import NAME, NAME_RULE

    for name in blueprints or ():
        if not NAME(name):
            raise BadInput(f"{name!r} can't be the name of a blueprint: {NAME_RULE}", hint="`sfc blueprints list` shows what is deployed")
    secrets = Secrets(site.settings.secrets_dir)
    options: dict[str, Any] = {"instance": site.instance, "in_flight_max": site.settings.worker_jobs_max, "secrets": secrets}
    handlers = chosen(load_modules(modules), tasks)
    if handlers and (common or not blueprints):
        ensure_job_topics(site, list(handlers))
        crew.add("worker", lambda: Worker(site.log, site.names, handlers, definitions, **options))
    if not common and blueprints == ():
        return
    from sfc_workers.common import CommonWorker, SpecificWorker

    folders = {"items_dir": site.settings.items_dir, "results_dir": site.settings.results_dir}
    calling = options | folders | {"connections_max": site.settings.worker_connections_max}
    if common:
        crew.add("common", lambda: CommonWorker(site.log, site.names, definitions, **calling))
    if blueprints is None or blueprints:
        ensure_job_topics(site, [], list(blueprints or ()))
        crew.add("specific", lambda: SpecificWorker(site.log, site.names, handlers, definitions, blueprints, **calling))


def ensure_job_topics(site: Site, tasks: Sequence[str], blueprints: Sequence[str] = ()) -> None:
    """``sfc.task.<task>`` of these tasks, and ``sfc.jobs.<blueprint>`` of these, which their workers are about to subscribe to."""
    partitions, config = job_topic(site.shards)
    names = [*map(site.names.task, tasks), *map(site.names.specific_jobs, blueprints)]
    known = site.log.topics() if names else {}
    missing = [name for name in names if name not in known]
    if missing and site.settings.create_topics:
        site.log.create([TopicSpec(name, partitions, config) for name in missing])


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
