"""An engine with flows of every kind that wait or fail, and a question why, for the tests of `sfc explain`."""

from __future__ import annotations

import time
from typing import Any

from sfc.engine.flow import Flow
from sfc.monitor.folding import fold
from sfc.ports import TopicSpec
from sfc.runtime.definitions import Definitions
from sfc.runtime.explain import Explanation, Facts, Reason, explain, folded, in_state
from sfc.runtime.lane import Lane
from sfc.wire.definitions import BlueprintHead, BlueprintVersion, TaskHead, TaskVersion
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle


def task(resource: str, **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": resource, "End": True, **fields}


EACH = {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "One", "States": {"One": task("task:echo@1")}}
NINE_FAILS = {
    "Bad": {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 9, "Next": "Stop"}], "Default": "Fine"},
    "Fine": {"Type": "Succeed"},
    "Stop": {"Type": "Fail", "Error": "Planned", "Cause": "for the test"},
}
SIDES = [{"StartAt": name, "States": {name: task(f"signal:{name}")}} for name in ("left", "right")]
MACHINES: dict[str, dict[str, Any]] = {
    "ask": {"Ask": task("signal:approve", TimeoutSeconds=3600)},
    "up": {"Child": task("blueprint:ask@1")},
    "many": {"Each": {"Type": "Map", "ItemProcessor": EACH, "MaxConcurrency": 2, "End": True}},
    "inline": {"Each": {"Type": "Map", "ItemProcessor": {"StartAt": "One", "States": {"One": task("signal:go")}}, "End": True}},
    "sides": {"Both": {"Type": "Parallel", "Branches": SIDES, "End": True}},
    "beside": {
        "Ship": {"Type": "Parallel", "Detached": True, "Branches": SIDES, "Next": "Join"},
        "Join": {"Type": "Join", "Of": "Ship", "Until": "All", "TimeoutSeconds": 600, "End": True},
    },
    "later": {"Nap": {"Type": "Wait", "Seconds": 3600, "End": True}},
    "again": {"Try": task("task:echo@1", Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 3600, "MaxAttempts": 2}])},
    "breaks": {"Stop": {"Type": "Fail", "Error": "Planned", "Cause": "for the test"}},
    "nested": {
        "Outer": {
            "Type": "Map",
            "End": True,
            "ItemProcessor": {
                "StartAt": "Inner",
                "States": {
                    "Inner": {
                        "Type": "Map",
                        "End": True,
                        "ItemProcessor": {
                            "StartAt": "Both",
                            "States": {
                                "Both": {
                                    "Type": "Parallel",
                                    "End": True,
                                    "Branches": [
                                        {"StartAt": "Good", "States": {"Good": {"Type": "Pass", "End": True}}},
                                        {"StartAt": "Bad", "States": NINE_FAILS},
                                    ],
                                }
                            },
                        },
                    }
                },
            },
        }
    },
    "spread": {"Each": {"Type": "Map", "ItemProcessor": {**EACH, "StartAt": "Bad", "States": NINE_FAILS}, "End": True}},
    "trusts": {"Child": task("blueprint:breaks@1")},
    "serves": {"Serve": task("task:service@1")},
    "reads": {"Each": {"Type": "Map", "ItemReader": {"Resource": "topic:orders"}, "ItemProcessor": EACH, "End": True}},
    "calls": {"Call": task("https://example.org/x")},
}


class Scene:
    """A bench with an engine; ``explain`` asks as the gateway does."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.lane: Lane | None = bench.lane()
        bench.log.create([TopicSpec("service", 1)])
        service = {"Name": "service", "Kafka": {"Topic": "service", "ConsumerGroup": "the-service", "ReplyTopic": "service-done"}}
        bench.define(TaskVersion("service", 1, "h-service", service))
        bench.define(TaskHead("echo", 1, 1))
        for name, states in MACHINES.items():
            section = {"Name": name, **({"Group": "retail"} if name == "ask" else {})}
            bench.define(BlueprintVersion(name, 1, f"h-{name}", {"StartAt": next(iter(states)), "States": states, "Sfc": section}))
            bench.define(BlueprintHead(name, 1, "enabled", 1))
        self.definitions = Definitions(bench.log, NAMES)
        self.later_ms = 0

    def started(self, *flows: str, input: Any = None) -> None:
        for flow in flows:
            self.bench.start(flow, input or {"n": 1})
        self.settled()

    def settled(self) -> None:
        assert self.lane is not None
        settle(self.bench, [self.lane])

    def history(self, flow: str) -> list[dict[str, Any]]:
        return fold(event for record in self.bench.histories() if record.flow == flow for event in record.events)

    def find(self, flow: str) -> Flow | None:
        return folded(self.history(flow)) or in_state(self.bench.log, NAMES, SHARDS, flow)

    def explain(self, flow: str) -> Explanation:
        self.definitions.read_to_end()
        now_ms = int(time.time() * 1000) + self.later_ms
        return explain(flow, self.find, Facts(self.bench.log, NAMES, SHARDS, self.definitions, now_ms, "localhost:9092"), self.history)

    def reason(self, flow: str, code: str, *, moving: bool | None = None) -> Reason:
        found = self.explain(flow)
        assert [r.code for r in found.reasons] == [code], found.reasons
        assert moving in (None, found.moving)
        return found.reasons[0]
