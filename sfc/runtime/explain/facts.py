"""What the log tells about shards, jobs and consumer groups, asked once for one explanation."""

from __future__ import annotations

import time
from typing import NamedTuple

from sfc.engine.program import Target
from sfc.engine.shard import ShardState
from sfc.errors import LogError, LogUnavailable, MalformedRecord
from sfc.ports import Log, Partition
from sfc.runtime.definitions import Definitions
from sfc.runtime.shard_records import between, last_record
from sfc.wire import headers
from sfc.wire.partition import partition_of
from sfc.wire.topics import Names

LOOK_S = 2.0  # for one job in its topic
CLOCKS_MS = 600_000


class ShardView(NamedTuple):
    """``behind``: commands that no engine has taken yet; ``waits_ms``: since when the first of them does, 0: none does. ``held``: records
    that an open transaction keeps from being read. ``owner``: the engine that has the shard, "" for none. ``engines``: all that run."""

    number: int
    state: ShardState | None
    behind: int
    waits_ms: int
    held: int
    owner: str
    engines: tuple[str, ...]
    waits_for_flow: bool  # one of the first of those commands is about the flow that is asked for


class GroupView(NamedTuple):
    """``members``: all; ``readers``: those who have the partition. ``lag``: -1 when it is not known (``trouble`` says why). ``position``:
    the next offset that the group reads of the partition, -1: nothing was read yet."""

    name: str
    members: tuple[str, ...]
    readers: tuple[str, ...]
    lag: int
    position: int
    trouble: str = ""


class Facts:
    """``bootstrap``: Kafka's address for the commands that are shown, '' beside the embedded log."""

    def __init__(self, log: Log, names: Names, shards: int, definitions: Definitions, now_ms: int, bootstrap: str = "") -> None:
        self.names = names
        self.shards = shards
        self.definitions = definitions
        self.now_ms = now_ms
        self.bootstrap = bootstrap
        self._log = log
        self._topics: dict[str, int] | None = None

    def topics(self) -> dict[str, int]:
        if self._topics is None:
            self._topics = self._log.topics()
        return self._topics

    def shard_of(self, flow: str) -> int:
        return partition_of(flow.encode(), self.shards)

    # -- shards ----------------------------------------------------------------------------------------------------------

    def shard(self, number: int, flow: str) -> ShardView:
        at = Partition(self.names.commands, number)
        state = self._shard_state(number)
        start, stable = self._log.starts([at])[at], self._log.ends([at])[at]
        held = self._log.ends([at], committed=False)[at] - stable
        position = max(start, state.next_offset if state is not None else 0)
        waiting = between(self._log, at, position, stable, 500, LOOK_S) if position < stable else []
        members = self._log.group_members(self.names.engine_group)
        owner = next((m.client_id for m in members if at in m.partitions), "")
        return ShardView(
            number,
            state,
            max(0, stable - position) if waiting else 0,
            (waiting[0].append_ms or waiting[0].timestamp_ms) if waiting else 0,
            max(0, held),
            owner,
            tuple(m.client_id for m in members),
            any(record.key == flow.encode() for record in waiting),
        )

    def _shard_state(self, number: int) -> ShardState | None:
        try:
            return last_record(self._log, self.names, number)
        except MalformedRecord:
            return None

    # -- jobs ------------------------------------------------------------------------------------------------------------

    def place_of_job(self, topic: str, token: str, flow: str, since_ms: int) -> tuple[Partition, int]:
        """Where the job's record is: its partition, and its offset or -1 where it was not found in time."""
        at = Partition(topic, partition_of(flow.encode(), self.topics()[topic]))
        start = self._log.offsets_at([at], max(0, since_ms - CLOCKS_MS))[at]
        end = self._log.ends([at])[at]
        wanted = token.encode()
        if start < end:
            reader = self._log.reader({at: start})
            until_s = time.monotonic() + LOOK_S
            try:
                while reader.position(at) < end and time.monotonic() < until_s:
                    for record in reader.take(2_000, 0.2):
                        if headers.find(record.headers, headers.JOB) == wanted:
                            return at, record.offset
            finally:
                reader.close()
        return at, -1

    def group(self, name: str, at: Partition) -> GroupView:
        """A consumer group as it stands to a partition of one of its topics."""
        partitions = [Partition(at.topic, n) for n in range(self.topics()[at.topic])]
        try:
            members = self._log.group_members(name)
            done = self._log.group_positions(name)
        except LogUnavailable:
            raise
        except LogError as e:
            return GroupView(name, (), (), -1, -1, e.message)
        starts, ends = self._log.starts(partitions), self._log.ends(partitions)
        lag = sum(max(0, ends[p] - max(done[p].offset if p in done else 0, starts[p])) for p in partitions)
        return GroupView(
            name,
            tuple(m.client_id for m in members),
            tuple(m.client_id for m in members if at in m.partitions),
            lag,
            done[at].offset if at in done else -1,
        )

    def group_of(self, target: Target, blueprint: str) -> tuple[str, str]:
        """The consumer group that does the target's jobs, and the pool of SFC's workers, "" where they are somebody else's."""
        names = self.names
        if target.topic == names.jobs:
            return names.workers_group, ""
        if target.topic == names.specific_jobs(blueprint):
            return names.specific_group(blueprint), f"blueprint:{blueprint}"
        name, _, version = target.resource.removeprefix("task:").partition("@")
        task = self.definitions.task(name, int(version)) if version.isdigit() else None
        kafka = (task.document.get("Kafka") if task is not None else None) or {}
        if kafka:
            return kafka.get("ConsumerGroup") or kafka.get("Topic") or target.topic, ""
        return names.task(name), f"task:{name}"

    # -- the monitor -----------------------------------------------------------------------------------------------------

    def monitor_lag(self, number: int) -> int:
        """Records of the shard's history that the monitor's group has not read; -1: not known."""
        at = Partition(self.names.history, number)
        try:
            done = self._log.group_positions(self.names.monitor_group)
        except LogUnavailable:
            raise
        except LogError:
            return -1
        if at not in done:
            return -1
        end = self._log.ends([at])[at]
        return (
            end - done[at].offset if between(self._log, at, done[at].offset, end, 1, LOOK_S) else 0
        )  # what is left may be markers of transactions
