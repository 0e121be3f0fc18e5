"""A deploy: documents are saved, published and known here, and new topic triggers have their start offsets, before it is answered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from sfc.errors import InvalidDocument, LogError, NoAnswer, Problem
from sfc.log import get_logger
from sfc.ports import TopicSpec
from sfc.registry import Deployed
from sfc.runtime.topics import creating
from sfc.runtime.trigger_start import place_trigger
from sfc.wire.definitions import TriggerRecord
from sfc.wire.topics import job_topic
from sfc_gateway.services import Services

_log = get_logger()
_POLL_S = 0.02  # between looks at the outbox's progress; the definitions' tail wakes us earlier

Documents = Sequence[tuple[str, dict[str, Any]]]


class Place(NamedTuple):
    """A topic trigger in a document that is about to be saved."""

    source: str
    pointer: str
    blueprint: str
    topic: str


def deploy(services: Services, documents: Documents) -> list[Deployed]:
    """Saves all documents or none. Raises InvalidDocument with all problems; NoAnswer when they are saved, but not published in time.

    1. On Kafka, a trigger's topic that is missing is refused before anything is saved; the embedded log makes it after the save.
    2. New triggers get their start offsets before their definitions are published, wherever that is possible, and always before the
       answer: what is published after the answer is never skipped. Triggers that a gateway left without any, when it died, get them too.
    3. Tasks that SFC's own workers do get their job topics: jobs wait there for the first worker. Where SFC may make no topics, one
       that is missing is refused before anything is saved.
    4. The answer waits until the definitions are published, and known to this gateway: a start that follows takes the new version.
    """
    places = _triggers(documents)
    topics = services.log.topics()
    missing = [place for place in places if place.topic not in topics]
    if missing and not services.embedded:
        raise InvalidDocument(_what(documents), [_missing_topic(services, place) for place in missing])
    jobs = [(source, spec) for source, spec in _job_topics(services, documents) if spec.name not in topics]
    if jobs and not services.create_topics:
        raise InvalidDocument(_what(documents), [_missing_job_topic(source, spec) for source, spec in jobs])
    saved = services.registry.deploy(documents)
    if jobs:
        services.log.create([spec for _, spec in jobs])
    if missing:
        services.log.create([TopicSpec(topic, services.shards) for topic in sorted({p.topic for p in missing})])
    for one in saved:
        if one.kind == "blueprint":
            for trigger in services.registry.blueprint(one.name).triggers:
                _place(services, one.name, trigger)
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


def _job_topics(services: Services, documents: Documents) -> list[tuple[str, TopicSpec]]:
    """The job topics of the tasks among the documents that name no service, with their documents' sources."""
    partitions, config = job_topic(services.shards)
    tasks = [
        (source, str(d["Name"])) for source, d in documents if "States" not in d and "Name" in d and not {"Kafka", "Http", "Grpc"} & set(d)
    ]
    return [(source, TopicSpec(services.names.task(name), partitions, config)) for source, name in tasks]


def _missing_job_topic(source: str, spec: TopicSpec) -> Problem:
    return Problem(
        "topic-missing",
        "/Name",
        f"{source}: the task's job topic is not there, and SFC_CREATE_TOPICS is off.",
        f"Make it: {creating(spec)}",
    )


def _place(services: Services, blueprint: str, trigger: TriggerRecord) -> None:
    """A consumer group that has members is that of a trigger which this deploy replaces, under its id: it is left when its role learns
    of that, so the definition is published first. If that takes too long, the role that runs the new trigger places it."""
    until = time.monotonic() + services.publish_s
    while True:
        try:
            place_trigger(services.log, services.names, blueprint, trigger)
            return
        except LogError as e:
            late = time.monotonic() >= until
            _log.info("a trigger's consumer group has members", action="trigger-busy", trigger=trigger.id, reason=e.message, given_up=late)
            if late:
                return
        services.kick()
        time.sleep(5 * _POLL_S)
