"""What the pure core executes per command: ``decide`` with ``evolve``, and the codecs around it.

    core.py [--callgrind]

Counts the interpreter's instructions and its calls of C functions with ``sys.settrace`` and ``sys.setprofile``: the same on every machine
and under any load, so that a core that became slower shows in review (``tests/unit/test_core_cost.py``). What C functions do within is
not counted; with ``--callgrind`` (valgrind must be there, and it takes minutes) the machine's instructions are, too. Writes
``benchmarks/core.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from sfc.asl import compile_machine
from sfc.engine.commands import ReplyTo, Start
from sfc.engine.decide import decide
from sfc.engine.effects import DispatchJob, Reply
from sfc.engine.evolve import kept
from sfc.engine.flow import Flow
from sfc.engine.link import link
from sfc.engine.program import Program
from sfc.engine.shard import ShardState
from sfc.wire import headers
from sfc.wire.commands import decode_command, encode_command
from sfc.wire.history import HistoryRecord, encode_history, summarise
from sfc.wire.jobs import job_headers
from sfc.wire.partition import partition_of
from sfc.wire.replies import encode_answer
from sfc.wire.state import decode_flow, encode_flow

FILE = Path(__file__).with_name("core.json")
T0_MS = 1_700_000_000_000
FLOWS = 20  # counted, after as many that warm caches
CALLGRIND_FLOWS = (100, 500)

Counts = dict[str, dict[str, int]]


def _task(name: str, following: str = "") -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"task:{name}@1", **({"Next": following} if following else {"End": True})}


MACHINES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "tasks": (
        {"StartAt": "One", "States": {"One": _task("a", "Two"), "Two": _task("b", "Three"), "Three": _task("c")}},
        {"x": "y" * 300},
    ),
    "language": (
        {
            "StartAt": "Read",
            "States": {
                "Read": {
                    **_task("a", "Paid?"),
                    "Parameters": {"id.$": "$.id", "text.$": "States.Format('order {}', $.id)"},
                    "ResultPath": "$.read",
                    "Retry": [{"ErrorEquals": ["States.ALL"]}],
                },
                "Paid?": {
                    "Type": "Choice",
                    "Choices": [
                        {"Variable": "$.total", "NumericLessThan": 0, "Next": "Done"},
                        {"And": [{"Variable": "$.paid", "BooleanEquals": True}, {"Variable": "$.id", "IsString": True}], "Next": "Both"},
                    ],
                    "Default": "Done",
                },
                "Both": {
                    "Type": "Parallel",
                    "Branches": [
                        {"StartAt": "Left", "States": {"Left": _task("b")}},
                        {"StartAt": "Right", "States": {"Right": _task("c")}},
                    ],
                    "ResultPath": "$.both",
                    "Next": "Sum",
                },
                "Sum": {
                    "Type": "Pass",
                    "QueryLanguage": "JSONata",
                    "Output": "{% {'sum': $sum($states.input.lines.price)} %}",
                    "Next": "Done",
                },
                "Done": {"Type": "Succeed"},
            },
        },
        {"id": "o-17", "paid": True, "total": 12, "lines": [{"sku": f"s{n}", "price": n} for n in range(5)]},
    ),
}


def _program(name: str) -> Program:
    document = MACHINES[name][0]
    tasks = {f"{task}@1": {"Name": task} for task in "abc"}
    topics: dict[str, Callable[[str], str]] = {
        "task_topic": lambda task: f"t.{task}",
        "specific_topic": lambda blueprint: f"t.jobs.{blueprint}",
    }
    return link(name, 1, "h", compile_machine(document), document, tasks, jobs_topic="t.jobs", **topics)


class Core:
    """A lane's work on flows of one machine, without its clients. ``measure`` is called with the name of each part and what it does."""

    def __init__(self, name: str, measure: Callable[[str, Callable[[], Any]], Any]) -> None:
        self._name = name
        self._program = _program(name)
        self._input = MACHINES[name][1]
        self._measure = measure
        self._shard = ShardState(0, clock_ms=T0_MS)
        self._offset = 0

    def flow(self, number: int) -> int:
        """One flow from its start to its end; how many commands it took."""
        flow_id = f"{self._name}:{number:032d}"
        key = flow_id.encode()
        value, head = encode_command(Start(self._name, 1, "h", self._input, 3, wait=ReplyTo("t.replies", "me", flow_id)))
        waiting: list[tuple[bytes, list[tuple[str, bytes]]]] = [(value, head)]
        flow: Flow | None = None
        commands = 0
        while waiting:
            value, head = waiting.pop(0)
            flow, jobs = self._command(key, flow_id, value, head, flow)
            waiting += [(job.value, [(headers.JOB, job.token.encode())]) for job in jobs]
            commands += 1
        return commands

    def _command(
        self, key: bytes, flow_id: str, value: bytes, head: list[tuple[str, bytes]], flow: Flow | None
    ) -> tuple[Flow | None, list[DispatchJob]]:
        self._offset += 1
        self._shard.clock_ms += 1
        partition_of(key, 4)
        received = self._measure("read", lambda: decode_command(key, value, head))
        made = self._measure("decide", lambda: decide(self._program, flow, received.command, self._shard, self._offset, flow_id))
        jobs = [effect for effect in made.effects if isinstance(effect, DispatchJob)]
        self._measure("send", lambda: [_sent(effect) for effect in made.effects])
        self._measure("write", lambda: self._written(made.flow, made.events))
        return (made.flow if made.flow is not None and kept(made.flow) else None), jobs

    def _written(self, flow: Flow, events: list[Any]) -> None:
        """As if each command had an interval of its own, and its state were read again."""
        if kept(flow):
            decode_flow(encode_flow(flow))
        summary = summarise(flow, self._shard.clock_ms, ())
        encode_history(HistoryRecord(flow.id, flow.run, events[0].seq, events, summary))


def _sent(effect: object) -> None:
    if isinstance(effect, DispatchJob):
        job_headers(effect, "t.commands", 1)
    elif isinstance(effect, Reply):
        encode_answer(effect)


class _Counter:
    """Instructions of the interpreter and calls into C while something runs, by part."""

    def __init__(self) -> None:
        self.counts: Counts = {}
        self.on = False
        self._instructions = self._calls = 0

    def __call__(self, part: str, act: Callable[[], Any]) -> Any:
        if not self.on:
            return act()
        self._instructions = self._calls = 0
        traced, profiled = sys.gettrace(), sys.getprofile()
        sys.setprofile(self._profile)
        sys.settrace(self._trace)
        try:
            return act()
        finally:
            sys.settrace(traced)
            sys.setprofile(profiled)
            found = self.counts.setdefault(part, {"instructions": 0, "calls": 0})
            found["instructions"] += self._instructions
            found["calls"] += self._calls

    def _trace(self, frame: FrameType, event: str, arg: object) -> Any:
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        if event == "opcode":
            self._instructions += 1
        return self._trace

    def _profile(self, frame: FrameType, event: str, arg: object) -> None:
        if event == "c_call":
            self._calls += 1


def count(name: str) -> Counts:
    """Per command of the machine's flows: by part, and in all."""
    counter = _Counter()
    core = Core(name, counter)
    for number in range(FLOWS):
        core.flow(number)
    counter.on = True
    commands = sum(core.flow(FLOWS + number) for number in range(FLOWS))
    parts = {part: {what: round(n / commands) for what, n in found.items()} for part, found in counter.counts.items()}
    whole = {what: round(sum(found[what] for found in counter.counts.values()) / commands) for what in ("instructions", "calls")}
    return {**parts, "all": whole}


def python() -> str:
    """The interpreter's minor version: another one has other instructions."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _callgrind(name: str) -> int:
    """The machine's instructions per command, codecs and C code included: the difference between a long and a short run."""

    def collected(flows: int) -> tuple[int, int]:
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, __file__, "--run", name, str(flows)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})
        found = re.search(r"Collected : (\d+)", done.stderr)
        assert found is not None, done.stderr[-2_000:]
        return int(found[1]), int(done.stdout)

    subprocess.run([sys.executable, __file__, "--run", name, "1"], capture_output=True, check=True)  # so that none of them compiles modules
    (few, few_commands), (many, many_commands) = (collected(flows) for flows in CALLGRIND_FLOWS)
    return round((many - few) / (many_commands - few_commands))


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--callgrind", action="store_true", help="count the machine's instructions too")
    ap.add_argument("--run", nargs=2, metavar=("MACHINE", "FLOWS"), help=argparse.SUPPRESS)
    a = ap.parse_args()
    if a.run:
        core = Core(a.run[0], lambda part, act: act())
        print(sum(core.flow(number) for number in range(int(a.run[1]))))
        return
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    known[python()] = {name: count(name) for name in MACHINES}
    if a.callgrind:
        known["callgrind"] = {"python": python(), **{name: _callgrind(name) for name in MACHINES}}
    FILE.write_text(json.dumps(known, indent=2) + "\n")
    for name, found in known[python()].items():
        print(name, *(f"{part}: {n['instructions']} instructions, {n['calls']} calls" for part, n in found.items()), sep="\n  ")
    print(f"written to {FILE.name}", known.get("callgrind", ""))


if __name__ == "__main__":
    main()
