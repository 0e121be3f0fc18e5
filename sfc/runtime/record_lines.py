"""A record as it is shown to people who follow a topic: the gateway's answer, and `sfc tail` on Kafka."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from sfc.ports import Record


def record_line(record: Record) -> dict[str, Any]:
    """A record as JSON: what is UTF-8 as text, what is not under ``…_base64``."""
    line: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
    }
    for name, data in (("key", record.key), ("value", record.value)):
        try:
            line[name] = None if data is None else data.decode()
        except UnicodeDecodeError:
            line[f"{name}_base64"] = b64encode(data or b"").decode()
    line["headers"] = {name: value.decode("utf-8", "replace") for name, value in record.headers}
    return line
