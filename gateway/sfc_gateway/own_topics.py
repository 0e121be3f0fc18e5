"""SFC's own topics are nobody else's: a document that reads or writes one is refused before it is saved.

A record of a flow in ``sfc.state`` or ``sfc.definitions`` is taken for what belongs there, and no engine starts again; a trigger on
``sfc.history`` or ``sfc.dead-letters`` feeds itself. Only ``sfc.control`` may be written: any program may.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sfc.errors import Problem
from sfc.registry.blueprint_document import resources_of
from sfc.registry.shapes import join
from sfc.wire.topics import Names

_TOPIC = "topic:"


class _Use(NamedTuple):
    pointer: str
    topic: str
    writes: bool


def own_topic_problems(names: Names, documents: Sequence[tuple[str, dict[str, Any]]]) -> list[tuple[str, Problem]]:
    """Problems with their sources. What else is wrong with the documents the registry says."""
    found = []
    for source, document in documents:
        for use in (*_of_blueprint(document), *_of_task(document)):
            if names.is_own(use.topic) and not (use.writes and use.topic == names.control):
                does = "writes to" if use.writes else "reads from"
                message = f"expected a topic of yours: nothing but SFC itself {does} {use.topic}."
                found.append((source, Problem("own-topic", use.pointer, message, "Name another topic.")))
    return found


def _of_blueprint(document: dict[str, Any]) -> Iterator[_Use]:
    for pointer, resource in resources_of(document):
        if resource.startswith(_TOPIC):
            yield _Use(pointer, resource.removeprefix(_TOPIC), True)
    section = document.get("Sfc")
    if not isinstance(section, dict):
        return
    triggers, resources = section.get("Triggers"), section.get("Resources")
    for index, trigger in enumerate(triggers if isinstance(triggers, list) else ()):
        if isinstance(trigger, dict) and isinstance(trigger.get("Topic"), str):
            yield _Use(f"/Sfc/Triggers/{index}/Topic", trigger["Topic"], False)
    for name, resource in resources.items() if isinstance(resources, dict) else ():
        if isinstance(resource, str) and resource.startswith(_TOPIC):
            yield _Use(join("/Sfc/Resources", str(name)), resource.removeprefix(_TOPIC), True)


def _of_task(document: dict[str, Any]) -> Iterator[_Use]:
    kafka = document.get("Kafka")
    for member, writes in (("Topic", True), ("ReplyTopic", False)):
        if isinstance(kafka, dict) and isinstance(kafka.get(member), str):
            yield _Use(f"/Kafka/{member}", kafka[member], writes)
