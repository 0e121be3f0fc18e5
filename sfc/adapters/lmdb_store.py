"""A lane's local copy of flow states in LMDB: read mostly, one small write transaction per interval."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import lmdb

from sfc.errors import StoreFailed

MAP_BYTES_MAX = 64 * 1024**3  # address space, not disk: the file grows as it is filled
_PORTION = 1_000
_CHECKPOINTS = b"\xff\xff\xff\xff"  # in place of a shard's number
_LAYOUT = "1"
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class LmdbStore:
    """See ``sfc.ports.StateStore``. Keys begin with the shard's number, four bytes big-endian; checkpoints have a range of their own.

    Nothing is ever synced: what matters is in the log. What a process has written outlives its death, and not that of the machine, after
    which the file may be broken: so a store of another boot (or where boots can't be told apart) is removed before it is opened. One
    process at a time may have the folder. Raises StoreFailed when the folder can't be written.
    """

    def __init__(self, folder: Path, map_bytes: int = MAP_BYTES_MAX, boot: str | None = None) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _keep_to_this_boot(folder, _this_boot() if boot is None else boot)
            self._env = _open(folder, map_bytes)
        except (OSError, lmdb.Error) as e:
            raise StoreFailed(f"the local store in {folder} can't be opened: {e}", hint="SFC_STATE_DIR names another directory") from e

    def get(self, shard: int, key: bytes) -> bytes | None:
        with self._env.begin() as transaction:
            value: bytes | None = transaction.get(_prefix(shard) + key)
            return value

    def apply(self, shard: int, changes: Mapping[bytes, bytes | None], checkpoint: bytes | None = None) -> None:
        if not changes and checkpoint is None:
            return
        prefix = _prefix(shard)
        with self._written(), self._env.begin(write=True) as transaction:
            for key, value in changes.items():
                if value is None:
                    transaction.delete(prefix + key)
                else:
                    transaction.put(prefix + key, value)
            if checkpoint is not None:
                transaction.put(_CHECKPOINTS + prefix, checkpoint)

    def checkpoint(self, shard: int) -> bytes | None:
        with self._env.begin() as transaction:
            value: bytes | None = transaction.get(_CHECKPOINTS + _prefix(shard))
            return value

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

    def wipe(self, shard: int, count: int) -> bool:
        own = _prefix(shard)
        with self._written(), self._env.begin(write=True) as transaction, transaction.cursor() as cursor:
            transaction.delete(_CHECKPOINTS + own)
            found = cursor.set_range(own)
            while found and cursor.key().startswith(own):
                if not count:
                    return False
                found = cursor.delete()
                count -= 1
        return True

    def close(self) -> None:
        self._env.close()

    @contextlib.contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except lmdb.Error as e:
            raise StoreFailed(
                f"the local store in {self._folder} can't be written: {e}", hint="is the disk full? Or remove it: it is a copy"
            ) from e


def _prefix(shard: int) -> bytes:
    return shard.to_bytes(4, "big")


def _this_boot() -> str:
    """The name of the running system's boot; empty where it has none."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def _keep_to_this_boot(folder: Path, boot: str) -> None:
    """Removes what was written under another boot, or in another layout."""
    mark, wanted = folder / "boot", f"{_LAYOUT} {boot}"
    if boot and mark.is_file() and mark.read_text() == wanted:
        return
    _remove(folder)
    mark.write_text(wanted)


def _remove(folder: Path) -> None:
    for name in ("data.mdb", "lock.mdb"):
        (folder / name).unlink(missing_ok=True)


def _open(folder: Path, map_bytes: int) -> lmdb.Environment:
    def opened() -> lmdb.Environment:
        return lmdb.open(str(folder), map_size=map_bytes, sync=False, metasync=False, writemap=False, lock=False, max_dbs=0)

    try:
        return opened()
    except lmdb.Error:  # of another version of LMDB, or damaged: it is a copy
        _remove(folder)
        return opened()
