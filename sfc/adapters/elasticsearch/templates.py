"""What the indices look like: component templates and index templates, as plain values."""

from __future__ import annotations

from typing import Any, NamedTuple

FORMAT = 1
"""Of the documents. An index of another format must be made again from the log."""

FLOWS, VISITS, EVENTS, DEAD_LETTERS, POSITIONS = "flows", "visits", "events", "dead-letters", "positions"
INDICES = (VISITS, DEAD_LETTERS, POSITIONS, FLOWS)  # but the events, which are a data stream
PRIORITY = 300  # over the templates that a server brings (100 for logs-*-*)

_WORD: dict[str, Any] = {"type": "keyword", "ignore_above": 8191}  # 32,766 bytes, the longest term, if all of them are of four
_TIME: dict[str, Any] = {"type": "date", "format": "epoch_millis"}
_LONG: dict[str, Any] = {"type": "long"}
_INT: dict[str, Any] = {"type": "integer"}
_KEPT: dict[str, Any] = {"type": "object", "enabled": False}  # JSON in a string, byte for byte: integers of any size, any depth

_OF_A_FLOW: dict[str, Any] = {"flow": _WORD, "run": _LONG, "blueprint": _WORD, "version": _INT}

_FIELDS: dict[str, dict[str, Any]] = {
    FLOWS: {
        "status": _WORD, "held": {"type": "boolean"}, "seq": _LONG, "last": _LONG, "started_ms": _TIME, "updated_ms": _TIME,
        "ended_ms": _TIME, "states": _WORD, "paused_by": _WORD, "error": _WORD, "cause": _WORD, "redrives": _INT,
        "origin": {"type": "flattened"}, "document": _KEPT, "open": _KEPT,
    },
    VISITS: {
        "seq": _LONG, "state": _WORD, "entered": _INT, "completed": _INT, "failed": _INT, "retries": _INT, "entered_ms": _TIME,
        "duration_ms": _LONG, "bucket": _INT,
    },
    EVENTS: {
        "@timestamp": _TIME, "first": _LONG, "count": _LONG, "names": _WORD,
        "payload": {"type": "flattened", "ignore_above": 1024}, "events": _KEPT,
    },
    DEAD_LETTERS: {
        "id": _WORD, "at_ms": _TIME, "reason": _WORD, "topic": _WORD, "state": _WORD, "resolved_ms": _TIME, "resolved_by": _WORD,
        "document": _KEPT,
    },
    POSITIONS: {"topic": _WORD, "number": _INT, "position": _LONG},
}  # fmt: skip


class Features(NamedTuple):
    """What the server has. Both are asked for: a server without them refuses templates that name them."""

    ilm: bool  # index life-cycle management
    lifecycle: bool  # data-stream life cycle


ROLLOVER_POLICY: dict[str, Any] = {"phases": {"hot": {"actions": {"rollover": {"max_primary_shard_size": "50gb", "max_age": "30d"}}}}}
"""Of the events, where the server has ILM. It deletes nothing: what an index may forget is the operator's to say."""


def component_templates(namespace: str, features: Features) -> dict[str, dict[str, Any]]:
    """By name: the settings of all indices, the fields of all that speak of flows, the life cycle of the events."""
    life: dict[str, Any] = {}
    if features.ilm:
        life = {"settings": {"index.lifecycle.name": f"{namespace}-{EVENTS}"}}
    elif features.lifecycle:
        life = {"lifecycle": {"enabled": True}}
    return {
        f"{namespace}-settings": {"settings": {"index.auto_expand_replicas": "0-1"}},
        f"{namespace}-of-a-flow": {"mappings": {"properties": _OF_A_FLOW}},
        f"{namespace}-{EVENTS}-life": life,
    }


def index_templates(namespace: str) -> dict[str, dict[str, Any]]:
    """By name. Only the data stream may make itself: an index that was deleted must not come back without its template's alias."""
    templates: dict[str, dict[str, Any]] = {}
    for kind, fields in _FIELDS.items():
        parts = [f"{namespace}-settings"]
        if kind in (FLOWS, VISITS, EVENTS):
            parts.append(f"{namespace}-of-a-flow")
        if kind == EVENTS:
            parts.append(f"{namespace}-{EVENTS}-life")
        templates[f"{namespace}-{kind}"] = {
            "index_patterns": [f"{namespace}-{kind}-*"],
            "composed_of": parts,
            "priority": PRIORITY,
            "template": {"mappings": {"dynamic": False, "_meta": {"format": FORMAT}, "properties": fields}},
            **({"data_stream": {}} if kind == EVENTS else {"allow_auto_create": False}),
        }
    return templates
