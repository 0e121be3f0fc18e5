"""From the log into the index, whatever is delivered again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from sfc.adapters.embedded import EmbeddedLog
from sfc.adapters.sql import SqliteFlowIndex
from sfc.engine import events as e
from sfc.errors import IndexUnavailable, LogError
from sfc.monitor import Indexer
from sfc.monitor.rebuild import rebuild
from sfc.ports import DeadLetterDocument, DeadLetterMark, Partition, Position, TopicSpec
from sfc.wire.dead_letters import DeadLetter, Resolved, dead_letter_headers, resolved_headers
from sfc.wire.history import HistoryRecord, Summary, encode_history
from sfc.wire.topics import Names, core_topics

NAMES = Names("test")
SHARDS = 2


class Index(SqliteFlowIndex):
    """Fails when it is told to, and remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.fail = False
        self.away = False
        self.taken: list[str] = []

    def index(
        self,
        records: Sequence[HistoryRecord],
        dead_letters: Sequence[DeadLetterDocument],
        positions: Mapping[Partition, int],
        marks: Sequence[DeadLetterMark] = (),
    ) -> None:
        if self.fail:
            self.fail = False
            raise OSError("disk full")
        if self.away:
            raise IndexUnavailable("nobody answers", hint="flows go on")
        self.taken += [f"{r.flow}/{r.first}" for r in records]
        super().index(records, dead_letters, positions, marks)


@pytest.fixture
def log() -> Iterator[EmbeddedLog]:
    opened = EmbeddedLog.memory()
    make_topics(opened)
    yield opened
    opened.close()


@pytest.fixture
def index() -> Iterator[Index]:
    opened = Index()
    yield opened
    opened.close()


def make_topics(log: EmbeddedLog) -> None:
    log.create([TopicSpec(name, n, config) for name, (n, config) in core_topics(NAMES, SHARDS).items()])


def put(log: EmbeddedLog, flow: str, first: int = 1, shard: int = 0, run: int = 0) -> None:
    started = e.ExecutionStarted(first, run, 1, flow=flow, blueprint="order", version=1, hash="h")
    event = started if first == 1 else e.StateEntered(first, run, 1, branch=0, state="A", kind="Pass")
    summary = Summary(blueprint="order", version=1, status="RUNNING", seq=first, started_ms=1, updated_ms=1)
    producer = log.producer()
    producer.send(NAMES.history, encode_history(HistoryRecord(flow, run, first, [event], summary)), flow.encode(), None, shard)
    producer.flush()
    producer.close()


def drain(indexer: Indexer) -> int:
    """Steps until a few steps in a row bring nothing."""
    total = idle = 0
    while idle < 3:
        taken = indexer.step(0.01)
        total += taken
        idle = 0 if taken else idle + 1
    return total


def test_history_of_all_shards_is_indexed_and_positions_are_committed(log: EmbeddedLog, index: Index) -> None:
    put(log, "order:1", shard=0)
    put(log, "order:2", shard=1)
    indexer = Indexer(log, NAMES, index)
    assert drain(indexer) == 2
    assert index.get("order:2") is not None
    at = Partition(NAMES.history, 1)
    assert index.positions()[at] == 1
    assert log.group_positions(NAMES.monitor_group)[at].offset == 1
    indexer.close()


def test_the_positions_in_the_index_win_over_the_groups(log: EmbeddedLog, index: Index) -> None:
    for n in range(3):
        put(log, f"order:{n}")
    at = Partition(NAMES.history, 0)
    index.index([], [], {at: 2})
    log.set_group_positions(NAMES.monitor_group, {at: Position(0)})
    indexer = Indexer(log, NAMES, index)
    drain(indexer)
    assert index.taken == ["order:2/1"]
    indexer.close()


def test_a_new_index_is_made_from_the_whole_log(log: EmbeddedLog, index: Index) -> None:
    put(log, "order:1")
    log.set_group_positions(NAMES.monitor_group, {Partition(NAMES.history, 0): Position(1)})
    indexer = Indexer(log, NAMES, index)
    drain(indexer)
    assert index.taken == ["order:1/1"]
    indexer.close()


def test_an_index_that_is_ahead_of_the_log_begins_at_its_start(log: EmbeddedLog, index: Index) -> None:
    put(log, "order:1")
    index.index([], [], {Partition(NAMES.history, 0): 500})
    indexer = Indexer(log, NAMES, index)
    drain(indexer)
    assert index.taken == ["order:1/1"]
    assert index.positions()[Partition(NAMES.history, 0)] == 1
    indexer.close()


def test_when_the_index_fails_the_same_records_are_read_again_in_order(log: EmbeddedLog, index: Index) -> None:
    for first in range(1, 6):
        put(log, "order:1", first)
    indexer = Indexer(log, NAMES, index, batch=2)
    index.fail = True
    with pytest.raises(OSError, match="disk full"):
        drain(indexer)
    assert drain(indexer) == 5
    assert index.taken == [f"order:1/{n}" for n in range(1, 6)]
    assert index.counters().events == 5
    indexer.close()


def test_what_the_log_may_still_forget_is_not_indexed(log: EmbeddedLog, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded log shows records before they are on disk; an index that knew them would be ahead of the log after a crash."""

    def full() -> None:
        raise LogError("the disk is full")

    put(log, "order:1")
    indexer = Indexer(log, NAMES, index)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(log, "sync", full)
        with pytest.raises(LogError, match="the disk is full"):
            drain(indexer)
    assert (index.taken, index.positions()) == ([], {})
    assert drain(indexer) == 1
    indexer.close()


def test_an_index_that_is_away_is_told_once_asked_after_growing_pauses_and_caught_up_with(log: EmbeddedLog, index: Index) -> None:
    now_s = [0.0]
    indexer = Indexer(log, NAMES, index, monotonic_s=lambda: now_s[0])
    put(log, "order:1")
    drain(indexer)
    index.away = True
    with capture_logs() as told:
        put(log, "order:2")
        put(log, "order:3", shard=1)
        pauses: list[float] = []
        for _ in range(8):
            before_s = now_s[0]
            while indexer.attempts == len(pauses) and now_s[0] < before_s + 60:
                indexer.step(0.001)
                now_s[0] += 0.5
            pauses.append(now_s[0] - before_s)
        assert not indexer.ready
        index.away = False
        now_s[0] += 60
        assert drain(indexer) == 2
    assert indexer.ready
    assert sorted(index.taken) == ["order:1/1", "order:2/1", "order:3/1"]
    assert [line["action"] for line in told] == ["monitor.index-away", "monitor.index-back"]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 30.0
    indexer.close()


def test_after_a_rebuild_the_log_is_read_from_the_new_positions_on(log: EmbeddedLog, tmp_path: Path) -> None:
    index, other = SqliteFlowIndex(tmp_path / "flows.db"), SqliteFlowIndex(tmp_path / "flows.db")
    for n in range(4):
        put(log, f"order:{n}", shard=n % 2)
    indexer = Indexer(log, NAMES, index)
    assert drain(indexer) == 4
    asked: list[tuple[int, int]] = []
    assert rebuild(log, NAMES, other, lambda done, total: asked.append((done, total)), batch=1) == 4
    assert asked[0] == (0, 4)
    assert asked[-1] == (4, 4)
    put(log, "order:4")
    assert drain(indexer) == 1
    assert index.counters().flows == {"RUNNING": 5}
    indexer.close()
    index.close()
    other.close()


def test_marks_on_dead_letters_are_indexed(log: EmbeddedLog, index: Index) -> None:
    letter = DeadLetter("not-json", "why", "orders", "", 0, 1, None, b"{")
    producer = log.producer()
    producer.send(NAMES.dead_letters, None, None, resolved_headers(Resolved(letter.id, "replayed", "ann")))
    producer.send(NAMES.dead_letters, letter.value, None, dead_letter_headers(letter))
    producer.flush()
    indexer = Indexer(log, NAMES, index)
    drain(indexer)
    shown = index.dead_letter(letter.id)
    assert shown is not None
    assert (shown.state, shown.resolved_by) == ("replayed", "ann")
    assert shown.resolved_ms > 0
    indexer.close()


def test_a_second_indexer_goes_on_where_the_first_left(log: EmbeddedLog, index: Index) -> None:
    put(log, "order:1")
    first = Indexer(log, NAMES, index)
    drain(first)
    first.close()
    put(log, "order:2")
    second = Indexer(log, NAMES, index)
    drain(second)
    assert index.taken == ["order:1/1", "order:2/1"]
    second.close()


def test_what_another_indexer_gave_back_is_read_from_there_on(log: EmbeddedLog, index: Index) -> None:
    first, second = Indexer(log, NAMES, index), Indexer(log, NAMES, index)
    for number in range(SHARDS):
        put(log, f"order:{number}", shard=number)
    for _ in range(10):
        first.step(0.01)
        second.step(0.01)
    assert len(index.taken) == SHARDS
    second.close()
    for number in range(SHARDS):
        put(log, f"later:{number}", shard=number)
    assert drain(first) == SHARDS
    assert first.ready
    first.close()


def test_a_record_that_cannot_be_read_is_left_out_and_counted(log: EmbeddedLog, index: Index) -> None:
    producer = log.producer()
    producer.send(NAMES.history, b"{nonsense", b"order:1", None, 0)
    producer.flush()
    put(log, "order:2")
    indexer = Indexer(log, NAMES, index)
    drain(indexer)
    assert indexer.malformed == 1
    assert index.taken == ["order:2/1"]
    assert index.positions()[Partition(NAMES.history, 0)] == 2
    indexer.close()


def test_dead_letters_are_indexed_with_their_origin(log: EmbeddedLog, index: Index) -> None:
    letter = DeadLetter("not-json", "no JSON at byte 3", "orders", "tid", 2, 17, b"k", b"\xff", (("h", b"v"),))
    producer = log.producer()
    for _ in range(2):
        producer.send(NAMES.dead_letters, letter.value, letter.key, dead_letter_headers(letter), 0)
    producer.send(NAMES.dead_letters, b"somebody else's", None, [("sfc-origin-offset", b"x")], 0)
    producer.flush()
    indexer = Indexer(log, NAMES, index)
    assert drain(indexer) == 3
    shown = index.dead_letter("tid-2-17")
    assert shown is not None
    assert (shown.reason, shown.topic, shown.offset, shown.value, shown.headers) == ("not-json", "orders", 17, b"\xff", [("h", b"v")])
    assert shown.at_ms > 0
    assert index.dead_letter(f"{NAMES.dead_letters}-0-2") is not None
    assert len(index.dead_letters().dead_letters) == 2
    indexer.close()


_GOOD = {"flow": "order:1", "run": 1, "first": 1, "events": []}
_SUMMARY = {"blueprint": "order", "version": 1, "status": "RUNNING", "seq": 1, "started_ms": 1, "updated_ms": 1}


@pytest.mark.parametrize(
    "record",
    [
        {**_GOOD, "flow": ""},
        {**_GOOD, "flow": "x" * 513},
        {**_GOOD, "flow": "order:\x00"},
        {**_GOOD, "run": 10**30},
        {**_GOOD, "run": -1},
        {**_GOOD, "first": 10**30},
        *({**_GOOD, "summary": {**_SUMMARY, name: 10**30}} for name in ("version", "seq", "started_ms", "updated_ms", "ended_ms")),
        {**_GOOD, "summary": {**_SUMMARY, "updated_ms": -1}},
    ],
)
def test_a_record_that_no_index_can_keep_is_left_out_and_holds_up_nothing(log: EmbeddedLog, index: Index, record: dict[str, Any]) -> None:
    producer = log.producer()
    producer.send(NAMES.history, json.dumps({"summary": _SUMMARY, **record}).encode(), b"k", None, 0)
    producer.close()
    put(log, "order:2")
    indexer = Indexer(log, NAMES, index)
    for _ in range(4):
        indexer.step(0.005)
    assert (indexer.malformed, index.taken) == (1, ["order:2/1"])
    indexer.close()


@pytest.mark.parametrize("number", [b"9" * 30, b"-99", b"none", b"9" * 6_000])
def test_a_dead_letter_with_numbers_out_of_range_is_kept_without_them(log: EmbeddedLog, index: Index, number: bytes) -> None:
    producer = log.producer()
    head = [("sfc-reason", b"odd"), ("sfc-origin-topic", b"orders"), ("sfc-origin-partition", number), ("sfc-origin-offset", number)]
    producer.send(NAMES.dead_letters, b"v", b"k", head, 0)
    producer.close()
    indexer = Indexer(log, NAMES, index)
    for _ in range(4):
        indexer.step(0.005)
    (letter,) = index.dead_letters().dead_letters
    assert (letter.reason, letter.partition, letter.offset) == ("odd", -1, -1)
    indexer.close()
