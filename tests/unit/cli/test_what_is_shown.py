"""What a person who looks needs to be told: outputs, earlier lives, what is current, and what was wrong in our words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sfc.errors import UnknownName
from tests.unit.cli.recording import FLOW, Gateway, run


def test_flows_show_has_the_output_of_a_flow_that_succeeded_and_tells_earlier_lives() -> None:
    done = {**FLOW, "status": "SUCCEEDED", "states": [], "paused_by": []}
    events = [{"seq": 1, "name": "TaskStateExited", "output": {"n": 1}}, {"seq": 2, "name": "ExecutionSucceeded", "output": {"n": 2}}]
    gateway = Gateway(flow=done, history=events, runs=[5, 3, 1])
    shown = run("flows", "show", "tmall-order:o-1", gateway=gateway).out
    assert '{"n": 2}' in shown
    assert "3, 1: sfc flows history tmall-order:o-1 --run 3" in shown
    assert ("history", ("tmall-order:o-1", 5), {}) in gateway.calls
    (document,) = run("flows", "show", "x", "--json", gateway=gateway).json_lines
    assert (document["output"], document["earlier_runs"]) == ({"n": 2}, [3, 1])


def test_flows_show_does_without_a_history() -> None:
    gone = UnknownName("there is no history")
    done = {**FLOW, "status": "SUCCEEDED"}
    assert run("flows", "show", "x", "--json", gateway=Gateway(flow=done, history=gone, runs=gone)).json_lines == [done]


def test_a_wrong_value_of_an_option_is_told_in_our_words() -> None:
    assert "error: Invalid value for '--limit': a whole number was expected\n" in run("flows", "list", "--limit", "many").err
    assert "error: Invalid value for '--port': a whole number was expected\n" in run("dev", "--port", "abc").err


@pytest.mark.parametrize("wait", ["soon", "10", "0s", "2m", "-1s", "1h"])
def test_a_wait_that_is_no_time_is_a_usage_error(wait: str) -> None:
    gateway = Gateway(start={})
    result = run("start", "b", "--wait", wait, gateway=gateway)
    assert result.code == 2
    assert f"a time such as 500ms, 10s or 1m was expected, at most 60s; it is '{wait}'" in result.err
    assert gateway.calls == []


def test_versions_tell_which_is_the_current_one() -> None:
    gateway = Gateway(blueprint={"current": 1}, blueprint_versions=[{"version": 2, "hash": "def"}, {"version": 1, "hash": "abc"}])
    assert [line.split()[:2] for line in run("blueprints", "versions", "b", gateway=gateway).out.splitlines() if "@1" in line] == [
        ["@1", "current"]
    ]
    assert [one["current"] for one in run("blueprints", "versions", "b", "--json", gateway=gateway).json_lines] == [False, True]


def test_a_group_that_no_blueprint_names_any_more_says_so() -> None:
    gateway = Gateway(group={"name": "retail", "blueprints": {}, "versions": {"order": [1, 2]}, "tasks": [], "flows": {}})
    shown = run("groups", "show", "retail", gateway=gateway).out
    assert "none whose current version names it; flows of order@1, order@2 belong to it" in shown
    assert re.search(r"flows\s+none", shown)


@pytest.mark.parametrize(("content", "said"), [(b'"\xff"', "it is no UTF-8 text"), (b"9" * 5_000, "out of range")])
def test_start_refuses_a_file_that_is_no_json(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "input.json").write_bytes(content)
    result = run("start", "b", "--input", f"@{tmp_path / 'input.json'}", gateway=Gateway(start={}))
    assert result.code == 3
    assert said in result.err
