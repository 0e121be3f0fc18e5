"""The examination."""

from __future__ import annotations

import time
from collections.abc import Callable

from sfc.errors import LogError, LogUnavailable
from sfc.ports import Log, TopicInfo, TopicSpec
from sfc.runtime.definitions import Definitions
from sfc.runtime.doctor.brokers import check_brokers
from sfc.runtime.doctor.cluster import Cluster
from sfc.runtime.doctor.diagnosis import Diagnosis
from sfc.runtime.doctor.shards import check_groups, check_shards
from sfc.runtime.doctor.topics import check_health, check_topics
from sfc.runtime.topics import own_topics
from sfc.wire.topics import Names, core_topics


def examine(
    log: Log, cluster: Cluster | None, names: Names, shards: int, bootstrap: str = "", now: Callable[[], float] = time.time
) -> Diagnosis:
    """``cluster``: None beside the embedded log. ``shards``: as set, where none are recorded yet. ``bootstrap``: the broker's address, for
    the commands. Raises LogUnavailable."""
    found = Diagnosis()
    topics = log.topics()
    definitions = Definitions(log, names) if names.definitions in topics else None
    try:
        if definitions is not None:
            definitions.load()
            shards = definitions.settings.shards if definitions.settings is not None else topics.get(names.commands, shards)
        known: dict[str, TopicInfo | None] = {}

        def describe(name: str) -> TopicInfo | None:
            if name not in known:
                known[name] = log.describe(name) if name in topics else None
            return known[name]

        core = frozenset(core_topics(names, shards))
        specs: dict[str, TopicSpec] = {spec.name: spec for spec in own_topics(names, shards, definitions)}
        there = check_topics(specs, core, describe, definitions, names, bootstrap, found)
        found.topics = len(there)
        if cluster is not None:
            brokers = cluster.brokers()
            ids = {name: info.id for name in there if (info := describe(name)) is not None}
            check_brokers(brokers, cluster.operations(), ids, found)
            check_health(cluster.topics(there), describe, len(brokers), core, bootstrap, found)
        running = cluster is not None  # the embedded log belongs to one process, and that is this one now
        if definitions is not None and {names.commands, names.state} <= set(there) and topics[names.commands] >= shards:
            _asked("shards", found, lambda: check_shards(log, names, shards, definitions, int(now() * 1000), found, running=running))
            _asked("consumer groups", found, lambda: check_groups(log, names, definitions, found))
    finally:
        if definitions is not None:
            definitions.close()
    found.findings.sort(key=lambda finding: finding.severity != "error")
    return found


def _asked(what: str, found: Diagnosis, check: Callable[[], None]) -> None:
    """What this client may not ask is noted, and does not end the examination."""
    try:
        check()
    except LogUnavailable:
        raise
    except LogError as e:
        found.notes.append(f"the {what} can't be looked at: {e.message}")
