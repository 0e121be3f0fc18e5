"""What a topic trigger does with a record, and how that travels in the committed offset's metadata (EXACTLY-ONCE 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from sfc.asl import MISSING, compile_condition, compile_path
from sfc.engine.turn import PAYLOAD_BYTES_MAX
from sfc.errors import BadInput, MalformedRecord
from sfc.ports import Record
from sfc.runtime.letters import Refused
from sfc.wire.definitions import TriggerRecord
from sfc.wire.ids import flow_id
from sfc.wire.payload import decode_any

METADATA_BYTES_MAX = 4_000  # Kafka takes 4,096

_encode = msgspec.json.Encoder().encode


class Words(Struct, frozen=True, omit_defaults=True):
    """The committer's own words: all that a successor needs to treat the next records as the committer would have."""

    uid: str
    revision: int
    flow_id: str = ""
    when: str = ""
    topic_id: str = ""  # a topic made again under the same name begins anew


_decode_words = msgspec.json.Decoder(Words).decode


class TriggerDefinition:
    """One revision of a trigger, compiled. Raises BadInput for one that can't be."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.metadata = msgspec.json.encode(words).decode()
        if len(self.metadata.encode()) > METADATA_BYTES_MAX:
            raise BadInput(f"FlowId and When of a trigger take {len(self.metadata)} bytes; at most {METADATA_BYTES_MAX} were expected")
        try:
            self._path = compile_path(words.flow_id) if words.flow_id else None
            self._when: Callable[[Any], bool] | None = compile_condition(words.when) if words.when else None
        except ValueError as e:
            raise BadInput(f"the trigger's FlowId {words.flow_id!r} or When {words.when!r} can't be used: {e}") from e

    @property
    def revision(self) -> int:
        return self.words.revision

    def read(self, blueprint: str, record: Record) -> tuple[str, Any] | None:
        """Flow id and input; None when the condition does not hold. Raises Refused."""
        if not record.value:
            raise Refused("not-json", "the record has no value: JSON was expected")
        try:
            value = decode_any(record.value)
        except MalformedRecord as e:
            raise Refused("not-json", f"the value must be JSON: {e.message}") from e
        if self._when is not None and not self._when(value):
            return None
        # White space does not count; a record within the limit is not encoded for it.
        if len(record.value) > PAYLOAD_BYTES_MAX and (size := len(_encode(value))) > PAYLOAD_BYTES_MAX:
            raise Refused("too-large", f"a flow's input takes up to {PAYLOAD_BYTES_MAX} bytes of JSON, and this has {size}")
        if self._path is None:
            return flow_id(blueprint, f"{record.topic}-{record.partition}-{record.offset}"), value
        found = self._path.find(value, None)
        if found is MISSING:
            raise Refused("no-flow-id", f"there is nothing at {self.words.flow_id}, where the flow's id was expected")
        if isinstance(found, str) and found:
            return flow_id(blueprint, found), value
        if isinstance(found, (int, float)) and not isinstance(found, bool):
            return flow_id(blueprint, msgspec.json.encode(found).decode()), value
        raise Refused("no-flow-id", f"text or a number was expected at {self.words.flow_id} for the flow's id, and there is {_kind(found)}")


def definition_of(trigger: TriggerRecord, topic_id: str) -> TriggerDefinition:
    """Raises BadInput for a trigger that can't be compiled."""
    return TriggerDefinition(Words(trigger.uid, trigger.revision, trigger.flow_id, trigger.when, topic_id))


def words_of(metadata: str) -> Words | None:
    """None for offsets that somebody else committed."""
    try:
        return _decode_words(metadata.encode())
    except msgspec.DecodeError:
        return None


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else "an empty text"
