"""Records of input topics and of the control topic that are to start flows, and what has become of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from sfc.engine.commands import Start
from sfc.errors import MalformedRecord
from sfc.ports import Record
from sfc.testing.simulation.blueprints import TRIGGERS
from sfc.testing.simulation.commands_seen import Seen
from sfc.wire.control import ControlStart, decode_control
from sfc.wire.payload import decode_any

THRESHOLD = 5  # of the trigger that has a condition


class Source(NamedTuple):
    """Who is to start a flow for which record: the blueprint, the topic's id, partition and offset. ``by``: trigger or control."""

    by: str
    blueprint: str
    topic_id: str
    partition: int
    offset: int


class SourcesSeen:
    """``missing``: sources of which nothing has come yet, neither a start on the log nor a dead letter."""

    def __init__(self) -> None:
        self.missing: dict[Source, None] = {}
        self._letters: set[tuple[str, int, int]] = set()
        self._came: set[Source] = set()

    def input(self, record: Record, topic_id: str) -> None:
        try:
            value: Any = decode_any(record.value) if record.value else None
        except MalformedRecord:
            value = None
        for blueprint, trigger in TRIGGERS.items():
            is_meant = not trigger.when or (isinstance(value, dict) and value.get("n", 0) > THRESHOLD)
            if is_meant:
                self._expect(Source("trigger", blueprint, topic_id, record.partition, record.offset))

    def control(self, record: Record, topic_id: str) -> None:
        try:
            asked = decode_control(record.value)
        except MalformedRecord:
            return
        if isinstance(asked, ControlStart):
            self._expect(Source("control", asked.blueprint, topic_id, record.partition, record.offset))

    def _expect(self, source: Source) -> None:
        if source not in self._came and source[2:] not in self._letters:
            self.missing[source] = None

    def command(self, seen: Seen) -> None:
        command = seen.command
        if isinstance(command, Start) and command.origin is not None and command.origin.kind == "topic":
            parts = seen.source.split("/")  # trigger/uid/cluster/topic id/partition; control/cluster/topic id/partition
            source = Source(parts[0], command.blueprint, parts[-2], command.origin.partition, command.origin.offset)
            self._came.add(source)
            self.missing.pop(source, None)

    def letter(self, topic_id: str, partition: int, offset: int) -> None:
        place = topic_id, partition, offset
        self._letters.add(place)
        for source in [s for s in self.missing if s[2:] == place]:
            del self.missing[source]

    def lost(self, topic_id: str) -> None:
        """The topic was deleted: what nobody has read of it is lost with it."""
        for source in [s for s in self.missing if s.topic_id == topic_id]:
            del self.missing[source]
