"""`sfc audit` finds nothing in what engines have written, and every fault that is planted there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sfc.engine import events as e
from sfc.engine.commands import ChildEnded, Pause, Signal
from sfc.engine.flow import Flow
from sfc.engine.shard import ShardState
from sfc.errors import BadInput, TopicMissing
from sfc.ports import Partition
from sfc.runtime.audit import CODES, AuditReport, Scope, audit
from sfc.wire import headers
from sfc.wire.commands import encode_command
from sfc.wire.definitions import BlueprintHead, BlueprintVersion
from sfc.wire.history import HistoryRecord, decode_history, encode_history
from sfc.wire.partition import partition_of
from sfc.wire.state import decode_flow, decode_shard, encode_flow, encode_shard, interval_headers, shard_key
from sfc.wire.topics import Names
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle

EACH = {
    "ProcessorConfig": {"Mode": "DISTRIBUTED"},
    "StartAt": "One",
    "States": {"One": {"Type": "Task", "Resource": "task:echo@1", "End": True}},
}
MACHINES: dict[str, dict[str, Any]] = {
    "up": {"Child": {"Type": "Task", "Resource": "blueprint:twice@1", "End": True}},
    "many": {"Each": {"Type": "Map", "ItemProcessor": EACH, "End": True}},
    "breaks": {"Stop": {"Type": "Fail", "Error": "Planned"}},
    "asks": {"Ask": {"Type": "Task", "Resource": "signal:go", "End": True}},
}


def define(bench: Bench) -> None:
    for name, states in MACHINES.items():
        bench.define(BlueprintVersion(name, 1, f"h-{name}", {"StartAt": next(iter(states)), "States": states, "Sfc": {"Name": name}}))
        bench.define(BlueprintHead(name, 1, "enabled", 1))


def looked(bench: Bench, scope: Scope | None = None, **more: Any) -> AuditReport:
    return audit(bench.log, NAMES, scope, settle_s=0.01, **more)


def codes(report: AuditReport) -> list[str]:
    return sorted({finding.code for finding in report.findings})


@pytest.fixture
def busy(bench: Bench) -> Bench:
    """All kinds of flows: ended ones, kept ones, and some that wait for a job, a child, a timer and a signal."""
    define(bench)
    lane = bench.lane()
    for n in range(4):
        for name in ("twice", "up", "breaks", "tell"):
            bench.start(f"{name}:{n}", {"n": n})
        bench.start(f"many:{n}", [1, 2, 3])
    bench.run([lane], lambda: len(bench.answers) == 20)
    for n in range(4, 6):
        for name in ("twice", "up", "nap", "asks"):
            bench.start(f"{name}:{n}", {"n": n})
        bench.start(f"many:{n}", [1, 2])
    settle(bench, [lane])
    bench.command("twice:5", Pause("for the test"))
    settle(bench, [lane])
    lane.close()
    return bench


def test_what_engines_have_written_is_clean(busy: Bench) -> None:
    report = looked(busy, Scope(jobs=True))
    assert report.findings == []
    assert report.clean
    assert (report.shards, report.starts, report.notes) == (SHARDS, 20 + 10 + 6 + 12 + 4, [])
    assert report.open == 2 * 4 + 2 + 2 + 4
    assert report.runs == report.flows == report.starts


def test_one_flow_and_one_shard_can_be_asked_for(busy: Bench) -> None:
    one = looked(busy, Scope(flow="twice:0"))
    assert (one.clean, one.flows, one.starts, one.events) == (True, 1, 1, 10)
    parts = [looked(busy, Scope(shard=n)) for n in range(SHARDS)]
    assert all(part.clean for part in parts)
    assert sum(part.flows for part in parts) == looked(busy).flows
    with pytest.raises(BadInput, match="0 to 1"):
        looked(busy, Scope(shard=2))


def test_a_range_of_time_leaves_out_what_was_before_and_after(busy: Bench) -> None:
    times = sorted(record.timestamp_ms for record in busy.all(NAMES.history))
    middle = times[len(times) // 2]
    first, second = looked(busy, Scope(to_ms=middle)), looked(busy, Scope(from_ms=middle))
    assert first.clean, first.findings
    assert second.clean, second.findings
    assert 0 < first.events < looked(busy).events
    assert first.events + second.events == looked(busy).events
    assert any("before now" in note for note in first.notes)


def test_a_range_may_end_within_an_interval(busy: Bench) -> None:
    """Its records are some milliseconds apart: starts of which the rest lies behind the range are not judged."""
    for to_ms in sorted({record.timestamp_ms for record in busy.all(NAMES.history)}):
        part = looked(busy, Scope(to_ms=to_ms))
        assert part.clean, part.findings


def test_a_range_of_offsets_is_of_one_shard(busy: Bench) -> None:
    shard = partition_of(b"twice:0", SHARDS)
    whole = looked(busy, Scope(shard=shard))
    middle = busy.log.ends([Partition(NAMES.commands, shard)])[Partition(NAMES.commands, shard)] // 2
    first, second = looked(busy, Scope(shard=shard, to_offset=middle)), looked(busy, Scope(shard=shard, from_offset=middle))
    assert first.clean, first.findings
    assert second.clean, second.findings
    assert 0 < first.events < whole.events
    assert 0 < second.events < whole.events
    assert first.events + second.events >= whole.events
    assert 0 < first.starts < whole.starts
    with pytest.raises(BadInput, match="say which shard"):
        looked(busy, Scope(from_offset=middle))


def test_a_namespace_without_topics_is_an_error(bench: Bench) -> None:
    with pytest.raises(TopicMissing, match=r"no topic other\.commands"):
        audit(bench.log, Names("other"))


# -- planted faults ------------------------------------------------------------------------------------------------------


class Log:
    """What a finished installation has written, to be written again with faults: ``history`` and ``state`` by shard, as records."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.history = bench.all(NAMES.history)
        self.state = bench.all(NAMES.state)
        self.commands = bench.all(NAMES.commands)
        self.jobs = bench.all(NAMES.task("echo"))
        self.last: dict[int, ShardState] = {
            r.partition: decode_shard(r.value or b"") for r in self.state if r.key == shard_key(r.partition)
        }

    def written(self) -> AuditReport:
        """An audit of a log with these records."""
        other = Bench()
        define(other)
        for record in [*self.commands, *self.history, *self.state, *self.jobs]:
            other.producer.send(record.topic, record.value, record.key, record.headers, record.partition)
        other.producer.flush()
        try:
            return looked(other, Scope(jobs=True))
        finally:
            other.log.close()

    def of(self, flow: str) -> list[int]:
        """Places of its history records."""
        return [n for n, record in enumerate(self.history) if record.key == flow.encode()]

    def change(self, flow: str, change: Callable[[HistoryRecord], HistoryRecord], place: int = -1) -> None:
        n = self.of(flow)[place]
        record = self.history[n]
        self.history[n] = record._replace(value=encode_history(change(decode_history(record.value or b""))))

    def append(self, flow: str, *events: e.AnyEvent) -> None:
        """Tells further events of the flow, in an interval of their own, and moves the shard's record there."""
        shard = partition_of(flow.encode(), SHARDS)
        record = self.history[self.of(flow)[-1]]
        told = decode_history(record.value or b"")
        self.shard(shard, interval=self.last[shard].interval + 1)
        value = encode_history(replace(told, first=events[0].seq, events=list(events)))
        self.history.append(record._replace(value=value, headers=interval_headers(self.last[shard].interval)))

    def shard(self, number: int, **fields: Any) -> None:
        """A further record of the shard's own."""
        shard = self.last[number] = replace(self.last[number], **fields)
        own = next(r for r in self.state if r.key == shard_key(number))
        self.state.append(own._replace(value=encode_shard(shard), headers=interval_headers(shard.interval)))

    def flow(self, flow: str) -> Flow:
        return decode_flow(next(r.value for r in reversed(self.state) if r.key == flow.encode()) or b"")

    def store(self, flow: Flow, partition: int | None = None) -> None:
        """Its state once more, in the interval that wrote it before."""
        before = next(r for r in reversed(self.state) if r.key == flow.id.encode())
        self.state.append(before._replace(value=encode_flow(flow), partition=before.partition if partition is None else partition))

    def seq(self, flow: str) -> int:
        return decode_history(self.history[self.of(flow)[-1]].value or b"").events[-1].seq

    def later(self, flow: str) -> int:
        """An offset that no event of its shard has yet, below the shard's position."""
        shard = partition_of(flow.encode(), SHARDS)
        end = self.last[shard].next_offset
        record = next(r for r in self.commands if r.partition == shard)
        filler = encode_command(Signal("nobody"))
        for number in (end, end + 1):
            self.commands.append(record._replace(key=flow.encode(), value=filler[0], headers=filler[1], offset=number))
        self.shard(shard, next_offset=end + 2)
        return end


@pytest.fixture
def written(busy: Bench) -> Log:
    return Log(busy)


def only(report: AuditReport, *expected: str) -> AuditReport:
    assert codes(report) == sorted(expected), report.findings
    assert not report.clean
    return report


def test_the_same_log_written_again_is_clean(written: Log) -> None:
    assert written.written().findings == []


def test_a_missing_event_is_a_gap(written: Log) -> None:
    written.change("twice:1", lambda r: replace(r, events=[x for x in r.events if x.seq != r.events[-1].seq - 1]))
    report = only(written.written(), "gap")
    assert (report.gaps, report.findings[0].flow) == (1, "twice:1")


def test_a_history_without_its_beginning_is_a_gap(written: Log) -> None:
    written.change("twice:1", lambda r: replace(r, first=2, events=r.events[1:]), 0)
    report = only(written.written(), "gap")
    assert "begins with event 2" in report.findings[0].detail


def test_an_event_that_is_there_twice_is_doubled(written: Log) -> None:
    written.change("twice:1", lambda r: replace(r, events=[*r.events[:1], *r.events]), 0)
    assert only(written.written(), "doubled-event").doubled == 1


def test_a_second_end_is_found(written: Log) -> None:
    seq = written.seq("breaks:1")
    written.append("breaks:1", e.ExecutionAborted(seq + 1, written.later("breaks:1"), 1, keep_until_ms=9))
    assert "two-ends" in codes(written.written())


def test_what_comes_behind_an_end_is_found(written: Log) -> None:
    seq = written.seq("twice:1")
    written.append("twice:1", e.ExecutionPaused(seq + 1, written.later("twice:1"), 1))
    assert only(written.written(), "event-after-end").doubled == 1


def test_a_second_outcome_of_a_job_is_found(written: Log) -> None:
    def twice(record: HistoryRecord) -> HistoryRecord:
        events: list[e.AnyEvent] = []
        for event in record.events:
            events.append(replace(event, seq=len(events) + record.first))
            if isinstance(event, e.TaskSucceeded):
                events.append(replace(event, seq=len(events) + record.first))
        return replace(record, events=events)

    place = next(n for n, at in enumerate(written.of("twice:1")) if b"TaskSucceeded" in (written.history[at].value or b""))
    written.change("twice:1", twice, place)
    report = written.written()
    assert "two-outcomes" in codes(report)
    assert report.doubled >= 1


def test_a_command_that_was_decided_in_two_intervals_is_found(written: Log) -> None:
    flow = "asks:4"
    seq = written.seq(flow)
    written.append(flow, e.ExecutionPaused(seq + 1, written.flow(flow).run, 1))
    assert "decided-twice" in codes(written.written())


def test_a_second_life_beside_the_first_is_found(written: Log) -> None:
    flow = "asks:4"
    offset = written.later(flow)
    started = decode_history(written.history[written.of(flow)[0]].value or b"").events[0]
    written.append(flow, replace(started, offset=offset))
    written.change(flow, lambda r: replace(r, run=offset))
    assert "two-runs" in codes(written.written())


def test_a_state_that_its_history_does_not_give_is_found(written: Log) -> None:
    flow = written.flow("twice:4")
    flow.branches[0].data = {"n": 5}
    written.store(flow)
    report = only(written.written(), "state-differs")
    assert "branches is" in report.findings[0].detail
    assert (report.broken, report.findings[0].run) == (1, flow.run)


def test_a_state_that_is_gone_is_a_lost_flow(written: Log) -> None:
    written.state = [r for r in written.state if r.key != b"twice:4"]
    report = only(written.written(), "lost-flow")
    assert (report.lost, report.findings[0].flow) == (1, "twice:4")


def test_a_history_that_is_gone_is_lost(written: Log) -> None:
    written.history = [r for r in written.history if r.key != b"asks:4"]
    assert only(written.written(), "lost-history", "lost-start").lost == 2


def test_a_start_of_which_no_flow_came_is_lost(written: Log) -> None:
    written.history = [r for r in written.history if r.key != b"twice:1"]
    report = only(written.written(), "lost-start")
    assert (report.lost, report.findings[0].flow) == (1, "twice:1")


def test_an_event_that_does_not_fit_is_found(written: Log) -> None:
    seq = written.seq("asks:4")
    written.append("asks:4", e.TaskHeartbeat(seq + 1, written.later("asks:4"), 1, branch=7, due_ms=1))
    assert "unfoldable" in codes(written.written())


def test_records_that_can_not_be_read_are_found(written: Log) -> None:
    n = written.of("twice:1")[0]
    record = written.history[n]
    written.history += [record._replace(value=b"no history"), record._replace(headers=[])]
    written.state.append(written.state[0]._replace(key=b"asks:99", value=b"no flow"))
    report = written.written()
    assert "unreadable" in codes(report)
    assert len([f for f in report.findings if f.code == "unreadable"]) >= 2


def test_a_record_of_another_shard_is_misplaced(written: Log) -> None:
    flow = written.flow("asks:4")
    written.store(flow, 1 - partition_of(b"asks:4", SHARDS))
    n = written.of("twice:1")[0]
    written.history.append(written.history[n]._replace(partition=1 - written.history[n].partition))
    assert len(only(written.written(), "misplaced").findings) == 2


def test_a_job_that_is_not_in_its_topic_is_orphaned(written: Log) -> None:
    written.jobs = [r for r in written.jobs if r.key != b"twice:4"]
    report = only(written.written(), "orphaned-job")
    assert (report.orphaned_jobs, report.findings[0].flow) == (1, "twice:4")
    assert "'One'" in report.findings[0].detail


def test_a_flow_with_a_command_on_its_way_is_not_judged(written: Log) -> None:
    written.jobs = [r for r in written.jobs if r.key != b"twice:4"]
    shard = partition_of(b"twice:4", SHARDS)
    value, head = encode_command(Signal("anything"))
    end = written.last[shard].next_offset
    behind = next(r for r in written.commands if r.partition == shard)._replace(key=b"twice:4", value=value, headers=head, offset=end)
    written.commands.append(behind)
    report = written.written()
    assert (report.clean, report.unsettled) == (True, 1)


def test_a_job_of_no_flow_is_found(written: Log) -> None:
    record = written.jobs[0]
    stray = [(name, b"twice:0/0/99/abcd" if name == headers.JOB else value) for name, value in record.headers]
    written.jobs.append(record._replace(headers=stray, key=b"twice:0"))
    for number in range(SHARDS):
        written.shard(number, clock_ms=2**41)
    report = written.written()
    assert "stray-job" in codes(report)
    assert [f.flow for f in report.findings if f.code == "stray-job"] == ["twice:0"]


def test_an_interval_that_is_there_in_part_is_torn(written: Log) -> None:
    n = written.of("twice:1")[0]
    shard = written.history[n].partition
    written.history.append(written.history[n]._replace(headers=interval_headers(written.last[shard].interval + 3)))
    report = only(written.written(), "torn")
    assert (report.torn_shards, report.findings[0].shard) == (1, shard)


def test_states_behind_the_last_record_of_their_shard_are_torn(written: Log) -> None:
    before = next(r for r in written.state if r.key == b"asks:4")
    written.state.append(before._replace(headers=interval_headers(written.last[before.partition].interval + 1)))
    assert "torn" in codes(written.written())


def test_intervals_out_of_their_order_are_torn(written: Log) -> None:
    n = written.of("twice:1")[0]
    written.history.append(written.history[n]._replace(headers=interval_headers(1), key=b"nobody:1"))
    assert "torn" in codes(written.written())


def test_flows_of_a_shard_without_a_record_are_found(written: Log) -> None:
    written.state = [r for r in written.state if r.key != shard_key(0)]
    report = written.written()
    assert [f.shard for f in report.findings if f.code == "no-shard-record"] == [0]


def test_a_shard_that_stands_behind_the_end_of_its_commands_is_found(written: Log) -> None:
    written.shard(0, next_offset=10_000)
    assert "position" in codes(written.written())


def test_a_shard_that_stands_before_what_its_history_tells_is_found(written: Log) -> None:
    written.shard(0, next_offset=1)
    assert "position" in codes(written.written())


def test_a_command_that_its_sender_has_not_reached_is_found(written: Log) -> None:
    written.shard(0, marks={**written.last[0].marks, "shard/1": (10_000, 0)})
    assert only(written.written(), "mark").broken == 1


def test_a_timer_that_was_due_long_ago_is_found(written: Log) -> None:
    for number in range(SHARDS):
        written.shard(number, clock_ms=written.last[number].clock_ms + 600_000)
    report = only(written.written(), "late-timer")
    assert {finding.flow for finding in report.findings} == {"nap:4", "nap:5"}
    assert report.stuck == 2


def test_a_parent_whose_child_is_gone_is_found(written: Log) -> None:
    child = written.flow("up:4").branches[0].child
    shard = partition_of(child.encode(), SHARDS)
    seq, offset = written.seq(child), written.later(child)
    written.append(child, e.ExecutionAborted(seq + 1, offset, 1))
    written.state.append(next(r for r in written.state if r.key == child.encode())._replace(value=None))
    report = only(written.written(), "waits-for-child")
    assert report.findings[0].flow == "up:4"
    assert shard == partition_of(child.encode(), SHARDS)


def test_a_child_that_nobody_waits_for_is_found(written: Log) -> None:
    seq, offset = written.seq("up:4"), written.later("up:4")
    child = written.flow("up:4").branches[0].child
    written.append("up:4", e.ExecutionAborted(seq + 1, offset, 1))
    written.state.append(next(r for r in written.state if r.key == b"up:4")._replace(value=None))
    report = only(written.written(), "child-not-awaited")
    assert report.findings[0].flow == child


def test_an_answer_that_is_on_its_way_is_no_lost_child(written: Log) -> None:
    child = written.flow("up:4").branches[0].child
    token = written.flow("up:4").branches[0].token
    written.append(child, e.ExecutionAborted(written.seq(child) + 1, written.later(child), 1))
    written.state.append(next(r for r in written.state if r.key == child.encode())._replace(value=None))
    value, head = encode_command(ChildEnded(token, "ABORTED"))
    shard = partition_of(b"up:4", SHARDS)
    written.commands.append(next(r for r in written.commands if r.partition == shard)._replace(key=b"up:4", value=value, headers=head))
    report = written.written()
    assert report.clean, report.findings
    assert report.unsettled == 1


def test_history_that_retention_has_removed_is_no_finding(busy: Bench) -> None:
    """A log whose history begins later: in the first half of what was written everything is gone."""
    written = Log(busy)
    other = Bench()
    define(other)
    try:
        for number in range(SHARDS):
            own = [r for r in written.history if r.partition == number]
            for record in own:
                other.producer.send(NAMES.history, record.value, record.key, record.headers, number)
        for record in [*written.commands, *written.state, *written.jobs]:
            other.producer.send(record.topic, record.value, record.key, record.headers, record.partition)
        other.producer.flush()
        broker = other.log._broker
        for number in range(SHARDS):
            at = Partition(NAMES.history, number)
            broker.partition(at).start = other.log.ends([at])[at] // 2
        report = looked(other)
        assert report.clean, report.findings
        assert len([note for note in report.notes if "what was before is gone" in note]) == SHARDS
    finally:
        other.log.close()


def test_every_code_has_a_test_that_gives_it() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    missing = [code for code in CODES if text.count(f'"{code}"') == 0]
    assert missing == []
