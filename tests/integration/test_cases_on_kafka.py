"""The table of cases through engines on a real Kafka, one of which is killed in the middle: the same histories as in memory.

Every case runs three times: before the engine dies, as it dies, and while its shards are taken over.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import zip_longest
from pathlib import Path

from sfc.engine import events as e
from sfc.engine.commands import Complete, Fail, Signal
from sfc.ports import Log, Partition
from sfc.runtime.audit import Scope, audit
from sfc.runtime.starts import Appender
from sfc.wire.history import decode_history
from sfc.wire.partition import partition_of
from sfc.wire.topics import Names
from tests.acceptance.evidence import ENDS
from tests.acceptance.processes import Processes, environment, wait_for
from tests.case_histories import Story, stories
from tests.case_table import TASKS, TOPICS, answer_of, table
from tests.case_worlds import lives_of
from tests.integration.installation import Installation, installation

SHARDS = 4
ROOT = Path(__file__).parents[2]
END_S = 120.0


class Watcher:
    """Reads the history as it is committed, and tells the flows the signals that they wait for."""

    def __init__(self, log: Log, names: Names, appender: Appender) -> None:
        self._reader = log.reader({Partition(names.history, n): 0 for n in range(SHARDS)})
        self._appender = appender
        self.lives: dict[str, list[e.AnyEvent]] = defaultdict(list)
        self.runs: dict[str, set[int]] = defaultdict(set)
        self.ended: set[str] = set()

    def look(self) -> None:
        for record in self._reader.take(1_000, 0.1):
            one = decode_history(record.value or b"")
            self.lives[one.flow] += one.events
            self.runs[one.flow].add(one.run)
            if isinstance(one.events[-1], ENDS):
                self.ended.add(one.flow)
            for event in one.events:
                if isinstance(event, e.TaskScheduled) and event.task.startswith("signal:"):
                    self._tell(one.flow, one.summary.blueprint, event)

    def _tell(self, flow: str, blueprint: str, event: e.TaskScheduled) -> None:
        entered = [x for x in self.lives[flow] if isinstance(x, e.StateEntered) and x.branch == event.branch and x.seq < event.seq]
        name, request = event.task.removeprefix("signal:"), event.token
        answer = answer_of(table()[blueprint], entered[-1].state, event.attempt, event.token, None)
        match answer.command:
            case Complete(output=output):
                self._appender.append(flow, Signal(name, output, request=request))
            case Fail(error=error, cause=cause):
                self._appender.append(flow, Signal(name, error=error or "", cause=cause, request=request))

    def until(self, what: str, happened: Callable[[], bool], timeout_s: float) -> None:
        until_s = time.monotonic() + timeout_s
        while not happened():
            assert time.monotonic() < until_s, f"{timeout_s:g} s have passed without {what}"
            self.look()

    def open(self, flows: Iterable[str]) -> list[str]:
        """Those that have not ended, and what they started."""
        return [flow for flow in {*flows, *self.lives} if flow not in self.ended]


def shards_of(site: Installation) -> dict[str, set[int]]:
    """By engine."""
    return {m.client_id: {p.number for p in m.partitions} for m in site.site.log.group_members(site.site.names.engine_group)}


def first_difference(expected: dict[str, Story], found: dict[str, Story]) -> str:
    """In words: which flow, which branch, and the two events."""
    for flow in {**expected, **found}:
        if flow not in expected or flow not in found:
            return f"{flow} is in one of both only"
        for branch in {**expected[flow], **found[flow]}:
            pairs = zip_longest(expected[flow].get(branch, []), found[flow].get(branch, []))
            for one, other in pairs:
                if one != other:
                    return f"flow {flow}, branch {branch or 'all'}: in memory {one}, on Kafka {other}"
    return "the same"


def test_every_case_has_the_same_history_as_in_memory_though_an_engine_is_killed(kafka: str, tmp_path: Path) -> None:
    cases = list(table().values())
    assert len(cases) >= 100
    with installation(kafka, tmp_path, engine=False, shards=SHARDS) as site:
        names = site.site.names
        settings = environment(
            SFC_KAFKA=kafka, SFC_NAMESPACE=names.namespace, SFC_DATA=str(tmp_path / "data"), SFC_PORT="0", PYTHONPATH=str(ROOT)
        )
        with Processes(tmp_path, settings) as processes:
            engines = [processes.start(f"engine-{n}", "engine", SFC_INSTANCE=f"engine-{n}") for n in (1, 2)]
            site.deploy(*TASKS.values(), *(case.document for case in cases), topics=TOPICS)
            worker = processes.start_python("worker", "-m", "tests.integration.case_worker", kafka, names.namespace)
            wait_for("both engines having shards", lambda: [len(owned) for owned in shards_of(site).values()] == [2, 2])
            wait_for("the worker being at work", lambda: "at work" in worker.log)

            watcher = Watcher(site.site.log, names, site.appender)
            flows: list[str] = []

            def start(rest: str) -> None:
                flows.extend(site.start(case.name, rest, case.input) for case in cases)

            start("run1")
            watcher.until("half of the flows being at their ends", lambda: len(watcher.ended) > len(cases) / 2, 60)
            shards = shards_of(site)["engine-1"]

            def under_way() -> bool:
                return any(f.endswith(":run2") and partition_of(f.encode(), SHARDS) in shards for f in watcher.open(()))

            start("run2")
            watcher.until("flows of the second portion being under way on the first engine's shards", under_way, 60)
            engines[0].kill()
            processes.start("engine-3", "engine", SFC_INSTANCE="engine-3")
            start("run3")
            watcher.until("every flow's end", lambda: not watcher.open(flows), END_S)
            assert worker.alive
            report = audit(site.site.log, names, Scope(jobs=True))
            assert report.findings == []
            assert (report.starts, report.flows, report.open) == (len(watcher.lives), len(watcher.lives), 0)
    lives = watcher.lives
    for flow, events in lives.items():
        assert len(watcher.runs[flow]) == 1, f"{flow} lived more than once"
        assert [event.seq for event in events] == list(range(1, len(events) + 1)), f"{flow}: events are missing or repeated"
    different = []
    for case in cases:
        expected = stories(lives_of(case), f"{case.name}:run")
        for rest in ("run1", "run2", "run3"):
            found = stories(lives, f"{case.name}:{rest}")
            if found != expected:
                different.append(f"{case.name}:{rest}: {first_difference(expected, found)}")
    assert not different, "\n".join(different)
