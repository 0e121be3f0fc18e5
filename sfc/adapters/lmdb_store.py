"""The lane's scratch copy of flow states in LMDB: read mostly, one small write transaction per interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import lmdb

MAP_BYTES_MAX = 64 * 1024**3  # address space, not disk: the file grows as it is filled
_PORTION = 1_000


class LmdbStore:
    """See ``sfc.ports.StateStore``. Keys begin with the shard's number, four bytes big-endian. Never synced: what matters is in the log."""

    def __init__(self, folder: Path, map_bytes: int = MAP_BYTES_MAX) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._env = lmdb.open(str(folder), map_size=map_bytes, sync=False, metasync=False, writemap=False, lock=False, max_dbs=0)

    def get(self, shard: int, key: bytes) -> bytes | None:
        with self._env.begin() as transaction:
            value: bytes | None = transaction.get(_prefix(shard) + key)
            return value

    def apply(self, shard: int, changes: Mapping[bytes, bytes | None]) -> None:
        if not changes:
            return
        prefix = _prefix(shard)
        with self._env.begin(write=True) as transaction:
            for key, value in changes.items():
                if value is None:
                    transaction.delete(prefix + key)
                else:
                    transaction.put(prefix + key, value)

    def scan(self, shard: int, *, prefix: bytes = b"", after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Pairs as they are when the scan comes to their portion; the store may be changed meanwhile."""
        own = _prefix(shard)
        wanted = own + prefix
        start = max(wanted, own + after + b"\0") if after else wanted
        while portion := self._portion(start, wanted):
            for key, value in portion:
                yield key[len(own) :], value
            start = portion[-1][0] + b"\0"

    def _portion(self, start: bytes, wanted: bytes) -> list[tuple[bytes, bytes]]:
        # No read transaction stays open between portions: without LMDB's lock table a writer would reuse the pages it reads.
        found: list[tuple[bytes, bytes]] = []
        with self._env.begin() as transaction, transaction.cursor() as cursor:
            if cursor.set_range(start):
                for key, value in cursor:
                    if len(found) == _PORTION or not key.startswith(wanted):
                        break
                    found.append((key, value))
        return found

    def wipe(self, shard: int) -> None:
        own = _prefix(shard)
        with self._env.begin(write=True) as transaction, transaction.cursor() as cursor:
            found = cursor.set_range(own)
            while found and cursor.key().startswith(own):
                found = cursor.delete()

    def close(self) -> None:
        self._env.close()


def _prefix(shard: int) -> bytes:
    return shard.to_bytes(4, "big")
