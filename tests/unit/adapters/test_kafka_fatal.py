"""A fatal error of the client comes out of whatever call happens to serve its callbacks, and means what it means there too."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from sfc.adapters.kafka.producer import KafkaProducer
from sfc.adapters.kafka.transaction import KafkaTransaction
from sfc.errors import ProducerFailed, ProducerFenced

PROPERTIES = {"bootstrap.servers": "127.0.0.1:1"}


def fatal(code: int) -> KafkaException:
    return KafkaException(KafkaError(code, "as the broker told", fatal=True))


class Client:
    """Serves nothing, until ``raises`` is set: then the next call that serves callbacks raises that, and only that one."""

    def __init__(self, *_: object, **__: object) -> None:
        self.raises: Exception | None = None
        self.produced = 0

    def _serve(self, *_: object) -> int:
        raised, self.raises = self.raises, None
        if raised is not None:
            raise raised
        return 0

    poll = flush = _serve

    def produce(self, *_: Any) -> None:
        self.produced += 1

    def init_transactions(self, _timeout_s: float) -> None: ...

    def begin_transaction(self) -> None: ...

    def commit_transaction(self, _timeout_s: float) -> None: ...


def transaction(client: Client, monkeypatch: pytest.MonkeyPatch) -> KafkaTransaction:
    monkeypatch.setattr("sfc.adapters.kafka.transaction.Client", lambda *_, **__: client)
    fence = KafkaTransaction(PROPERTIES, "t-0")
    fence.begin()
    fence.send("topic", b"value")
    return fence


def test_a_zombie_that_hears_of_it_while_it_flushes_is_fenced(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    fence = transaction(client, monkeypatch)
    client.raises = fatal(KafkaError._FENCED)
    with pytest.raises(ProducerFenced, match="t-0"):
        fence.commit()


def test_so_is_one_that_hears_of_it_while_a_lost_record_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    fence = transaction(client, monkeypatch)
    both = SystemError("a result with an exception set")
    both.__cause__ = fatal(KafkaError._FENCED)
    client.raises = both
    with pytest.raises(ProducerFenced, match="t-0"):
        fence.commit()


def test_a_client_that_fails_in_itself_leaves_the_outcome_unclear(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    fence = transaction(client, monkeypatch)
    client.raises = SystemError("error return without exception set")
    with pytest.raises(ProducerFailed, match="within the Kafka client"):
        fence.commit()


def test_any_other_fatal_error_of_a_flush_makes_the_outcome_unclear(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    fence = transaction(client, monkeypatch)
    client.raises = fatal(KafkaError.INVALID_TXN_STATE)
    with pytest.raises(ProducerFailed, match="unclear") as failed:
        fence.commit()
    assert not isinstance(failed.value, ProducerFenced)


def test_a_fatal_error_that_is_told_after_a_commit_does_not_undo_it(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    fence = transaction(client, monkeypatch)

    def committed(_timeout_s: float) -> None:
        client.raises = fatal(KafkaError._FENCED)

    monkeypatch.setattr(client, "commit_transaction", committed)
    fence.commit()
    assert client.raises is None


@pytest.mark.parametrize("call", ["poll", "flush"])
def test_a_producer_with_a_fatal_error_has_failed(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    monkeypatch.setattr("sfc.adapters.kafka.producer.Client", lambda *_, **__: client)
    producer = KafkaProducer(PROPERTIES)
    client.raises = fatal(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER)
    with pytest.raises(ProducerFailed, match="as the broker told"):
        getattr(producer, call)()
    with pytest.raises(ProducerFailed):
        producer.send("topic", b"value")
    assert client.produced == 0
