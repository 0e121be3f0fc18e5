"""A task on hold, as `sfc dev` has it: flows stop in front of it, and go on when it is lifted."""

from __future__ import annotations

import json
from typing import Any

from tests.acceptance.dev_process import blueprint, dev, until

STATES: dict[str, Any] = {
    "First": {"Type": "Pass", "Next": "Pack"},
    "Pack": {"Type": "Task", "Resource": "task:pack", "TimeoutSeconds": 1, "End": True},
}


def test_flows_stop_in_front_of_a_held_task_and_go_on_when_it_is_lifted() -> None:
    with dev("--memory") as site:
        site.deploy({"Name": "pack"}, blueprint("parcels", STATES))
        assert site.sfc("tasks", "pause", "pack", "--reason", "maintenance").code == 0
        flow = site.start("parcels")["flow"]

        def events() -> list[str]:
            status, body = site.get(f"/v1/flows/{flow}/history")
            return [event["name"] for event in json.loads(body)["events"]] if status == 200 else []

        until(lambda: "ExecutionPaused" in events(), "the flow to stand")
        assert events() == ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionPaused"]
        assert json.loads(site.get(f"/v1/flows/{flow}")[1])["paused_by"] == ["task:pack"]
        assert [f["flow"] for f in site.sfc("flows", "list", "--status", "PAUSED", "--json").lines()] == [flow]
        assert site.sfc("tasks", "resume", "pack").code == 0
        assert site.ended(flow, "FAILED")["cause"] == "no answer within 1 s"
        assert events()[4:7] == ["ExecutionResumed", "TaskStateEntered", "TaskScheduled"]
