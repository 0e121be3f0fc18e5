"""`sfc flows pause|resume|stop|redrive` for a query: counted, agreed to, done flow by flow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from sfc.cli import bulk, context
from sfc.cli.app import app
from sfc.errors import LogUnavailable, NoAnswer, NotPossible, SfcError


class Gateway:
    """Finds flows by status and blueprint, in pages of two; answers as ``errors`` says."""

    def __init__(self) -> None:
        self.flows_by: dict[tuple[str, str], list[str]] = {}
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.queries: list[dict[str, Any]] = []
        self.errors: dict[str, SfcError] = {}

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None: ...

    def flows(self, **query: Any) -> dict[str, Any]:
        self.queries.append(query)
        found = [] if query["version"] == 3 else self.flows_by.get((query["status"], query["blueprint"]), [])
        at = int(query["cursor"] or 0)
        page = [{"flow": flow} for flow in found[at : at + 2]]
        return {"flows": page, "next_cursor": str(at + 2) if at + 2 < len(found) else ""}

    def group(self, name: str) -> dict[str, Any]:
        return {"name": name, "blueprints": {"a": "enabled"}, "versions": {"a": [1], "b": [2, 3]}, "flows": {"RUNNING": 3}}

    def _ask(self, verb: str, flow: str, more: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((verb, flow, more))
        if flow in self.errors:
            raise self.errors[flow]
        return {"flow": flow, "done": verb}

    def pause(self, flow: str, **more: Any) -> dict[str, Any]:
        return self._ask("pause", flow, more)

    def resume(self, flow: str, **more: Any) -> dict[str, Any]:
        return self._ask("resume", flow, more)

    def stop(self, flow: str, **more: Any) -> dict[str, Any]:
        return self._ask("stop", flow, more)

    def redrive(self, flow: str, **more: Any) -> dict[str, Any]:
        return self._ask("redrive", flow, more)

    def stop_group(self, name: str, reason: str = "") -> dict[str, Any]:
        self.asked.append(("stop-group", name, {"reason": reason}))
        return {"group": name, "asked": 3}


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    made = Gateway()
    monkeypatch.setattr(context, "client", lambda: made)
    return made


def run(*words: str) -> tuple[int, str, str]:
    found = CliRunner().invoke(app, list(words))
    return found.exit_code, found.stdout, found.stderr


def test_all_pages_of_a_query_are_stopped(gateway: Gateway) -> None:
    gateway.flows_by["RUNNING", "a"] = [f"a:{n}" for n in range(5)]
    code, out, _ = run("flows", "stop", "--blueprint", "a", "--version", "2", "--state", "S", "--reason", "wrong", "--yes")
    assert (code, out) == (0, "stopped 5 of 5 flows\n")
    assert sorted(gateway.asked) == [("stop", f"a:{n}", {"reason": "wrong"}) for n in range(5)]
    assert {(q["version"], q["state"], q["limit"]) for q in gateway.queries} == {(2, "S", bulk.PAGE)}


@pytest.mark.parametrize(
    ("verb", "statuses", "words"),
    [
        ("pause", ["RUNNING"], []),
        ("resume", ["PAUSED"], []),
        ("stop", ["RUNNING"], []),
        ("redrive", ["FAILED", "TIMED_OUT", "ABORTED"], []),
        ("redrive", ["FAILED"], ["--status", "failed"]),
    ],
)
def test_each_verb_has_the_statuses_that_it_is_for(gateway: Gateway, verb: str, statuses: list[str], words: list[str]) -> None:
    for status in ("RUNNING", "PAUSED", "FAILED", "TIMED_OUT", "ABORTED"):
        gateway.flows_by[status, "a"] = [f"a:{status}"]
    assert run("flows", verb, "--blueprint", "a", "--yes", *words)[0] == 0
    assert sorted(flow for _, flow, _ in gateway.asked) == sorted(f"a:{status}" for status in statuses)
    assert {asked for asked, _, _ in gateway.asked} == {verb}


def test_a_group_means_the_versions_that_name_it(gateway: Gateway) -> None:
    gateway.flows_by["RUNNING", "a"], gateway.flows_by["RUNNING", "b"] = ["a:1"], ["b:1", "b:2"]
    assert run("flows", "pause", "--group", "shop", "--yes")[1] == "paused 3 of 3 flows\n"
    assert [(q["blueprint"], q["version"]) for q in gateway.queries] == [("a", 1), ("b", 2), ("b", 3)]


def test_without_consent_nothing_is_touched(gateway: Gateway) -> None:
    gateway.flows_by["RUNNING", "a"] = ["a:1", "a:2"]
    code, _, err = run("flows", "stop", "--blueprint", "a")
    assert (code, err) == (2, "this would stop 2 flows: say --yes\n")
    assert gateway.asked == []
    assert run("groups", "stop", "shop")[0] == 2
    assert gateway.asked == []


@pytest.mark.parametrize(("answer", "asked"), [(True, 1), (False, 0)])
def test_on_a_terminal_it_asks(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, answer: bool, asked: int) -> None:
    questions = []

    def confirm(question: str, **_: Any) -> bool:
        questions.append(question)
        return answer

    monkeypatch.setattr("typer.confirm", confirm)
    monkeypatch.setattr(bulk, "sys", type("Terminal", (), {"stdin": _Tty(), "stderr": _Tty(terminal=False)}))
    gateway.flows_by["RUNNING", "a"] = ["a:1"]
    assert run("flows", "stop", "--blueprint", "a")[0] == 0
    assert (questions, len(gateway.asked)) == (["stop 1 flow?"], asked)


class _Tty:
    def __init__(self, terminal: bool = True) -> None:
        self.isatty = lambda: terminal


def test_no_such_flows_is_no_failure(gateway: Gateway) -> None:
    assert run("flows", "stop", "--blueprint", "a", "--yes") == (0, "", "no such flows\n")


def test_those_that_could_not_are_counted(gateway: Gateway) -> None:
    gateway.flows_by["RUNNING", "a"] = ["a:1", "a:2", "a:3"]
    gateway.errors["a:2"] = NotPossible("the flow has ended: it is SUCCEEDED")
    code, out, err = run("flows", "stop", "--blueprint", "a", "--yes")
    assert (code, out) == (0, "stopped 2 of 3 flows\n")
    assert err == "warning: not possible for 1, for example a:2: the flow has ended: it is SUCCEEDED\n"
    gateway.errors["a:3"] = NoAnswer("no engine answered")
    code, out, err = run("flows", "stop", "--blueprint", "a", "--yes")
    assert (code, out) == (1, "stopped 1 of 3 flows\n")
    assert "no answer in time for 1, for example a:3: no engine answered" in err
    gateway.errors = dict.fromkeys(("a:1", "a:2", "a:3"), NotPossible("ended"))
    assert run("flows", "stop", "--blueprint", "a", "--yes")[0] == 5


def test_as_json_each_flow_has_its_line(gateway: Gateway) -> None:
    gateway.flows_by["RUNNING", "a"] = ["a:2", "a:1"]
    gateway.errors["a:2"] = NotPossible("ended")
    lines = [json.loads(line) for line in run("flows", "stop", "--blueprint", "a", "--yes", "--json")[1].splitlines()]
    assert lines == [{"flow": "a:1", "word": "done", "detail": ""}, {"flow": "a:2", "word": "refused", "detail": "ended"}]


def test_a_gateway_that_goes_away_ends_it(gateway: Gateway) -> None:
    gateway.flows_by["RUNNING", "a"] = ["a:1"]
    gateway.errors["a:1"] = LogUnavailable("no gateway answers")
    code, _, err = run("flows", "stop", "--blueprint", "a", "--yes")
    assert (code, err) == (6, "error: no gateway answers\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name a FLOW, or say which flows"),
        (["a:1", "--blueprint", "a"], "two ways to say which flows"),
        (["--group", "g", "--blueprint", "a"], "two ways to say which flows"),
    ],
)
def test_which_flows_is_said_in_one_way(gateway: Gateway, words: list[str], said: str) -> None:
    code, _, err = run("flows", "pause", *words)
    assert code == 2
    assert said in " ".join(err.split())
    assert gateway.asked == []


def test_a_group_is_stopped(gateway: Gateway) -> None:
    code, out, _ = run("groups", "stop", "shop", "--reason", "closed", "--yes")
    assert (code, out) == (0, "asked 3 flows of shop to stop\n")
    assert gateway.asked == [("stop-group", "shop", {"reason": "closed"})]


def test_all_flows_are_listed_page_by_page(gateway: Gateway) -> None:
    gateway.flows_by["RUNNING", "a"] = ["a:1", "a:2", "a:3"]
    lines = run("flows", "list", "--status", "running", "--blueprint", "a", "--all", "--json")[1].splitlines()
    assert [json.loads(line)["flow"] for line in lines] == ["a:1", "a:2", "a:3"]
    code, out, err = run("flows", "list", "--status", "running", "--blueprint", "a", "--cursor", "2", "--json")
    assert (code, [json.loads(line)["flow"] for line in out.splitlines()], err) == (0, ["a:3"], "")
    assert "go on with --cursor 2" in run("flows", "list", "--status", "running", "--blueprint", "a", "--json")[2]
