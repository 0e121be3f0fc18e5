"""Producers outside transactions: effects, sourced commands, dead letters."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import Producer as Client

from sfc.adapters.kafka.troubles import Troubles, error_of, is_too_large, logger
from sfc.errors import ProducerFailed, RecordTooLarge
from sfc.ports import Headers

_FLUSH_SLICE_S = 0.5  # between two of them Ctrl-C gets its turn
_CLOSE_S = 2.0
_FULL_WAIT_S = 0.01
_LIMIT_KEPT_S = 60.0
_BATCH_OVERHEAD_BYTES = 128
_HEADER_OVERHEAD_BYTES = 10


class _Sent(NamedTuple):
    """What ``send`` was given."""

    topic: str
    value: bytes | None
    key: bytes | None
    headers: Headers | None
    partition: int | None
    on_failure: Callable[[str], None]


class KafkaProducer:
    """One idempotent producer; see ``sfc.ports.Producer``.

    ``flush`` of the client says nothing about records that were lost, so one producer-wide callback, called for failures only,
    sets the flag that decides. ``limits`` (gapless producers) gives the largest record that a topic takes, in bytes: with a
    gapless producer a record that the broker refuses is the end of it, so such a record must not be handed over.

    Kafka refuses a whole batch that is over its topic's limit, though each record may fit. So what was refused for its size goes once
    more, each record in a batch of its own, and so does all that the topic gets from then on. Records with ``on_failure`` do; SFC's own
    topics take any batch. ``again``: whether it does.
    """

    def __init__(self, properties: Mapping[str, object], *, limits: Callable[[str], int] | None = None, again: bool = True) -> None:
        self._troubles = Troubles(properties, "producer")
        self._failed = ""
        self._closed = False
        self._gapless = limits is not None
        self._limits = limits
        self._limit_of: dict[str, tuple[int, float]] = {}
        self._given_up: list[tuple[Callable[[str], None], str]] = []
        self._properties = properties
        self._again = again and limits is None
        self._too_large: list[_Sent] = []  # refused, and not sent again yet
        self._narrow: set[str] = set()  # topics that have refused a batch for its size
        self._alone: KafkaProducer | None = None  # what they are sent by
        self._client = Client({**properties, "on_delivery": self._lost, "error_cb": self._troubles}, logger=logger)
        self._produce = self._client.produce

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers | None = None,
        partition: int | None = None,
        on_failure: Callable[[str], None] | None = None,
    ) -> None:
        if self._failed:
            raise ProducerFailed(self._failed)
        listed: Any = headers if headers is None or type(headers) is list else list(headers)
        if self._gapless:
            self._check_size(topic, value, key, headers)
        if self._narrow and topic in self._narrow:
            self._one_by_one().send(topic, value, key, headers, partition, on_failure)
            return
        callback = None if on_failure is None else self._reporter(_Sent(topic, value, key, headers, partition, on_failure))
        number = -1 if partition is None else partition
        while True:
            try:
                self._produce(topic, value, key, number, callback, None, 0, listed)
            except BufferError:
                # The queue is full: make room, then the same record again, so that order holds.
                self._troubles.serve(self._client, _FULL_WAIT_S)
            except KafkaException as e:
                self._refused(e, topic, on_failure)
                return
            except SystemError as e:
                raise self._broken(e) from e
            else:
                return

    def poll(self) -> None:
        try:
            self._client.poll(0)
        except KafkaException as e:
            raise self._fatal(e) from e
        except SystemError as e:
            raise self._broken(e) from e
        self._serve()
        if self._alone is not None:
            self._alone.poll()

    def flush(self) -> None:
        try:
            while self._client.flush(_FLUSH_SLICE_S):
                self._serve()
        except KafkaException as e:
            raise self._fatal(e) from e
        except SystemError as e:
            raise self._broken(e) from e
        self._serve()
        if self._alone is not None:
            self._alone.flush()
        if not self._failed and self._troubles.fatal is not None:
            self._failed = f"fatal producer error: {self._troubles.say(self._troubles.fatal)}"
        if self._failed:
            raise ProducerFailed(self._failed)

    def close(self) -> None:
        """Gives what is queued a last moment, and drops the rest: whoever needs it delivered has flushed. Closing twice does no harm."""
        if self._closed:
            return
        self._closed = True
        if self._alone is not None:
            self._alone.close()
        with contextlib.suppress(KafkaException, SystemError):
            if not self._failed:
                self._client.flush(_CLOSE_S)
            self._client.purge()
            self._client.flush(_FLUSH_SLICE_S)
            self._client.close()
        self._failed = self._failed or "the producer is closed"

    def _check_size(self, topic: str, value: bytes | None, key: bytes | None, headers: Headers | None) -> None:
        limits = self._limits
        if limits is None:
            return
        now = time.monotonic()
        limit, until = self._limit_of.get(topic, (0, 0.0))
        if now >= until:
            limit = limits(topic)
            self._limit_of[topic] = (limit, now + _LIMIT_KEPT_S)
        size = _BATCH_OVERHEAD_BYTES + len(value or b"") + len(key or b"")
        for name, content in headers or ():
            size += _HEADER_OVERHEAD_BYTES + len(name) + len(content)
        if size > limit:
            raise RecordTooLarge(f"A record of {size} bytes for the topic {topic}, which takes up to {limit} (max.message.bytes).")

    def _refused(self, exception: KafkaException, topic: str, on_failure: Callable[[str], None] | None) -> None:
        """A record that the client didn't take: as if its delivery had failed."""
        error = error_of(exception)
        if is_too_large(error):
            raise RecordTooLarge(f"A record for the topic {topic} is over the client's message.max.bytes: {error.str()}") from exception
        if error.code() == KafkaError._FATAL or error.fatal():
            self._troubles.serve(self._client)  # tells the fatal error's own name
            self._failed = f"fatal producer error: {self._troubles.say(self._troubles.fatal or error)}"
            raise ProducerFailed(self._failed) from exception
        reason = f"{topic}: {self._troubles.say(error)}"
        if on_failure is not None:
            self._given_up.append((on_failure, reason))
        if on_failure is None or self._gapless:
            self._failed = f"a record was not delivered to {reason}"
            raise ProducerFailed(self._failed) from exception

    def _lost(self, error: KafkaError | None, message: Message) -> None:
        """The producer-wide delivery callback: a record without ``on_failure`` is lost."""
        if error is not None and not self._failed:
            self._failed = f"a record was not delivered to {message.topic()}: {self._troubles.say(error)}"

    def _reporter(self, sent: _Sent) -> Callable[[KafkaError | None, Message], None]:
        def report(error: KafkaError | None, message: Message) -> None:
            if error is not None and self._again and is_too_large(error):
                self._too_large.append(sent)  # of the message the client has no headers any more
            elif error is not None:
                # Told after the client's call: an exception in here would become a SystemError there.
                self._given_up.append((sent.on_failure, f"{message.topic()}: {self._troubles.say(error)}"))
                if self._gapless:
                    self._lost(error, message)

        return report

    def _serve(self) -> None:
        while self._too_large:
            sent = self._too_large.pop(0)
            self._narrow.add(sent.topic)
            self._one_by_one().send(*sent)
        while self._given_up:
            on_failure, reason = self._given_up.pop(0)
            on_failure(reason)

    def _one_by_one(self) -> KafkaProducer:
        if self._alone is None:
            self._alone = KafkaProducer({**self._properties, "batch.num.messages": 1}, again=False)
        return self._alone

    def _fatal(self, exception: KafkaException) -> ProducerFailed:
        """A fatal error comes out of any call that tells something."""
        self._troubles.remember(exception)
        self._failed = self._failed or f"fatal producer error: {self._troubles.say(error_of(exception))}"
        return ProducerFailed(self._failed)

    def _broken(self, error: SystemError) -> ProducerFailed:
        self._failed = f"the Kafka client failed within a call: {error}"
        return ProducerFailed(self._failed)
