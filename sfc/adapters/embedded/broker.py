"""The core of the embedded log: topics, transactions, consumer groups, one lock.

A write is visible at once and on disk with the next ``flush``, which writes everything up to now in one step: so what is on
disk is always a prefix of what happened, and a reader can't have committed what the log has lost.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event, Lock, RLock, Thread
from uuid import uuid4

from sfc.adapters.embedded.groups import Group, Member
from sfc.adapters.embedded.partition import PartitionLog, size_of
from sfc.adapters.embedded.storage import Storage, StoredPartition, StoredTopic
from sfc.adapters.embedded.topics import Topic
from sfc.errors import BadInput, LogError, ProducerFailed, ProducerFenced, RecordTooLarge, TopicMissing
from sfc.ports import Clock, GroupMember, Headers, Partition, Position, TopicSpec
from sfc.wire.partition import partition_of

_TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
_METADATA_MAX = 4096
_HERE = "127.0.0.1"  # all members are in this process
_COMPACT_FROM = 10_000  # records that a partition takes before it is worth compacting
_WRITE_DELAY_S = 0.01  # how long a record that nobody flushes may stay in memory


class OpenTransaction:
    """What a transaction wrote to so far, and the positions that it will commit."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.wrote: list[PartitionLog] = []
        self.positions: dict[tuple[str, Partition], Position] = {}
        self.failure = ""  # why it can't be committed
        self.refused: list[tuple[str, bytes | None, str]] = []  # topic, key and reason


class Owner:
    """Who holds a transactional id just now."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.open: OpenTransaction | None = None


class Broker:
    """All methods may be called from any thread."""

    def __init__(
        self, storage: Storage, clock: Clock | None = None, *, max_poll_s: float = 300.0, new_id: Callable[[], str] | None = None
    ) -> None:
        self._new_id = new_id or (lambda: str(uuid4()))
        self.lock = RLock()
        self.aborted: set[int] = set()
        self._write_lock = Lock()
        self._storage = storage
        self._clock = clock
        self._max_poll_s = max_poll_s
        self._groups: dict[str, Group] = {}
        self._owners: dict[str, Owner] = {}
        self._closed = False
        contents = storage.load()
        self.cluster_id = contents.cluster_id
        self._next_tx = contents.boot << 32  # a number is never used twice, though few are remembered
        self._topics = {stored.name: Topic(stored, storage) for stored in contents.topics}
        self._next_part = 1 + max((p.part for stored in contents.topics for p in stored.partitions), default=0)
        for (group, at), position in contents.positions.items():
            self._group(group).committed[at] = position
        self._owners.update((name, Owner(epoch)) for name, epoch in contents.epochs.items())
        self.aborted.update(contents.aborted)
        for number, wrote in contents.open.items():
            crashed = OpenTransaction(number)
            crashed.wrote = [self.partition(at) for at in wrote]
            self._finish(crashed, commit=False)
        self._retain()
        self._wanted = Event()
        if storage.durable:
            self.flush()
            self._writer = Thread(target=self._write_behind, name="sfc-log-writer", daemon=True)
            self._writer.start()

    # ---- time

    def now_ms(self) -> int:
        return self._clock.now_ms() if self._clock else time.time_ns() // 1_000_000

    def now_s(self) -> float:
        return self._clock.monotonic_s() if self._clock else time.monotonic()

    # ---- topics

    def topic(self, name: str) -> Topic | None:
        return self._topics.get(name)

    def topics(self) -> dict[str, int]:
        with self.lock:
            return {name: len(topic.partitions) for name, topic in self._topics.items()}

    def partition(self, at: Partition) -> PartitionLog:
        found = self.find(at)
        if found is None:
            raise TopicMissing(f"There is no partition {at.number} of a topic {at.topic}.", hint="Create it first.")
        return found

    def find(self, at: Partition) -> PartitionLog | None:
        topic = self._topics.get(at.topic)
        return topic.partitions[at.number] if topic is not None and 0 <= at.number < len(topic.partitions) else None

    def create(self, specs: Iterable[TopicSpec]) -> None:
        with self.lock:
            for spec in specs:
                if spec.name not in self._topics:
                    self._create(spec)
            for group in self._groups.values():
                if group.members:
                    group.balance(self.topics())
        self.flush()

    def delete(self, name: str) -> None:
        """Takes a topic away, with what groups have committed in it. Those who read it see nothing until it is made again."""
        if self._storage.durable:
            raise LogError(f"The topic {name} is on disk, and only a log in memory deletes topics.")
        with self.lock:
            if self._topics.pop(name, None) is None:
                raise TopicMissing(f"There is no topic {name}.")
            for group in self._groups.values():
                for at in [at for at in group.committed if at.topic == name]:
                    del group.committed[at]
                if group.members:
                    group.balance(self.topics())

    def _create(self, spec: TopicSpec) -> None:
        if not _TOPIC_NAME.fullmatch(spec.name) or spec.partitions < 1:
            raise BadInput(f"A topic has a name of [A-Za-z0-9._-] and at least one partition, not {spec.name!r} with {spec.partitions}.")
        first = self._next_part
        self._next_part += spec.partitions
        partitions = [StoredPartition(part, 0, 0, 0) for part in range(first, self._next_part)]
        stored = StoredTopic(spec.name, self._new_id(), dict(spec.config), partitions)
        self._topics[spec.name] = Topic(stored, self._storage)
        self._storage.topic(stored)

    # ---- records

    def append(
        self,
        topic_name: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers | None,
        number: int | None,
        tx: OpenTransaction | None = None,
    ) -> str:
        """Appends a record. Returns why it can't be delivered, "" when it was. Raises RecordTooLarge."""
        topic = self._topics.get(topic_name)
        if topic is None:
            return f"there is no topic {topic_name}"
        kept = tuple(headers) if headers else ()
        size = size_of(key, value, kept)
        if size > topic.bytes_max:
            raise RecordTooLarge(f"A record of {size} bytes for {topic_name}, which takes up to {topic.bytes_max} (max.message.bytes).")
        if topic.compacted and key is None:
            return f"{topic_name} is compacted: its records need a key"
        if number is None:
            number = topic.next_partition() if key is None else partition_of(key, len(topic.partitions))
        elif not 0 <= number < len(topic.partitions):
            return f"{topic_name} has {len(topic.partitions)} partitions, none with the number {number}"
        log = topic.partitions[number]
        with self.lock:
            self.check_open()
            if tx is None:
                log.append(key, value, kept, self.now_ms())
            else:
                if log not in tx.wrote:
                    tx.wrote.append(log)
                    self._storage.transaction(tx.number, [each.at for each in tx.wrote])
                log.append(key, value, kept, self.now_ms(), tx.number)
        if self._storage.durable and not self._wanted.is_set():
            self._wanted.set()
        return ""

    def flush(self) -> None:
        """Returns when everything that was done before is handed to the disk. Raises LogError when the disk refuses."""
        if self._storage.durable:
            with self._write_lock:
                with self.lock:
                    ends = self._storage.collect()
                self._storage.write()
                if ends:
                    with self.lock:
                        for topic in self._topics.values():
                            for log in topic.partitions:
                                if log.part in ends:
                                    log.trim(ends[log.part])
        self.compact(least=_COMPACT_FROM)

    def compact(self, *, least: int = 0) -> None:
        """Compacts the compacted partitions that took more than ``least`` records, and more than they kept, since the last time."""
        with self.lock:
            for topic in self._topics.values():
                if topic.compacted:
                    for log in topic.partitions:
                        if log.dirty > least and (not least or log.dirty > log.kept):
                            log.compact(self.aborted, self.now_ms() - topic.tombstone_ms)

    def _retain(self) -> None:
        for topic in self._topics.values():
            if topic.retention_ms is not None:
                for log in topic.partitions:
                    first = log.first_at(self.now_ms() - topic.retention_ms)
                    log.cut(log.end if first is None else first)

    def _write_behind(self) -> None:
        while True:
            self._wanted.wait()
            if not self._closed:
                time.sleep(_WRITE_DELAY_S)
            self._wanted.clear()
            if self._closed:  # set before the event is, so that no clear can swallow it
                return
            try:
                self.flush()
            except LogError:
                return  # whoever flushes next is told

    def check_open(self) -> None:
        """Raises LogError when the log has been closed."""
        if self._closed:
            raise LogError("The log is closed.")

    # ---- transactions

    def take_id(self, transactional_id: str) -> int:
        """The new owner's epoch. Ends the predecessor's open transaction."""
        with self.lock:
            self.check_open()
            owner = self._owners.setdefault(transactional_id, Owner(0))
            if owner.open is not None:
                self._finish(owner.open, commit=False)
                owner.open = None
            owner.epoch += 1
            self._storage.epoch(transactional_id, owner.epoch)
            epoch = owner.epoch
        self.flush()
        return epoch

    @contextmanager
    def owned(self, transactional_id: str, epoch: int) -> Iterator[Owner]:
        """The owner's record under the lock. Raises ProducerFenced when that is somebody else by now."""
        with self.lock:
            owner = self._owners[transactional_id]
            if owner.epoch != epoch:
                raise ProducerFenced(f"The transactional id {transactional_id} has been taken by another owner.")
            self.check_open()
            yield owner

    def begin(self, owner: Owner) -> None:
        if owner.open is not None:
            raise ProducerFailed("A transaction is open already.", hint="Commit or abort it first.")
        self._next_tx += 1
        owner.open = OpenTransaction(self._next_tx)

    def bind(self, tx: OpenTransaction, group: Group, positions: Mapping[Partition, Position]) -> None:
        """Positions that a transaction will commit. Until it ends, nobody starts at the older ones."""
        _check_metadata(positions)
        for at, position in positions.items():
            if (group.name, at) not in tx.positions:
                group.pending[at] = group.pending.get(at, 0) + 1
            tx.positions[group.name, at] = position

    def end(self, owner: Owner, *, commit: bool) -> None:
        if owner.open is None:
            raise ProducerFailed("There is no open transaction.", hint="Begin one first.")
        self._finish(owner.open, commit=commit)
        owner.open = None

    def abandon(self, transactional_id: str, epoch: int) -> None:
        """Ends what an owner who goes away has left open; nothing, when it is not his any more."""
        with self.lock:
            owner = self._owners[transactional_id]
            if owner.epoch == epoch and owner.open is not None and not self._closed:
                self._finish(owner.open, commit=False)
                owner.open = None
        self.flush()

    def _finish(self, tx: OpenTransaction, *, commit: bool) -> None:
        now_ms = self.now_ms()
        if tx.wrote:
            if not commit:
                self.aborted.add(tx.number)
            self._storage.transaction(tx.number, None if commit else [log.at for log in tx.wrote], aborted=not commit)
        for log in tx.wrote:
            log.finish(tx.number, now_ms)
        for (name, at), position in tx.positions.items():
            group = self._group(name)
            group.pending[at] -= 1
            if not group.pending[at]:
                del group.pending[at]
            if commit:
                self._commit(group, at, position)
            for member in group.members:
                member.wake.notify()

    # ---- consumer groups

    def _group(self, name: str) -> Group:
        return self._groups.setdefault(name, Group(name))

    def members(self, name: str) -> list[GroupMember]:
        with self.lock:
            group = self._groups.get(name)
            found = group.members if group else []
            return sorted(GroupMember(member.client_id, _HERE, tuple(sorted(member.owned))) for member in found)

    def join(self, name: str, topics: Sequence[str], client_id: str) -> tuple[Group, Member]:
        with self.lock:
            self.check_open()
            group = self._group(name)
            member = Member(topics, self.lock, self.now_s(), client_id)
            self.rejoin(group, member)
            return group, member

    def rejoin(self, group: Group, member: Member) -> None:
        """Makes a member of somebody who has left or was put out."""
        with self.lock:
            member.out = False
            group.members.append(member)
            group.balance(self.topics())

    def leave(self, group: Group, member: Member) -> None:
        with self.lock:
            if not member.out:
                member.out = True
                group.members.remove(member)
                group.balance(self.topics())

    def expire(self, group: Group) -> None:
        """Puts out the members that have not asked for records in time."""
        if group.expire(self.now_s() - self._max_poll_s):
            group.balance(self.topics())

    def commit(self, group: Group, positions: Mapping[Partition, Position]) -> None:
        """Under the lock, and on disk with the next ``flush``."""
        _check_metadata(positions)
        self.check_open()
        for at, position in positions.items():
            self._commit(group, at, position)

    def _commit(self, group: Group, at: Partition, position: Position) -> None:
        group.committed[at] = position
        self._storage.position(group.name, at, position)

    def positions(self, name: str) -> dict[Partition, Position]:
        with self.lock:
            group = self._groups.get(name)
            return dict(group.committed) if group else {}

    def set_positions(self, name: str, positions: Mapping[Partition, Position]) -> None:
        with self.lock:
            group = self._group(name)
            self.expire(group)
            if group.members:
                raise LogError(f"The group {name} has members: its positions are theirs to commit.", hint="Stop its consumers first.")
            self.commit(group, positions)
        self.flush()

    # ---- end

    def close(self) -> None:
        """Writes what is left. Open transactions stay open, and are ended when the log is opened again."""
        with self.lock:
            if self._closed:
                return
            self._closed = True
        self._wanted.set()
        try:
            self.flush()
        finally:
            if self._storage.durable:
                self._writer.join()
            self._storage.close()


def _check_metadata(positions: Mapping[Partition, Position]) -> None:
    for at, position in positions.items():
        if len(position.metadata.encode()) > _METADATA_MAX:
            raise LogError(f"The metadata of a position in {at.topic}/{at.number} is over {_METADATA_MAX} bytes.")
