"""Records of flows for the tests of flow indices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sfc.engine import events as e
from sfc.ports import DeadLetterDocument, FlowIndex, FlowQuery, Partition, RebuildableIndex
from sfc.wire.history import HistoryRecord, Summary

AT = Partition("sfc.history", 0)
Open = Callable[[], RebuildableIndex]


def record(flow: str, *events: e.AnyEvent, run: int = 0, first: int = 1, **summary: Any) -> HistoryRecord:
    fields: dict[str, Any] = {
        "blueprint": flow.partition(":")[0], "version": 1, "status": "RUNNING", "seq": first + len(events) - 1,
        "started_ms": 1_000, "updated_ms": 1_000, **summary,
    }  # fmt: skip
    return HistoryRecord(flow, run, first, list(events), Summary(**fields))


def started(flow: str, run: int = 0, at_ms: int = 1_000) -> e.ExecutionStarted:
    return e.ExecutionStarted(1, run, at_ms, flow=flow, blueprint=flow.partition(":")[0], version=1, hash="h", input={"n": 1})


def entered(seq: int, state: str, at_ms: int = 1_000, branch: int = 0) -> e.StateEntered:
    return e.StateEntered(seq, 0, at_ms, branch=branch, state=state, kind="Pass")


def exited(seq: int, state: str, at_ms: int = 1_000, **more: Any) -> e.StateExited:
    return e.StateExited(seq, 0, at_ms, branch=0, state=state, kind="Pass", **more)


def whole(flow: str, took_ms: int = 10, run: int = 0) -> list[HistoryRecord]:
    """A flow of one state, in two records."""
    end_ms = 1_000 + took_ms
    return [
        record(flow, started(flow, run), entered(2, "A"), run=run, states=["A"]),
        record(
            flow, exited(3, "A", end_ms, output={"n": 2}), e.ExecutionSucceeded(4, 0, end_ms),
            run=run, first=3, status="SUCCEEDED", updated_ms=end_ms, ended_ms=end_ms,
        ),
    ]  # fmt: skip


def take(index: FlowIndex, *records: HistoryRecord) -> None:
    index.index(records, [], {})


def ids(index: FlowIndex, **query: Any) -> list[str]:
    return [d.flow for d in index.find(FlowQuery(**query)).flows]


def dead_letter(n: int, reason: str = "not-json") -> DeadLetterDocument:
    return DeadLetterDocument(f"orders-0-{n}", 1_000 + n, reason, "why", "orders", 0, n, b"k", b"\xff\x00", [("h", b"\xfe")])
