"""A deploy: documents are saved, published and known here, and new topic triggers have their start offsets, before it is answered."""

from __future__ import annotations

import time
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

from msgspec import structs

from sfc.engine.link import is_specific
from sfc.errors import InvalidDocument, LogError, NoAnswer, Problem
from sfc.log import get_logger
from sfc.ports import TopicSpec
from sfc.registry import Deployed
from sfc.registry.blueprint_document import name_of_blueprint
from sfc.runtime.topics import creating
from sfc.runtime.trigger_start import place_trigger
from sfc.wire.definitions import TriggerRecord
from sfc.wire.topics import job_topic
from sfc_gateway.own_topics import own_topic_problems
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


class JobTopic(NamedTuple):
    """A topic that jobs will go to, and the place in a document that asks for it. ``kind``: task, blueprint."""

    source: str
    pointer: str
    kind: str
    spec: TopicSpec


def deploy(services: Services, documents: Documents) -> list[Deployed]:
    """Saves all documents or none. Raises InvalidDocument with all problems; NoAnswer when they are saved, but not published in time.

    0. Who names a topic of SFC's own is refused.
    1. On Kafka, a trigger's topic that is missing is refused before anything is saved; the embedded log makes it after the save.
    2. New triggers get their start offsets before their definitions are published, wherever that is possible, and always before the
       answer: what is published after the answer is never skipped. Triggers that a gateway left without any, when it died, get them too.
    3. Tasks that SFC's own workers do, and specific blueprints, get their job topics: jobs wait there for the first worker. Where SFC
       may make no topics, one that is missing is refused before anything is saved.
    4. The answer waits until the definitions are published, and known to this gateway: a start that follows takes the new version.
    """
    if own := own_topic_problems(services.names, documents):
        raise _refused(documents, own)
    topics = services.log.topics()
    missing = missing_topics(services, documents, topics)
    jobs = [job for job in _job_topics(services, documents) if job.spec.name not in topics]
    if jobs and not services.create_topics:
        raise _refused(documents, [(job.source, _missing_job_topic(services, job)) for job in jobs])
    saved = services.registry.deploy(documents)
    if jobs:
        services.log.create([job.spec for job in jobs])
    make_topics(services, missing)
    for one in saved:
        if one.kind == "blueprint":
            place_triggers(services, one.name)
    publish(services, max((one.revision for one in saved), default=0))
    return [
        _with_note(one) if services.embedded and _scales(document) else one for one, (_, document) in zip(saved, documents, strict=True)
    ]


def _scales(document: Any) -> bool:
    section = document.get("Sfc", document)
    return isinstance(section, dict) and "Scale" in section


def _with_note(one: Deployed) -> Deployed:
    note = "Scale has no effect on the embedded log: workers run in `sfc dev` itself (--worker MODULE)."
    return structs.replace(one, notes=[*one.notes, note])


def missing_topics(services: Services, documents: Documents, topics: Container[str]) -> list[str]:
    """Of the documents' triggers. On Kafka, where nobody makes them, it raises InvalidDocument."""
    missing = [place for place in _triggers(documents) if place.topic not in topics]
    if missing and not services.embedded:
        raise _refused(documents, [(place.source, _missing_topic(services, place)) for place in missing])
    return sorted({place.topic for place in missing})


def make_topics(services: Services, names: Sequence[str]) -> None:
    """As they are named, on the embedded log."""
    if names:
        services.log.create([TopicSpec(name, services.shards) for name in names])


def place_triggers(services: Services, blueprint: str) -> None:
    """Gives the active triggers that have no start offsets theirs."""
    for trigger in services.registry.blueprint(blueprint).triggers:
        _place(services, blueprint, trigger)


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


def _refused(documents: Documents, problems: list[tuple[str, Problem]]) -> InvalidDocument:
    """As the registry refuses: with several documents a pointer is preceded by its source and ``#``."""
    if len(documents) == 1:
        return InvalidDocument(documents[0][0], [problem for _, problem in problems])
    return InvalidDocument(f"{len(documents)} documents", [p._replace(pointer=f"{source}#{p.pointer}") for source, p in problems])


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
    where = f" at {services.bootstrap}" if services.bootstrap else ""
    command = creating(TopicSpec(place.topic, services.shards), services.bootstrap)
    return Problem("topic-missing", place.pointer, f"there is no topic {place.topic} on Kafka{where}.", f"Make it: {command}")


def _job_topics(services: Services, documents: Documents) -> list[JobTopic]:
    """The job topics of the tasks among the documents that name no service, and of the specific blueprints."""
    partitions, config = job_topic(services.shards)
    found = []
    for source, document in documents:
        if "States" in document:
            name = name_of_blueprint(document)
            if name and is_specific(document):
                topic = TopicSpec(services.names.specific_jobs(name), partitions, config)
                found.append(JobTopic(source, "/Sfc/MessageType", "blueprint", topic))
        elif "Name" in document and not {"Kafka", "Http", "Grpc"} & set(document):
            found.append(JobTopic(source, "/Name", "task", TopicSpec(services.names.task(str(document["Name"])), partitions, config)))
    return found


def _missing_job_topic(services: Services, job: JobTopic) -> Problem:
    message = f"the {job.kind}'s job topic is not there, and SFC_CREATE_TOPICS is off."
    return Problem("topic-missing", job.pointer, message, f"Make it: {creating(job.spec, services.bootstrap)}")


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
