"""A deploy: documents are saved, published and known here, and new topic triggers have their start offsets, before it is answered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from sfc.asl.timestamps import parse_timestamp
from sfc.errors import InvalidDocument, LogError, NoAnswer, Problem, UnknownName
from sfc.log import get_logger
from sfc.ports import Partition, Position, TopicSpec
from sfc.registry import Deployed
from sfc.wire.definitions import TriggerRecord
from sfc_gateway.services import Services

_log = get_logger()
_POLL_S = 0.02  # between looks at the outbox's progress; the definitions' tail wakes us earlier

Documents = Sequence[tuple[str, dict[str, Any]]]
Offsets = dict[Partition, int]


class Place(NamedTuple):
    """A topic trigger in a document that is about to be saved."""

    source: str
    pointer: str
    blueprint: str
    topic: str


def deploy(services: Services, documents: Documents) -> list[Deployed]:
    """Saves all documents or none. Raises InvalidDocument with all problems; NoAnswer when they are saved, but not published in time.

    1. On Kafka, a trigger's topic that is missing is refused before anything is saved; the embedded log makes it after the save.
    2. The ends of the triggers' topics are read before the save: a record that comes after it is never skipped.
    3. A trigger's start offsets are committed for its consumer group before its definition is published, wherever that is possible.
    4. The answer waits until the definitions are published, and known to this gateway: a start that follows takes the new version.
    """
    places = list(_triggers(documents))
    topics = services.log.topics()
    missing = [place for place in places if place.topic not in topics]
    if missing and not services.embedded:
        raise InvalidDocument(_what(documents), [_missing_topic(services, place) for place in missing])
    before = {name: _uids(services, name) for name in {place.blueprint for place in places}}
    ends: Offsets = services.log.ends([Partition(p.topic, n) for p in places if p.topic in topics for n in range(topics[p.topic])])
    saved = services.registry.deploy(documents)
    if missing:
        services.log.create([TopicSpec(topic, services.shards) for topic in sorted({p.topic for p in missing})])
    for one in saved:
        if one.kind == "blueprint":
            _place_triggers(services, one.name, before.get(one.name, set()), ends)
    publish(services, max((one.revision for one in saved), default=0))
    return saved


def publish(services: Services, revision: int) -> None:
    """Returns when everything up to the registry's revision is on the log and known to this gateway's tail. Raises NoAnswer."""
    services.kick()
    until = time.monotonic() + services.publish_s
    while not services.registry.published(revision):
        _not_later(until, services, "is saved, but not yet published: the log does not take it")
        services.definitions.wait_change(_POLL_S)
    if not services.definitions.wait_for(services.registry.definitions_end(), max(0.1, until - time.monotonic())):
        _not_later(0.0, services, "is published, but this gateway has not read it back")


def _not_later(until: float, services: Services, what: str) -> None:
    if time.monotonic() >= until:
        raise NoAnswer(
            f"the edit {what} ({services.publish_s:g} s); it will take effect by itself", hint="look at the log's health; see /readyz"
        )


def _what(documents: Documents) -> str:
    return documents[0][0] if len(documents) == 1 else f"one of {len(documents)} documents"


def _triggers(documents: Documents) -> list[Place]:
    """The topic triggers of blueprints, as far as the documents are right; what is wrong with them the registry says."""
    found = []
    for source, document in documents:
        section = document.get("Sfc")
        if not isinstance(section, dict) or not isinstance(triggers := section.get("Triggers"), list):
            continue
        for index, trigger in enumerate(triggers):
            topic = trigger.get("Topic") if isinstance(trigger, dict) else None
            if isinstance(topic, str) and topic:
                found.append(Place(source, f"/Sfc/Triggers/{index}/Topic", str(section.get("Name", "")), topic))
    return found


def _missing_topic(services: Services, place: Place) -> Problem:
    command = f"kafka-topics.sh --create --topic {place.topic} --partitions {services.shards}"
    source = f"{place.source}: " if place.source else ""
    return Problem("topic-missing", place.pointer, f"{source}there is no topic {place.topic} on this Kafka.", f"Make it: {command}")


def _uids(services: Services, blueprint: str) -> set[str]:
    try:
        return {trigger.uid for trigger in services.registry.blueprint(blueprint).triggers}
    except UnknownName:
        return set()


def _place_triggers(services: Services, blueprint: str, before: set[str], ends: Offsets) -> None:
    """Commits the start offsets of triggers that are new, and of those that a gateway left without any when it died."""
    for trigger in services.registry.blueprint(blueprint).triggers:
        group = services.names.trigger_group(blueprint, trigger.id)
        if trigger.uid in before and services.log.group_positions(group):
            continue
        metadata = msgspec.json.encode({"revision": trigger.revision, "uid": trigger.uid}).decode()
        positions = {at: Position(offset, metadata) for at, offset in _start_offsets(services, trigger, ends).items()}
        _commit(services, group, positions)


def _commit(services: Services, group: str, positions: dict[Partition, Position]) -> None:
    """A group that still has members is that of a trigger which this deploy replaces: it leaves when it learns of that, so the
    definition is published first."""
    until = time.monotonic() + services.publish_s
    while True:
        try:
            services.log.set_group_positions(group, positions)
            return
        except LogError as e:
            if time.monotonic() >= until:
                raise
            _log.info("a trigger's consumer group has members still", action="trigger-busy", group=group, reason=e.message)
        services.kick()
        time.sleep(5 * _POLL_S)


def _start_offsets(services: Services, trigger: TriggerRecord, ends: Offsets) -> Offsets:
    partitions = [Partition(trigger.topic, n) for n in range(services.log.topics()[trigger.topic])]
    if trigger.start == "earliest":
        return services.log.starts(partitions)
    time_ns = None if trigger.start == "latest" else parse_timestamp(trigger.start)
    if time_ns is not None:
        return services.log.offsets_at(partitions, -(-time_ns // 1_000_000))  # the first whole millisecond at or after it
    now = services.log.ends([at for at in partitions if at not in ends])
    return {at: ends.get(at, now.get(at, 0)) for at in partitions}
