"""Versions in use, as `sfc dev` has them: a group is paused and resumed, a rollback is taken by new flows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.dev_process import Dev, blueprint, dev, until, written

PASS = {"Done": {"Type": "Succeed"}}


@pytest.fixture(scope="module")
def site() -> Iterator[Dev]:
    with dev("--memory") as running:
        yield running


def flow(site: Dev, name: str) -> dict[str, Any]:
    status, body = site.get(f"/v1/flows/{name}")
    return dict(json.loads(body)) if status == 200 else {}


def test_a_paused_group_holds_the_flows_of_two_blueprints_and_no_others(site: Dev) -> None:
    site.deploy(blueprint("shop-one", PASS, Group="shop"), blueprint("shop-two", PASS, Group="shop"), blueprint("elsewhere", PASS))
    assert site.sfc("groups", "pause", "shop", "--reason", "stocktaking").out == "paused shop\n"
    flows = [site.start(name)["flow"] for name in ("shop-one", "shop-two")]
    assert site.start("elsewhere", {}, "?wait=10s")["status"] == "SUCCEEDED"
    for one in flows:
        until(lambda one=one: flow(site, one).get("paused_by") == ["group:shop"], f"{one} to stand")  # type: ignore[misc]
    assert "stocktaking" in site.sfc("blueprints", "show", "shop-one").out
    group = site.sfc("groups", "show", "shop", "--json").document()
    assert (group["flows"], group["hold"]["reason"]) == ({"RUNNING": 2}, "stocktaking")
    assert site.sfc("groups", "resume", "shop").out == "resumed shop\n"
    for one in flows:
        site.ended(one, "SUCCEEDED")


def test_new_flows_take_what_was_rolled_back_to_and_running_ones_keep_theirs(site: Dev) -> None:
    wait = {"Wait": {"Type": "Wait", "Seconds": 600, "Next": "New"}, "New": {"Type": "Succeed"}}
    site.deploy(blueprint("turned", {"Old": {"Type": "Pass", "Result": "old", "End": True}}))
    site.deploy(blueprint("turned", wait))
    running = site.start("turned")["flow"]
    shown = site.sfc("blueprints", "diff", "turned")
    assert (shown.code, shown.out.splitlines()[0]) == (0, "turned@1 to turned@2")
    assert {"- Old (Pass)", "+ Wait (Wait)"} <= set(shown.out.splitlines())
    assert "\x1b[" not in shown.out
    assert site.sfc("blueprints", "rollback", "turned").out == "turned is at @1 now, it was at @2\n"
    answer = site.start("turned", {}, "?wait=10s")
    assert (answer["status"], answer["output"]) == ("SUCCEEDED", "old")
    assert site.ended(running, "RUNNING")["version"] == 2
    assert site.sfc("flows", "stop", "--blueprint", "turned", "--version", "2", "--yes").out == "stopped 1 of 1 flows\n"
    site.ended(running, "ABORTED")


def test_a_paused_version_holds_its_flows_alone(site: Dev) -> None:
    site.deploy(blueprint("halved", PASS))
    site.deploy(blueprint("halved", PASS, Retention={"Ids": "PT1H"}))
    assert site.sfc("blueprints", "pause", "halved@2", "--reason", "look").out == "paused halved@2\n"
    held = site.start("halved")["flow"]
    until(lambda: flow(site, held).get("paused_by") == ["version:halved@2"], "the flow to stand")
    assert site.sfc("blueprints", "rollback", "halved").code == 0
    assert site.start("halved", {}, "?wait=10s")["status"] == "SUCCEEDED"
    assert site.sfc("blueprints", "resume", "halved", "--version", "2").code == 0
    site.ended(held, "SUCCEEDED")


def test_a_disabled_blueprints_records_wait_in_their_topic(site: Dev, tmp_path: Path) -> None:
    site.deploy(blueprint("shut", PASS, Triggers=[{"Id": "in", "Topic": "shut_in", "FlowId": "$.id"}]))
    assert site.sfc("blueprints", "disable", "shut").out == "disabled shut\n"
    assert site.sfc("start", "shut").code == 5
    record = tmp_path / "record.jsonl"
    record.write_text('{"id": "one"}\n')
    assert site.sfc("publish", "shut_in", str(record)).code == 0
    assert site.sfc("blueprints", "enable", "shut").code == 0
    site.ended("shut:one", "SUCCEEDED")
    assert site.sfc("blueprints", "retire", "shut").code == 0
    assert "shut" not in [b["name"] for b in site.sfc("blueprints", "list", "--json").lines()]


def test_a_draft_becomes_a_blueprint(site: Dev, tmp_path: Path) -> None:
    (unfinished,) = written(tmp_path, {"StartAt": "Done", "Sfc": {"Name": "drafted"}})
    assert site.sfc("drafts", "save", unfinished).code == 0
    checked = site.sfc("drafts", "validate", "drafted")
    assert checked.code == 3
    assert "States" in checked.out
    (finished,) = written(tmp_path, blueprint("drafted", PASS))
    assert site.sfc("drafts", "save", finished).code == 0
    assert site.sfc("drafts", "deploy", "drafted").out == "deployed drafted@1 (new version)\n"
    assert site.start("drafted", {}, "?wait=10s")["status"] == "SUCCEEDED"
    assert site.sfc("drafts", "list", "--json").lines() == []
