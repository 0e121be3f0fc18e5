"""Each text and payload of each command, as large as a record takes: whatever comes of it fits where it is written."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from sfc.engine import commands as c
from sfc.ports import Partition
from sfc.runtime.lane import Lane
from sfc.wire import headers
from sfc.wire.commands import decode_command, encode_command
from sfc.wire.definitions import BlueprintHead, BlueprintVersion
from sfc.wire.topics import RECORD_BYTES_MAX
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle

LARGE = RECORD_BYTES_MAX - 700  # beside it: headers, and what else the command says
COMMANDS: list[type[Any]] = [kind for kind in get_args(c.Command) if kind is not c.Tick]
TEXTS = [
    (kind, name)
    for kind in COMMANDS
    for name in kind.__struct_fields__
    if name in ("input", "output", "error", "cause", "reason", "traceparent", "by", "name", "request", "entry", "subject", "task", "status")
]
KEPT = (c.Complete, c.Fail, c.AnswerByKey, c.DispatchFailed, c.Signal, c.ChildEnded)  # by a flow that is paused
CASES = [(kind, name, held) for kind, name in TEXTS for held in (False, True) if not held or kind in KEPT]
WORK = {"Type": "Task", "Resource": "task:echo@1", "TimeoutSeconds": 60, "End": True}
EACH = {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "Do", "States": {"Do": WORK}}
STATES: dict[str, dict[str, Any]] = {
    "job": WORK,
    "ask": {"Type": "Task", "Resource": "signal:go", "End": True},
    "map": {"Type": "Map", "ItemProcessor": EACH, "End": True},
    "child": {"Type": "Task", "Resource": "blueprint:job@1", "End": True},
    "failed": {"Type": "Fail", "Error": "E"},
}


@pytest.fixture
def site(bench: Bench) -> tuple[Bench, Lane]:
    """A flow in each of these states, and a failed one."""
    for name, state in STATES.items():
        document = {"StartAt": "S", "States": {"S": state}, "Sfc": {"Name": name}}
        bench.define(BlueprintVersion(name, 1, f"h-{name}", document))
        bench.define(BlueprintHead(name, 1, "enabled", 1))
    lane = bench.lane()
    for name in STATES:
        bench.start(f"{name}:1", [1, 2])
    settle(bench, [lane])
    return bench, lane


def tokens(bench: Bench) -> dict[str, tuple[str, int]]:
    """The open tokens by flow, of jobs and of children."""
    found = {(job.key or b"").decode(): (headers.text(job.headers, headers.JOB) or "", -1) for job in bench.jobs.take(100, 0)}
    for record in bench.all(NAMES.commands):
        command = decode_command(record.key, record.value, list(record.headers)).command
        if isinstance(command, c.Start) and command.parent is not None:
            found.setdefault(command.parent.flow, (command.parent.token, command.parent.index))
    return found


def filled(kind: type[Any], name: str, flow: str, known: dict[str, tuple[str, int]]) -> Any:
    """A command of the kind to the flow, as good as can be, with one text that is endless."""
    token, index = known.get(flow, ("none:1/1/1/x", -1))
    given: dict[str, Any] = {
        "token": token, "index": index, "name": "go", "blueprint": "job", "version": 1, "hash": "h-job", "subject": "blueprint:none",
        "revision": 1, "held": True, "task": "echo", "status": "FAILED", "edited": name == "input", "failed": name in ("error", "cause"),
        "parent": None, "time_ms": 1,
    }  # fmt: skip
    given = {field: value for field, value in given.items() if field in kind.__struct_fields__}
    return kind(**{**given, name: "x" * LARGE})


@pytest.mark.parametrize(("kind", "name", "held"), CASES, ids=[f"{kind.__name__}-{name}{'-paused' * held}" for kind, name, held in CASES])
def test_no_text_of_a_command_stops_a_shard(site: tuple[Bench, Lane], kind: type[Any], name: str, held: bool) -> None:
    bench, lane = site
    known = tokens(bench)
    for flow in STATES:
        if held:
            bench.command(f"{flow}:1", c.Pause())
        value, _ = encode_command(filled(kind, name, f"{flow}:1", known))
        assert len(value) < RECORD_BYTES_MAX
        bench.command(f"{flow}:1", filled(kind, name, f"{flow}:1", known))
    if kind is c.Start:
        bench.command("job:2", filled(kind, name, "", {}))
    ends = bench.log.ends([Partition(NAMES.commands, n) for n in range(SHARDS)])
    bench.run([lane], lambda: all(s.state.next_offset >= ends[Partition(NAMES.commands, n)] for n, s in lane.shards.items()), work=False)
    for n in range(4):
        bench.start(f"twice:{n}", n)
    bench.run([lane], lambda: len({a.flow for a in bench.answers if a.flow.startswith("twice:")}) == 4 or bool(lane.stopped))
    assert not lane.stopped
    lane.close()
    for topic in (NAMES.history, NAMES.state):
        assert max(len(record.value or b"") for record in bench.all(topic)) < 300_000, "the rest was cut, or refused"
