"""Job records (DESIGN section 4): what a worker gets."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from sfc.engine.effects import DispatchJob
from sfc.wire import FORMAT, headers


@lru_cache(maxsize=1_024)  # commands of one batch have one append time
def rfc3339(time_ms: int) -> str:
    """Milliseconds since 1970 as RFC 3339 in UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@lru_cache(maxsize=10_000)
def _of_state(blueprint: str, version: int, state: str, resource: str) -> tuple[tuple[str, bytes], ...]:
    """What all jobs of one state say."""
    return (
        (headers.BLUEPRINT, f"{blueprint}@{version}".encode()),
        (headers.STATE, state.encode()),
        (headers.TASK, resource.encode()),
    )


def job_headers(job: DispatchJob, reply_to: str, reply_partition: int | None) -> list[tuple[str, bytes]]:
    """Headers of a job. ``reply_to``: the topic that awaits the answer; ``reply_partition`` only for sfc.commands."""
    head = [
        (headers.FORMAT, FORMAT),
        (headers.JOB, job.token.encode()),
        (headers.FLOW, job.flow.encode()),
        *_of_state(job.blueprint, job.version, job.state, job.target.resource),
        (headers.ATTEMPT, b"%d" % job.attempt),
        (headers.REPLY_TO, reply_to.encode()),
    ]
    if job.deadline_ms:
        head.append((headers.DEADLINE, rfc3339(job.deadline_ms).encode()))
    if job.credentials:
        head.append((headers.CREDENTIALS, job.credentials.encode("utf-8", "replace")))
    if reply_partition is not None:
        head.append((headers.REPLY_PARTITION, b"%d" % reply_partition))
    if job.target.correlate == "header" and job.target.correlate_name not in ("", headers.JOB):
        head.append((job.target.correlate_name, job.token.encode()))  # the service's own name for what comes back
    if job.traceparent:
        head.append((headers.TRACEPARENT, job.traceparent.encode()))
    return head
