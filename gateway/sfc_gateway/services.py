"""What the gateway needs of the rest, wired by sfc.bootstrap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sfc.ports import Clock, FlowIndex, Log
from sfc.registry import Registry
from sfc.runtime.answers import Answers
from sfc.runtime.dead_letters import DeadLetterOffice
from sfc.runtime.definitions import Definitions
from sfc.runtime.starts import Appender
from sfc.wire.topics import Names


@dataclass(frozen=True)
class Services:
    """Somebody else steps ``definitions`` and ``answers`` in threads of their own, and the registry's outbox.

    ``kick``: wakes the outbox. ``dev``: whether the development-only endpoints are there. ``embedded``: the log is the embedded one,
    and topics are made as they are named.
    ``bootstrap``: Kafka's address, for the commands that messages show; '' beside the embedded log.
    ``create_topics``: whether SFC may make its own topics that are missing.
    ``local``: it listens on loopback alone, so that requests without a key may be answered while there are no keys.
    ``verdict_s``: how long the engine's verdict is awaited; ``publish_s``: a publication.
    """

    log: Log
    names: Names
    shards: int
    clock: Clock
    instance: str
    definitions: Definitions
    registry: Registry
    kick: Callable[[], None]
    index: FlowIndex
    appender: Appender
    office: DeadLetterOffice
    answers: Answers
    dev: bool = False
    embedded: bool = False
    create_topics: bool = True
    bootstrap: str = ""
    local: bool = True
    live: Callable[[], bool] = lambda: True
    ready: Callable[[], bool] | None = None  # default: the definitions have been read to their end
    verdict_s: float = 5.0
    publish_s: float = 10.0
