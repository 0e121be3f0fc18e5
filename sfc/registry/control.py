"""The control topic's commands on blueprints, versions, tasks and groups; those on flows: ``sfc.runtime.control``.

A record is carried out, and then its offset is committed: a gateway that dies in between carries it out again. Pausing what is paused
changes nothing; only if somebody else has resumed it in that very moment, it is paused once more.
"""

from __future__ import annotations

from collections.abc import Callable

from sfc.errors import BadInput, LogError, MalformedRecord, UnknownName
from sfc.log import get_logger
from sfc.ports import Consumer, Log, Partition, Position, Producer, Record
from sfc.registry.holds import Holds
from sfc.registry.registry import Registry
from sfc.wire.control import Control, ControlPause, ControlResume, decode_control, is_of_flows, subject_of
from sfc.wire.dead_letters import DETAIL_CHARACTERS_MAX, DeadLetter, dead_letter_headers, fitting
from sfc.wire.topics import Names

_log = get_logger()

BATCH = 100


class RegistryControl:
    """See ``sfc.runtime.roles.Role``. ``kick`` wakes the outbox. Any number of gateways may run one each."""

    def __init__(self, log: Log, names: Names, registry: Registry, kick: Callable[[], None]) -> None:
        self._names = names
        self._holds = Holds(registry)
        self._kick = kick
        info = log.describe(names.control)
        self._topic_id = info.id if info else ""
        self._producer: Producer = log.producer(gapless=True)
        self._consumer: Consumer = log.consumer(names.registry_control_group, [names.control])

    @property
    def ready(self) -> bool:
        return True

    def step(self, timeout_s: float = 0.1) -> int:
        """Carries out what has come. Raises RegistryError or ProducerFailed: a new role goes on with what is not committed."""
        records = self._consumer.take(BATCH, timeout_s)
        for record in records:
            self._take(record)
        if records:
            self._producer.flush()
            try:
                self._consumer.commit({Partition(r.topic, r.partition): Position(r.offset + 1) for r in records})
            except LogError as e:  # put out of the group: whoever comes next repeats these
                _log.info("offsets were not committed", action="control-commit-refused", reason=e.message)
        return len(records)

    def close(self) -> None:
        self._consumer.close()
        self._producer.close()

    def _take(self, record: Record) -> None:
        try:
            asked = decode_control(record.value)
        except MalformedRecord:
            return  # the trigger role makes a dead letter of it
        if is_of_flows(asked):
            return
        try:
            self._carry_out(asked)
        except BadInput as e:
            reason = "unknown-name" if isinstance(e, UnknownName) else "not-possible"
            self._refuse(record, reason, f"{e.message}; {e.hint}" if e.hint else e.message)
        else:
            self._kick()

    def _carry_out(self, asked: Control) -> None:
        if isinstance(asked, ControlPause):
            self._holds.pause(subject_of(asked), asked.reason, asked.by)
        elif isinstance(asked, ControlResume):
            self._holds.resume(subject_of(asked), asked.by)

    def _refuse(self, record: Record, reason: str, detail: str) -> None:
        origin = (record.topic, self._topic_id, record.partition, record.offset)
        letter = fitting(DeadLetter(reason, detail, *origin, record.key, record.value, tuple(record.headers)))
        said = detail[:DETAIL_CHARACTERS_MAX]
        _log.warning(said, action="dead-letter", reason=reason, topic=record.topic, partition=record.partition, offset=record.offset)
        self._producer.send(self._names.dead_letters, letter.value, letter.key, dead_letter_headers(letter), 0)
