"""What a user is told when something is wrong. Each message is read: what was expected, what came, where, what to do."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sfc.adapters.kafka import KafkaLog
from sfc.ports import TopicSpec
from tests.acceptance.dev_process import SFC, Dev, blueprint, dev, environment, http_service, sfc, until, written

DONE = {"Done": {"Type": "Succeed"}}


@pytest.fixture(scope="module")
def site() -> Iterator[Dev]:
    with dev("--memory") as running:
        yield running


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with http_service() as url:
        yield url


def test_records_that_cannot_be_understood_become_dead_letters_and_the_rest_flows_on(site: Dev, tmp_path: Path) -> None:
    trigger = {"Id": "in", "Topic": "mixed_in", "FlowId": "$.id"}
    site.deploy(blueprint("mixed", DONE, Triggers=[trigger]))
    file = tmp_path / "mixed.jsonl"
    file.write_text('{"id": "a"}\nno json {\n{"name": "without an id"}\n{"id": "b"}\n')
    assert "sent 4 records to mixed_in" in site.sfc("publish", "mixed_in", str(file)).out
    site.ended("mixed:a", "SUCCEEDED")
    site.ended("mixed:b", "SUCCEEDED")

    def two() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(site.get("/v1/dead-letters")[1])["dead_letters"]
        return found if len(found) == 2 else []

    until(two, "two dead letters")
    letters = site.sfc("dead-letters", "list", "--json").lines()
    assert {letter["reason"] for letter in letters} == {"not-json", "no-flow-id"}
    assert all(letter["topic"] == "mixed_in" and letter["offset"] >= 0 for letter in letters)
    assert any("$.id" in letter["detail"] for letter in letters)
    shown = site.sfc("dead-letters", "show", next(letter["id"] for letter in letters if letter["reason"] == "not-json")).out
    assert "no json {" in shown
    assert "mixed_in-" in shown


def test_an_unknown_blueprint_is_answered_with_the_nearest_name(site: Dev) -> None:
    site.deploy(blueprint("parcel", DONE))
    refused = site.sfc("start", "parcle")
    assert refused.code == 4
    assert "parcle" in refused.err
    assert "Did you mean 'parcel'?" in refused.err


def test_a_misspelt_topic_is_told_though_the_embedded_log_makes_it(site: Dev, tmp_path: Path) -> None:
    site.deploy(blueprint("spelt", DONE, Triggers=[{"Id": "in", "Topic": "parcels_packed", "FlowId": "$.id"}]))
    file = tmp_path / "one.jsonl"
    file.write_text('{"id": "a"}\n')
    sent = site.sfc("publish", "parcels_packd", str(file), "--key", "$.code")
    assert sent.code == 0
    assert "parcels_packd was made anew; no trigger reads it. Did you mean 'parcels_packed'?" in sent.err
    assert "1 of 1 have nothing at $.code" in sent.err
    assert "no trigger" not in site.sfc("publish", "parcels_packed", str(file)).err


def test_what_was_so_already_is_told(site: Dev) -> None:
    site.deploy(blueprint("twice", {"Wait": {"Type": "Wait", "Seconds": 600, "Next": "Done"}, **DONE}))
    assert "existed" not in site.start("twice", {}, "?id=1")
    assert site.ended("twice:1", "RUNNING")
    again = site.sfc("start", "twice", "--id", "1")
    assert (again.code, again.err) == (0, "note: twice:1 is there already (RUNNING); nothing was started\n")
    late = site.sfc("start", "twice", "--id", "2", "--wait", "500ms")
    assert late.code == 7
    assert "twice:2 still runs after 500ms" in late.out
    assert site.sfc("flows", "pause", "twice:1", "--json").document()["changed"] is True
    assert site.sfc("flows", "pause", "twice:1").out == "twice:1 was paused already\n"
    site.sfc("flows", "resume", "twice:1")
    assert site.sfc("flows", "resume", "twice:1").out == "twice:1 was not paused by itself\n"


def test_flows_of_a_blueprint_that_is_none_are_not_simply_none(site: Dev) -> None:
    site.deploy(blueprint("lonely", DONE))
    refused = site.sfc("flows", "list", "--blueprint", "lonley")
    assert refused.code == 4
    assert "Did you mean 'lonely'?" in refused.err
    assert site.sfc("flows", "list", "--blueprint", "lonely").err == "no such flows\n"


def test_a_business_id_that_is_published_twice_starts_one_flow_where_ids_are_remembered(site: Dev, tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    file.write_text('{"id": "a"}\n')
    for name, own in (("forgetful", {}), ("mindful", {"Retention": {"Ids": "P1D"}})):
        site.deploy(blueprint(name, DONE, Triggers=[{"Id": "in", "Topic": f"{name}_in", "FlowId": "$.id"}], **own))
        site.sfc("publish", f"{name}_in", str(file))
        first = site.ended(f"{name}:a", "SUCCEEDED")["run"]
        site.sfc("publish", f"{name}_in", str(file))
        if own:
            until(lambda: "flow-exists" in site.get("/v1/dead-letters")[1], "a dead letter")
            assert site.ended("mindful:a", "SUCCEEDED")["run"] == first
        else:
            until(lambda seen=first: site.ended("forgetful:a", "SUCCEEDED")["run"] != seen or None, "a second run")  # type: ignore[misc]
            assert site.sfc("flows", "history", "forgetful:a", "--run", str(first)).code == 0


@pytest.mark.parametrize(
    ("module", "text", "said"),
    [
        ("torn", "x = (\n", "torn.py, line 1: '(' was never closed"),
        ("greet.py", "", "hint: write greet, not greet.py"),
        ("nowhere", None, "there is no module nowhere"),
    ],
)
def test_a_worker_module_that_is_of_no_use_ends_the_role_before_it_answers(
    tmp_path: Path, module: str, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / f"{module.removesuffix('.py')}.py").write_text(text)
    done = subprocess.run(
        [SFC, "worker", module, "--kafka", "127.0.0.1:1"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
        timeout=20,
        check=False,
    )
    assert done.returncode == 3
    assert said in done.stderr
    assert "answers on" not in done.stderr


def test_an_unknown_flow_is_not_found(site: Dev) -> None:
    refused = site.sfc("flows", "show", "parcel:nothing")
    assert refused.code == 4
    assert "parcel:nothing" in refused.err


def test_all_errors_of_a_blueprint_come_at_once_with_their_places(site: Dev, tmp_path: Path) -> None:
    wrong = {
        "StartAt": "Frist",
        "States": {
            "First": {"Type": "Pass", "Next": "Secnd"},
            "Second": {"Type": "Task", "End": True},
            "Third": {"Type": "Psas", "End": True},
        },
        "Sfc": {"Name": "Wrong Name"},
    }
    refused = site.sfc("deploy", *written(tmp_path, wrong))
    assert refused.code == 3
    for place in ("/StartAt", "/States/First/Next", "/States/Second", "/States/Third/Type", "/Sfc/Name"):
        assert place in refused.err
    for hint in ("First", "Second", "Pass"):
        assert f"Did you mean '{hint}'?" in refused.err


def test_what_is_not_yet_there_is_called_so_with_its_place(site: Dev) -> None:
    call = {"Type": "Task", "Resource": "grpc:inventory.Stock/Reserve", "End": True}
    later = blueprint("later", {"Call": call}, Input={"type": "object"})
    status, answer = site.deploy(later, {"Name": "slow", "RateLimit": {"Permits": 1, "Seconds": 1}})
    assert status == 422
    not_yet = {p["pointer"] for p in answer["problems"] if "not yet supported" in p["message"]}
    assert not_yet == {"0.yaml#/States/Call/Resource", "0.yaml#/Sfc/Input", "1.yaml#/RateLimit"}


def test_a_body_that_is_no_json_is_refused_with_the_place(site: Dev) -> None:
    status, body = site.request("POST", "/v1/blueprints/parcel/flows", b"{order: 1}")
    assert status == 400
    problem = json.loads(body)
    assert "JSON" in problem["detail"]
    assert "byte" in problem["detail"] or "{order" in problem["detail"]
    refused = site.sfc("start", "parcel", "--input", "{order: 1}")
    assert refused.code == 3
    assert "--input is no JSON" in refused.err


def test_a_call_that_fails_ends_its_flow_with_the_status(site: Dev, service: str) -> None:
    site.deploy(blueprint("fails", {"Call": {"Type": "Task", "Resource": f"{service}/500", "End": True}}))
    done = site.sfc("start", "fails", "--input", '{"n": 1}', "--wait", "20s")
    assert done.code == 1
    assert "Http.500" in done.out


def test_a_task_that_nobody_answers_ends_with_its_timeout(site: Dev) -> None:
    site.deploy(
        {"Name": "silent"}, blueprint("unanswered", {"Ask": {"Type": "Task", "Resource": "task:silent", "TimeoutSeconds": 1, "End": True}})
    )
    ended = site.start("unanswered", {}, "?wait=15s")
    assert ended["status"] in ("FAILED", "TIMED_OUT")
    assert ended["error"] == "States.Timeout"
    assert "TaskTimedOut" in site.sfc("flows", "history", ended["flow"]).out


def test_without_a_gateway_the_command_says_where_it_looked() -> None:
    refused = sfc("flows", "list", SFC_URL="http://127.0.0.1:1")
    assert refused.code == 6
    assert "http://127.0.0.1:1" in refused.err
    assert "sfc dev" in refused.err


def test_without_a_broker_a_publish_gives_up_soon(tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    file.write_text("{}\n")
    begun = time.monotonic()
    refused = sfc("publish", "orders", str(file), "--kafka", "127.0.0.1:1", timeout_s=40)
    assert refused.code == 6
    assert refused.err.startswith("waiting for Kafka at 127.0.0.1:1")
    assert "SFC_KAFKA or --kafka names the broker; here it is 127.0.0.1:1" in refused.err
    assert "Traceback" not in refused.err
    assert time.monotonic() - begun < 20


@pytest.fixture(scope="module")
def log(kafka: str) -> Iterator[KafkaLog]:
    made = KafkaLog({"bootstrap.servers": kafka}, replication=1)
    yield made
    made.close()


def namespace_of(name: str) -> str:
    return f"t-{name}-{time.time_ns()}"


def test_an_engine_refuses_topics_that_would_break_its_promise(kafka: str, log: KafkaLog) -> None:
    namespace = namespace_of("wrong")
    commands, state = f"{namespace}.commands", f"{namespace}.state"
    log.create(
        [
            TopicSpec(commands, 2, {"message.timestamp.type": "CreateTime", "cleanup.policy": "delete"}),
            TopicSpec(state, 3, {"cleanup.policy": "delete"}),
        ]
    )
    refused = sfc("engine", "--kafka", kafka, SFC_NAMESPACE=namespace)
    assert refused.code == 1
    assert f"{commands}: message.timestamp.type=LogAppendTime was expected, it is CreateTime" in refused.err
    assert f"--entity-name {commands} --add-config message.timestamp.type=LogAppendTime" in refused.err
    assert f"{state}: 2 partitions were expected (the recorded shard count), it has 3" in refused.err
    assert f"{state}: cleanup.policy=compact was expected, it is delete" in refused.err
    assert "SFC_NAMESPACE" in refused.err


def test_missing_topics_that_may_not_be_made_are_named_with_the_commands_that_make_them(kafka: str) -> None:
    namespace = namespace_of("missing")
    refused = sfc("engine", "--kafka", kafka, SFC_NAMESPACE=namespace, SFC_CREATE_TOPICS="false", SFC_SHARDS="2")
    assert refused.code == 4
    assert f"kafka-topics.sh --bootstrap-server {kafka} --create --topic {namespace}.commands --partitions 2" in refused.err
    assert f"--topic {namespace}.definitions --partitions 1" in refused.err


def test_an_engine_without_a_broker_says_so_and_keeps_trying() -> None:
    with subprocess.Popen(
        [SFC, "engine", "--kafka", "127.0.0.1:1"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment()
    ) as engine:
        assert engine.stderr is not None
        try:
            said = next(line for line in engine.stderr if "broker-away" in line)
            assert "127.0.0.1:1" in said
            assert engine.poll() is None
        finally:
            engine.terminate()
        assert engine.wait(15) == 0


def test_a_publish_to_a_topic_that_is_not_there_names_the_nearest(kafka: str, log: KafkaLog, tmp_path: Path) -> None:
    topic = namespace_of("orders")
    log.create([TopicSpec(topic, 1, {})])
    file = tmp_path / "one.jsonl"
    file.write_text("{}\n")
    refused = sfc("publish", f"{topic}x", str(file), "--kafka", kafka)
    assert refused.code == 4
    assert f"Did you mean '{topic}'?" in refused.err


def test_a_record_over_the_topics_limit_is_named(kafka: str, log: KafkaLog, tmp_path: Path) -> None:
    topic = namespace_of("small")
    log.create([TopicSpec(topic, 1, {"max.message.bytes": "1000"})])
    file = tmp_path / "large.jsonl"
    file.write_text(json.dumps({"text": "".join(str(n) for n in range(5000))}) + "\n{}\n")
    refused = sfc("publish", topic, str(file), "--kafka", kafka)
    assert refused.code in (1, 3)
    assert topic in refused.err
    assert "large" in refused.err or "max.message.bytes" in refused.err
    assert "Traceback" not in refused.err
