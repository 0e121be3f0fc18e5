"""From what the monitor has read to the documents of the index. Ids and versions are such that a repetition changes nothing."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from sfc.adapters.elasticsearch.bulk import Action
from sfc.engine import events as e
from sfc.monitor.histogram import bucket_of
from sfc.monitor.projection import OpenStates, Visit
from sfc.monitor.taking import Known
from sfc.ports import DeadLetterDocument, DeadLetterMark, FlowDocument, Partition
from sfc.wire.history import HistoryRecord

SEQ_BITS = 23
RUN_BITS = 40
ID_BYTES_MAX = 512  # Elasticsearch's
TEXT_MAX = 8_000  # characters of an error or a cause that can be searched

_encode = msgspec.json.Encoder().encode
_decode_document = msgspec.json.Decoder(FlowDocument).decode
_decode_open = msgspec.json.Decoder(OpenStates).decode


def version_of(run: int, number: int) -> int:
    """The external version of a flow's document: the run in the upper 40 bits, the number of its last event in the lower 23.

    So a higher run always wins, within a run the higher number. Both stop at their largest value: past 8 million events of one run, or
    10^12 commands of one shard, it is the monitor's own comparison that keeps a document from stepping back.
    """
    upper, lower = (1 << RUN_BITS) - 1, (1 << SEQ_BITS) - 1
    return min(max(run, 0), upper) << SEQ_BITS | min(max(number, 0), lower)


def flow_action(index: str, known: Known) -> Action:
    """Id: the flow's, so that there is one document for each, of its latest run. An equal version passes: a hold that begins or ends
    brings a new summary without an event, and an interval may come in several records with one summary."""
    d = known.document
    body: dict[str, Any] = {
        "flow": d.flow, "run": d.run, "blueprint": d.blueprint, "version": d.version, "status": d.status, "held": bool(d.paused_by),
        "seq": d.seq, "last": known.last, "started_ms": d.started_ms, "updated_ms": d.updated_ms, "states": d.states,
        "paused_by": d.paused_by, "redrives": d.redrives, "document": _encode(d).decode(), "open": _encode(known.open).decode(),
    }  # fmt: skip
    if d.ended_ms:
        body["ended_ms"] = d.ended_ms
    if d.error is not None:
        body["error"] = d.error[:TEXT_MAX]
    if d.cause is not None:
        body["cause"] = d.cause[:TEXT_MAX]
    if d.origin is not None:
        body["origin"] = msgspec.to_builtins(d.origin)
    return Action("index", index, d.flow, _encode(body), {"version": version_of(d.run, known.last), "version_type": "external_gte"})


def known_flow(source: dict[str, Any]) -> Known:
    return Known(flow_document(source), source["last"], _decode_open(source["open"]))


def flow_document(source: dict[str, Any]) -> FlowDocument:
    return _decode_document(source["document"])


def visit_action(index: str, flow: FlowDocument, visit: Visit) -> Action:
    """Id: flow, run and the number of the event that entered the state. Version: the number of the last event that changed it."""
    body: dict[str, Any] = {
        "flow": flow.flow, "run": flow.run, "blueprint": flow.blueprint, "version": flow.version, "seq": visit.seq, "state": visit.state,
        "entered": int(visit.since_ms >= 0), "completed": int(visit.outcome == "completed"), "failed": int(visit.outcome == "failed"),
        "retries": visit.retries,
    }  # fmt: skip
    if visit.since_ms >= 0:
        body["entered_ms"] = visit.since_ms
    if visit.duration_ms >= 0:
        body["duration_ms"] = visit.duration_ms
        body["bucket"] = bucket_of(visit.duration_ms)
    id_ = f"{flow.flow}/{flow.run}/{visit.seq}"
    return Action("index", index, id_, _encode(body), {"version": visit.as_of, "version_type": "external"})


def events_id(record: HistoryRecord) -> str:
    return f"{record.flow}/{record.run}/{record.first}"


def events_action(stream: str, record: HistoryRecord) -> Action:
    """Id: flow, run and the number of the first event. ``payload`` is for searching alone: a server that can't take it gets the events
    without."""
    body: dict[str, Any] = {
        "@timestamp": record.events[0].at_ms, "flow": record.flow, "run": record.run, "blueprint": record.summary.blueprint,
        "version": record.summary.version, "first": record.first, "count": len(record.events),
        "names": sorted({e.name_of(event) for event in record.events}), "events": _encode(record.events).decode(),
    }  # fmt: skip
    plain = _encode(body)
    payload = {"input": _payloads(record, "input"), "output": _payloads(record, "output")}
    return Action("create", stream, events_id(record), _encode({**body, "payload": payload}), {}, plain)


def _payloads(record: HistoryRecord, field: str) -> list[Any]:
    values = (getattr(event, field, None) for event in record.events)
    return [value for value in values if isinstance(value, (dict, list))]


_PUT_LETTER = (
    "if (ctx._source.at_ms != null) { ctx.op = 'none' } "
    "else { ctx._source.putAll(params.letter); if (ctx._source.state == null) { ctx._source.state = 'open' } }"
)
_PUT_MARK = (
    "if (ctx._source.resolved_ms != null && ctx._source.resolved_ms >= params.mark.resolved_ms) { ctx.op = 'none' } "
    "else { ctx._source.putAll(params.mark) }"
)


def letter_action(index: str, letter: DeadLetterDocument) -> Action:
    """The first one of an id stays. A document without ``at_ms`` is a mark whose letter is yet to come, and is not shown."""
    fields = {"id": letter.id, "at_ms": letter.at_ms, "reason": letter.reason, "topic": letter.topic, "document": _encode(letter).decode()}
    return _update(index, letter.id, _PUT_LETTER, {"letter": fields})


def mark_action(index: str, mark: DeadLetterMark) -> Action:
    """The latest one of an id stays."""
    return _update(index, mark.id, _PUT_MARK, {"mark": {"state": mark.state, "resolved_ms": mark.at_ms, "resolved_by": mark.by}})


def _update(index: str, id_: str, script: str, params: dict[str, Any]) -> Action:
    body = {"scripted_upsert": True, "upsert": {}, "script": {"source": script, "params": params}}
    return Action("update", index, document_id(id_), _encode(body), {"retry_on_conflict": 5})


_decode_letter = msgspec.json.Decoder(DeadLetterDocument).decode


def letter_document(source: dict[str, Any]) -> DeadLetterDocument:
    letter = _decode_letter(source["document"])
    if "resolved_ms" not in source:
        return letter
    return msgspec.structs.replace(
        letter, state=source["state"], resolved_ms=source["resolved_ms"], resolved_by=source.get("resolved_by", "")
    )


def position_action(index: str, at: Partition, position: int) -> Action:
    body = {"topic": at.topic, "number": at.number, "position": position}
    return Action("index", index, f"{at.topic}-{at.number}", _encode(body), {})


def document_id(id_: str) -> str:
    """An id as it is, or its hash where it is longer than Elasticsearch takes: any program may write dead letters."""
    encoded = id_.encode()
    return id_ if len(encoded) <= ID_BYTES_MAX else hashlib.sha256(encoded).hexdigest()
