"""librdkafka properties of each kind of client, and what must never be shown of them.

Three layers: what is quick and may be overridden, the user's own properties, and what the promises of exactly-once rest on
(which nobody overrides).
"""

from __future__ import annotations

from collections.abc import Mapping

from sfc.wire.topics import RECORD_BYTES_MAX

Properties = dict[str, str | int | float | bool]

# A broker that is silent for this long is reported as unavailable: within the 10 s that a command may take to say so.
REQUEST_TIMEOUT_S = 8.0

_SECRET_WORDS = ("password", "secret", "pem", "oauthbearer.config", "key.string")

_COMMON: Properties = {
    "client.id": "sfc",
    # Alone, a record leaves at once; Nagle's algorithm would hold it back for the acknowledgement of the one before.
    "socket.nagle.disable": True,
    "reconnect.backoff.max.ms": 2_000,
}

_PRODUCER: Properties = {
    # The client's own limit; a topic may allow less.
    "message.max.bytes": RECORD_BYTES_MAX,
    "queue.buffering.max.messages": 500_000,
    "linger.ms": 0,
}

_BUSY: Properties = {"linger.ms": 1, "compression.type": "lz4"}

_TRANSACTION_LINGER_MS = 100

_PRODUCER_FIXED: Properties = {
    "enable.idempotence": True,
    "delivery.report.only.error": True,
    "partitioner": "murmur2_random",  # the Java client's; librdkafka's default disagrees with it
}

_CONSUMER: Properties = {
    "fetch.min.bytes": 1,
    "fetch.wait.max.ms": 100,
    # The default of 1 s would let a drained queue sit idle before it is fetched again.
    "fetch.queue.backoff.ms": 1,
    # A broker that hangs holds a synchronous commit no longer than this.
    "socket.timeout.ms": 10_000,
    # A topic made after the subscription is found within this time (the default is five minutes).
    "topic.metadata.refresh.interval.ms": 5_000,
}

_CONSUMER_FIXED: Properties = {"enable.auto.commit": False, "enable.auto.offset.store": False}


def producer(user: Mapping[str, str], *, gapless: bool, busy: bool) -> Properties:
    """An idempotent producer; ``gapless``: no time limit, and the first failure ends it."""
    limits: Properties = {"message.timeout.ms": 0, "enable.gapless.guarantee": True} if gapless else {"message.timeout.ms": 10_000}
    return {**_COMMON, **_PRODUCER, **(_BUSY if busy else {}), **user, **_PRODUCER_FIXED, **limits}


def transaction(user: Mapping[str, str], transactional_id: str, batch_bytes_max: int = 0) -> Properties:
    """A transactional producer. It always batches: it sends a whole interval at once, and the flush before the commit ends the waiting."""
    narrow: Properties = {"batch.size": batch_bytes_max} if batch_bytes_max else {}  # no topic that is written takes larger ones
    fixed: Properties = {
        "transactional.id": transactional_id,
        "transaction.timeout.ms": 15_000,
        "message.timeout.ms": 10_000,
        "retry.backoff.ms": 10,  # back-to-back commits would wait for 100-500 ms otherwise
    }
    return {**_COMMON, **_PRODUCER, **_BUSY, "linger.ms": _TRANSACTION_LINGER_MS, **user, **_PRODUCER_FIXED, **fixed, **narrow}


def consumer(user: Mapping[str, str], group: str, start_at: str) -> Properties:
    """A dynamic member of a group."""
    fixed: Properties = {
        "group.id": group,
        "isolation.level": "read_committed",
        "partition.assignment.strategy": "cooperative-sticky",
        "auto.offset.reset": start_at,
        "enable.partition.eof": False,
    }
    return {**_COMMON, **_CONSUMER, "session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_500, **user, **_CONSUMER_FIXED, **fixed}


def reader(user: Mapping[str, str], *, committed: bool) -> Properties:
    """A consumer that joins no group: librdkafka wants a name for one all the same, and never uses it."""
    fixed: Properties = {
        "group.id": "sfc-reader",
        "isolation.level": "read_committed" if committed else "read_uncommitted",
        # An offset that isn't there is looked at by the reader, and not silently replaced by another.
        "auto.offset.reset": "error",
        # The end of a partition says how far a gap reaches (transaction markers, aborted and compacted records).
        "enable.partition.eof": True,
    }
    # The end is only told when a fetch came back empty: a restore waits for that.
    return {**_COMMON, **_CONSUMER, "fetch.wait.max.ms": 50, **user, **_CONSUMER_FIXED, **fixed}


def admin(user: Mapping[str, str]) -> Properties:
    return {**_COMMON, **user}


def scrubbed(text: str, properties: Mapping[str, object]) -> str:
    """``text`` without the secrets among the properties (librdkafka quotes a value that it refuses)."""
    for name, value in properties.items():
        if value and any(word in name for word in _SECRET_WORDS):
            text = text.replace(str(value), "***")
    return text
