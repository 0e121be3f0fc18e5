"""The whole of exactly-once rests on this: a lane that takes the command log from its beginning, in a world without faults, decides the
same events and wants the same effects. Nothing that it sends arrives; what the log holds already came of the same decisions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import msgspec

from sfc.adapters.embedded import EmbeddedLog
from sfc.adapters.memory_store import MemoryStateStore
from sfc.engine.commands import Start
from sfc.engine.shard import ShardState
from sfc.ports import Headers, Partition, Producer, Record, TopicSpec, Transaction
from sfc.testing.simulation.clock import VirtualClock
from sfc.testing.simulation.faulty_log import FaultyLog
from sfc.testing.simulation.histories import Life
from sfc.testing.simulation.processes import engine
from sfc.testing.simulation.tails import Tail
from sfc.testing.simulation.traps import Traps
from sfc.testing.simulation.watcher import Watcher
from sfc.wire import headers
from sfc.wire.commands import decode_command, encode_command
from sfc.wire.history import HistoryRecord, decode_history
from sfc.wire.state import decode_shard, encode_shard
from sfc.wire.topics import Names, core_topics

Sent = tuple[str, bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]
TURNS_MAX = 5_000


class _Collected:
    """What the clean lane wanted to send: topic, key, value, headers."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []

    def add(self, topic: str, value: bytes | None, key: bytes | None, head: Headers | None) -> None:
        self.sent.append((topic, key, value, tuple(head or ())))


class _CleanProducer:
    """``sfc.ports.Producer``."""

    def __init__(self, into: _Collected) -> None:
        self._into = into

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers | None = None,
        partition: int | None = None,
        on_failure: Callable[[str], None] | None = None,
    ) -> None:
        self._into.add(topic, value, key, headers)

    def poll(self) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class _CleanTransaction:
    """``sfc.ports.Transaction``: state and history are written, jobs collected."""

    def __init__(self, into: _Collected, inner: Transaction, names: Names) -> None:
        self._into = into
        self._inner = inner
        self._written = (names.state, names.history)
        self.begin, self.commit, self.abort, self.close = inner.begin, inner.commit, inner.abort, inner.close
        self.send_offsets = inner.send_offsets

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers | None = None,
        partition: int | None = None,
    ) -> None:
        if topic in self._written:
            self._inner.send(topic, value, key, headers, partition)
        else:
            self._into.add(topic, value, key, headers)


class _CleanLog(FaultyLog):
    def __init__(self, log: EmbeddedLog, clock: VirtualClock, names: Names, there: dict[str, int]) -> None:
        super().__init__(log, Traps(lambda kind: None), clock, random.Random(0))
        self._names = names
        self._there = there
        self.collected = _Collected()

    def topics(self) -> dict[str, int]:
        return self._there

    def producer(self, *, gapless: bool = False, busy: bool = False) -> Producer:
        return _CleanProducer(self.collected)

    def transaction(self, transactional_id: str) -> Transaction:
        return _CleanTransaction(self.collected, self.inner.transaction(transactional_id), self._names)


class _LogClock:
    """Gives each record the time that it had."""

    def __init__(self) -> None:
        self.ms = 0

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return 0.0


def check_redecided(
    log: EmbeddedLog, names: Names, shards: int, watcher: Watcher, new_id: Callable[[], str], fail: Callable[[str, str], None]
) -> None:
    """``new_id`` gives the ids that the log and its topics have."""
    times = _LogClock()
    clean = EmbeddedLog.memory(clock=times, new_id=new_id)
    try:
        clean.create([TopicSpec(name, n, config) for name, (n, config) in core_topics(names, shards).items()])
        producer = clean.producer()
        for record in Tail(log, [names.definitions]).new():
            producer.send(names.definitions, record.value, record.key, record.headers, 0)
        commands = [seen.record for shard in watcher.commands.by_offset for seen in shard]
        for record in commands:
            times.ms = record.append_ms or 0
            producer.send(names.commands, record.value, record.key, record.headers, record.partition)
        clock = VirtualClock()
        clock.wall_ms = max((record.timestamp_ms for record in commands), default=0)
        seen_by = _CleanLog(clean, clock, names, log.topics() | dict.fromkeys(watcher.job_topics, 1))
        _run(seen_by, names, shards, clock, fail)
        histories = [decode_history(record.value or b"") for record in Tail(clean, [names.history]).new()]
        states = {record.key or b"": record.value for record in Tail(clean, [names.state]).new()}
    finally:
        clean.close()
    _compare_histories(watcher, histories, fail)
    _compare_states(watcher, states, fail)
    _compare_effects(log, names, watcher, seen_by.collected.sent, fail)


def _run(log: _CleanLog, names: Names, shards: int, clock: VirtualClock, fail: Callable[[str, str], None]) -> None:
    lane = engine(log, names, shards, clock, MemoryStateStore())
    ends = log.inner.ends([Partition(names.commands, n) for n in range(shards)])
    for _ in range(TURNS_MAX):
        lane.step(0.0)
        clock.ran_ms += 100
        if lane.stopped:
            fail("decided-again-the-same", f"a clean lane stopped: {lane.stopped}")
        if len(lane.shards) == shards and all(lane.shards[p.number].state.next_offset >= end for p, end in ends.items()):
            break
    else:
        fail("decided-again-the-same", f"a clean lane did not come to the end of {ends}")
    lane.close()


def _compare_histories(watcher: Watcher, records: list[HistoryRecord], fail: Callable[[str, str], None]) -> None:
    again: dict[tuple[str, int], list[bytes]] = {}
    for record in records:
        again.setdefault((record.flow, record.run), []).extend(msgspec.json.encode(event) for event in record.events)
    lives: dict[tuple[str, int], Life] = watcher.histories.all
    for key in sorted({*lives, *again}):
        first = [msgspec.json.encode(event) for event in lives[key].events] if key in lives else []
        second = again.get(key, [])
        if first != second:
            place = next((n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second)))
            fail("decided-again-the-same", f"{key[0]} run {key[1]} has events {first[place:][:2]} and decided again {second[place:][:2]}")


def _compare_states(watcher: Watcher, states: dict[bytes, bytes | None], fail: Callable[[str, str], None]) -> None:
    for key, value in sorted(watcher.states.items()):
        if value != states.get(key.encode()):
            fail("decided-again-the-same", f"the state of {key} is {value!r}, decided again {states.get(key.encode())!r}")
    for number, state in watcher.shards.items():
        again = states.get(b"/shard/%d" % number)
        if _essence(state) != _essence(decode_shard(again or b"{}")):
            fail("decided-again-the-same", f"shard {number} is {encode_shard(state)!r}, decided again {again!r}")


def _essence(state: ShardState) -> tuple[object, ...]:
    """What commands alone decide: not how they were cut into intervals, nor who held the shard."""
    holds, marks = state.holds, state.marks
    counts = state.dropped_replies, state.repeated, state.dead_letters
    return state.number, state.next_offset, state.clock_ms, marks, holds, state.waking, state.inherited, counts


def _compare_effects(log: EmbeddedLog, names: Names, watcher: Watcher, sent: list[Sent], fail: Callable[[str, str], None]) -> None:
    wanted: dict[str, Sent] = {}
    for one in sent:
        token = headers.text(one[3], headers.JOB)
        if one[0] in watcher.job_topics and token is not None:
            wanted[token] = one
    for token, copy in watcher.jobs.first.items():
        if wanted.get(token) != copy:
            fail("decided-again-the-same", f"job {token} is {copy!r} in its topic, decided again {wanted.get(token)!r}")
    for token in sorted(wanted):
        if token not in watcher.jobs.first and token not in watcher.commands.not_dispatched:
            fail("effects-exist", f"job {token} is wanted by the commands, and in no topic")
    there = Counter(
        _named(seen.record) for shard in watcher.commands.by_offset for seen in shard if seen.source.startswith("shard/")
    )  # some may be repeated
    meant = {_said(key, value, head) for topic, key, value, head in sent if topic == names.commands and headers.find(head, headers.SOURCE)}
    for command in sorted(set(there) ^ meant, key=repr):
        fail("decided-again-the-same", f"the command {command!r} of a shard is {'not ' * (command not in there)}on the log")
    letters = {_letter(record.headers) for record in Tail(log, [names.dead_letters]).new()}
    for letter in sorted({_letter(head) for topic, _, _, head in sent if topic == names.dead_letters} - letters, key=repr):
        fail("effects-exist", f"the dead letter {letter!r} is wanted by the commands, and not there")


def _named(record: Record) -> tuple[object, ...]:
    return _said(record.key, record.value, record.headers)


def _said(key: bytes | None, value: bytes | None, head: Headers) -> tuple[object, ...]:
    """A command of a shard as it must be each time. How far the sender had read the definitions may differ."""
    source, mark = headers.find(head, headers.SOURCE), headers.find(head, headers.MARK)
    if headers.find(head, headers.COMMAND) == b"start":
        command = decode_command(key, value, list(head)).command
        if isinstance(command, Start):  # the last header of a name counts, and a stray may have two
            value, _ = encode_command(msgspec.structs.replace(command, definitions=-1))
    return key, value, source, mark


def _letter(head: Headers) -> tuple[bytes | None, ...]:
    names = headers.ORIGIN_TOPIC, headers.ORIGIN_TOPIC_ID, headers.ORIGIN_PARTITION, headers.ORIGIN_OFFSET, headers.REASON
    return tuple(headers.find(head, name) for name in names)
