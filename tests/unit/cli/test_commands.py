"""The commands over a recording gateway: what they ask, what they print, how they end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sfc.errors import InvalidDocument, LogUnavailable, NotPossible, Problem, UnknownName
from tests.unit.cli.recording import FLOW, Gateway, run

RAISED = UnknownName("there is no flow x")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import os

    for name in list(os.environ):
        if name.startswith("SFC_"):
            monkeypatch.delenv(name)
    from sfc.cli import output

    output._stream.cache_clear()
    yield
    output._stream.cache_clear()


def test_flows_list_passes_its_filters_and_shows_a_table() -> None:
    gateway = Gateway(flows={"flows": [FLOW], "next_cursor": "c"})
    words = ("--status", "running", "--blueprint", "tmall-order", "--version", "2", "--state", "Split", "--limit", "1")
    result = run("flows", "list", *words, gateway=gateway)
    assert result.code == 0
    assert gateway.calls[0] == (
        "flows",
        (),
        {"status": "RUNNING", "blueprint": "tmall-order", "version": 2, "state": "Split", "limit": 1, "cursor": ""},
    )
    assert gateway.calls[-1][0] == "close"
    assert "tmall-order:o-1" in result.out
    assert "RUNNING, paused by own" in result.out
    assert "\x1b[" not in result.out
    assert "there are more" in result.err


def test_lists_as_json_are_json_lines() -> None:
    result = run("flows", "list", "--json", gateway=Gateway(flows={"flows": [FLOW, FLOW], "next_cursor": ""}))
    assert result.json_lines == [FLOW, FLOW]


def test_an_empty_list_says_so_on_stderr_and_as_json_prints_nothing() -> None:
    nothing = {"flows": [], "next_cursor": ""}
    assert run("flows", "list", gateway=Gateway(flows=nothing)).err == "no such flows\n"
    assert run("flows", "list", "--json", gateway=Gateway(flows=nothing)).out == ""


def test_flows_show_is_a_card_and_as_json_the_document() -> None:
    result = run("flows", "show", "tmall-order:o-1", gateway=Gateway(flow=FLOW, runs=[5]))
    assert "tmall-order@2" in result.out
    assert "topic orders order_created-0@7" in result.out
    assert run("flows", "show", "x", "--json", gateway=Gateway(flow=FLOW, runs=[5])).json_lines == [FLOW]


def test_flows_history_is_a_table_of_events() -> None:
    events = [
        {"seq": 1, "offset": 7, "at_ms": 1_700_000_000_000, "name": "ExecutionStarted", "type": "ExecutionStarted", "input": {"a": 1}},
        {"seq": 2, "offset": 7, "at_ms": 1_700_000_000_000, "name": "TaskStateEntered", "kind": "Task", "branch": 0, "state": "Split"},
    ]
    result = run("flows", "history", "x", gateway=Gateway(history=events))
    assert "TaskStateEntered" in result.out
    assert 'input={"a": 1}' in result.out
    assert "Split" in result.out


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (("pause", "f", "--reason", "look"), ("pause", ("f",), {"reason": "look"})),
        (("resume", "f"), ("resume", ("f",), {})),
        (("stop", "f", "--reason", "wrong"), ("stop", ("f",), {"reason": "wrong"})),
        (("redrive", "f"), ("redrive", ("f",), {})),
        (("redrive", "f", "--input", '{"paid": true}'), ("redrive", ("f",), {"input": {"paid": True}})),
    ],
)
def test_flows_are_steered(words: tuple[str, ...], call: tuple[Any, ...]) -> None:
    gateway = Gateway(**{call[0]: {"status": "done"}})
    result = run("flows", *words, gateway=gateway)
    assert result.code == 0
    assert gateway.calls[0] == call
    assert " f\n" in result.out
    assert run("flows", *words, "--json", gateway=gateway).json_lines == [{"status": "done"}]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), {}),
        (("--output", '{"n": 1}', "--request", "r"), {"output": {"n": 1}, "request": "r"}),
        (("--error", "No", "--cause", "why"), {"error": "No", "cause": "why"}),
    ],
)
def test_a_flow_is_told_what_it_waits_for(words: tuple[str, ...], told: dict[str, Any]) -> None:
    gateway = Gateway(signal={"status": "done"})
    result = run("signal", "f", "paid", *words, gateway=gateway)
    assert (result.code, result.out) == (0, "told f paid\n")
    assert gateway.calls[0] == ("signal", ("f", "paid"), {"request": "", **told})


def test_an_id_with_colons_is_printed_as_it_is() -> None:
    result = run("signal", "pay:top:o-1", "paid", gateway=Gateway(signal={"status": "done"}))
    assert result.out == "told pay:top:o-1 paid\n"


@pytest.mark.parametrize("words", [("--output", "1", "--error", "No"), ("--cause", "why"), ("--output", "{")])
def test_a_signal_that_says_two_things_asks_nothing(words: tuple[str, ...]) -> None:
    gateway = Gateway(signal={})
    assert run("signal", "f", "paid", *words, gateway=gateway).code == 3
    assert gateway.calls == []


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (
            UnknownName("there is no flow x", hint="`sfc flows list` shows all"),
            4,
            "error: there is no flow x\nhint: `sfc flows list` shows all\n",
        ),
        (NotPossible("the flow has ended"), 5, "error: the flow has ended\n"),
        (
            InvalidDocument("the blueprint", [Problem("bad-next", "/States/A/Next", "no state B")]),
            3,
            "error: 1 problem in the blueprint:\n",
        ),
        (LogUnavailable("no broker at b:9092"), 6, "error: no broker at b:9092\n"),
        (RuntimeError("boom"), 1, "error: RuntimeError: boom\nhint: SFC_DEBUG=1 shows where it comes from\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_is_a_line_and_an_exit_code(error: BaseException, code: int, line: str) -> None:
    result = run("flows", "show", "x", gateway=Gateway(flow=error))
    assert result.code == code
    assert result.err.startswith(line)
    assert "Traceback" not in result.err
    assert result.out == ""


def test_sfc_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFC_DEBUG", "1")
    assert "Traceback" in run("flows", "show", "x", gateway=Gateway(flow=RAISED)).err


def test_a_gateway_that_does_not_answer_is_exit_code_6() -> None:
    import httpx

    result = run("flows", "list", gateway=Gateway(flows=httpx.ConnectError("refused")))
    assert result.code == 6
    assert "http://127.0.0.1:8321 does not answer" in result.err
    assert "sfc dev" in result.err


def test_wrong_usage_is_exit_code_2() -> None:
    assert run("flows", "list", "--limit", "many").code == 2
    assert run("nonsense").code == 2
    assert run("dev", "--memory", "--kafka", "b:9092").code == 2
    assert run("worker", "--no-common").code == 2


def test_start_reads_its_input_from_the_line_a_file_or_stdin(tmp_path: Path) -> None:
    file = tmp_path / "in.json"
    file.write_text('{"big": 123456789012345678901234567890}')
    big = {"big": 123456789012345678901234567890}
    for words, stdin in ((("--input", f"@{file}"), None), (("--input", "-"), file.read_text()), (("--input", file.read_text()), None)):
        gateway = Gateway(start={"flow": "b:1", "status": "SUCCEEDED"})
        result = run("start", "b", *words, "--id", "1", "--wait", "10s", gateway=gateway, stdin=stdin)
        assert result.code == 0
        assert gateway.calls[0] == ("start", ("b", big), {"id": "1", "wait": "10s"})


def test_a_start_that_starts_nothing_says_so() -> None:
    existed = {"flow": "b:1", "existed": True, "status": "SUCCEEDED"}
    result = run("start", "b", "--id", "1", gateway=Gateway(start=existed))
    assert (result.code, result.out) == (0, "b:1\n")
    assert result.err == "note: b:1 is there already (SUCCEEDED); nothing was started\n"
    assert run("start", "b", "--id", "1", "--json", gateway=Gateway(start=existed)).json_lines == [existed]


def test_an_id_that_had_to_be_hashed_is_told() -> None:
    result = run("start", "b", "--id", "a b", gateway=Gateway(start={"flow": "b:0123abcd"}))
    assert "'a b' has other characters than" in result.err
    assert "b:0123abcd" in result.err


@pytest.mark.parametrize(
    ("flow", "events", "why"),
    [
        ({"paused_by": ["blueprint:b"], "states": ["A"]}, [], "paused by blueprint:b"),
        (
            {"states": ["A"]},
            [{"name": "TaskStateEntered", "branch": 0}, {"name": "TaskScheduled", "branch": 0, "task": "task:greet@1"}],
            "it is in A, waiting for task:greet@1 (does a worker run that does it?)",
        ),
        ({"states": ["A"]}, [{"name": "TaskScheduled", "branch": 0, "task": "signal:ok"}], "signal:ok (`sfc signal` answers it)"),
        (UnknownName("not yet"), [], "still runs after 1s\n"),
    ],
)
def test_a_flow_that_still_runs_after_the_wait_is_exit_code_7_and_says_why(flow: Any, events: Any, why: str) -> None:
    gateway = Gateway(start={"flow": "b:1"}, flow=flow, history=events)
    result = run("start", "b", "--wait", "1s", gateway=gateway)
    assert result.code == 7
    assert result.out.startswith("b:1 still runs after 1s")
    assert why in result.out
    (document,) = run("start", "b", "--wait", "1s", "--json", gateway=gateway).json_lines
    assert document["status"] == "RUNNING"


def test_bare_keys_are_told_to_need_quotes() -> None:
    result = run("start", "b", "--input", "{name: Ada}", gateway=Gateway(start={}))
    assert 'keys need quotes: \'{"name": "Ada"}\'' in result.err


def test_usage_errors_look_like_the_others() -> None:
    lines = run("flows", "list", "--limit", "many").err.splitlines()
    assert lines[0].startswith("Usage: ")
    assert lines[1].startswith("error: Invalid value for '--limit'")
    assert lines[2].endswith("flows list --help` shows what it takes")


def test_start_refuses_what_is_no_json() -> None:
    result = run("start", "b", "--input", "{nope", gateway=Gateway(start={}))
    assert result.code == 3
    assert "--input is no JSON" in result.err
    assert "'{nope'" in result.err


def test_a_flow_that_was_waited_for_and_failed_is_exit_code_1() -> None:
    failed = {"flow": "b:1", "status": "FAILED", "error": "Unpaid", "cause": "no money"}
    result = run("start", "b", "--wait", "10s", gateway=Gateway(start=failed))
    assert result.code == 1
    assert "Unpaid" in result.out


def test_deploy_sends_tasks_before_the_blueprints_that_name_them(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("StartAt: A\nStates: {A: {Type: Succeed}}\nSfc: {Name: b}\n")
    (tmp_path / "z.yaml").write_text("Name: t\n")
    gateway = Gateway(
        deploy=[{"kind": "task", "name": "t", "version": 1, "created": True, "warnings": [{"pointer": "/Retry", "message": "too many"}]}]
    )
    result = run("deploy", str(tmp_path), gateway=gateway)
    assert result.code == 0, result.err
    (documents,) = gateway.calls[0][1]
    assert [Path(source).name for source, _ in documents] == ["z.yaml", "a.yaml"]
    assert "new version" in result.out
    assert result.err == "t: warning: too many [warning] /Retry\n"


def test_deploy_says_whether_a_version_was_made_or_an_older_one_is_current_again(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("Name: t\n")
    base = {"kind": "task", "name": "t", "version": 1}
    for told, said in (
        ({"created": True, "changed": True, "before": 2}, "new version"),
        ({"created": False, "changed": True, "before": 2}, "current again, it was at @2"),
        ({"created": False, "changed": False, "before": 1}, "unchanged"),
    ):
        result = run("deploy", str(tmp_path), gateway=Gateway(deploy=[{**base, **told}]))
        assert (result.code, result.out.split("─ ")[1].split()) == (0, ["task", "t", "1", *said.split()])


def test_publish_sends_lines_as_they_stand_and_says_which_had_no_key(tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_bytes(b'{"order_id": "o-1"}\r\nnot json\n\n{"order_id": 7}\n{}\n')
    gateway = Gateway(publish={})
    result = run("publish", "order_created", str(file), "--key", "$.order_id", gateway=gateway)
    assert result.code == 0, result.err
    sent = [(b"o-1", b'{"order_id": "o-1"}'), (None, b"not json"), (b"7", b'{"order_id": 7}'), (None, b"{}")]
    assert gateway.calls[0] == ("publish", ("order_created", sent), {})
    assert result.out == "sent 4 records to order_created\n"
    assert "warning: 1 of 4 are not JSON; they were sent all the same" in result.err
    assert "warning: 1 of 4 have nothing at $.order_id; they were sent without a key\n" in result.err
    (document,) = run("publish", "order_created", str(file), "--json", gateway=gateway).json_lines
    assert document == {"topic": "order_created", "sent": 4, "without_key": 4, "not_json": 1}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"made": True, "triggers": [], "near": "order_created"}, "was made anew; no trigger reads it. Did you mean 'order_created'?"),
        ({"made": False, "triggers": []}, "no trigger reads order_creatd."),
    ],
)
def test_publish_says_when_nobody_reads_the_topic(tmp_path: Path, told: dict[str, Any], said: str) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_text("{}\n")
    result = run("publish", "order_creatd", str(file), gateway=Gateway(publish=told))
    assert result.code == 0
    assert said in result.err
    assert "before a trigger's deploy start nothing" in result.err
    for read in ({"triggers": ["b"]}, {"triggers": [], "own": True}):
        assert run("publish", "t", str(file), gateway=Gateway(publish={"made": False, **read})).err == ""


def test_publish_refuses_a_key_that_is_no_path(tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_text("{}\n")
    assert run("publish", "t", str(file), "--key", "order_id", gateway=Gateway(publish={})).code == 3
    assert run("publish", "t", str(tmp_path / "none"), gateway=Gateway(publish={})).code == 3


def test_tail_ends_after_its_limit() -> None:
    record = {"topic": "t", "partition": 0, "offset": 3, "timestamp_ms": 1, "key": "k", "value": "[red]v[/red]", "headers": {}}
    gateway = Gateway(tail=iter([record, record, record]))
    result = run("tail", "t", "--limit", "2", "--from-beginning", "--json", gateway=gateway)
    assert result.json_lines == [record, record]
    assert gateway.calls[0] == ("tail", ("t",), {"from_beginning": True})
    shown = run("tail", "t", "--limit", "1", gateway=Gateway(tail=iter([record]))).out
    assert "0@3 k [red]v[/red]" in shown  # what is in a record is never read as markup


def test_blueprints_tasks_and_dead_letters_are_listed_and_shown() -> None:
    letter = {
        "id": "T-0-7",
        "at_ms": 1,
        "reason": "not-json",
        "detail": "d",
        "topic": "t",
        "partition": 0,
        "offset": 7,
        "value": "bm90IGpzb24=",
    }
    head = {"name": "tmall-order", "current": 2, "status": "paused", "triggers": [{"id": "orders", "topic": "order_created"}]}
    gateway = Gateway(
        blueprints=[head],
        blueprint={**head, "version": 2, "document": {"StartAt": "Receive"}},
        blueprint_versions=[{"version": 1, "hash": "abc"}, {"version": 2, "hash": "def"}],
        pause_blueprint={},
        resume_blueprint={},
        tasks=[{"name": "order-split", "current": 3, "document": {"Kafka": {"Topic": "order_split"}}}],
        task={"name": "order-split", "version": 3, "document": {"Name": "order-split"}},
        dead_letters={"dead_letters": [letter], "next_cursor": ""},
        dead_letter=letter,
    )
    expected = {
        "blueprints list": "order_created",
        "blueprints show tmall-order": "StartAt: Receive",
        "blueprints versions tmall-order": "current",
        "blueprints pause tmall-order --reason r": "paused tmall-order",
        "blueprints resume tmall-order": "resumed tmall-order",
        "tasks list": "topic order_split",
        "tasks show order-split": "order-split@3",
        "dead-letters list": "t-0@7",
        "dead-letters show T-0-7": "not json",
    }
    for words, text in expected.items():
        result = run(*words.split(), gateway=gateway)
        assert (result.code, text in result.out) == (0, True), (words, result.out, result.err)
        assert run(*words.split(), "--json", gateway=gateway).json_lines


def test_stats_shows_flows_states_and_what_was_dropped() -> None:
    found = {
        "blueprints": [
            {
                "blueprint": "b",
                "version": 1,
                "flows": {"SUCCEEDED": 12},
                "paused": 0,
                "states": [
                    {
                        "state": "A",
                        "entered": 12,
                        "completed": 12,
                        "failed": 0,
                        "retries": 1,
                        "mean_ms": 1.5,
                        "p50_ms": 1.0,
                        "p95_ms": 2500.0,
                    }
                ],
            }
        ],
        "dead_letters": {"not-json": 2},
        "replies_dropped": 3,
    }
    result = run("stats", gateway=Gateway(stats=found))
    for text in ("b@1", "12", "2.5 s", "2 (2 not-json)", "replies dropped"):
        assert text in result.out
    assert run("stats", "--json", gateway=Gateway(stats=found)).json_lines == [found]


def test_stats_over_a_time_shows_throughput() -> None:
    slices = [{"from_ms": 0, "started": 3, "ended": {"FAILED": 1}}, {"from_ms": 300_000, "started": 17, "ended": {"SUCCEEDED": 19}}]
    gateway = Gateway(throughput={"from_ms": 0, "to_ms": 600_000, "step_ms": 300_000, "slices": slices})
    result = run("stats", "--over", "1h", "--blueprint", "b", gateway=gateway)
    for text in ("started", "succeeded", "failed", "17", "19"):
        assert text in result.out
    name, args, named = gateway.calls[0]
    assert (name, args, named["step"], named["end"] - named["begin"]) == ("throughput", ("b",), "300000ms", 3_600_000)
    assert run("stats", "--over", "1h", "--json", gateway=gateway).json_lines[0]["slices"] == slices


@pytest.mark.parametrize("words", [["--over", "1 hour"], ["--over", "0m"], ["--step", "5m"]])
def test_a_time_that_is_none_is_refused(words: list[str]) -> None:
    result = run("stats", *words, gateway=Gateway())
    assert result.code == 2
    assert "--over" in result.err


def test_settings_are_shown_without_secrets_and_a_misspelt_one_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFC_KAFKA_SASL_PASSWORD", "hunter2")
    monkeypatch.setenv("SFC_NAMESPCE", "shop")
    result = run("settings")
    assert result.code == 0
    assert "SFC_KAFKA_SASL_PASSWORD" in result.out
    assert "hunter2" not in result.out
    assert result.err == "warning: SFC_NAMESPCE is no setting. Did you mean 'SFC_NAMESPACE'?\n"
    (document,) = run("settings", "--json").json_lines
    assert document["kafka_properties"] == {"sasl.password": "********"}


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFC_SHARDS", "many")
    result = run("settings")
    assert result.code == 3
    assert "SFC_SHARDS" in result.err
    assert "'many'" in result.err


def test_history_leaves_out_what_only_sfc_reads_unless_asked() -> None:
    started = {"seq": 1, "at_ms": 1, "name": "ExecutionStarted", "hash": "abc", "keep_id": True, "input": {"a": 1}}
    gateway = Gateway(history=[started])
    shown = run("flows", "history", "x", "--run", "7", gateway=gateway)
    assert "hash=" not in shown.out
    assert "keep_id" not in shown.out
    assert 'input={"a": 1}' in shown.out
    assert gateway.calls[0] == ("history", ("x", 7), {})
    assert "hash=abc" in run("flows", "history", "x", "--verbose", gateway=gateway).out
    assert run("flows", "history", "x", "--json", gateway=gateway).json_lines == [started]


def test_a_pause_that_changes_nothing_says_so() -> None:
    answer = {"flow": "f", "done": "pause", "changed": False, "detail": "was paused already"}
    assert run("flows", "pause", "f", gateway=Gateway(pause=answer)).out == "f was paused already\n"


def test_the_version_is_told() -> None:
    assert run("--version").out.startswith("sfc ")
    assert run("version").out == run("--version").out
    assert list(run("version", "--json").json_lines[0]) == ["version"]
