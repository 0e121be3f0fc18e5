"""What the commands on versions, holds, groups and drafts ask and print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sfc.cli import context
from sfc.cli.app import app
from sfc.errors import NotPossible

HOLD = {"subject": "group:shop", "reason": "stock", "by": "ann", "since_ms": 1_700_000_000_000, "freeze": False}
DIFF: dict[str, Any] = {
    "name": "orders",
    "from": 1,
    "to": 2,
    "same": False,
    "fields": [{"pointer": "/Comment", "old": "a", "new": "b"}],
    "start": [{"pointer": "/StartAt", "old": "A", "new": "B"}],
    "states": [
        {"pointer": "/States/B", "change": "added", "type": "Pass"},
        {"pointer": "/States/Old", "change": "removed", "type": "Pass"},
        {
            "pointer": "/States/P/Branches/0/States/X",
            "change": "changed",
            "type": "Task",
            "fields": [{"pointer": "/TimeoutSeconds", "old": 3}, {"pointer": "/HeartbeatSeconds", "new": 1}],
        },
        {"pointer": "/States/C", "change": "rewired", "type": "Choice", "targets": [{"pointer": "/Default", "old": "[red]", "new": "D"}]},
    ],
    "triggers": [{"id": "in", "change": "changed", "fields": [{"pointer": "/Topic", "old": "t", "new": "u"}]}],
    "sfc": [{"pointer": "/Sfc/Group", "old": "shop", "new": "store"}],
    "text": "--- orders@1\n+++ orders@2\n@@ -1 +1 @@\n-Comment: a\n+Comment: b",
}
SHOWN = """\
orders@1 to orders@2
~ /Comment: a → b
~ /StartAt: A → B
+ B (Pass)
- Old (Pass)
~ P/Branches/0/States/X (Task)
    - /TimeoutSeconds: 3
    + /HeartbeatSeconds: 1
> C (Choice, rewired)
    ~ goes /Default: [red] → D
~ trigger in
    ~ /Topic: t → u
~ /Sfc/Group: shop → store
"""


class Gateway:
    """Notes each call; answers with what it was given, or raises it."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.calls: list[tuple[Any, ...]] = []

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None: ...

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            self.calls.append((name, *args, *([named] if named else [])))
            answer = self.answers.get(name, {})
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


class Result:
    def __init__(self, *words: str, **answers: Any) -> None:
        gateway = Gateway(answers)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(context, "client", lambda: gateway)
            found = CliRunner().invoke(app, list(words))
        self.code, self.out, self.err, self.calls = found.exit_code, found.stdout, found.stderr, gateway.calls


@pytest.mark.parametrize(
    ("words", "call", "said"),
    [
        ("blueprints pause orders", ("pause_blueprint", "orders", {"reason": "", "version": None, "timers": ""}), "paused orders"),
        (
            "blueprints pause orders@2 --reason r --timers run",
            ("pause_blueprint", "orders", {"reason": "r", "version": 2, "timers": "run"}),
            "paused orders@2",
        ),
        ("blueprints resume orders --version 2", ("resume_blueprint", "orders", {"version": 2}), "resumed orders@2"),
        ("blueprints enable orders", ("enable_blueprint", "orders"), "enabled orders"),
        ("blueprints disable orders", ("disable_blueprint", "orders"), "disabled orders"),
        ("blueprints retire orders", ("retire_blueprint", "orders"), "retired orders"),
        ("tasks pause split --reason r", ("pause_task", "split", {"reason": "r", "timers": ""}), "paused split"),
        ("tasks resume split", ("resume_task", "split"), "resumed split"),
        ("groups pause shop --timers freeze", ("pause_group", "shop", {"reason": "", "timers": "freeze"}), "paused shop"),
        ("groups resume shop", ("resume_group", "shop"), "resumed shop"),
    ],
)
def test_holds_and_statuses_are_asked_for(words: str, call: tuple[Any, ...], said: str) -> None:
    result = Result(*words.split(), **{call[0]: {"changed": True}})
    assert (result.code, result.out, result.calls) == (0, f"{said}\n", [call])
    verb, what = said.split()
    assert Result(*words.split(), **{call[0]: {"changed": False}}).out == f"{what} was {verb} already\n"
    assert json.loads(Result(*words.split(), "--json", **{call[0]: {"changed": False}}).out) == {"changed": False}
    assert Result(*words.split(), **{call[0]: NotPossible("it is retired")}).code == 5


@pytest.mark.parametrize("words", ["orders@x", "orders@", "orders@0", "orders@01", "orders@2 --version 3"])
def test_a_version_that_is_none_is_a_usage_error(words: str) -> None:
    result = Result("blueprints", "pause", *words.split())
    assert (result.code, result.calls) == (2, [])


@pytest.mark.parametrize(("running", "said"), [(0, ""), (1, "1 flow still runs\n"), (2, "2 flows still run\n")])
def test_disable_and_retire_say_what_still_runs(running: int, said: str) -> None:
    answer = {"changed": True, "running": running}
    assert Result("blueprints", "disable", "orders", disable_blueprint=answer).out == f"disabled orders\n{said}"
    assert Result("blueprints", "retire", "orders", retire_blueprint=answer).out == f"retired orders\n{said}"


def test_a_rollback_says_where_it_came_from() -> None:
    answer = {"version": 3, "before": 7, "changed": True}
    result = Result("blueprints", "rollback", "orders", "--to", "3", roll_back=answer)
    assert (result.out, result.calls) == ("orders is at @3 now, it was at @7\n", [("roll_back", "orders", 3)])
    assert Result("blueprints", "rollback", "orders", roll_back={**answer, "changed": False}).out == "orders was at @3 already\n"


def test_a_difference_is_told_in_lines() -> None:
    result = Result("blueprints", "diff", "orders", diff=DIFF)
    assert (result.out, result.calls) == (SHOWN, [("diff", "orders", None, None)])
    assert Result("blueprints", "diff", "orders", "3", "7", diff=DIFF).calls == [("diff", "orders", 3, 7)]
    assert Result("blueprints", "diff", "orders", "--text", diff=DIFF).out == DIFF["text"] + "\n"
    assert json.loads(Result("blueprints", "diff", "orders", "--json", diff=DIFF).out) == DIFF
    same = {**DIFF, "same": True, "fields": [], "start": [], "states": [], "triggers": [], "sfc": []}
    assert Result("blueprints", "diff", "orders", diff=same).out == "orders@1 to orders@2: no differences\n"


def test_a_file_is_compared_with_the_current_version(tmp_path: Path) -> None:
    document = {"StartAt": "A", "States": {}, "Sfc": {"Name": "orders"}}
    file = tmp_path / "orders.yaml"
    file.write_text(json.dumps(document))
    result = Result("blueprints", "diff", "orders", "--file", str(file), diff_with={**DIFF, "to": None})
    assert result.calls == [("diff_with", "orders", document, None)]
    assert result.out.startswith("orders@1 to the document, not deployed\n")
    assert Result("blueprints", "diff", "orders", "1", "2", "--file", str(file)).code == 2
    (tmp_path / "bills.yaml").write_text(json.dumps({**document, "Sfc": {"Name": "bills"}}))
    chosen = Result("blueprints", "diff", "bills", "--file", str(tmp_path), diff_with=DIFF)
    assert chosen.calls[0][2]["Sfc"] == {"Name": "bills"}
    assert Result("blueprints", "diff", "others", "--file", str(tmp_path)).code == 3


def test_what_holds_something_is_shown_with_its_reason() -> None:
    shown = Result("blueprints", "show", "orders@2", blueprint={"name": "orders", "version": 2, "holds": [HOLD]})
    assert shown.calls == [("blueprint", "orders", {"version": 2})]
    assert "group:shop: stock (by ann), since 2023-11-1" in shown.out
    assert "timers run" in shown.out
    assert "group:shop: stock" in Result("tasks", "show", "split", task={"name": "split", "version": 1, "holds": [HOLD]}).out
    listed = Result("blueprints", "list", "--all", blueprints=[{"name": "orders", "current": 1, "holds": [HOLD]}])
    assert listed.calls == [("blueprints", {"all": True})]
    assert "group:shop" in listed.out


def test_groups_are_listed_and_shown() -> None:
    group = {
        "name": "shop",
        "blueprints": {"orders": "enabled", "bills": "paused"},
        "tasks": ["split"],
        "hold": HOLD,
        "flows": {"RUNNING": 3, "FAILED": 1},
        "paused": 2,
    }
    listed = Result("groups", "list", groups=[group]).out
    assert "orders, bills" in listed
    assert "1 FAILED, 3 RUNNING; 2 of the running are held" in listed
    shown = Result("groups", "show", "shop", group=group).out
    assert "bills: paused" in shown
    assert "group:shop: stock" in shown
    assert json.loads(Result("groups", "show", "shop", "--json", group=group).out) == group


def test_drafts_are_saved_under_the_name_that_they_have(tmp_path: Path) -> None:
    saved = {"kind": "blueprint", "name": "orders"}

    def save(text: str, *words: str) -> tuple[Any, ...]:
        file = tmp_path / "some-file.yaml"
        file.write_text(text)
        result = Result("drafts", "save", str(file), *words, put_draft=saved)
        assert result.code == 0, result.err
        return result.calls[0][1:3]

    assert save("StartAt: A") == ("blueprint", "some-file")
    assert save("Sfc: {Name: orders}") == ("blueprint", "orders")
    assert save("Name: split") == ("task", "split")
    assert save("Comment: nothing yet", "--task", "--name", "pay") == ("task", "pay")
    (tmp_path / "list.yaml").write_text("- a")
    assert Result("drafts", "save", str(tmp_path / "list.yaml")).code == 3
    assert Result("drafts", "save", str(tmp_path / "none.yaml")).code == 3


def test_drafts_are_listed_shown_checked_deployed_and_deleted() -> None:
    draft = {"kind": "task", "name": "split", "document": {"Name": "split"}, "by": "ann", "updated_ms": 1_700_000_000_000}
    problem = {"severity": "error", "pointer": "", "message": "States is missing.", "hint": "Add it."}
    assert "split" in Result("drafts", "list", drafts=[draft]).out
    shown = Result("drafts", "show", "split", "--task", draft=draft)
    assert (shown.out, shown.calls) == ("Name: split\n", [("draft", "task", "split")])
    bad = Result("drafts", "validate", "orders", validate_draft={"valid": False, "problems": [problem]})
    assert (bad.code, bad.out) == (3, "error: /: States is missing. Add it.\norders can not be deployed\n")
    assert Result("drafts", "validate", "orders", validate_draft={"valid": True, "problems": []}).code == 0
    done = Result("drafts", "deploy", "split", "--task", deploy_draft={"name": "split", "version": 2, "created": True})
    assert (done.out, done.calls) == ("deployed split@2 (new version)\n", [("deploy_draft", "task", "split")])
    again = {"name": "split", "version": 1, "created": False, "changed": True, "before": 2}
    assert Result("drafts", "deploy", "split", "--task", deploy_draft=again).out == "deployed split@1 (current again, it was at @2)\n"
    assert Result("drafts", "delete", "split", "--task", delete_draft=None).out == "deleted the draft of task split\n"
