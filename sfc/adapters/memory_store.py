"""The state store in memory: the local copy of a lane's shards for tests and the embedded default."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from itertools import islice


class _Shard:
    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.order: list[bytes] | None = []  # the keys in order; None: to be sorted again
        self.checkpoint: bytes | None = None


class MemoryStateStore:
    """``sfc.ports.StateStore``. Keys are put in order when somebody scans, not when they come."""

    def __init__(self) -> None:
        self._shards: dict[int, _Shard] = {}

    def get(self, shard: int, key: bytes) -> bytes | None:
        found = self._shards.get(shard)
        return found.values.get(key) if found else None

    def apply(self, shard: int, changes: Mapping[bytes, bytes | None], checkpoint: bytes | None = None) -> None:
        into = self._shards.setdefault(shard, _Shard())
        if checkpoint is not None:
            into.checkpoint = checkpoint
        values = into.values
        for key, value in changes.items():
            if value is None:
                if values.pop(key, None) is not None:
                    into.order = None
            else:
                if key not in values:
                    into.order = None
                values[key] = value

    def checkpoint(self, shard: int) -> bytes | None:
        found = self._shards.get(shard)
        return found.checkpoint if found else None

    def scan(self, shard: int, *, prefix: bytes = b"", after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Pairs as they are when the scan comes to them; keys put meanwhile are not among them."""
        found = self._shards.get(shard)
        if found is None:
            return
        if found.order is None:
            found.order = sorted(found.values)
        order = found.order
        first = max(bisect_left(order, prefix), bisect_right(order, after) if after else 0)
        for i in range(first, len(order)):
            key = order[i]
            if not key.startswith(prefix):
                return
            value = found.values.get(key)
            if value is not None:
                yield key, value

    def wipe(self, shard: int, count: int) -> bool:
        found = self._shards.get(shard)
        if found is None or len(found.values) <= count:
            self._shards.pop(shard, None)
            return True
        found.checkpoint, found.order = None, None
        for key in list(islice(found.values, count)):
            del found.values[key]
        return False

    def close(self) -> None:
        self._shards.clear()
