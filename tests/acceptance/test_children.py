"""Signals, child flows, a distributed Map and a Join, as a user has them: documents deployed, flows started and told by commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.dev_process import Dev, blueprint, dev, until

EACH = {
    "ProcessorConfig": {"Mode": "DISTRIBUTED"},
    "StartAt": "Ask",
    "States": {"Ask": {"Type": "Task", "Resource": "blueprint:asked", "End": True}},
}
BRANCHES = [{"StartAt": name, "States": {name: {"Type": "Pass", "Result": name, "End": True}}} for name in ("L", "R")]
TOP = {
    "Beside": {"Type": "Parallel", "Detached": True, "Branches": BRANCHES, "Next": "Each"},
    "Each": {"Type": "Map", "ItemProcessor": EACH, "ItemsPath": "$.items", "ResultPath": "$.told", "Next": "Both"},
    "Both": {"Type": "Join", "Of": "Beside", "ResultPath": "$.beside", "End": True},
}
ASKED = {"Wait": {"Type": "Task", "Resource": "signal:go", "End": True}}


@pytest.fixture(scope="module")
def site() -> Iterator[Dev]:
    with dev("--memory") as running_site:
        yield running_site


def waiting(site: Dev, above: str, count: int) -> list[dict[str, Any]]:
    """The children of the iterations of a flow, when so many are there."""

    def look() -> list[dict[str, Any]] | None:
        status, body = site.get("/v1/flows?blueprint=asked&status=RUNNING")
        assert status == 200, body
        found = [flow for flow in json.loads(body)["flows"] if flow["flow"].startswith(f"asked:top:{above}.")]
        return found if len(found) == count else None

    return until(look, f"{count} children of children", seconds=30)


def test_a_tree_of_flows_is_told_what_it_waits_for(site: Dev) -> None:
    site.deploy(blueprint("top", TOP), blueprint("asked", ASKED))
    flow = site.start("top", {"items": ["a", "b", "c"]})["flow"]
    asked = waiting(site, flow, 3)
    assert all(one["origin"]["kind"] == "flow" and one["origin"]["flow"].startswith("top:top:") for one in asked)
    for one in asked:
        index = one["origin"]["flow"].rpartition("-")[2]
        said = site.sfc("signal", one["flow"], "go", "--output", index)
        assert said.out == f"told {one['flow']} go\n"
    ended = site.ended(flow, "SUCCEEDED")
    assert ended["status"] == "SUCCEEDED"
    exits = [event for event in site.sfc("flows", "history", flow, "--json").lines() if event["name"] == "JoinStateExited"]
    assert exits[0]["output"]["told"] == [0, 1, 2]
    assert exits[0]["output"]["beside"] == ["L", "R"]


def test_a_stop_reaches_the_whole_tree(site: Dev) -> None:
    site.deploy(blueprint("top", TOP), blueprint("asked", ASKED))
    flow = site.start("top", {"items": [1, 2]})["flow"]
    asked = waiting(site, flow, 2)
    site.sfc("flows", "stop", flow)
    for one in asked:
        assert site.ended(one["flow"], "ABORTED")["error"] == "SFC.ParentEnded"
    refused = site.sfc("signal", asked[0]["flow"], "go")
    assert (refused.code, "has ended" in refused.err) == (5, True)


def test_a_signal_that_nobody_waits_for_says_which_there_are(site: Dev) -> None:
    site.deploy(blueprint("asked", ASKED))
    flow = site.start("asked")["flow"]
    refused = site.sfc("signal", flow, "gone")
    assert refused.code == 5
    assert "its states wait for go" in refused.err
