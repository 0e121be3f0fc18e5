"""Queries, and what may be asked of a flow."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from sfc.engine.commands import Pause, Redrive, Resume, Signal, Stop
from sfc.engine.effects import Reply
from sfc.engine.events import ExecutionStarted, ExecutionSucceeded
from sfc.ports import DeadLetterDocument
from sfc.wire.history import HistoryRecord, Summary

FLOW = "orders:o-1"


def index_flow(gateway: Any, flow: str = FLOW, status: str = "SUCCEEDED") -> None:
    ended_ms = 0 if status == "RUNNING" else 1_500
    events: list[Any] = [ExecutionStarted(1, 7, 1_000, flow, "orders", 1, "h", {"n": 1})]
    if ended_ms:
        events.append(ExecutionSucceeded(2, 7, 1_500))
    summary = Summary("orders", 1, status, len(events), 1_000, 1_500, ended_ms)
    gateway.index.index([HistoryRecord(flow, 7, 1, events, summary)], [], {})


@pytest.mark.parametrize(
    ("verb", "body", "expected"),
    [
        ("pause", {"reason": "stock"}, Pause("stock", "ann")),
        ("pause", None, Pause("", "ann")),
        ("resume", None, Resume("ann")),
        ("stop", {"error": "Cancelled", "cause": "by phone"}, Stop("Cancelled", "by phone", "ann")),
        ("stop", {"reason": "by phone"}, Stop(None, "by phone", "ann")),
        ("redrive", None, Redrive("r-1", None, False, "ann")),
        ("redrive", {"input": None}, Redrive("r-1", None, True, "ann")),
        ("redrive", {"input": {"n": 2}}, Redrive("r-1", {"n": 2}, True, "ann")),
    ],
)
def test_a_verb_becomes_a_command_and_its_verdict_is_passed_on(gateway: Any, http: TestClient, verb: str, body: Any, expected: Any) -> None:
    answer = http.post(f"/v1/flows/{FLOW}/{verb}", json=body, headers={"Idempotency-Key": "r-1", "Sfc-By": "ann"})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"flow": FLOW, "done": verb, "changed": True}
    ((flow, command),) = gateway.commands
    assert flow == FLOW
    assert command.reply.key == "gw-1"
    assert type(command) is type(expected)
    assert {f: getattr(command, f) for f in expected.__struct_fields__ if f != "reply"} == {
        f: getattr(expected, f) for f in expected.__struct_fields__ if f != "reply"
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, Signal("paid", None, None, None, "ann", "r-1")),
        ({"output": {"n": 1}}, Signal("paid", {"n": 1}, None, None, "ann", "r-1")),
        ({"error": "Refused", "cause": "why"}, Signal("paid", None, "Refused", "why", "ann", "r-1")),
    ],
)
def test_a_signal_becomes_a_command(gateway: Any, http: TestClient, body: Any, expected: Signal) -> None:
    answer = http.post(f"/v1/flows/{FLOW}/signals/paid", json=body, headers={"Idempotency-Key": "r-1", "Sfc-By": "ann"})
    assert answer.json() == {"flow": FLOW, "done": "signal", "changed": True}
    ((_, command),) = gateway.commands
    assert {f: getattr(command, f) for f in expected.__struct_fields__ if f != "reply"} == {
        f: getattr(expected, f) for f in expected.__struct_fields__ if f != "reply"
    }


@pytest.mark.parametrize("body", [{"output": 1, "error": "E"}, {"cause": "why"}, {"result": 1}, {"error": 7}])
def test_a_signal_that_says_two_things_is_refused(gateway: Any, http: TestClient, body: Any) -> None:
    assert http.post(f"/v1/flows/{FLOW}/signals/paid", json=body).status_code == 400
    assert gateway.commands == []


def test_a_redrive_without_a_key_has_a_request_id_of_its_own(gateway: Any, http: TestClient) -> None:
    for _ in range(2):
        assert http.post(f"/v1/flows/{FLOW}/redrive").status_code == 200
    first, second = (command.request for _, command in gateway.commands)
    assert first != second
    assert first


def test_a_verdict_not_possible_is_409_with_the_engines_reason(gateway: Any, http: TestClient) -> None:
    gateway.answering = lambda flow, command, to: Reply(to, flow, "not-possible", detail="the flow has ended (SUCCEEDED)")
    answer = http.post(f"/v1/flows/{FLOW}/pause")
    assert (answer.status_code, answer.json()["detail"]) == (409, "the flow has ended (SUCCEEDED)")
    assert answer.json()["type"] == "urn:sfc:problem:not-possible"


def test_a_flow_that_the_engine_does_not_know_is_404_unless_the_index_tells_more(gateway: Any, http: TestClient) -> None:
    gateway.answering = lambda flow, command, to: Reply(to, flow, "unknown")
    answer = http.post(f"/v1/flows/{FLOW}/stop")
    assert (answer.status_code, answer.json()["detail"]) == (404, f"there is no flow {FLOW}")
    index_flow(gateway)
    answer = http.post(f"/v1/flows/{FLOW}/stop")
    assert answer.status_code == 409
    assert answer.json()["detail"] == f"stop is not possible: {FLOW} has ended (SUCCEEDED) and the engine keeps it no more"


def test_no_verdict_is_504_that_says_the_command_is_on_the_log(gateway: Any) -> None:
    gateway.answering = lambda flow, command, to: None
    with TestClient(gateway.app(verdict_s=0.1), base_url="http://127.0.0.1") as http:
        answer = http.post(f"/v1/flows/{FLOW}/pause")
    assert answer.status_code == 504
    assert "no engine answered within 0.1 s; the command is on the log" in answer.json()["detail"]
    assert gateway.answers.waiting == 0


@pytest.mark.parametrize("flow", ["nothing", "Orders:1", "orders:" + "x" * 200, "orders:a%20b"])
def test_what_is_no_flow_id_asks_nothing_of_the_engine(gateway: Any, http: TestClient, flow: str) -> None:
    answer = http.post(f"/v1/flows/{flow}/pause")
    assert answer.status_code == 404
    assert "a flow's id is <blueprint>:<rest>" in answer.json()["detail"]
    assert not gateway.commands


@pytest.mark.parametrize(
    ("verb", "body", "said"),
    [
        ("pause", "[1]", "the body of a pause must be a JSON object with reason; it is list"),
        ("pause", '{"why": "x"}', "the body of a pause has a member 'why' that is not known here; these are: reason"),
        ("pause", '{"reason": 1}', "reason must be text, it is 1"),
        ("stop", "{", "the body of a stop must be JSON"),
        ("redrive", '{"data": 1}', "these are: input"),
    ],
)
def test_a_body_that_does_not_fit_is_refused(gateway: Any, http: TestClient, verb: str, body: str, said: str) -> None:
    answer = http.post(f"/v1/flows/{FLOW}/{verb}", content=body)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]
    assert not gateway.commands


def test_flows_are_listed_filtered_and_shown(gateway: Any, http: TestClient) -> None:
    index_flow(gateway)
    index_flow(gateway, "orders:o-2", "RUNNING")
    listed = http.get("/v1/flows", params={"status": "running", "limit": 10}).json()
    assert [f["flow"] for f in listed["flows"]] == ["orders:o-2"]
    since = {"started_from": "1970-01-01T00:00:01Z", "started_to": "1970-01-01T00:00:01.001Z"}
    assert len(http.get("/v1/flows", params=since).json()["flows"]) == 2
    assert http.get("/v1/flows", params={"started_from": "1001"}).json()["flows"] == []
    assert http.get("/v1/flows", params={"q": "O-1"}).json()["flows"][0]["flow"] == FLOW
    first = http.get("/v1/flows", params={"limit": 1}).json()
    second = http.get("/v1/flows", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert {first["flows"][0]["flow"], second["flows"][0]["flow"]} == {FLOW, "orders:o-2"}
    assert http.get(f"/v1/flows/{FLOW}").json()["status"] == "SUCCEEDED"
    events = http.get(f"/v1/flows/{FLOW}/history").json()["events"]
    assert [e["name"] for e in events] == ["ExecutionStarted", "ExecutionSucceeded"]


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("status=DONE", 400, "there is no status 'DONE': RUNNING, SUCCEEDED"),
        ("started_from=yesterday", 400, "started_from must be a time such as 2026-01-31T08:00:00Z"),
        ("limit=0", 422, "/query/limit"),
        ("limit=many", 422, "it is 'many'"),
        ("cursor=nonsense", 400, "cursor"),
    ],
)
def test_a_query_that_does_not_fit_is_refused(http: TestClient, query: str, status: int, said: str) -> None:
    answer = http.get(f"/v1/flows?{query}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("path", [f"/v1/flows/{FLOW}", f"/v1/flows/{FLOW}/history", "/v1/dead-letters/x-0-1"])
def test_what_the_index_does_not_know_is_404(http: TestClient, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("there is no ")
    assert answer.json()["instance"] == path


def test_dead_letters_and_statistics_are_shown(gateway: Any, http: TestClient) -> None:
    letter = DeadLetterDocument("id-0-3", 5, "not-json", "expected JSON", "order_created", 0, 3, b"k", b"{nope")
    index_flow(gateway)
    gateway.index.index([], [letter], {})
    assert [d["id"] for d in http.get("/v1/dead-letters").json()["dead_letters"]] == ["id-0-3"]
    assert http.get("/v1/dead-letters/id-0-3").json()["reason"] == "not-json"
    found = http.get("/v1/statistics").json()
    assert found["blueprints"][0]["flows"] == {"SUCCEEDED": 1}
    assert found["dead_letters"] == {"not-json": 1}
    assert found["replies_dropped"] == 0
    assert http.get("/v1/statistics", params={"blueprint": "none"}).status_code == 404


def test_dropped_replies_are_read_from_the_shards_own_records(gateway: Any, http: TestClient) -> None:
    from sfc.engine.shard import ShardState
    from sfc.wire.state import encode_shard, shard_key

    producer = gateway.log.producer()
    for shard, dropped in ((0, 1), (0, 3), (1, 2)):
        producer.send(gateway.names.state, encode_shard(ShardState(shard, dropped_replies=dropped)), shard_key(shard), partition=shard)
    producer.send(gateway.names.state, b"{}", b"orders:o-1", partition=1)
    producer.flush()
    assert http.get("/v1/statistics").json()["replies_dropped"] == 5


def test_the_cluster_says_where_it_is(gateway: Any, http: TestClient) -> None:
    found = http.get("/v1/cluster").json()
    assert found["cluster"] == gateway.log.cluster_id()
    assert (found["namespace"], found["shards"], found["kind"]) == ("t", 2, "embedded")


def test_unknown_paths_and_methods_are_problems_too(http: TestClient) -> None:
    answer = http.get("/v1/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["detail"] == "there is nothing at /v1/nothing"
    answer = http.delete("/v1/flows")
    assert answer.status_code == 405
    assert answer.json()["title"] == "Method Not Allowed"
    assert answer.json()["detail"] == "DELETE is not possible at /v1/flows: GET is"


def test_an_unforeseen_error_is_a_problem_without_its_words(gateway: Any) -> None:
    class Broken:
        def get(self, flow: str) -> None:
            raise ZeroDivisionError("secret words")

    with (
        capture_logs() as logged,
        TestClient(gateway.app(index=Broken()), base_url="http://127.0.0.1", raise_server_exceptions=False) as http,
    ):
        answer = http.get(f"/v1/flows/{FLOW}")
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:sfc:problem:internal"
    assert "secret" not in answer.text
    assert [(line["action"], str(line["exc_info"])) for line in logged] == [("request-failed", "secret words")]


def test_probes_metrics_and_the_page_of_operations(gateway: Any, http: TestClient) -> None:
    gateway.definitions.load()
    assert http.get("/livez").json() == {"status": "ok"}
    assert http.get("/readyz").status_code == 200
    assert "# HELP" in http.get("/metrics").text
    page = http.get("/docs").text
    assert "/openapi.json" in page
    assert "https://" not in page
    paths = http.get("/openapi.json").json()["paths"]
    assert "/v1/blueprints/{name}/flows" in paths
    with TestClient(gateway.app(ready=lambda: False, live=lambda: False), base_url="http://127.0.0.1") as other:
        assert (other.get("/readyz").status_code, other.get("/livez").status_code) == (503, 503)
