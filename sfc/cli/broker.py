"""Commands that go to Kafka themselves: they say when they wait for it, which setting names it, and how a missing topic is made."""

from __future__ import annotations

import difflib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sfc.errors import LogInUse, LogUnavailable, TopicMissing

if TYPE_CHECKING:
    from sfc.ports import Log
    from sfc.settings import Settings

PATIENCE_S = 1.5  # a broker that is there answers sooner


@contextmanager
def opened(settings: Settings) -> Iterator[Log]:
    """The log, without its client's own lines on stderr: what matters of them is in the error that ends the command."""
    import logging

    from sfc import bootstrap

    if not os.environ.get("SFC_DEBUG"):
        logging.getLogger("sfc.kafka").addHandler(logging.NullHandler())
    try:
        log = bootstrap.open_log(settings)
    except LogInUse as e:
        said = f"{e.message} This command reads the log itself, which belongs to that process alone."
        ask = "ask it meanwhile: `sfc explain FLOW`, `sfc flows list`, `sfc stats`"
        raise LogInUse(said, hint=f"Stop it and run this again; or {ask}. On Kafka (--kafka) it runs beside everything.") from e
    try:
        with _naming_the_broker(settings.kafka):
            yield log
    finally:
        log.close()


@contextmanager
def _naming_the_broker(address: str) -> Iterator[None]:
    try:
        yield
    except LogUnavailable as e:
        hint = " ".join(filter(None, (e.hint, f"SFC_KAFKA or --kafka names the broker; here it is {address}")))
        raise LogUnavailable(e.message, hint=hint) from e


@contextmanager
def patience(address: str) -> Iterator[None]:
    """Says that Kafka is awaited when the block takes long."""
    timer = threading.Timer(PATIENCE_S, lambda: print(f"waiting for Kafka at {address} …", file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def partitions_of(log: Log, topic: str, settings: Settings) -> int:
    """The topic's partition count. Raises TopicMissing with the nearest name, or the command that makes the topic."""
    from sfc.ports import TopicSpec
    from sfc.runtime.topics import creating

    with patience(settings.kafka):
        topics = log.topics()
    if topic not in topics:
        near = difflib.get_close_matches(topic, topics, n=1)
        made = f"this makes it: {creating(TopicSpec(topic, settings.shards), settings.kafka)}"
        raise TopicMissing(f"there is no topic {topic} on Kafka at {settings.kafka}", hint=f"Did you mean {near[0]!r}?" if near else made)
    return topics[topic]
