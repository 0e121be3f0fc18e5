"""Producers of the embedded log, ordinary and transactional."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sfc.adapters.embedded.broker import Broker, OpenTransaction, Owner
from sfc.adapters.embedded.consumers import EmbeddedConsumer
from sfc.errors import ProducerFailed, TransactionAborted
from sfc.ports import Consumer, Headers, Partition, Position


class EmbeddedProducer:
    """``sfc.ports.Producer``. A record is in the log when ``send`` returns, or it has failed."""

    def __init__(self, broker: Broker, *, gapless: bool) -> None:
        self._broker = broker
        self._gapless = gapless
        self._failed = ""
        self._given_up: list[tuple[Callable[[str], None], str]] = []

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers | None = None,
        partition: int | None = None,
        on_failure: Callable[[str], None] | None = None,
    ) -> None:
        self._check()
        reason = self._broker.append(topic, value, key, headers, partition)
        if reason:
            if on_failure is not None:
                self._given_up.append((on_failure, reason))
            if on_failure is None or self._gapless:
                self._failed = reason

    def poll(self) -> None:
        while self._given_up:
            on_failure, reason = self._given_up.pop(0)
            on_failure(reason)

    def flush(self) -> None:
        self._broker.flush()
        self.poll()
        self._check()

    def close(self) -> None:
        self._broker.flush()

    def _check(self) -> None:
        if self._failed:
            raise ProducerFailed(f"A record was not delivered: {self._failed}.", hint="Go back to the log with a new producer.")


class EmbeddedTransaction:
    """``sfc.ports.Transaction``. Closing it aborts what is open."""

    def __init__(self, broker: Broker, transactional_id: str) -> None:
        self._broker = broker
        self._id = transactional_id
        self._epoch = broker.take_id(transactional_id)

    def begin(self) -> None:
        with self._broker.owned(self._id, self._epoch) as owner:
            self._broker.begin(owner)

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers | None = None,
        partition: int | None = None,
    ) -> None:
        with self._broker.owned(self._id, self._epoch) as owner:
            tx = _open(owner)
            reason = self._broker.append(topic, value, key, headers, partition, tx)
            if reason:
                tx.failure = tx.failure or reason
                tx.refused.append((topic, key, reason))

    def send_offsets(self, positions: Mapping[Partition, Position], consumer: Consumer) -> None:
        if not isinstance(consumer, EmbeddedConsumer):
            raise TypeError(f"a consumer of the embedded log was expected, not {consumer!r}")
        with self._broker.owned(self._id, self._epoch) as owner:
            tx = _open(owner)
            if consumer.member.out:
                tx.failure = tx.failure or f"the consumer has been put out of the group {consumer.group.name}"
            else:
                self._broker.bind(tx, consumer.group, positions)

    def commit(self) -> None:
        with self._broker.owned(self._id, self._epoch) as owner:
            tx = _open(owner)
            self._broker.end(owner, commit=not tx.failure)
        self._broker.flush()
        if tx.failure:
            raise TransactionAborted(f"The transaction is aborted: {tx.failure}.", tuple(tx.refused))

    def abort(self) -> None:
        """Does nothing where no transaction is open."""
        with self._broker.owned(self._id, self._epoch) as owner:
            if owner.open is not None:
                self._broker.end(owner, commit=False)
        self._broker.flush()

    def close(self) -> None:
        self._broker.abandon(self._id, self._epoch)


def _open(owner: Owner) -> OpenTransaction:
    if owner.open is None:
        raise ProducerFailed("There is no open transaction.", hint="Begin one first.")
    return owner.open
