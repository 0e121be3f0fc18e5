"""`sfc dev` and the commands against it, each as a process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.dev_process import Dev, blueprint, dev, http_service, until, written


@pytest.fixture(scope="module")
def site() -> Iterator[Dev]:
    with dev("--memory") as running:
        yield running


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with http_service() as url:
        yield url


def test_it_listens_and_is_ready_soon(site: Dev, record_testsuite_property: Any) -> None:
    record_testsuite_property("dev_listening_s", round(site.listening_s, 2))
    record_testsuite_property("dev_ready_s", round(site.ready_s, 2))
    assert site.listening_s < 20  # about 1 s and 2 s on an idle machine; a busy one may take longer
    assert site.ready_s < 20
    assert "ready. In another terminal" in until(lambda: site.err if "ready." in site.err else None, "the word that it is ready")


@pytest.mark.parametrize(
    ("path", "contains"),
    [("/livez", ""), ("/readyz", ""), ("/metrics", "# TYPE"), ("/openapi.json", '"openapi"'), ("/docs", "<html")],
)
def test_its_pages_answer(site: Dev, path: str, contains: str) -> None:
    status, body = site.get(path)
    assert status == 200
    assert contains in body


def test_a_flow_is_started_and_its_output_awaited(site: Dev, service: str) -> None:
    call = {"Type": "Task", "Resource": f"{service}/200", "Next": "Done"}
    site.deploy(blueprint("called", {"Call": call, "Done": {"Type": "Succeed"}}))
    answer = site.sfc("start", "called", "--input", '{"n": 12345678901234567890}', "--wait", "10s", "--json").document()
    assert answer["status"] == "SUCCEEDED"
    assert "12345678901234567890" in json.dumps(answer["output"])
    shown = site.sfc("start", "called", "--input", '{"n": 1}', "--wait", "10s")
    assert shown.code == 0
    assert "SUCCEEDED" in shown.out
    assert site.start("called", {"n": 2}, "?wait=10s")["output"] == {"n": 2}


def test_a_blueprint_has_versions(site: Dev, tmp_path: Path) -> None:
    first = written(tmp_path, blueprint("versioned", {"One": {"Type": "Succeed"}}))
    rows = [site.sfc("deploy", *first, "--json").lines() for _ in range(2)]
    assert [(row["version"], row["created"]) for [row] in rows] == [(1, True), (1, False)]
    second = written(tmp_path / "second", blueprint("versioned", {"Two": {"Type": "Pass", "End": True}}))
    assert "new version" in site.sfc("deploy", *second).out
    assert [v["version"] for v in site.sfc("blueprints", "versions", "versioned", "--json").lines()] == [1, 2]
    assert site.sfc("blueprints", "show", "versioned", "--json").document()["current"] == 2
    older = site.sfc("blueprints", "show", "versioned", "--version", "1", "--json").document()
    assert "One" in older["document"]["States"]
    assert "versioned" in [b["name"] for b in site.sfc("blueprints", "list", "--json").lines()]


def test_tasks_are_listed_and_shown(site: Dev) -> None:
    site.deploy({"Name": "told", "Comment": "Tells", "TimeoutSeconds": 7})
    assert "told" in [t["name"] for t in site.sfc("tasks", "list", "--json").lines()]
    assert site.sfc("tasks", "show", "told", "--json").document()["document"]["TimeoutSeconds"] == 7


def test_a_flow_is_paused_resumed_stopped_and_redriven(site: Dev) -> None:
    site.deploy(blueprint("long", {"Wait": {"Type": "Wait", "SecondsPath": "$.s", "Next": "Done"}, "Done": {"Type": "Succeed"}}))
    flow = site.sfc("start", "long", "--input", '{"s": 600}', "--id", "one", "--json").document()["flow"]
    assert flow == "long:one"
    site.sfc("flows", "pause", flow, "--reason", "lunch", "--json").document()
    until(lambda: "paused_by" in site.get(f"/v1/flows/{flow}")[1], "the hold")
    held = until(lambda: site.sfc("flows", "list", "--status", "paused", "--json").lines(), "a paused flow")
    assert [(f["flow"], f["status"]) for f in held] == [(flow, "RUNNING")]
    assert "paused by" in site.sfc("flows", "show", flow).out
    site.sfc("flows", "resume", flow, "--json").document()
    assert site.sfc("flows", "stop", flow, "--reason", "enough").out == f"stopped {flow}\n"
    assert site.ended(flow, "ABORTED")["cause"] == "enough"
    refused = site.sfc("flows", "pause", flow)
    assert refused.code == 5
    assert f"the flow {flow} has ended: it is ABORTED" in refused.err
    site.sfc("flows", "redrive", flow, "--input", '{"s": 0}', "--json").document()
    assert site.ended(flow, "SUCCEEDED")["redrives"] == 1
    names = [event.get("name") or event["type"] for event in site.sfc("flows", "history", flow, "--json").lines()]
    told = [n for n in names if n.startswith("Execution")]
    assert told == [f"Execution{n}" for n in ("Started", "Paused", "Resumed", "Aborted", "Redriven", "Succeeded")]


def test_a_paused_blueprint_holds_its_flows(site: Dev) -> None:
    site.deploy(blueprint("held", {"Done": {"Type": "Succeed"}}))
    site.sfc("blueprints", "pause", "held", "--reason", "stocktaking", "--json").document()
    assert site.sfc("blueprints", "show", "held", "--json").document()["status"] == "paused"
    flow = site.start("held")["flow"]
    assert site.ended(flow, "RUNNING")["paused_by"]
    site.sfc("blueprints", "resume", "held", "--json").document()
    site.ended(flow, "SUCCEEDED")


def test_records_become_flows(site: Dev, tmp_path: Path) -> None:
    trigger = {"Id": "orders", "Topic": "orders_in", "FlowId": "$.id"}
    site.deploy(blueprint("topical", {"Done": {"Type": "Succeed"}}, Triggers=[trigger]))
    file = tmp_path / "orders.jsonl"
    file.write_text("".join(f'{{"id": "o{n}"}}\n' for n in range(1200)))
    sent = site.sfc("publish", "orders_in", str(file), "--key", "$.id", "--json").document()
    assert sent == {"topic": "orders_in", "sent": 1200, "without_key": 0, "not_json": 0, "made": False, "triggers": ["topical"]}

    def succeeded() -> bool:
        of = [b for b in json.loads(site.get("/v1/statistics")[1])["blueprints"] if b["blueprint"] == "topical"]
        return bool(of) and of[0]["flows"].get("SUCCEEDED") == 1200

    until(succeeded, "1200 flows to succeed")
    shown = site.sfc("flows", "show", "topical:o7", "--json").document()
    assert shown["origin"]["topic"] == "orders_in"
    first = site.sfc("tail", "orders_in", "--from-beginning", "--limit", "3", "--json").lines()
    assert len(first) == 3
    assert all(json.loads(record["value"])["id"] == record["key"] for record in first)
    assert "topical@1" in site.sfc("stats").out
    assert "blueprints" in site.sfc("stats", "--json").document()
    assert len(site.sfc("flows", "list", "--blueprint", "topical", "--limit", "1000", "--json").lines()) == 1000


def test_an_idempotency_key_starts_one_flow(site: Dev) -> None:
    site.deploy(blueprint("once", {"Done": {"Type": "Succeed"}}))
    answers = [
        site.request("POST", "/v1/blueprints/once/flows?wait=10s", b'{"n": 1}', {"Idempotency-Key": "k-1"}),
        site.request("POST", "/v1/blueprints/once/flows", b'{"n": 2}', {"Idempotency-Key": "k-1"}),
    ]
    assert [status for status, _ in answers] == [200, 202]
    assert {json.loads(body)["flow"] for _, body in answers} == {"once:k-1"}
    site.ended("once:k-1", "SUCCEEDED")
    assert len(json.loads(site.get("/v1/flows?blueprint=once")[1])["flows"]) == 1


def test_sigterm_ends_it_with_zero_and_what_it_kept_is_there_again(tmp_path: Path) -> None:
    kept = str(tmp_path / "kept")
    waits = {"Wait": {"Type": "Wait", "Seconds": 2, "Next": "Done"}, "Done": {"Type": "Succeed"}}
    with dev(SFC_DATA=kept) as before:
        before.deploy(blueprint("kept", waits))
        flow = before.start("kept", {"n": 1})["flow"]
        before.ended(flow, "RUNNING")
        assert before.terminate() == 0
    with dev(SFC_DATA=kept) as after:
        assert after.ended(flow, "SUCCEEDED")["version"] == 1
        assert after.start("kept", {}, "?wait=10s")["status"] == "SUCCEEDED"
        assert after.terminate() == 0
