"""One interval of a shard: what is decided and not yet committed, and the transaction that commits it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from sfc.engine.effects import DispatchJob
from sfc.engine.events import AnyEvent
from sfc.engine.flow import Flow
from sfc.engine.program import Program
from sfc.engine.shard import ShardState, held_by
from sfc.errors import RecordTooLarge, TransactionAborted
from sfc.ports import StateStore, Transaction
from sfc.runtime import metrics
from sfc.wire.history import HistoryRecord, encode_history, summarise
from sfc.wire.jobs import job_headers
from sfc.wire.state import decode_shard, encode_flow, encode_shard, interval_headers, shard_key
from sfc.wire.topics import Names

HISTORY_BYTES_MAX = 1024 * 1024  # a record is split here, so that it fits whatever limit its readers have


@dataclass
class Life:
    """One life of a flow in this interval: its events, and its state after them. ``program``: to tell what holds it."""

    flow: Flow
    program: Program | None
    first: int
    events: list[AnyEvent]


@dataclass
class Overlay:
    """What an interval has changed. ``lives`` by flow id and run; ``flows``: the latest state, None where nothing is kept."""

    lives: dict[tuple[str, int], Life] = field(default_factory=dict)
    flows: dict[str, Flow | None] = field(default_factory=dict)
    jobs: list[DispatchJob] = field(default_factory=list)  # exactly-once jobs, for the transaction
    commands: int = 0
    bytes: int = 0

    def add(self, flow: Flow, program: Program | None, events: list[AnyEvent], *, keep: bool) -> None:
        """What a decision did to a flow. Without ``keep`` nothing of it stays in the state."""
        key = flow.id, flow.run
        life = self.lives.get(key)
        if life is None:
            self.lives[key] = Life(flow, program, events[0].seq, events)
        else:
            life.flow = flow
            life.events.extend(events)
        self.flows[flow.id] = flow if keep else None

    def __bool__(self) -> bool:
        return self.commands > 0


def write_interval(
    fence: Transaction, names: Names, shard: ShardState, overlay: Overlay, store: StateStore, reply_topic_of_jobs: str
) -> dict[bytes, bytes | None]:
    """Commits the interval in one transaction; returns what has changed in the shard's states, its own record included.

    1. begin
    2. states of the flows that are kept, tombstones of those that were kept before; nothing for a flow that came and went
    3. history, one record per life of a flow (split at 1 MiB)
    4. exactly-once jobs
    5. last the shard's own record: position, marks, clock, holds, number of the interval
    6. commit

    Raises TransactionAborted (nothing is committed: jobs were refused), ProducerFenced, ProducerFailed (nothing is committed, or it is
    unclear), RecordTooLarge.
    """
    head = interval_headers(shard.interval)
    number = shard.number
    fence.begin()  # 1
    changes: dict[bytes, bytes | None] = {}
    for flow_id, flow in overlay.flows.items():  # 2
        key = flow_id.encode()
        if flow is not None:
            changes[key] = encode_flow(flow)
        elif store.get(number, key) is not None:
            changes[key] = None
        else:
            continue
        fence.send(names.state, changes[key], key, head, number)
    for life in overlay.lives.values():  # 3
        for record in history_of(life, shard):
            fence.send(names.history, record, life.flow.id.encode(), head, number)
    refused: list[tuple[str, bytes | None, str]] = []
    for job in overlay.jobs:  # 4
        reply_to = job.target.reply_topic or reply_topic_of_jobs
        partition = None if job.target.reply_topic else number
        key = job.flow.encode()
        try:
            fence.send(job.target.topic, job.value, key, job_headers(job, reply_to, partition))
        except RecordTooLarge as e:  # of this job alone; all such are told at once
            refused.append((job.target.topic, key, e.message))
    if refused:
        fence.abort()
        raise TransactionAborted(f"a job is larger than its topic takes: {refused[0][2]}", tuple(refused))
    own = shard_key(number)
    changes[own] = encode_shard(shard)
    fence.send(names.state, changes[own], own, head, number)  # 5
    fence.commit()  # 6
    return changes


def write_record(fence: Transaction, names: Names, shard: ShardState) -> dict[bytes, bytes | None]:
    """Commits an interval that consists of the shard's own record alone; returns what has changed. Raises as ``write_interval``."""
    shard.interval += 1
    own, value = shard_key(shard.number), encode_shard(shard)
    fence.begin()
    fence.send(names.state, value, own, interval_headers(shard.interval), shard.number)
    fence.commit()
    return {own: value}


def note_flow(fence: Transaction, names: Names, store: StateStore, shard: ShardState, flow_id: str) -> dict[bytes, bytes | None]:
    """Commits the shard's last record anew, with the name of the flow that is about to be decided; returns what has changed. The interval
    at hand takes the next number. Raises as ``write_interval``."""
    committed = decode_shard(store.get(shard.number, shard_key(shard.number)) or b"")
    committed.trying = flow_id
    changes = write_record(fence, names, committed)
    shard.interval = committed.interval
    return changes


def history_of(life: Life, shard: ShardState) -> Iterator[bytes]:
    """The history records of a life, each under the limit as far as a single event allows."""
    flow = life.flow
    held = held_by(shard, flow, life.program) if flow.running else None
    summary = summarise(flow, shard.clock_ms, held.subjects if held else ())
    parts = [life.events]
    while parts:
        events = parts.pop()
        value = encode_history(HistoryRecord(flow.id, flow.run, events[0].seq, events, summary))
        if len(value) > HISTORY_BYTES_MAX and len(events) > 1:
            middle = len(events) // 2
            parts += [events[middle:], events[:middle]]  # the earlier half comes off the stack first
        else:
            yield value


def count(overlay: Overlay) -> None:
    """What was committed, for the metrics."""
    metrics.INTERVAL_COMMANDS.observe(overlay.commands)
    lives = overlay.lives.values()
    for blueprint, started in Counter(life.flow.blueprint for life in lives if life.first == 1).items():
        metrics.FLOWS_STARTED.labels(blueprint).inc(started)
    for (blueprint, status), ended in Counter((life.flow.blueprint, life.flow.status) for life in lives if not life.flow.running).items():
        metrics.FLOWS_ENDED.labels(blueprint, status).inc(ended)
