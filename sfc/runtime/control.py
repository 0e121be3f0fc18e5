"""The control topic's commands on flows, carried over to ``sfc.commands`` as a topic's records are: with source and mark, so that a record
that is read again changes nothing, and offsets are committed only behind what the log has acknowledged.

Commands on blueprints, versions, tasks and groups are the registry's: see ``sfc.registry.control``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import UNSET

from sfc.engine.commands import FlowCommand, Origin, Pause, Redrive, Resume, Signal, Stop
from sfc.errors import LogError, LogUnavailable, MalformedRecord, NotPossible, RecordTooLarge, SfcError, UnknownName
from sfc.ports import Consumer, Log, Record
from sfc.runtime.carrier import Carrier, mark_of, source_id
from sfc.runtime.definitions import Definitions
from sfc.runtime.letters import Refused
from sfc.runtime.starts import start_command
from sfc.wire import headers
from sfc.wire.control import (
    Control,
    ControlPause,
    ControlRedrive,
    ControlResume,
    ControlSignal,
    ControlStart,
    ControlStop,
    decode_control,
    is_of_flows,
)
from sfc.wire.ids import flow_id
from sfc.wire.topics import Names

BATCH = 1_000


class ControlRole:
    """See ``sfc.runtime.roles.Role``. ``definitions`` is stepped by somebody else."""

    def __init__(self, log: Log, names: Names, shards: int, definitions: Definitions, now_s: Callable[[], float] = time.monotonic) -> None:
        self._log_port = log
        self._names = names
        self._definitions = definitions
        self._carrier = Carrier(log, names, shards, now_s)
        info = log.describe(names.control)
        self._topic_id = info.id if info else ""
        self._source = source_id("control", log.cluster_id(), self._topic_id)
        self._consumer: Consumer = log.consumer(names.control_group, [names.control])

    @property
    def ready(self) -> bool:
        return self._definitions.ready

    def step(self, timeout_s: float = 0.1) -> int:
        """Carries over what has come. Raises ProducerFailed: a new role then resumes from the committed positions."""
        if not self._definitions.ready:
            self._definitions.wait_change(timeout_s)
            return 0
        records = self._consumer.take(BATCH, timeout_s)
        if not records:
            return 0
        for record in records:
            self._carry(record)
        self._carrier.commit(self._consumer, records)
        return len(records)

    def close(self) -> None:
        self._consumer.close()
        self._carrier.close()

    def _carry(self, record: Record) -> None:
        try:
            asked = decode_control(record.value)
            if not is_of_flows(asked):
                return
            flow, command = self._command(asked, record)
            self._carrier.command(flow, command, f"{self._source}/{record.partition}", mark_of(record))
        except MalformedRecord as e:
            self._refuse(record, "bad-control", e.message)
        except Refused as e:
            self._refuse(record, e.reason, e.detail)
        except RecordTooLarge as e:
            self._refuse(record, "too-large", f"the command can't be carried to its flow: {e.message}")

    def _refuse(self, record: Record, reason: str, detail: str) -> None:
        self._carrier.dead_letter(record, self._topic_id, reason, detail)

    def _command(self, asked: Control, record: Record) -> tuple[str, FlowCommand]:
        """Flow id and command. A repetition of the record gives the same again."""
        reply = asked.reply.reply_to() if asked.reply is not None else None
        if reply is not None and reply.topic != self._names.replies and self._names.is_own(reply.topic):
            # A verdict in sfc.state or sfc.definitions is taken for what belongs there: no engine would start again.
            raise Refused("own-reply-topic", f"the verdict is to go to topic {reply.topic}, which is SFC's own: name one of yours")
        if reply is not None and not self._is_there(reply.topic):
            raise Refused("no-reply-topic", f"the verdict is to go to topic {reply.topic}, which is not there")
        match asked:
            case ControlStart():
                return self._start(asked, record)
            case ControlPause():
                return self._flow(asked.flow), Pause(asked.reason, asked.by, reply)
            case ControlResume():
                return self._flow(asked.flow), Resume(asked.by, reply)
            case ControlStop():
                return self._flow(asked.flow), Stop(asked.error, asked.cause, asked.by, reply)
            case ControlRedrive():
                request = f"{record.topic}-{record.partition}-{record.offset}"
                edited = asked.input is not UNSET
                return self._flow(asked.flow), Redrive(request, asked.input if edited else None, edited, asked.by, reply)
            case ControlSignal():
                output = None if asked.output is UNSET else asked.output
                return self._flow(asked.flow), Signal(asked.name, output, asked.error, asked.cause, asked.by, reply=reply)

    def _is_there(self, topic: str) -> bool:
        try:
            return self._log_port.describe(topic) is not None
        except LogUnavailable:
            raise
        except LogError as e:  # it would be the same each time: for instance a topic that this process may not describe
            raise Refused("no-reply-topic", f"the verdict is to go to topic {topic}: {e.message}") from None

    def _start(self, asked: ControlStart, record: Record) -> tuple[str, FlowCommand]:
        rest = asked.id or f"{record.topic}-{record.partition}-{record.offset}"
        try:
            command = start_command(
                self._definitions,
                asked.blueprint,
                asked.input,
                origin=Origin("topic", "", record.topic, record.partition, record.offset),
                keep_id=bool(asked.id),
                accepted=asked.reply.reply_to() if asked.reply is not None else None,
                traceparent=headers.text(record.headers, headers.TRACEPARENT) or "",
            )
        except (UnknownName, NotPossible) as e:
            raise Refused("unknown-blueprint" if isinstance(e, UnknownName) else "not-possible", _sentence(e)) from None
        return flow_id(asked.blueprint, rest), command

    def _flow(self, flow: str) -> str:
        blueprint, _, rest = flow.partition(":")
        if not blueprint or not rest or flow_id(blueprint, rest) != flow:
            raise Refused("bad-flow-id", f"{flow!r:.220} is no flow's id: <blueprint>:<rest> was expected")
        return flow


def _sentence(error: SfcError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message
