"""The outbox: what edits have written beside themselves, brought to the log in order.

Any number of gateways step one each. The last record of a key must be its newest, since compaction keeps that one; so definitions are
written under a fence, the transactional id ``<namespace>-outbox``:

1. Who publishes takes the id first, and only then reads what waits.
2. Whoever publishes after that has taken the id in between: from then on the commit of the one before him fails.

So a gateway that stalls anywhere, with records in its producer even, can't bring an older definition behind a newer one. A process may
also die between any two lines: what is not marked is published again. A definition that comes twice changes nothing.

Holds need no fence, and get none: an open transaction of ours on ``sfc.commands`` would hold the engine up. They carry their revision as
a mark, by which a shard drops whatever is older than what it has.
"""

from __future__ import annotations

import msgspec

from sfc.engine.commands import Hold
from sfc.errors import LogError, ProducerFailed, ProducerFenced
from sfc.ports import Log, Partition, Producer, Transaction
from sfc.registry.registry import OutboxItem, Registry
from sfc.wire import FORMAT, headers
from sfc.wire.commands import encode_command
from sfc.wire.topics import Names

TURN_S = 3.0
"""How long a gateway waits for the one that publishes; then it goes on, and the fence decides."""

_decode_hold = msgspec.json.Decoder(Hold).decode


class Outbox:
    """Publishes a registry's edits. One thread steps it. It keeps the fence until another gateway publishes."""

    def __init__(self, registry: Registry, log: Log, names: Names, shards: int) -> None:
        self._registry = registry
        self._log = log
        self._names = names
        self._shards = shards
        self._definitions = Partition(names.definitions, 0)
        self._fence: Transaction | None = None
        self._producer: Producer | None = None
        self._end = 0  # of sfc.definitions, as the registry was told last

    def step(self) -> int:
        """Publishes what waits. Returns how many rows. Raises LogError, RegistryError; the next step begins with the first
        unmarked row."""
        if not self._registry.unpublished(1):
            return 0
        with self._registry.alone("outbox", TURN_S):
            try:
                try:
                    return self._publish()
                except (ProducerFenced, ProducerFailed):
                    # Most often another gateway has published since, which the client does not always say so clearly.
                    self.close()
                    return self._publish()
            except LogError:
                self.close()  # what failed is spent
                raise

    def _publish(self) -> int:
        if self._registry.definitions_end() != self._end:
            self.close()  # another gateway has published since: what is known beforehand need not fail
        if self._fence is None:
            self._fence = self._log.transaction(f"{self._names.namespace}-outbox")
        rows = self._registry.unpublished()  # only now: see above
        if not rows:
            return 0
        holds = [row for row in rows if row.kind == "hold"]
        if holds:
            self._producer = self._producer or self._log.producer(gapless=True)
            for row in holds:
                self._send_hold(self._producer, row)
        if len(holds) < len(rows):
            self._fence.begin()
            for row in rows:
                if row.kind == "definition":
                    self._fence.send(
                        self._definitions.topic, row.value, row.key.encode(), [(headers.FORMAT, FORMAT)], self._definitions.number
                    )
            self._fence.commit()
        if self._producer is not None:
            self._producer.flush()
        end = self._log.ends([self._definitions], committed=False)[self._definitions]
        self._registry.mark_published(rows[-1].id, end)
        self._end = end
        return len(rows)

    def _send_hold(self, producer: Producer, row: OutboxItem) -> None:
        hold = _decode_hold(row.value)
        value, head = encode_command(hold, f"registry/{hold.subject}", (hold.revision,))
        for shard in range(self._shards):
            producer.send(self._names.commands, value, b"/hold/" + row.key.encode(), head, shard)

    def close(self) -> None:
        """Lets the fence and the producer go."""
        fence, producer, self._fence, self._producer = self._fence, self._producer, None, None
        for one in (fence, producer):
            if one is not None:
                one.close()
