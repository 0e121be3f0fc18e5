"""Questions to a cluster of which a broker has died: asked anew, and never answered by what the client makes up."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, TopicPartition

from sfc.adapters.kafka import KafkaLog
from sfc.adapters.kafka.admin import Admin
from sfc.errors import LogUnavailable
from sfc.ports import Partition

NOWHERE = "127.0.0.1:1"
PLACE = Partition("t", 0)


def answered(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    if isinstance(value, BaseException):
        future.set_exception(value)
    else:
        future.set_result(value)
    return future


class Client:
    """Answers with what it is given, one after another; the last answer again and again."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.learnt = 0

    def _next(self) -> Future[Any]:
        return answered(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])

    def list_offsets(self, asked: Mapping[TopicPartition, object], **_: object) -> dict[TopicPartition, Future[Any]]:
        return {place: self._next() for place in asked}

    def describe_cluster(self, **_: object) -> Future[Any]:
        return self._next()

    def list_topics(self, timeout: float) -> SimpleNamespace:
        assert timeout <= 1.0
        self.learnt += 1
        return SimpleNamespace(topics={})

    def poll(self, _timeout: float) -> int:
        return 0


def asked_of(client: Client, monkeypatch: pytest.MonkeyPatch) -> Admin:
    monkeypatch.setattr("sfc.adapters.kafka.admin.REQUEST_TIMEOUT_S", 0.2)
    monkeypatch.setattr("sfc.adapters.kafka.admin.AdminClient", lambda *_, **__: client)
    return Admin({"bootstrap.servers": NOWHERE}, -1)


def offset(number: int) -> SimpleNamespace:
    return SimpleNamespace(offset=number)


SILENCE = KafkaException(KafkaError(KafkaError._TIMED_OUT))


def test_an_offset_that_the_leader_did_not_tell_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(offset(OFFSET_INVALID), offset(OFFSET_INVALID), offset(42))
    assert asked_of(client, monkeypatch).ends([PLACE], committed=True) == {PLACE: 42}
    assert client.learnt == 2


def test_an_offset_that_is_never_told_is_no_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LogUnavailable, match="offsets of t/0"):
        asked_of(Client(offset(OFFSET_INVALID)), monkeypatch).ends([PLACE], committed=False)


@pytest.mark.parametrize("code", [KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.OFFSET_NOT_AVAILABLE, KafkaError._TIMED_OUT])
def test_offsets_are_asked_for_again_while_leaders_change(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(KafkaException(KafkaError(code)), offset(7))
    assert asked_of(client, monkeypatch).starts([PLACE]) == {PLACE: 7}


def test_whom_to_ask_is_looked_up_again_when_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(SILENCE, SimpleNamespace(cluster_id="here"))
    assert asked_of(client, monkeypatch).cluster_id() == "here"
    assert client.learnt == 1


def test_a_cluster_that_stays_silent_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LogUnavailable, match=NOWHERE):
        asked_of(Client(SILENCE), monkeypatch).cluster_id()


def test_closing_a_producer_twice_does_no_harm() -> None:
    producer = KafkaLog({"bootstrap.servers": NOWHERE}).producer()
    producer.close()
    producer.close()
