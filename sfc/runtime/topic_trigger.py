"""One topic trigger: each record of its topic becomes the start of a flow, a dead letter, or nothing where its condition fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sfc.engine.commands import Origin, Start
from sfc.errors import BadInput, LogError, RecordTooLarge, TopicMismatch
from sfc.log import get_logger
from sfc.ports import Log, Partition, Position, Record, TopicInfo
from sfc.runtime.carrier import Carrier, mark_of, source_id
from sfc.runtime.definitions import Definitions
from sfc.runtime.letters import Refused
from sfc.runtime.metrics import TRIGGER_RECORDS
from sfc.runtime.trigger_definition import TriggerDefinition, definition_of, words_of
from sfc.runtime.trigger_start import continues, first_positions, has_begun
from sfc.wire import headers
from sfc.wire.definitions import TriggerRecord
from sfc.wire.topics import Names

LOOK_AGAIN_S = 1.0

_log = get_logger()


@dataclass(slots=True)
class _Place:
    """A partition that is ours. ``until``: up to there the committed definition applies, since a predecessor may have carried those
    records over by it (EXACTLY-ONCE 5); None when that is behind us."""

    definition: TriggerDefinition
    next: int
    committed: int
    source: str
    until: int | None = None
    look_s: float = 0.0
    checked: bool = False  # that its records are of the topic that is meant, as of the first one


class TopicTrigger:
    """Belongs to the role's thread. ``topic_is_new``: the topic came after the trigger, which therefore begins with its first record."""

    def __init__(
        self,
        log: Log,
        names: Names,
        definitions: Definitions,
        carrier: Carrier,
        blueprint: str,
        trigger: TriggerRecord,
        topic: TopicInfo,
        *,
        topic_is_new: bool = False,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now_s = now_s
        self.trigger = trigger
        self.blueprint = blueprint
        self._log = log
        self._definitions = definitions
        self._carrier = carrier
        self._topic = topic
        self._topic_is_new = topic_is_new
        self._wanted = definition_of(trigger, topic.id)
        self._cluster = log.cluster_id()
        self._paused = False
        self._places: dict[Partition, _Place] = {}
        self._arrived: list[Partition] = []
        self._group = names.trigger_group(blueprint, trigger.id)
        self._consumer = log.consumer(
            self._group, [trigger.topic], paused=True, assigned=self._arrived.extend, revoked=self._on_revoked, lost=self._on_lost
        )

    def follow(self, trigger: TriggerRecord, *, paused: bool) -> None:
        """The trigger as it now stands in ``sfc.definitions``. An edit takes effect at a commit; raises BadInput for one that can't."""
        if paused != self._paused:
            self._paused = paused
            if paused:
                self._consumer.pause(list(self._places))
            else:
                for partition, place in self._places.items():
                    self._consumer.start(partition, place.next)
        if trigger.revision != self.trigger.revision:
            self._wanted = definition_of(trigger, self._topic.id)
            self.trigger = trigger

    def take(self, records_max: int, timeout_s: float) -> int:
        """Carries records over; returns how many. Raises ProducerFailed, and TopicMismatch when the topic was made anew."""
        if self._arrived:
            self._begin()
        for partition, place in list(self._places.items()):
            self._switch_if_due(partition, place)
        records = self._consumer.take(records_max, timeout_s)
        if not records:
            return 0
        version = self._definitions.current(self.blueprint)
        known_up_to = self._definitions.position  # after the version: the shard must have read at least as far
        if version is None:
            raise LogError(f"the current version of blueprint {self.blueprint} is not known, though it is said to be there")
        template = Start(self.blueprint, version.version, version.hash, definitions=known_up_to)
        for record in records:
            self._carry(record, template)
        return len(records)

    def commit(self) -> None:
        """Commits what was carried; the caller has flushed."""
        moved = {p: Position(x.next, x.definition.metadata) for p, x in self._places.items() if x.next != x.committed}
        if not moved:
            return
        try:
            self._consumer.commit(moved)
        except LogError as e:
            # Another member owns them: it carries the records again, and the shards know them by their marks.
            _log.warning("offsets were not committed", action="commit-refused", group=self._group, reason=e.message)
            return
        for partition, position in moved.items():
            if partition in self._places:
                self._places[partition].committed = position.offset

    def close(self) -> None:
        """Leaves the group; what was carried is flushed and committed first."""
        self._consumer.close()

    # ---- partitions

    def _begin(self) -> None:
        """Starts partitions that were handed over, each where its commit says."""
        assigned = self._consumer.assignment()
        partitions = [p for p in dict.fromkeys(self._arrived) if p in assigned]
        self._arrived.clear()
        if not partitions:
            return
        self._check_topic()
        uid, topic_id = self.trigger.uid, self._topic.id
        found = self._consumer.committed(partitions)
        begun = {p: position for p, position in found.items() if continues(position, uid, topic_id)}
        new = [p for p in partitions if p not in begun]
        if new:
            later = self._topic_is_new or has_begun(self._log.group_positions(self._group), self.trigger, topic_id)
            first = first_positions(self._log, self.trigger, topic_id, new, are_new=later)
            self._consumer.commit(first)  # so that "latest" stays what it was
            for partition, position in first.items():
                self._add(partition, position, self._wanted, None)
        if begun:
            ends = self._log.ends(list(begun), committed=False)
            for partition, position in begun.items():
                self._add(partition, position, self._committed_definition(position), ends[partition])
        if not self._paused:
            for partition in partitions:
                self._consumer.start(partition, self._places[partition].next)

    def _add(self, partition: Partition, position: Position, definition: TriggerDefinition, until: int | None) -> None:
        source = source_id("trigger", self.trigger.uid, self._cluster, self._topic.id, str(partition.number))
        self._places[partition] = _Place(definition, position.offset, position.offset, source, until)

    def _committed_definition(self, position: Position) -> TriggerDefinition:
        words = words_of(position.metadata)
        if words is None or words == self._wanted.words:
            return self._wanted
        try:
            return TriggerDefinition(words)
        except BadInput as e:
            _log.error("a committed trigger can't be compiled any more", action="trigger-unusable", group=self._group, reason=e.message)
            return self._wanted

    def _switch_if_due(self, partition: Partition, place: _Place) -> None:
        """Goes over to the wanted definition behind ``until``: flush, commit, switch (EXACTLY-ONCE 5)."""
        if place.until is not None:
            if place.next < place.until and not self._only_gaps(partition, place):
                return
            place.until = None
        if place.definition is not self._wanted:
            if place.definition.words != self._wanted.words:
                self._carrier.flush()
                self._consumer.commit({partition: Position(place.next, self._wanted.metadata)})
                place.committed = place.next
                _log.info("a trigger was edited", action="trigger-switched", group=self._group, revision=self._wanted.revision)
            place.definition = self._wanted

    def _only_gaps(self, partition: Partition, place: _Place) -> bool:
        """Whether no record is left before ``until``: transaction markers take offsets too. Looked at once a second."""
        now = self._now_s()
        until = place.until or 0
        if place.definition.words == self._wanted.words or now < place.look_s:
            return False
        place.look_s = now + LOOK_AGAIN_S
        reader = self._log.reader({partition: place.next})
        try:
            records = reader.take(1, 0.2)
            return records[0].offset >= until if records else reader.position(partition) >= until
        finally:
            reader.close()

    def _check_topic(self) -> None:
        found = self._log.describe(self.trigger.topic)
        if found is None or found.id != self._topic.id:
            raise TopicMismatch(f"topic {self.trigger.topic} was deleted or made anew: trigger {self._group} begins again")

    def _on_revoked(self, partitions: list[Partition]) -> None:
        self._carrier.flush()
        self.commit()
        self._on_lost(partitions)

    def _on_lost(self, partitions: list[Partition]) -> None:
        for partition in partitions:
            self._places.pop(partition, None)

    # ---- records

    def _carry(self, record: Record, template: Start) -> None:
        partition = Partition(record.topic, record.partition)
        place = self._places.get(partition)
        if place is None:
            return
        if record.offset < place.next:
            self._check_topic()  # offsets that begin again are another topic's
            return
        if not place.checked:  # nor does the first one say whose it is
            self._check_topic()
            place.checked = True
        if place.until is not None and record.offset >= place.until:
            place.next = record.offset
            self._switch_if_due(partition, place)
        outcome = self._start(record, place, template)
        place.next = record.offset + 1
        TRIGGER_RECORDS.labels(self.blueprint, outcome).inc()

    def _start(self, record: Record, place: _Place, template: Start) -> str:
        try:
            read = place.definition.read(self.blueprint, record)
        except Refused as e:
            self._carrier.dead_letter(record, self._topic.id, e.reason, e.detail)
            return e.reason
        if read is None:
            return "skipped"
        flow, value = read
        command = Start(
            blueprint=template.blueprint,
            version=template.version,
            hash=template.hash,
            input=value,
            definitions=template.definitions,
            origin=Origin("topic", self.trigger.id, record.topic, record.partition, record.offset),
            traceparent=headers.text(record.headers, headers.TRACEPARENT) or "",
        )
        try:
            self._carrier.command(flow, command, place.source, mark_of(record))
        except RecordTooLarge as e:
            self._carrier.dead_letter(record, self._topic.id, "too-large", f"the record can't be carried to the flow: {e.message}")
            return "too-large"
        return "started"
