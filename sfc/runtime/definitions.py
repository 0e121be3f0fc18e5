"""What every process must know, from ``sfc.definitions``: blueprints, tasks, settings. Edits load without a restart.

One thread steps the tail; others read. Reads are of plain dictionaries that are replaced entry by entry, so no lock is needed for
them; ``wait_for`` uses a condition.
"""

from __future__ import annotations

import threading
from typing import Any

from sfc.asl import compile_machine
from sfc.engine.link import is_specific, link
from sfc.engine.program import Program
from sfc.errors import MalformedRecord, SfcError, ShardStopped, TopicMissing
from sfc.log import get_logger
from sfc.ports import Log, Partition, Reader
from sfc.wire.definitions import (
    BlueprintHead,
    BlueprintVersion,
    ClusterSettings,
    PoolScale,
    SubjectHold,
    TaskHead,
    TaskVersion,
    decode_definition,
)
from sfc.wire.topics import Names

_log = get_logger()


class Definitions:
    """The tail of ``sfc.definitions`` and what it has told so far."""

    def __init__(self, log: Log, names: Names) -> None:
        self.names = names
        self._log = log
        self.settings: ClusterSettings | None = None
        self.heads: dict[str, BlueprintHead] = {}
        self.task_heads: dict[str, TaskHead] = {}
        self.holds: dict[str, SubjectHold] = {}  # of versions, tasks and groups, by subject; lifted ones too
        self.pools: dict[str, PoolScale] = {}
        self.revision = 0  # counts changes, so that others notice one cheaply
        self.revision_max = 0  # the registry's highest revision seen
        self._versions: dict[tuple[str, int], BlueprintVersion] = {}
        self._tasks: dict[tuple[str, int], TaskVersion] = {}
        self._programs: dict[tuple[str, int], Program] = {}
        self._unusable: dict[tuple[str, int], tuple[int, str]] = {}  # versions that can't be run here: as of which revision, and why
        self._changed = threading.Condition()
        self._partition = Partition(names.definitions, 0)
        if log.describe(names.definitions) is None:
            raise TopicMissing(f"topic {names.definitions} is not there; any SFC role makes it where it may: start the gateway first")
        self._end_at_start = log.ends([self._partition], committed=False)[self._partition]
        self._reader: Reader = log.reader({self._partition: 0})
        self._position = 0

    @property
    def position(self) -> int:
        """The next offset of sfc.definitions to be read: all before it is known."""
        return self._position

    @property
    def ready(self) -> bool:
        """Whether everything that stood in the topic at the start has been read (EXACTLY-ONCE 32)."""
        return self._position >= self._end_at_start

    def step(self, timeout_s: float = 0.1) -> int:
        """Reads what is new. Returns how many records. A kind that only a newer release knows is passed over.

        Raises ShardStopped when a version came again with other content; the first one stays.
        """
        records = self._reader.take(1_000, timeout_s)
        conflict: ShardStopped | None = None
        with self._changed:
            for record in records:
                try:
                    if record.value is not None:
                        self._learn(record.value)
                except MalformedRecord as e:
                    _log.error(e.message, action="definition-unreadable", key=repr(record.key), offset=record.offset)
                except ShardStopped as e:
                    conflict = e
            position = self._reader.position(self._partition)
            if records or position != self._position:
                self._position = position
                self.revision += len(records)
                self._changed.notify_all()
        if conflict is not None:
            raise conflict
        return len(records)

    def load(self) -> None:
        """Steps until ``ready``."""
        while not self.ready:
            self.step(0.05)

    def end(self) -> int:
        """Where the topic ends now, uncommitted records included."""
        return self._log.ends([self._partition], committed=False)[self._partition]

    def read_to_end(self) -> None:
        """Steps until everything is known that anybody may have read by now."""
        end = self._log.ends([self._partition])[self._partition]
        while self._position < end:
            self.step(0.05)

    def wait_for(self, position: int, timeout_s: float) -> bool:
        """Waits, while another thread steps, until everything before ``position`` is known."""
        with self._changed:
            return self._changed.wait_for(lambda: self._position >= position, timeout_s)

    def wait_change(self, timeout_s: float) -> None:
        """Waits until something new has been read, or the time is over."""
        with self._changed:
            self._changed.wait(timeout_s)

    def version(self, name: str, version: int) -> BlueprintVersion | None:
        return self._versions.get((name, version))

    def current(self, name: str) -> BlueprintVersion | None:
        head = self.heads.get(name)
        return None if head is None else self._versions.get((name, head.current))

    def held(self, version: BlueprintVersion) -> list[str]:
        """What holds every flow of this version besides its blueprint: itself, its group."""
        group = (version.document.get("Sfc") or {}).get("Group")
        subjects = (f"version:{version.name}@{version.version}", *((f"group:{group}",) if group else ()))
        return [s for s in subjects if (hold := self.holds.get(s)) is not None and hold.held]

    def task(self, name: str, version: int) -> TaskVersion | None:
        return self._tasks.get((name, version))

    def specific(self) -> set[str]:
        """Blueprints of which a version is specific, be it an older one: its flows may still have jobs on the way."""
        return {version.name for version in list(self._versions.values()) if is_specific(version.document)}

    def tasks(self) -> list[TaskVersion]:
        """All versions of all tasks."""
        return list(self._tasks.values())

    def program(self, name: str, version: int) -> Program | None:
        """The version, compiled and linked at first use; None when it is not known, or can't be run here (see ``why_not``)."""
        key = name, version
        program = self._programs.get(key)
        if program is None:
            found = self._versions.get(key)
            if found is None or self._unusable.get(key, (-1, ""))[0] == self.revision:
                return None
            try:
                program = self._link(found)
            except Exception as e:  # of a newer release, say: whatever it is, it must not end the lane
                if key not in self._unusable:
                    _log.exception(f"{name}@{version} can't be run by this engine", action="version-unusable", blueprint=name)
                self._unusable[key] = self.revision, e.message if isinstance(e, SfcError) else f"{type(e).__name__}: {e}"
                return None
            self._programs[key] = program
        return program

    def why_not(self, name: str, version: int) -> str:
        """Why there is no program of this version."""
        if (name, version) in self._unusable:
            return f"{name}@{version} can't be run by this engine: {self._unusable[name, version][1]}"
        return f"{name}@{version} is not known"

    def _link(self, found: BlueprintVersion) -> Program:
        documents: dict[str, dict[str, Any]] = {f"{t.name}@{t.version}": t.document for t in self._tasks.values()}
        return link(
            name=found.name,
            version=found.version,
            hash=found.hash,
            machine=compile_machine({k: v for k, v in found.document.items() if k != "Sfc"}),
            document=found.document,
            tasks=documents,
            task_topic=self.names.task,
            jobs_topic=self.names.jobs,
            specific_topic=self.names.specific_jobs,
            blueprints={f"{name}@{version}": known.hash for (name, version), known in self._versions.items()},
        )

    def _learn(self, value: bytes) -> None:
        match decode_definition(value):
            case ClusterSettings() as settings:
                self.settings = settings
            case BlueprintVersion() as version:
                self._refuse_other_hash(self._versions.get((version.name, version.version)), version)
                self._versions[version.name, version.version] = version
            case TaskVersion() as task:
                self._refuse_other_hash(self._tasks.get((task.name, task.version)), task)
                self._tasks[task.name, task.version] = task
            case BlueprintHead() as head:
                self.revision_max = max(self.revision_max, head.revision)
                known = self.heads.get(head.name)
                if known is None or head.revision >= known.revision:
                    self.heads[head.name] = head
            case TaskHead() as task_head:
                self.revision_max = max(self.revision_max, task_head.revision)
                self.task_heads[task_head.name] = task_head
            case SubjectHold() as hold:
                self.revision_max = max(self.revision_max, hold.revision)
                known_hold = self.holds.get(hold.subject)
                if known_hold is None or hold.revision >= known_hold.revision:
                    self.holds[hold.subject] = hold
            case PoolScale() as pool:
                self.revision_max = max(self.revision_max, pool.revision)
                known_pool = self.pools.get(pool.pool)
                if known_pool is None or pool.revision >= known_pool.revision:
                    self.pools[pool.pool] = pool

    @staticmethod
    def _refuse_other_hash(known: BlueprintVersion | TaskVersion | None, came: BlueprintVersion | TaskVersion) -> None:
        """Versions are immutable (EXACTLY-ONCE 8)."""
        if known is not None and known.hash != came.hash:
            raise ShardStopped(
                f"{came.name}@{came.version} is known with hash {known.hash[:12]} and came again with {came.hash[:12]}:"
                " two registries write to one namespace; give each installation a namespace of its own"
            )

    def close(self) -> None:
        self._reader.close()
