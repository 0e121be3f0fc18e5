"""Header names of SFC's records (DESIGN section 4), and the few helpers that read them."""

from __future__ import annotations

from collections.abc import Sequence

FORMAT = "sfc-format"
COMMAND = "sfc-command"
SOURCE = "sfc-source"
MARK = "sfc-mark"
INTERVAL = "sfc-interval"

JOB = "sfc-job"
FLOW = "sfc-flow"
BLUEPRINT = "sfc-blueprint"
STATE = "sfc-state"
TASK = "sfc-task"
ATTEMPT = "sfc-attempt"
DEADLINE = "sfc-deadline"
CREDENTIALS = "sfc-credentials"
REPLY_TO = "sfc-reply-to"
REPLY_PARTITION = "sfc-reply-partition"
TRACEPARENT = "traceparent"

ERROR = "sfc-error"
CAUSE = "sfc-cause"
HEARTBEAT = "sfc-heartbeat"

REASON = "sfc-reason"
DETAIL = "sfc-detail"
ORIGIN_TOPIC = "sfc-origin-topic"
ORIGIN_TOPIC_ID = "sfc-origin-topic-id"
ORIGIN_PARTITION = "sfc-origin-partition"
ORIGIN_OFFSET = "sfc-origin-offset"

DEAD_LETTER = "sfc-dead-letter"
RESOLVED = "sfc-resolved"
BY = "sfc-by"
REPLAYED = "sfc-replayed"


def find(headers: Sequence[tuple[str, bytes]], name: str) -> bytes | None:
    """The last header of that name, as Kafka's ``lastHeader``; None where there is none."""
    found = None
    for key, value in headers:
        if key == name:
            found = value
    return found


def text(headers: Sequence[tuple[str, bytes]], name: str) -> str | None:
    """The same as text; bytes that are no UTF-8 are replaced, never refused."""
    value = find(headers, name)
    return None if value is None else value.decode("utf-8", "replace")
