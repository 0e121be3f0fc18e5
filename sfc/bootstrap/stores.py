"""Where an engine keeps its local copy of flow states."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from pathlib import Path
from typing import IO

from sfc.bootstrap.site import Site
from sfc.errors import StoreFailed
from sfc.log import get_logger
from sfc.ports import StateStore

_log = get_logger()


class KeptStore:
    """A store and what goes with it: the claim on its folder, or a folder that nobody needs afterwards."""

    def __init__(self, store: StateStore, claim: IO[str] | None = None, scratch: Path | None = None) -> None:
        self.store = store
        self._claim = claim
        self._scratch = scratch

    def close(self) -> None:
        self.store.close()
        if self._claim is not None:
            self._claim.close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)


def open_store(site: Site) -> KeptStore:
    """LMDB beside Kafka, memory beside the embedded log.

    Of several engines that share the directory each has the lowest folder that no living process has; one that is started again after
    its death so finds its own. Where the directory can't be written and nobody named it, the store is a temporary one. Raises StoreFailed.
    """
    settings = site.settings
    if not settings.kafka:
        from sfc.adapters.memory_store import MemoryStateStore

        return KeptStore(MemoryStateStore())
    from sfc.adapters.lmdb_store import LmdbStore

    parent = settings.state_dir or settings.data / "state"
    try:
        folder, claim = _claimed(parent, settings.namespace)
    except OSError as e:
        if settings.state_dir is not None:
            raise StoreFailed(f"SFC_STATE_DIR names {parent}, which can't be written: {e.strerror}", hint="name another directory") from e
        scratch = Path(tempfile.mkdtemp(prefix="sfc-lane-"))
        _log.warning("the local store is a temporary one: a restart reads all states from Kafka", action="store-scratch", reason=str(e))
        return KeptStore(LmdbStore(scratch), scratch=scratch)
    try:
        return KeptStore(LmdbStore(folder), claim)
    except BaseException:
        claim.close()
        raise


def _claimed(parent: Path, namespace: str) -> tuple[Path, IO[str]]:
    """A folder, and the open file whose lock is the claim on it: a process that dies gives it back."""
    slot = 0
    while True:
        folder = parent / f"{namespace}-{slot}"
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "claim").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            slot += 1
        else:
            return folder, file
