"""The parts of the Kafka adapter that need no broker."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException, Message, TopicPartition

from sfc.adapters.kafka import KafkaLog, properties
from sfc.adapters.kafka.consumer import KafkaConsumer
from sfc.adapters.kafka.records import record
from sfc.adapters.kafka.troubles import Troubles
from sfc.errors import BadInput, LogUnavailable, ProducerFenced, RecordTooLarge, TopicMissing
from sfc.ports import Partition, Position

NOWHERE = "127.0.0.1:1"


def test_what_exactly_once_rests_on_is_not_overridden() -> None:
    user = {"enable.idempotence": "false", "message.timeout.ms": "7", "isolation.level": "read_uncommitted", "enable.auto.commit": "true"}
    gapless = properties.producer(user, gapless=True, busy=False)
    assert (gapless["enable.idempotence"], gapless["message.timeout.ms"], gapless["enable.gapless.guarantee"]) == (True, 0, True)
    assert properties.producer(user, gapless=False, busy=False)["message.timeout.ms"] == 10_000
    consumer = properties.consumer(user, "g", "earliest")
    assert (consumer["isolation.level"], consumer["enable.auto.commit"]) == ("read_committed", False)
    assert 10_000 <= int(properties.transaction(user, "t")["transaction.timeout.ms"]) <= 15_000


def test_a_record_alone_leaves_at_once_and_the_user_may_prefer_otherwise() -> None:
    alone = properties.producer({}, gapless=False, busy=False)
    assert (alone["linger.ms"], alone["socket.nagle.disable"]) == (0, True)
    busy = properties.producer({}, gapless=False, busy=True)
    assert (busy["linger.ms"], busy["compression.type"]) == (1, "lz4")
    user = {"linger.ms": "5", "sasl.password": "p"}
    assert {**properties.producer(user, gapless=False, busy=True)}.items() >= user.items()


def test_secrets_are_taken_out_of_what_is_said(caplog: pytest.LogCaptureFixture) -> None:
    secret = {"bootstrap.servers": "b:1", "sasl.password": "hunter2", "ssl.key.password": "swordfish", "sasl.username": "bob"}
    assert properties.scrubbed("bob hunter2 swordfish", secret) == "bob *** ***"
    troubles = Troubles(secret, "producer")
    with caplog.at_level(logging.DEBUG, "sfc.kafka"):
        troubles(KafkaError(KafkaError._AUTHENTICATION, "refused bob with hunter2"))
    assert "hunter2" not in caplog.text
    assert "bob" in caplog.text
    assert "hunter2" not in repr(KafkaLog(secret))
    assert "hunter2" not in str(troubles.unavailable("asking"))


def test_a_refused_property_is_bad_input() -> None:
    with pytest.raises(BadInput, match=r"bootstrap\.servers"):
        KafkaLog({})
    with pytest.raises(BadInput, match=r"no\.such\.property"):
        KafkaLog({"bootstrap.servers": NOWHERE, "no.such.property": "x"}).producer()


def test_troubles_are_told_once_and_the_fatal_one_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    troubles = Troubles({"bootstrap.servers": "b:1"}, "producer")
    with caplog.at_level(logging.DEBUG, "sfc.kafka"):
        for _ in range(5):
            troubles(KafkaError(KafkaError._TRANSPORT, "connection lost"))
    assert len(caplog.records) == 1
    assert troubles.transport
    assert troubles.fatal is None
    troubles(KafkaError(KafkaError._FENCED, "fenced", fatal=True))
    troubles(KafkaError(KafkaError._TRANSPORT, "again", fatal=True))
    assert troubles.fatal is not None
    assert troubles.fatal.code() == KafkaError._FENCED


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError._TRANSPORT, LogUnavailable),
        (KafkaError._TIMED_OUT, LogUnavailable),
        (KafkaError._FENCED, ProducerFenced),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, TopicMissing),
        (KafkaError.MSG_SIZE_TOO_LARGE, RecordTooLarge),
    ],
)
def test_errors_of_kafka_become_ours(code: int, kind: type[Exception]) -> None:
    assert type(Troubles({"bootstrap.servers": "b:1"}, "x").translated(KafkaException(KafkaError(code)), "asking")) is kind


@pytest.mark.parametrize(
    "ask",
    [
        lambda log: log.cluster_id(),
        lambda log: log.topics(),
        lambda log: log.ends([Partition("a", 0)]),
        lambda log: log.set_group_positions("g", {Partition("a", 0): Position(1)}),
        lambda log: log.transaction("t"),
    ],
)
def test_a_broker_that_is_not_there_is_named(ask: Callable[[KafkaLog], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfc.adapters.kafka.admin.REQUEST_TIMEOUT_S", 0.3)
    monkeypatch.setattr("sfc.adapters.kafka.transaction._INIT_LIMIT_S", 0.3)
    log = KafkaLog({"bootstrap.servers": NOWHERE})
    began = time.monotonic()
    with pytest.raises(LogUnavailable, match=NOWHERE) as refused:
        ask(log)
    assert "bootstrap.servers" in refused.value.message
    assert time.monotonic() - began < 5


def message(offset: int = 7, topic: str = "t", partition: int = 1, **more: Any) -> Message:
    return Message(**{"topic": topic, "partition": partition, "offset": offset, "timestamp": (TIMESTAMP_LOG_APPEND_TIME, 99), **more})


def test_append_time_is_only_what_the_broker_gave() -> None:
    assert record(message()).append_ms == 99
    made = record(message(timestamp=(TIMESTAMP_CREATE_TIME, 99)))
    assert (made.timestamp_ms, made.append_ms) == (99, None)


def test_a_message_becomes_a_record_field_by_field() -> None:
    found = record(message(key=b"k", value=b"v", headers=[("a", b"1")], leader_epoch=3))
    assert found == ("t", 1, 7, b"k", b"v", [("a", b"1")], 99, 99, 3)
    assert record(message()).headers == ()


class NoText(Message):
    def headers(self) -> Any:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")


def test_header_names_that_are_no_text_do_not_poison_the_record() -> None:
    assert record(NoText(topic="t", partition=0, offset=1, timestamp=(TIMESTAMP_CREATE_TIME, 5))).headers == ()


class FakeClient:
    """As much of a client as ``take`` needs: ``consume`` runs a callback in the middle and hands over the records all the same."""

    def __init__(self, config: dict[str, Any], logger: object) -> None:
        self.in_consume: Callable[[], None] = lambda: None
        self.queue: list[Message] = []
        self.sought: list[tuple[int, int]] = []

    def subscribe(self, topics: list[str], on_assign: Any, on_revoke: Any, on_lost: Any) -> None:
        self.on_assign, self.on_revoke = on_assign, on_revoke

    def assign(self, *numbers: int) -> None:
        self.on_assign(self, [TopicPartition("t", n) for n in numbers])

    def revoke(self, *numbers: int) -> None:
        self.on_revoke(self, [TopicPartition("t", n) for n in numbers])

    def poll(self, timeout: float) -> Message | None:
        return self.queue.pop(0) if self.queue else None

    def consume(self, count: int, timeout: float) -> list[Message]:
        self.in_consume()
        found, self.queue = self.queue[:count], self.queue[count:]
        return found

    def seek(self, place: TopicPartition) -> None:
        self.sought.append((place.partition, place.offset))

    def committed(self, places: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        return [TopicPartition(p.topic, p.partition, 40) for p in places]

    def incremental_assign(self, places: object) -> None: ...

    incremental_unassign = pause = resume = incremental_assign


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], tuple[KafkaConsumer, FakeClient]]:
    monkeypatch.setattr("sfc.adapters.kafka.consumer.Client", FakeClient)

    def make(paused: bool) -> tuple[KafkaConsumer, FakeClient]:
        made = KafkaConsumer(
            properties.consumer({"bootstrap.servers": NOWHERE}, "g", "earliest"),
            ["t"],
            paused=paused,
            assigned=None,
            revoked=None,
            lost=None,
        )
        client: Any = made._client
        client.assign(0, 1)
        return made, client

    return make


Fake = Callable[[bool], tuple[KafkaConsumer, FakeClient]]


def test_records_of_a_partition_revoked_in_mid_batch_are_dropped(fake: Fake) -> None:
    consumer, client = fake(False)
    client.queue = [message(1, partition=0), message(1, partition=1), message(2, partition=0), message(2, partition=1)]
    client.in_consume = lambda: client.revoke(0)
    assert [(r.partition, r.offset) for r in consumer.take(10, 0)] == [(1, 1), (1, 2)]
    assert consumer.assignment() == {Partition("t", 1)}


def test_a_partition_that_went_and_came_back_in_mid_batch_begins_at_its_commit(fake: Fake) -> None:
    consumer, client = fake(False)
    client.queue = [message(41, partition=0), message(42, partition=0)]

    def back_and_forth() -> None:
        client.revoke(0)
        client.assign(0)

    client.in_consume = back_and_forth
    assert consumer.take(10, 0) == []
    client.in_consume = lambda: None
    consumer.take(10, 0)
    assert client.sought == [(0, 40)]


def test_nothing_of_a_partition_comes_before_it_is_started(fake: Fake) -> None:
    consumer, client = fake(True)
    client.queue = [message(0, partition=0), message(0, partition=1)]
    consumer.start(Partition("t", 1), 0)
    assert [(r.partition, r.offset) for r in consumer.take(10, 0)] == [(1, 0)]


def test_what_is_queued_is_not_handed_over_until_the_client_has_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    queued = [_Queued(1_000), _Queued(1_001)]
    ready = False

    class Client:
        def __init__(self, *_: object, **__: object) -> None: ...

        def subscribe(self, *_: object, **__: object) -> None: ...

        def resume(self, _: object) -> None: ...

        def seek(self, place: TopicPartition) -> None:
            if not ready:
                raise KafkaException(KafkaError(KafkaError._STATE))
            queued[:] = [_Queued(place.offset)]

        def poll(self, _: float) -> _Queued | None:
            return queued.pop(0) if queued else None

        def consume(self, _count: int, _timeout_s: float) -> list[_Queued]:
            taken, queued[:] = list(queued), []
            return taken

    monkeypatch.setattr("sfc.adapters.kafka.consumer.Client", Client)
    properties = {"group.id": "g", "auto.offset.reset": "earliest"}
    consumer = KafkaConsumer(properties, ["t"], paused=True, assigned=None, revoked=None, lost=None)
    consumer._owned.add(Partition("t", 0))
    consumer.start(Partition("t", 0), 20)
    assert consumer.take(100, 0.01) == []
    ready = True
    assert [record.offset for record in consumer.take(100, 0.01)] == [20]


class _Queued:
    """A message as the client has it."""

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def error(self) -> None: ...

    def topic(self) -> str:
        return "t"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes:
        return b"k"

    value = key

    def headers(self) -> list[tuple[str, bytes]]:
        return []

    def timestamp(self) -> tuple[int, int]:
        return TIMESTAMP_LOG_APPEND_TIME, 1

    def leader_epoch(self) -> int:
        return 0
