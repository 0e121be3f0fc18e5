"""The appender of commands, ids, and the answers' tail."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.engine.commands import Pause, ReplyTo, Tick
from sfc.engine.effects import Reply
from sfc.errors import LogUnavailable, NoAnswer, ProducerFailed
from sfc.ports import Partition, TopicSpec
from sfc.runtime.answers import Answers
from sfc.runtime.starts import Appender, new_uuid7
from sfc.wire.commands import decode_command
from sfc.wire.partition import partition_of
from sfc.wire.replies import encode_answer
from sfc.wire.topics import Names, core_topics

NAMES = Names("t")
SHARDS = 4


@pytest.fixture
def log() -> EmbeddedLog:
    made = EmbeddedLog.memory()
    made.create([TopicSpec(n, p, c) for n, (p, c) in core_topics(NAMES, SHARDS).items()])
    return made


def read(log: EmbeddedLog) -> list[tuple[int, str, Any]]:
    partitions = [Partition(NAMES.commands, n) for n in range(SHARDS)]
    reader = log.reader(dict.fromkeys(partitions, 0))
    records = []
    while taken := reader.take(1_000, 0.05):
        records += taken
    return [(r.partition, (r.key or b"").decode(), decode_command(r.key, r.value, list(r.headers))) for r in records]


def test_commands_go_to_their_flows_shards_with_source_and_mark(log: EmbeddedLog) -> None:
    appender = Appender(log, NAMES, SHARDS, gapless=True)
    appender.append("orders:1", Pause("x"), "trigger/1", (0, 7))
    appender.append("", Tick(5), key=b"/shard/3")
    appender.flush()
    found = {key: (partition, received) for partition, key, received in read(log)}
    partition, received = found["orders:1"]
    assert partition == partition_of(b"orders:1", SHARDS)
    assert (received.command, received.source, received.mark) == (Pause("x"), "trigger/1", (0, 7))
    assert found["/shard/3"][0] == partition_of(b"/shard/3", SHARDS)


def test_many_threads_share_an_appender(log: EmbeddedLog) -> None:
    appender = Appender(log, NAMES, SHARDS)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: appender.put(f"orders:{n}", Pause()), range(200)))
    assert len({key for _, key, _ in read(log)}) == 200


class Lossy:
    """A log whose first producer loses records, in one of the two ways that a producer may."""

    def __init__(self, log: EmbeddedLog, *, fatal: bool) -> None:
        self._log, self._fatal, self.made = log, fatal, 0

    def producer(self, *, gapless: bool = False, busy: bool = False) -> Any:
        self.made += 1
        return self._log.producer(gapless=gapless) if self.made > 1 else LossyProducer(self._fatal)


class LossyProducer:
    def __init__(self, fatal: bool) -> None:
        self._fatal = fatal
        self._failures: list[Any] = []

    def send(self, topic: str, value: Any, key: Any = None, headers: Any = None, partition: Any = None, on_failure: Any = None) -> None:
        self._failures.append(on_failure)

    def flush(self) -> None:
        if self._fatal:
            raise ProducerFailed("fatal")
        for failure in self._failures:
            failure("timed out")

    def close(self) -> None: ...


def test_a_command_that_was_given_up_is_said_to_whoever_put_it(log: EmbeddedLog) -> None:
    appender = Appender(Lossy(log, fatal=False), NAMES, SHARDS)  # type: ignore[arg-type]
    with pytest.raises(LogUnavailable, match="orders:1 was not acknowledged by the log: timed out"):
        appender.put("orders:1", Pause())


def test_a_spent_producer_is_replaced(log: EmbeddedLog) -> None:
    appender = Appender(Lossy(log, fatal=True), NAMES, SHARDS)  # type: ignore[arg-type]
    with pytest.raises(ProducerFailed):
        appender.put("orders:1", Pause())
    appender.put("orders:2", Pause())
    assert [key for _, key, _ in read(log)] == ["orders:2"]


def test_a_gapless_appender_is_spent_with_its_producer(log: EmbeddedLog) -> None:
    lossy = Lossy(log, fatal=True)
    appender = Appender(lossy, NAMES, SHARDS, gapless=True)  # type: ignore[arg-type]
    appender.append("orders:1", Pause(), "s", (1,))
    with pytest.raises(ProducerFailed):
        appender.flush()
    assert lossy.made == 1


def test_uuids_are_of_version_7_and_sort_by_time() -> None:
    class Clock:
        time_ms = 1_700_000_000_000

        def now_ms(self) -> int:
            self.time_ms += 1
            return self.time_ms

        def monotonic_s(self) -> float:
            return 0.0

    clock = Clock()
    made = [new_uuid7(clock) for _ in range(50)]
    assert made == sorted(made)
    assert {UUID(m).version for m in made} == {7}
    assert {UUID(m).variant for m in made} == {"specified in RFC 4122"}
    assert UUID(made[0]).int >> 80 == 1_700_000_000_001


def answer(log: EmbeddedLog, to: ReplyTo, status: str = "done") -> None:
    producer = log.producer()
    producer.send(to.topic, encode_answer(Reply(to, "orders:1", status)), to.key.encode(), partition=0)
    producer.flush()


def test_answers_find_those_who_wait_for_them(log: EmbeddedLog) -> None:
    old = ReplyTo(NAMES.replies, "gw-1", "a")
    answer(log, old, "old")
    answers = Answers(log, NAMES, "gw-1")
    first, second = answers.expect("a"), answers.expect("b")
    answer(log, ReplyTo(NAMES.replies, "gw-2", "a"), "another's")
    log.producer().send(NAMES.replies, b"nonsense", b"gw-1", partition=0)
    answer(log, answers.reply_to("b"))
    answer(log, answers.reply_to("nobody"))
    while not second.done():
        answers.step(0.1)
    assert second.result().status == "done"
    assert not first.done()
    assert answers.waiting == 1


def test_an_answer_to_somebody_who_has_left_is_dropped(log: EmbeddedLog) -> None:
    answers = Answers(log, NAMES, "gw-1")
    future = answers.expect("a")
    future.cancel()
    answer(log, answers.reply_to("a"))
    assert answers.step(1) == 1
    kept = answers.expect("b")
    answers.forget("b")
    answer(log, answers.reply_to("b"))
    assert answers.step(1) == 1
    assert not kept.done()


def test_those_who_wait_hear_when_the_gateway_stops(log: EmbeddedLog) -> None:
    answers = Answers(log, NAMES, "gw-1")
    future = answers.expect("a")
    threading.Thread(target=answers.close).start()
    with pytest.raises(NoAnswer, match="this gateway is stopping"):
        future.result(2)
