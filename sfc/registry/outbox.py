"""The outbox: what edits have written beside themselves, brought to the log in order.

A process may die between any two lines of this: what is not marked is published again. A definition that comes twice changes
nothing, and a hold that comes twice is dropped by its mark.
"""

from __future__ import annotations

import msgspec

from sfc.engine.commands import Hold
from sfc.errors import ProducerFailed
from sfc.ports import Log, Partition, Producer
from sfc.registry.registry import OutboxItem, Registry
from sfc.wire import FORMAT, headers
from sfc.wire.commands import encode_command
from sfc.wire.topics import Names

_decode_hold = msgspec.json.Decoder(Hold).decode


class Outbox:
    """Publishes a registry's edits. One thread steps it; several gateways may, since repetitions change nothing."""

    def __init__(self, registry: Registry, log: Log, names: Names, shards: int) -> None:
        self._registry = registry
        self._log = log
        self._names = names
        self._shards = shards
        self._definitions = Partition(names.definitions, 0)
        self._producer: Producer | None = None

    def step(self) -> int:
        """Publishes what waits. Returns how many rows. Raises LogError, and the next step begins anew with the first unmarked row."""
        rows = self._registry.unpublished()
        if not rows:
            return 0
        try:
            if self._producer is None:
                self._producer = self._log.producer(gapless=True)
            for row in rows:
                self._send(self._producer, row)
            self._producer.flush()
        except ProducerFailed:
            self.close()  # it is spent
            raise
        end = self._log.ends([self._definitions], committed=False)[self._definitions]
        self._registry.mark_published(rows[-1].id, end)
        return len(rows)

    def _send(self, producer: Producer, row: OutboxItem) -> None:
        key = row.key.encode()
        if row.kind == "definition":
            producer.send(self._definitions.topic, row.value, key, [(headers.FORMAT, FORMAT)], self._definitions.number)
            return
        hold = _decode_hold(row.value)
        value, head = encode_command(hold, f"registry/{hold.subject}", (hold.revision,))
        for shard in range(self._shards):
            producer.send(self._names.commands, value, b"/hold/" + key, head, shard)

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close()
            self._producer = None
