"""What starts flows and asks things of them: one appender of commands, and the version that a start is resolved to."""

from __future__ import annotations

import difflib
import os
import threading
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sfc.engine.commands import Command, Origin, ReplyTo, Start
from sfc.errors import LogUnavailable, NotPossible, ProducerFailed, UnknownName
from sfc.ports import Clock, Log, Producer
from sfc.runtime.definitions import Definitions
from sfc.wire.commands import Mark, encode_command
from sfc.wire.partition import partition_of
from sfc.wire.topics import Names

_REFUSING = {
    "disabled": "it is disabled and starts nothing",
    "retired": "it is retired and starts nothing",
    "draft": "only a draft of it was saved",
}


class Appender:
    """Appends commands to ``sfc.commands``, each on the partition of its flow. May be shared between threads.

    ``gapless`` for whoever names a source (EXACTLY-ONCE 4): any failure is then fatal, and ``append`` and ``flush`` raise ProducerFailed.
    """

    def __init__(self, log: Log, names: Names, shards: int, *, gapless: bool = False) -> None:
        self._log = log
        self._topic = names.commands
        self._shards = shards
        self._gapless = gapless
        self._lock = threading.Lock()  # of the producer: it belongs to one thread at a time
        self._flushing = threading.Lock()
        self._producer: Producer = log.producer(gapless=gapless)
        self._sent = 0
        self._flushed = 0

    def append(self, flow_id: str, command: Command, source: str = "", mark: Mark = (), key: bytes | None = None) -> None:
        """Hands a command over. ``key``: the record's key and what chooses the shard, where that is not the flow id.

        Raises RecordTooLarge at once; losses show in ``flush``.
        """
        with self._lock:
            self._send(key or flow_id.encode(), command, source, mark, None)

    def put(self, flow_id: str, command: Command) -> None:
        """Appends and returns when the log has the command. Threads that wait at the same time share one flush.

        Raises LogUnavailable when the log did not take it within its time (10 s): it may then be there or not.
        """
        lost: list[str] = []
        with self._lock:
            mine = self._send(flow_id.encode(), command, "", (), lost)
        with self._flushing:
            if self._flushed < mine:
                with self._lock:
                    self._flush()
        if lost:
            raise LogUnavailable(f"the command for {flow_id} was not acknowledged by the log: {lost[0]}", hint="try again")

    def flush(self) -> None:
        """Returns when the log has everything that was appended before. Raises ProducerFailed when something was lost."""
        with self._lock:
            self._flush()

    def _send(self, key: bytes, command: Command, source: str, mark: Mark, lost: list[str] | None) -> int:
        value, head = encode_command(command, source, mark)
        partition = partition_of(key, self._shards)
        on_failure = None if lost is None or self._gapless else lost.append
        try:
            self._producer.send(self._topic, value, key, head, partition, on_failure)
        except ProducerFailed:
            if self._gapless:
                raise
            self._renew()
            self._producer.send(self._topic, value, key, head, partition, on_failure)
        self._sent += 1
        return self._sent

    def _flush(self) -> None:
        sent = self._sent
        try:
            self._producer.flush()
        except ProducerFailed:
            if not self._gapless:
                self._renew()
            raise
        self._flushed = sent

    def _renew(self) -> None:
        """A failed producer is spent; commands without a source may be sent by another."""
        self._producer.close()
        self._producer = self._log.producer(gapless=False)

    def close(self) -> None:
        with self._lock:
            self._producer.close()


def new_uuid7(clock: Clock) -> str:
    """A UUID version 7 (RFC 9562) of the clock's time: 48 bits of milliseconds, 74 bits of chance."""
    chance = int.from_bytes(os.urandom(10), "big")
    number = (clock.now_ms() & ((1 << 48) - 1)) << 80 | chance
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=number))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``Did you mean 'tmall-order'?``, or which names there are; empty where there is nothing to offer."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    if not names:
        return "nothing has been deployed yet: `sfc deploy DIRECTORY`"
    return f"there are: {', '.join(names[:10])}{' …' if len(names) > 10 else ''}"


def start_command(
    definitions: Definitions,
    blueprint: str,
    input: Any,
    *,
    origin: Origin | None = None,
    keep_id: bool = False,
    wait: ReplyTo | None = None,
    accepted: ReplyTo | None = None,
    traceparent: str = "",
) -> Start:
    """A start of the blueprint's current version, as ``sfc.definitions`` is known at this moment (EXACTLY-ONCE 8).

    A paused blueprint starts flows that wait. Raises UnknownName, or NotPossible for one that is disabled, retired or a draft.
    """
    head = definitions.heads.get(blueprint)
    if head is None:
        raise UnknownName(f"there is no blueprint {blueprint!r}", hint=did_you_mean(blueprint, definitions.heads))
    if head.status in _REFUSING:
        raise NotPossible(
            f"blueprint {blueprint!r} can't start a flow: {_REFUSING[head.status]}", hint=f"see `sfc blueprints show {blueprint}`"
        )
    version = definitions.current(blueprint)
    if version is None:
        raise UnknownName(f"version {head.current} of blueprint {blueprint!r} is not known here yet", hint="try again in a moment")
    return Start(
        blueprint=blueprint,
        version=version.version,
        hash=version.hash,
        input=input,
        definitions=definitions.position,
        origin=origin,
        keep_id=keep_id,
        wait=wait,
        accepted=accepted,
        traceparent=traceparent,
    )
