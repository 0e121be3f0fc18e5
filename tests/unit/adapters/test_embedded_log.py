"""What the embedded log does beyond the contract of all logs: its disk, its limits, its groups."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from threading import Thread

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.adapters.embedded import partition as partition_module
from sfc.adapters.embedded.groups import balanced
from sfc.errors import BadInput, LogError, ProducerFailed, RecordTooLarge, TopicMissing
from sfc.ports import Log, Partition, Position, TopicSpec

AT = Partition("t", 0)


class FixedClock:
    """A clock that stands until it is moved."""

    def __init__(self, now_ms: int = 1_000_000_000_000) -> None:
        self.now = now_ms

    def now_ms(self) -> int:
        return self.now

    def monotonic_s(self) -> float:
        return self.now / 1000


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, clock: FixedClock) -> Iterator[EmbeddedLog]:
    log = (
        EmbeddedLog.memory(clock=clock, max_poll_s=60)
        if request.param == "memory"
        else EmbeddedLog.open(tmp_path, clock=clock, max_poll_s=60)
    )
    yield log
    log.close()


def publish(log: Log, *pairs: tuple[bytes, bytes | None]) -> None:
    producer = log.producer()
    for key, value in pairs:
        producer.send("t", value, key=key, partition=0)
    producer.flush()


def pairs(log: Log, *, committed: bool = True) -> list[tuple[int, bytes | None, bytes | None]]:
    reader = log.reader({AT: 0}, committed=committed)
    got = []
    while reader.position(AT) < log.ends([AT], committed=committed)[AT]:
        got.extend([(record.offset, record.key, record.value) for record in reader.take(7, 0)])
    reader.close()
    return got


def test_compaction_keeps_the_last_record_of_each_key(opened: EmbeddedLog, clock: FixedClock) -> None:
    opened.create([TopicSpec("t", 1, {"cleanup.policy": "compact", "delete.retention.ms": "1000"})])
    publish(opened, (b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"c", b"1"), (b"c", None))
    tx = opened.transaction("id")
    tx.begin()
    tx.send("t", b"aborted", key=b"a", partition=0)
    tx.abort()
    opened.compact()
    publish(opened, (b"d", b"1"))
    kept = [(1, b"b", b"1"), (2, b"a", b"2"), (4, b"c", None), (7, b"d", b"1")]
    assert pairs(opened) == kept
    clock.now += 5000
    publish(opened, (b"d", b"2"))
    opened.compact()
    assert pairs(opened) == [(1, b"b", b"1"), (2, b"a", b"2"), (8, b"d", b"2")]  # the tombstone has had its time
    assert opened.starts([AT]) == {AT: 0}
    assert opened.ends([AT]) == {AT: 9}


def test_compaction_leaves_what_an_open_transaction_may_still_undo(opened: EmbeddedLog) -> None:
    opened.create([TopicSpec("t", 1, {"cleanup.policy": "compact"})])
    publish(opened, (b"a", b"old"))
    tx = opened.transaction("id")
    tx.begin()
    tx.send("t", b"new", key=b"a", partition=0)
    opened.compact()
    tx.abort()
    opened.compact()
    assert pairs(opened) == [(0, b"a", b"old")]


def test_a_compacted_topic_compacts_itself_when_it_has_grown(tmp_path: Path) -> None:
    with_disk = EmbeddedLog.open(tmp_path)
    with_disk.create([TopicSpec("t", 1, {"cleanup.policy": "compact"})])
    publish(with_disk, *[(b"%d" % (i % 10), b"v") for i in range(10_500)])
    assert len(pairs(with_disk)) == 10
    with_disk.close()
    again = EmbeddedLog.open(tmp_path)
    assert [offset for offset, _, _ in pairs(again)] == list(range(10_490, 10_500))
    again.close()


def test_a_record_without_a_key_is_refused_where_keys_are_needed(opened: EmbeddedLog) -> None:
    opened.create([TopicSpec("t", 1, {"cleanup.policy": "compact"})])
    producer = opened.producer()
    producer.send("t", b"v")
    with pytest.raises(ProducerFailed, match="need a key"):
        producer.flush()


def test_the_limit_of_a_topic_is_its_own(opened: EmbeddedLog) -> None:
    opened.create([TopicSpec("t", 1, {"max.message.bytes": "1000"}), TopicSpec("wide", 1, {"max.message.bytes": "8388608"})])
    producer = opened.producer()
    producer.send("t", bytes(900))
    with pytest.raises(RecordTooLarge, match=r"up to 1000"):
        producer.send("t", bytes(800), headers=[("h", bytes(200))])
    producer.send("wide", bytes(2 << 20))
    producer.flush()


def test_a_gapless_producer_fails_even_when_somebody_listens(opened: EmbeddedLog) -> None:
    producer = opened.producer(gapless=True)
    heard: list[str] = []
    producer.send("nowhere", b"v", on_failure=heard.append)
    with pytest.raises(ProducerFailed, match="no topic nowhere"):
        producer.flush()
    assert heard == ["there is no topic nowhere"]


def test_records_without_a_key_go_round(opened: EmbeddedLog) -> None:
    opened.create([TopicSpec("t", 3)])
    producer = opened.producer()
    for _ in range(6):
        producer.send("t", b"v")
    producer.flush()
    ats = [Partition("t", number) for number in range(3)]
    assert opened.ends(ats) == dict.fromkeys(ats, 2)


def test_a_member_that_does_not_ask_for_records_is_put_out(opened: EmbeddedLog, clock: FixedClock) -> None:
    opened.create([TopicSpec("t", 1)])
    publish(opened, (b"a", b"1"))
    told: list[str] = []
    sleeper = opened.consumer("g", ["t"], revoked=lambda _: told.append("revoked"), lost=lambda _: told.append("lost"))
    assert len(sleeper.take(1, 0)) == 1
    clock.now += 61_000
    other = opened.consumer("g", ["t"])
    assert len(other.take(1, 0)) == 1
    with pytest.raises(LogError, match="put out"):
        sleeper.commit({AT: Position(1)})
    tx = opened.transaction("id")
    tx.begin()
    tx.send_offsets({AT: Position(1)}, sleeper)
    with pytest.raises(ProducerFailed, match="put out"):
        tx.commit()
    assert sleeper.take(1, 0) == []
    assert told == ["lost"]
    assert sleeper.assignment() == set()
    other.close()
    assert sleeper.take(1, 0) != []  # back in the group, and its turn again


def test_a_successor_waits_for_positions_that_are_about_to_be_committed(opened: EmbeddedLog, clock: FixedClock) -> None:
    opened.create([TopicSpec("t", 1)])
    publish(opened, (b"a", b"1"), (b"b", b"2"))
    first = opened.consumer("g", ["t"])
    assert len(first.take(1, 0)) == 1
    tx = opened.transaction("id")
    tx.begin()
    tx.send_offsets({AT: Position(1)}, first)
    clock.now += 61_000
    second = opened.consumer("g", ["t"])
    assert second.take(10, 0) == []
    assert second.assignment() == {AT}
    tx.commit()
    assert [record.offset for record in second.take(10, 0)] == [1]


def test_a_topic_made_later_is_assigned(opened: EmbeddedLog) -> None:
    consumer = opened.consumer("g", ["t"])
    assert consumer.take(1, 0) == []
    opened.create([TopicSpec("t", 1)])
    publish(opened, (b"a", b"1"))
    assert len(consumer.take(1, 0)) == 1


def test_metadata_over_four_kilobytes_is_refused(opened: EmbeddedLog) -> None:
    with pytest.raises(LogError, match="4096"):
        opened.set_group_positions("g", {AT: Position(1, "x" * 4097)})


def test_a_waiting_take_wakes_for_a_record_and_not_by_asking(opened: EmbeddedLog) -> None:
    opened.create([TopicSpec("ping", 1), TopicSpec("pong", 1)])
    rounds = 200

    def echo() -> None:
        consumer, producer = opened.consumer("echo", ["ping"]), opened.producer()
        for _ in range(rounds):
            (record,) = consumer.take(1, 10)
            producer.send("pong", record.value)
        consumer.close()

    thread = Thread(target=echo)
    thread.start()
    consumer, producer = opened.consumer("g", ["pong"]), opened.producer()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        producer.send("ping", b"v")
        assert len(consumer.take(1, 10)) == 1
        times.append(time.perf_counter() - began)
    thread.join()
    assert sorted(times)[rounds // 2] < 0.005  # two hops; far less on an idle machine


def test_old_records_are_read_from_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_module, "TAIL_RECORDS", 20)
    log = EmbeddedLog.open(tmp_path)
    log.create([TopicSpec("t", 1)])
    tx = log.transaction("id")
    for i in range(50):
        publish(log, (b"k", b"%d" % i))
        tx.begin()
        tx.send("t", b"tx-%d" % i, key=b"k", partition=0, headers=[("h", b"\xff")])
        if i % 2:
            tx.commit()
        else:
            tx.abort()
    expected = [value for i in range(50) for value in ([b"%d" % i, b"tx-%d" % i] if i % 2 else [b"%d" % i])]
    assert [value for _, _, value in pairs(log)] == expected
    assert len(pairs(log, committed=False)) == 100
    log.close()
    again = EmbeddedLog.open(tmp_path)
    assert [value for _, _, value in pairs(again)] == expected
    reader = again.reader({AT: 4})
    assert reader.take(1, 0)[0].headers == (("h", b"\xff"),)
    again.close()


def test_a_folder_belongs_to_one_process(tmp_path: Path) -> None:
    log = EmbeddedLog.open(tmp_path)
    with pytest.raises(BadInput, match=rf"`sfc dev` is running there \(process {os.getpid()}\)"):
        EmbeddedLog.open(tmp_path)
    log.close()
    EmbeddedLog.open(tmp_path).close()


def test_a_file_that_is_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.sqlite").write_bytes(b"something else entirely" * 100)
    with pytest.raises(BadInput, match="not a log"):
        EmbeddedLog.open(tmp_path)
    (tmp_path / "log.sqlite").unlink()
    EmbeddedLog.open(tmp_path).close()  # the lock was given back


def test_retention_is_applied_when_a_log_is_opened(tmp_path: Path, clock: FixedClock) -> None:
    log = EmbeddedLog.open(tmp_path, clock=clock)
    log.create([TopicSpec("t", 1, {"retention.ms": "60000"}), TopicSpec("kept", 1, {"retention.ms": "-1"})])
    publish(log, (b"a", b"old"), (b"b", b"old"))
    log.producer().send("kept", b"old")
    clock.now += 61_000
    publish(log, (b"c", b"new"))
    log.close()
    log = EmbeddedLog.open(tmp_path, clock=clock)
    assert log.starts([AT, Partition("kept", 0)]) == {AT: 2, Partition("kept", 0): 0}
    assert pairs(log) == [(2, b"c", b"new")]
    log.close()
    clock.now += 61_000
    log = EmbeddedLog.open(tmp_path, clock=clock)
    assert log.starts([AT]) == log.ends([AT]) == {AT: 3}
    publish(log, (b"d", b"next"))
    assert pairs(log) == [(3, b"d", b"next")]
    log.close()


_CRASH = """
import os, signal, sys
from itertools import count
from pathlib import Path
from sfc.adapters.embedded import EmbeddedLog
from sfc.ports import Partition, Position, TopicSpec

log = EmbeddedLog.open(Path(sys.argv[1]))
log.create([TopicSpec("t", 1)])
consumer = log.consumer("g", ["t"])
tx = log.transaction("id")
tx.begin()
tx.send("t", b"committed", partition=0)
tx.send_offsets({Partition("t", 0): Position(1, "committed")}, consumer)
tx.commit()
tx.begin()
tx.send("t", b"open", partition=0)
tx.send_offsets({Partition("t", 0): Position(2, "open")}, consumer)
producer = log.producer()
producer.send("t", b"plain", partition=0)
producer.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_flushed_outlives_kill_9_and_what_was_open_is_aborted(tmp_path: Path) -> None:
    crashed = subprocess.run([sys.executable, "-c", _CRASH, str(tmp_path)], check=False, timeout=30)
    assert crashed.returncode == -signal.SIGKILL
    log = EmbeddedLog.open(tmp_path)
    # committed, its marker, open, plain, and the marker of the abort
    assert log.ends([AT]) == log.ends([AT], committed=False) == {AT: 5}
    assert [(offset, value) for offset, _, value in pairs(log)] == [(0, b"committed"), (3, b"plain")]
    assert log.group_positions("g") == {AT: Position(1, "committed")}
    log.close()
    log = EmbeddedLog.open(tmp_path)  # and it stays so
    assert [value for _, _, value in pairs(log)] == [b"committed", b"plain"]
    log.close()


def test_a_record_that_nobody_flushed_is_written_soon(tmp_path: Path) -> None:
    script = _CRASH.replace("producer.flush()", "import time; time.sleep(0.5)")
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False, timeout=30)
    log = EmbeddedLog.open(tmp_path)
    assert [value for _, _, value in pairs(log)] == [b"committed", b"plain"]
    log.close()


def test_a_closed_log_says_so(tmp_path: Path) -> None:
    log = EmbeddedLog.open(tmp_path)
    log.create([TopicSpec("t", 1)])
    consumer, producer = log.consumer("g", ["t"]), log.producer()
    log.close()
    calls: list[Callable[[], object]] = [lambda: consumer.take(1, 0), lambda: producer.send("t", b"v"), lambda: log.transaction("id")]
    for call in calls:
        with pytest.raises(LogError, match="closed"):
            call()


def test_an_assignment_is_even_and_sticky() -> None:
    t = frozenset({"t"})
    ats = [Partition("t", number) for number in range(5)]
    assert balanced([(t, set())], {"t": 5}) == [set(ats)]
    first, second = balanced([(t, set(ats)), (t, set())], {"t": 5})
    assert (len(first), len(second)) == (3, 2)
    assert balanced([(t, first), (t, second)], {"t": 5}) == [first, second]
    three = balanced([(t, first), (t, second), (t, set())], {"t": 5})
    assert sorted(len(target) for target in three) == [1, 2, 2]
    assert three[1] == second
    assert balanced([(t, set()), (frozenset({"u"}), set())], {"t": 2, "u": 1}) == [{*ats[:2]}, {Partition("u", 0)}]
    assert balanced([(t, set())], {}) == [set()]


def test_a_partition_has_one_owner_until_he_has_given_it_up(opened: EmbeddedLog) -> None:
    opened.create([TopicSpec("t", 2)])
    said: list[tuple[str, list[Partition]]] = []
    first = opened.consumer("g", ["t"], revoked=lambda ats: said.append(("first gives up", ats)))
    first.take(1, 0)
    second = opened.consumer("g", ["t"], assigned=lambda ats: said.append(("second has", ats)))
    second.take(1, 0)
    assert (said, len(first.assignment()), second.assignment()) == ([], 2, set())
    first.take(1, 0)
    second.take(1, 0)
    (moved,) = second.assignment()
    assert said == [("first gives up", [moved]), ("second has", [moved])]


def test_a_topic_that_is_deleted_and_made_again_has_another_id_and_begins_anew() -> None:
    numbers = count(1)
    log = EmbeddedLog.memory(new_id=lambda: f"id-{next(numbers)}")
    log.create([TopicSpec("t", 1)])
    consumer = log.consumer("g", ["t"])
    producer = log.producer()
    producer.send("t", b"old")
    assert [r.value for r in consumer.take(10, 0)] == [b"old"]
    consumer.commit({Partition("t", 0): Position(1)})
    log.delete("t")
    assert log.describe("t") is None
    assert consumer.take(10, 0) == []
    log.create([TopicSpec("t", 1)])
    producer.send("t", b"new")
    assert [r.value for r in consumer.take(10, 0)] == [b"new"]
    assert (log.cluster_id(), log.describe("t").id) == ("id-1", "id-3")  # type: ignore[union-attr]
    with pytest.raises(TopicMissing):
        log.delete("u")
    log.close()
