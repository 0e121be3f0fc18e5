"""A transactional producer: the fence of a shard (EXACTLY-ONCE 18, 21, 23, 24)."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import Producer as Client

from sfc.adapters.kafka.consumer import KafkaConsumer
from sfc.adapters.kafka.records import to_kafka
from sfc.adapters.kafka.troubles import Troubles, error_of, fatal_cause, is_fenced, is_too_large, logger
from sfc.errors import LogError, ProducerFailed, ProducerFenced, RecordTooLarge, TransactionAborted
from sfc.ports import Consumer, Headers, Partition, Position

# Said of a producer that is closed because its initialisation had no answer: that is reported already.
warnings.filterwarnings("ignore", message="Producer abort_transaction failed during close", category=RuntimeWarning)

_INIT_LIMIT_S = 9.0
_SLOW_S = 1.0
_FLUSH_SLICE_S = 0.5  # between two of them Ctrl-C gets its turn
_FULL_WAIT_S = 0.01
_RETRY_WAIT_S = 0.02
_CLOSE_S = 2.0
_PURGED = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})


class KafkaTransaction:
    """See ``sfc.ports.Transaction``.

    A commit or abort that took over a second or saw a connection break is finished, but its EndTxn may still be on its way and
    end the next transaction (the client lacks KIP-890's second part). So the next ``begin`` raises ProducerFailed, and the owner takes
    the id again and goes back to the log.
    """

    def __init__(
        self, properties: Mapping[str, object], transactional_id: str, *, too_large: Callable[[str], None] = lambda _topic: None
    ) -> None:
        """``too_large`` hears which topic has refused a batch for its size."""
        self._id = transactional_id
        self._troubles = Troubles(properties, f"transaction {transactional_id}")
        self._failed = ""
        self._fenced = False
        self._open = False
        self._closed = False
        self._refused: list[tuple[str, bytes | None, str]] = []
        self._too_large = too_large
        self._client = Client({**properties, "on_delivery": self._lost, "error_cb": self._troubles}, logger=logger)
        try:
            self._initialise()
        except BaseException:
            self._client.close()
            raise

    def begin(self) -> None:
        self._check()
        if self._open:
            raise ProducerFailed(f"A transaction of {self._id} is open already: commit or abort it first.")
        self._refused.clear()
        self._call("begin_transaction", self._client.begin_transaction)
        self._open = True

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers | None = None,
        partition: int | None = None,
    ) -> None:
        if self._failed or not self._open:
            self._check(is_open=True)
        listed: Any = headers if headers is None or type(headers) is list else list(headers)
        number = -1 if partition is None else partition
        while True:
            try:
                self._client.produce(topic, value, key, number, None, None, 0, listed)
            except BufferError:
                self._troubles.serve(self._client, _FULL_WAIT_S)
            except KafkaException as e:
                if is_too_large(error_of(e)):
                    raise RecordTooLarge(f"A record for the topic {topic} is over the client's message.max.bytes.") from e
                self._troubles.serve(self._client)
                if self._troubles.fatal is None and self._open:
                    # Most often an earlier record was refused, and the transaction takes no further ones.
                    self._refused = self._refused or [(topic, key, self._troubles.say(error_of(e)))]
                    raise self._aborted(error_of(e)) from e
                raise self._spent("send", e) from e
            except SystemError as e:
                raise self._broken(e) from e
            else:
                return

    def send_offsets(self, positions: Mapping[Partition, Position], consumer: Consumer) -> None:
        if not isinstance(consumer, KafkaConsumer):
            raise TypeError(f"send_offsets needs a consumer of the same log, not {type(consumer).__name__}")
        self._check(is_open=True)
        offsets = [to_kafka(partition, position) for partition, position in positions.items()]
        self._call("send_offsets", lambda: self._client.send_offsets_to_transaction(offsets, consumer.group_metadata(), -1))

    def commit(self) -> None:
        self._check(is_open=True)
        with self._watched("commit"):
            self._deliver()
            self._call("commit", lambda: self._client.commit_transaction(-1))
        self._open = False

    def abort(self) -> None:
        if not self._open:
            return
        self._check()
        with self._watched("abort"):
            self._call("abort", lambda: self._client.abort_transaction(-1))
        self._open = False

    def close(self) -> None:
        """Ends an open transaction where that is quickly done; else its successor's initialisation does. Closing twice does no harm."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(KafkaException, SystemError):
            if self._open and not self._failed:
                self._client.abort_transaction(_CLOSE_S)
            self._client.purge()
            self._client.flush(_CLOSE_S)
            self._client.close()
        self._open = False
        self._failed = self._failed or "the transaction's producer is closed"

    def _initialise(self) -> None:
        deadline = time.monotonic() + _INIT_LIMIT_S
        while (left := deadline - time.monotonic()) > 0:
            try:
                self._client.init_transactions(left)
            except KafkaException as e:
                error = error_of(e)
                if not error.retriable():
                    raise self._troubles.translated(e, f"taking the transactional id {self._id}") from e
                time.sleep(_RETRY_WAIT_S)
            else:
                return
        self._troubles.serve(self._client)
        raise self._troubles.unavailable(f"taking the transactional id {self._id}")

    def _check(self, *, is_open: bool = False) -> None:
        if self._failed:
            raise (ProducerFenced if self._fenced else ProducerFailed)(self._failed)
        if is_open and not self._open:
            raise ProducerFailed(f"There is no open transaction of {self._id}: begin one first.")

    def _deliver(self) -> None:
        """Everything is acknowledged, or the transaction is aborted: the flag decides, flush() says nothing (EXACTLY-ONCE 17)."""
        try:
            while self._client.flush(_FLUSH_SLICE_S):
                pass
        except KafkaException as e:  # a fatal error: another one has taken the id, say
            self._troubles.remember(e)
            raise self._spent("flush", e) from e
        except SystemError as e:
            raise self._broken(e) from e
        if self._refused and self._troubles.fatal is None:
            raise self._aborted(KafkaError(KafkaError._APPLICATION, "a record was not delivered"))

    def _call(self, what: str, call: Callable[[], None]) -> None:
        while True:
            try:
                call()
            except KafkaException as e:
                error = error_of(e)
                if is_fenced(error) or error.fatal():
                    raise self._spent(what, e) from e
                if error.txn_requires_abort():
                    raise self._aborted(error) from e
                if not error.retriable():
                    raise self._spent(what, e) from e
                self._troubles.serve(self._client, _RETRY_WAIT_S)
            except SystemError as e:
                raise self._broken(e) from e
            else:
                return

    def _aborted(self, cause: KafkaError) -> TransactionAborted:
        """Aborts, and says what was refused: the caller may write the interval again without it."""
        reason = self._troubles.say(cause)
        try:
            self.abort()
        except TransactionAborted as e:  # an abort that asks for an abort: the outcome is anybody's guess
            raise self._unclear(f"abort after {reason}", e) from e
        except LogError:
            raise
        refused = tuple(self._refused)
        what = "; ".join(f"{topic}: {why}" for topic, _, why in refused[:3]) or reason
        return TransactionAborted(f"The transaction of {self._id} was refused and aborted: {what}", refused)

    def _spent(self, what: str, exception: KafkaException) -> LogError:
        error = error_of(exception)
        if error.code() in (KafkaError._FATAL, KafkaError._STATE):
            self._troubles.serve(self._client)  # tells the fatal error's own name
            error = self._troubles.fatal or error
        if is_fenced(error):
            self._fenced = True
            self._failed = f"Another owner has taken the transactional id {self._id}: {self._troubles.say(error)}"
            return ProducerFenced(self._failed)
        return self._unclear(f"{what}: {self._troubles.say(error)}", exception)

    def _unclear(self, what: str, exception: Exception) -> ProducerFailed:
        self._failed = f"The transaction of {self._id} failed with an unclear outcome at {what}"
        failed = ProducerFailed(self._failed)
        failed.__cause__ = exception
        return failed

    def _broken(self, error: SystemError) -> LogError:
        cause = fatal_cause(error)
        if cause is not None:
            self._troubles.remember(cause)
            return self._spent("a failure within the Kafka client", cause)
        return self._unclear("a failure within the Kafka client", error)

    def _lost(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and error.code() not in _PURGED:
            if is_too_large(error):
                self._too_large(message.topic() or "")
            self._refused.append((message.topic() or "", message.key(), self._troubles.say(error)))

    @contextlib.contextmanager
    def _watched(self, what: str) -> Iterator[None]:
        """Marks the producer as spent when the call within was slow or saw a connection break."""
        self._troubles.transport = False
        began = time.monotonic()
        yield
        lasted = time.monotonic() - began
        self._troubles.serve(self._client)
        if lasted > _SLOW_S or self._troubles.transport:
            why = "saw a connection break" if self._troubles.transport else f"took {lasted:.1f} s"
            self._failed = f"A finished {what} of {self._id} {why}: its end may still travel, so the id is to be taken again"
            logger.warning("%s", self._failed)
