"""What librdkafka reports beside the results of calls, and how its errors become ours."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException

from sfc.adapters.kafka.properties import scrubbed
from sfc.errors import LogError, LogUnavailable, ProducerFenced, RecordTooLarge, TopicMissing

logger = logging.getLogger("sfc.kafka")


def _is_news(line: logging.LogRecord) -> bool:
    """Whether a line of librdkafka's is worth a line of ours.

    It repeats lost connections several times a second (``Troubles`` tells of them, at intervals), warns of every gapless producer (which
    is meant), and of each retry while a coordinator is busy (which ends by itself).
    """
    text = line.getMessage()
    if text.startswith(("FAIL ", "ERROR ")):
        return False
    return "enable.gapless.guarantee is experimental" not in text and not (text.startswith("GETPID ") and text.endswith("retrying"))


logger.addFilter(_is_news)

_AWAY = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE, KafkaError._SSL, KafkaError._AUTHENTICATION})
_TIMED_OUT = frozenset({KafkaError._TIMED_OUT, KafkaError._TIMED_OUT_QUEUE, KafkaError.REQUEST_TIMED_OUT, KafkaError._WAIT_COORD})
_FENCED = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})
_TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE})
_NO_TOPIC = frozenset({KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART})
# Said again at most this often: librdkafka repeats itself with each reconnection.
_REPEAT_S = 30.0


def error_of(exception: KafkaException) -> KafkaError:
    """The error inside; a bare text (a refused property) becomes an invalid argument."""
    first = exception.args[0] if exception.args else None
    return first if isinstance(first, KafkaError) else KafkaError(KafkaError._INVALID_ARG, str(first or exception))


def is_fenced(error: KafkaError) -> bool:
    return error.code() in _FENCED


def is_too_large(error: KafkaError) -> bool:
    return error.code() in _TOO_LARGE


def fatal_cause(error: SystemError) -> KafkaException | None:
    """The fatal error that the client was telling when another callback was due: two at once become a SystemError."""
    cause = error.__cause__ or error.__context__
    return cause if isinstance(cause, KafkaException) and error_of(cause).fatal() else None


class Pollable(Protocol):
    """A client that tells what it has to tell when it is polled."""

    def poll(self, timeout: float, /) -> object: ...


class Troubles:
    """The ``error_cb`` of one client: remembers the fatal error and the last transport error, and logs the rest.

    ``fatal`` is the first fatal error; ``transport`` is set by every lost connection until somebody clears it.
    """

    def __init__(self, properties: Mapping[str, object], client: str) -> None:
        self._properties = properties
        self._client = client
        self._said: dict[int, float] = {}
        self.servers = str(properties.get("bootstrap.servers", "(no bootstrap.servers given)"))
        self.fatal: KafkaError | None = None
        self.transport = False
        self.last = ""

    def __call__(self, error: KafkaError) -> None:
        text = self.say(error)
        if error.fatal():
            self.fatal = self.fatal or error
            logger.error("%s: %s", self._client, text)
            return
        if error.code() in _AWAY:
            self.transport = True
            # "All brokers are down" follows the reason and doesn't replace it.
            if error.code() != KafkaError._ALL_BROKERS_DOWN:
                self.last = text
        now = time.monotonic()
        if now - self._said.get(error.code(), -_REPEAT_S) >= _REPEAT_S:
            self._said[error.code()] = now
            logger.warning("%s: %s", self._client, text)

    def serve(self, client: Pollable, timeout_s: float = 0.0) -> None:
        """Lets a producer tell what it has to tell. A fatal error comes out of such a call as an exception, once: it is remembered."""
        try:
            client.poll(timeout_s)
        except KafkaException as e:
            self.remember(e)
        except SystemError as e:
            if (cause := fatal_cause(e)) is not None:
                self.remember(cause)

    def remember(self, exception: KafkaException) -> None:
        """Keeps the first fatal error."""
        error = error_of(exception)
        if error.fatal():
            self.fatal = self.fatal or error

    def say(self, error: KafkaError | str) -> str:
        text = error if isinstance(error, str) else f"{error.str()} ({error.name()})"
        return scrubbed(text, self._properties)

    def unavailable(self, doing: str) -> LogUnavailable:
        because = f" Last error: {self.last}." if self.last else ""
        return LogUnavailable(
            f"No Kafka broker answered in time at {self.servers}, {doing}.{because} "
            "Check that Kafka runs, that bootstrap.servers names it, and that its advertised listeners can be reached from here."
        )

    def translated(self, exception: KafkaException, doing: str) -> LogError:
        """Our error for a call that failed."""
        error = error_of(exception)
        if error.code() in _AWAY or error.code() in _TIMED_OUT:
            return self.unavailable(doing)
        text = f"Kafka at {self.servers} failed at {doing}: {self.say(error)}"
        if error.code() in _FENCED:
            return ProducerFenced(text)
        if error.code() in _NO_TOPIC:
            return TopicMissing(text)
        if error.code() in _TOO_LARGE:
            return RecordTooLarge(text)
        return LogError(text)
