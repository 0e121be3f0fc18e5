"""Holds, statuses, rollback, diff, groups and drafts over HTTP."""

from __future__ import annotations

import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from sfc.client import Client
from sfc.engine.commands import Stop
from sfc.engine.events import ExecutionStarted
from sfc.errors import InvalidDocument, NotPossible
from sfc.ports import TopicSpec
from sfc.wire.history import HistoryRecord, Summary

MACHINE = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
OTHER = {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 1, "Next": "B"}, "B": {"Type": "Pass", "End": True}}}


def put(http: TestClient, name: str, document: dict[str, Any], **section: Any) -> None:
    answer = http.put(f"/v1/blueprints/{name}", json={**document, "Sfc": {"Name": name, **section}})
    assert answer.status_code in (200, 201), answer.text


def running(gateway: Any, blueprint: str, *names: str) -> None:
    """Flows that run, as the index has them."""
    records = [
        HistoryRecord(
            flow=f"{blueprint}:{name}",
            run=1,
            first=1,
            events=[ExecutionStarted(1, 7, 1_000, f"{blueprint}:{name}", blueprint, 1, "h")],
            summary=Summary(blueprint=blueprint, version=1, status="RUNNING", seq=1, started_ms=1_000, updated_ms=1_000),
        )
        for name in names
    ]
    gateway.index.index(records, [], {})


@pytest.fixture
def shop(http: TestClient) -> TestClient:
    """Blueprint ``orders`` with two versions in group shop, and ``bills``."""
    put(http, "orders", MACHINE, Group="shop")
    put(http, "orders", OTHER, Group="shop")
    put(http, "bills", MACHINE, Group="shop")
    return http


@pytest.mark.parametrize(
    ("path", "subject"),
    [("blueprints/orders/versions/1", "version:orders@1"), ("groups/shop", "group:shop"), ("tasks/split", "task:split")],
)
def test_a_hold_is_known_when_it_is_answered(gateway: Any, shop: TestClient, path: str, subject: str) -> None:
    shop.put("/v1/tasks/split", json={})
    answer = shop.post(f"/v1/{path}/pause", json={"reason": "stock", "timers": "run"}, headers={"Sfc-By": "ann"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["subject"], answer.json()["held"], answer.json()["changed"]) == (subject, True, True)
    known = gateway.definitions.holds[subject]
    assert (known.held, known.freeze, known.reason, known.by) == (True, False, "stock", "ann")
    (hold,) = shop.get("/v1/holds").json()["holds"]
    assert (hold["subject"], hold["reason"], hold["freeze"]) == (subject, "stock", False)
    assert shop.post(f"/v1/{path}/pause").json()["changed"] is False
    assert shop.post(f"/v1/{path}/pause", json={"timers": "freeze"}).status_code == 409
    assert shop.post(f"/v1/{path}/resume").json()["held"] is False
    assert gateway.definitions.holds[subject].held is False
    assert shop.get("/v1/holds").json()["holds"] == []


@pytest.mark.parametrize("path", ["blueprints/ordrs", "blueprints/orders/versions/9", "groups/shp", "tasks/splt"])
def test_what_is_not_there_can_be_neither_held_nor_resumed(shop: TestClient, path: str) -> None:
    assert shop.post(f"/v1/{path}/pause").status_code == 404
    assert shop.post(f"/v1/{path}/resume").status_code == 404


@pytest.mark.parametrize(
    "body",
    ['{"timers": "sometimes"}', '{"timers": true}', '{"reason": 3}', '{"why": "x"}', '{"reason": "a\\u0000b"}', "["],
)
def test_a_pause_that_does_not_fit_is_refused(shop: TestClient, body: str) -> None:
    assert shop.post("/v1/groups/shop/pause", content=body).status_code == 400
    assert shop.post("/v1/blueprints/orders/pause", content=body).status_code == 400
    assert shop.get("/v1/holds").json()["holds"] == []


def test_versions_that_no_database_can_count_are_refused(shop: TestClient) -> None:
    for path in ("versions/0/pause", f"versions/{2**31}/pause", "versions/x/resume"):
        assert shop.post(f"/v1/blueprints/orders/{path}").status_code == 422
    assert shop.get("/v1/blueprints/orders", params={"version": 2**63}).status_code == 422
    assert shop.get("/v1/blueprints/orders/diff", params={"to": 2**63}).status_code == 422


def test_a_blueprint_and_a_task_say_what_holds_them(shop: TestClient) -> None:
    shop.put("/v1/tasks/split", json={})
    put(shop, "split", {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "task:split", "End": True}}})
    for path in ("groups/shop", "blueprints/orders/versions/1", "tasks/split", "blueprints/orders"):
        shop.post(f"/v1/{path}/pause", json={"reason": path})

    def holds(path: str) -> list[str]:
        return [h["subject"] for h in shop.get(f"/v1/{path}").json()["holds"]]

    assert holds("blueprints/orders") == ["blueprint:orders", "group:shop", "version:orders@1"]
    assert holds("blueprints/bills") == ["group:shop"]
    assert holds("blueprints/split") == holds("tasks/split") == ["task:split"]
    listed = {b["name"]: [h["subject"] for h in b["holds"]] for b in shop.get("/v1/blueprints").json()["blueprints"]}
    assert listed["orders"] == ["blueprint:orders", "group:shop", "version:orders@1"]
    assert listed["split"] == ["task:split"]


def test_a_blueprints_pause_may_let_its_timers_run(gateway: Any, shop: TestClient) -> None:
    assert shop.post("/v1/blueprints/orders/pause", json={"timers": "run"}).status_code == 200
    assert gateway.definitions.heads["orders"].hold_freeze is False


def test_a_disabled_blueprint_refuses_starts_and_tells_what_still_runs(gateway: Any, shop: TestClient) -> None:
    running(gateway, "orders", "a", "b")
    answer = shop.post("/v1/blueprints/orders/disable").json()
    assert (answer["status"], answer["changed"], answer["running"]) == ("disabled", True, 2)
    assert shop.post("/v1/blueprints/orders/flows").status_code == 409
    assert shop.post("/v1/blueprints/orders/disable").json()["changed"] is False
    assert shop.post("/v1/blueprints/orders/enable").json()["status"] == "enabled"
    assert shop.post("/v1/blueprints/orders/flows").status_code == 202


def test_a_retired_blueprint_is_hidden_and_takes_no_deploys(gateway: Any, shop: TestClient) -> None:
    running(gateway, "orders", "a")
    answer = shop.post("/v1/blueprints/orders/retire").json()
    assert (answer["status"], answer["running"]) == ("retired", 1)
    assert [b["name"] for b in shop.get("/v1/blueprints").json()["blueprints"]] == ["bills"]
    assert [b["name"] for b in shop.get("/v1/blueprints", params={"all": True}).json()["blueprints"]] == ["bills", "orders"]
    assert shop.post("/v1/blueprints/orders/flows").status_code == 409
    assert shop.put("/v1/blueprints/orders", json=MACHINE).json()["problems"][0]["code"] == "retired"
    assert shop.post("/v1/blueprints/orders/resume").status_code == 409
    assert shop.post("/v1/blueprints/orders/rollback").status_code == 409
    assert shop.post("/v1/blueprints/orders/enable").status_code == 200
    assert shop.post("/v1/blueprints/orders/flows").status_code == 202


def test_after_a_rollback_starts_take_the_older_version(shop: TestClient) -> None:
    assert shop.post("/v1/blueprints/orders/flows").json()["version"] == 2
    answer = shop.post("/v1/blueprints/orders/rollback").json()
    assert (answer["version"], answer["before"], answer["changed"]) == (1, 2, True)
    assert shop.post("/v1/blueprints/orders/flows").json()["version"] == 1
    assert shop.post("/v1/blueprints/orders/rollback").status_code == 409
    assert shop.post("/v1/blueprints/orders/rollback", json={"to": 2}).json()["version"] == 2
    assert shop.post("/v1/blueprints/orders/rollback", json={"to": 7}).status_code == 404
    for body in ('{"to": 0}', '{"to": "1"}', '{"to": true}', '{"two": 1}', "[]", '{"to": 99999999999999999999}', '{"to": null}'):
        assert shop.post("/v1/blueprints/orders/rollback", content=body).status_code == 400, body


def test_a_rollback_places_the_triggers_that_come_back(gateway: Any, http: TestClient) -> None:
    gateway.log.create([TopicSpec("order_created", 2)])
    put(http, "orders", MACHINE, Triggers=[{"Id": "in", "Topic": "order_created"}])
    put(http, "orders", OTHER)
    producer = gateway.log.producer()
    for n in range(4):
        producer.send("order_created", b"{}", partition=n % 2)
    producer.flush()
    assert http.post("/v1/blueprints/orders/rollback").status_code == 200
    positions = gateway.log.group_positions(gateway.names.trigger_group("orders", "in"))
    assert [positions[at].offset for at in sorted(positions)] == [2, 2]


def test_on_kafka_a_rollback_to_a_missing_topic_is_refused(gateway: Any, http: TestClient) -> None:
    put(http, "orders", MACHINE, Triggers=[{"Id": "in", "Topic": "gone"}])
    put(http, "orders", OTHER)
    with TestClient(gateway.app(embedded=False, log=_Without(gateway.log, "gone")), base_url="http://127.0.0.1") as other:
        answer = other.post("/v1/blueprints/orders/rollback")
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["code"] == "topic-missing"
    assert http.get("/v1/blueprints/orders").json()["current"] == 2


class _Without:
    """The log without a topic."""

    def __init__(self, log: Any, topic: str) -> None:
        self._log, self._topic = log, topic

    def topics(self) -> dict[str, int]:
        return {name: count for name, count in self._log.topics().items() if name != self._topic}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


def test_two_versions_are_compared(shop: TestClient) -> None:
    found = shop.get("/v1/blueprints/orders/diff").json()
    assert (found["from"], found["to"], found["same"]) == (1, 2, False)
    assert [(s["pointer"], s["change"]) for s in found["states"]] == [("/States/A", "changed"), ("/States/B", "added")]
    assert found["text"].startswith("--- orders@1\n+++ orders@2\n")
    back = shop.get("/v1/blueprints/orders/diff", params={"from": 2, "to": 1}).json()
    assert [s["change"] for s in back["states"]] == ["changed", "removed"]
    same = shop.get("/v1/blueprints/orders/diff", params={"from": 2, "to": 2}).json()
    assert (same["same"], same["text"]) == (True, "")
    assert shop.get("/v1/blueprints/bills/diff").json()["same"] is True
    assert shop.get("/v1/blueprints/orders/diff", params={"from": 9}).status_code == 404
    assert shop.get("/v1/blueprints/ordrs/diff").status_code == 404


def test_a_document_is_compared_before_it_is_deployed(shop: TestClient) -> None:
    document = {**OTHER, "Sfc": {"Group": "store"}}
    found = shop.post("/v1/blueprints/orders/diff", json=document).json()
    assert (found["from"], found["to"]) == (2, None)
    assert found["sfc"] == [{"pointer": "/Sfc/Group", "old": "shop", "new": "store"}]
    older = shop.post("/v1/blueprints/orders/diff", json={**MACHINE, "Sfc": {"Group": "shop"}}).json()
    assert older["to"] == 1
    assert shop.post("/v1/blueprints/orders/diff", json={"StartAt": "A"}).status_code == 422
    assert shop.post("/v1/blueprints/orders/diff", json={**MACHINE, "Sfc": {"Name": "bills"}}).status_code == 422
    assert [v["version"] for v in shop.get("/v1/blueprints/orders/versions").json()["versions"]] == [1, 2]


def test_a_group_tells_what_belongs_to_it(gateway: Any, shop: TestClient) -> None:
    running(gateway, "orders", "a", "b")
    running(gateway, "bills", "c")
    shop.post("/v1/groups/shop/pause", json={"reason": "stock"})
    (group,) = shop.get("/v1/groups").json()["groups"]
    assert group == shop.get("/v1/groups/shop").json()
    assert group["blueprints"] == {"bills": "enabled", "orders": "enabled"}
    assert (group["flows"], group["hold"]["reason"]) == ({"RUNNING": 3}, "stock")
    assert group["versions"] == {"bills": [1], "orders": [1]}
    put(shop, "orders", OTHER)
    group = shop.get("/v1/groups/shop").json()
    assert (list(group["blueprints"]), group["flows"]) == (["bills"], {"RUNNING": 3}), "flows stay in their version's group"
    assert shop.get("/v1/groups/shp").json()["hint"] == "Did you mean 'shop'?"


def test_stopping_a_group_asks_all_its_running_flows(gateway: Any, shop: TestClient) -> None:
    put(shop, "others", MACHINE)
    running(gateway, "orders", "a", "b")
    running(gateway, "bills", "c")
    running(gateway, "others", "d")
    answer = shop.post("/v1/groups/shop/stop", json={"reason": "closed"}, headers={"Sfc-By": "ann"})
    assert (answer.status_code, answer.json()) == (202, {"group": "shop", "asked": 3})
    until_s = time.monotonic() + 30
    while len(gateway.commands) < 3 and time.monotonic() < until_s:
        time.sleep(0.01)
    assert {flow for flow, _ in gateway.commands} == {"orders:a", "orders:b", "bills:c"}
    assert all(command == Stop(None, "closed", "ann") for _, command in gateway.commands)
    assert shop.post("/v1/groups/shp/stop").status_code == 404


def test_a_draft_is_saved_checked_and_deployed(shop: TestClient) -> None:
    saved = shop.put("/v1/drafts/blueprint/new-one", json={"StartAt": "A"}, headers={"Sfc-By": "ann"})
    assert (saved.status_code, saved.json()["by"]) == (200, "ann")
    checked = shop.post("/v1/drafts/blueprint/new-one/validate").json()
    assert checked["valid"] is False
    assert checked["problems"][0]["hint"]
    assert shop.post("/v1/drafts/blueprint/new-one/deploy").status_code == 422
    assert [d["name"] for d in shop.get("/v1/drafts").json()["drafts"]] == ["new-one"]
    shop.put("/v1/drafts/blueprint/new-one", content="StartAt: A\nStates: {A: {Type: Succeed}}\n")
    assert shop.post("/v1/drafts/blueprint/new-one/validate").json() == {"valid": True, "problems": []}
    deployed = shop.post("/v1/drafts/blueprint/new-one/deploy")
    assert (deployed.status_code, deployed.headers["Location"], deployed.json()["version"]) == (201, "/v1/blueprints/new-one", 1)
    assert shop.get("/v1/drafts/blueprint/new-one").status_code == 404
    assert shop.post("/v1/blueprints/new-one/flows").status_code == 202


def test_a_draft_that_can_not_be_kept_is_refused(shop: TestClient) -> None:
    assert shop.put("/v1/drafts/blueprint/x", json=[1]).status_code == 400
    assert shop.put("/v1/drafts/blueprint/x", content="{", headers={"content-type": "application/json"}).status_code == 400
    assert shop.put("/v1/drafts/flow/x", json={}).status_code == 400
    assert shop.put("/v1/drafts/task/X", json={}).status_code == 400
    assert shop.get("/v1/drafts/task/%00").status_code == 400
    assert shop.put("/v1/drafts/task/x", json={"Comment": "x" * 1_100_000}).status_code == 413
    assert shop.delete("/v1/drafts/task/x").status_code == 404


def test_the_client_speaks_of_all_of_it(client: Client) -> None:
    client.put_task("split", {})
    client.put_blueprint("orders", {**MACHINE, "Sfc": {"Group": "shop"}})
    client.put_blueprint("orders", {**OTHER, "Sfc": {"Group": "shop"}})
    assert client.pause_blueprint("orders", "r", version=1, timers="run")["subject"] == "version:orders@1"
    assert client.pause_task("split")["held"] is True
    assert client.pause_group("shop", "r")["held"] is True
    assert [h["subject"] for h in client.holds()] == ["group:shop", "task:split", "version:orders@1"]
    assert [client.resume_blueprint("orders", version=1)["held"], client.resume_task("split")["held"]] == [False, False]
    assert client.resume_group("shop")["held"] is False
    assert client.diff("orders")["to"] == 2
    assert client.diff("orders", 2, 1)["from"] == 2
    assert client.diff_with("orders", MACHINE, 1)["sfc"][0]["pointer"] == "/Sfc/Group"
    assert client.roll_back("orders")["version"] == 1
    assert client.roll_back("orders", 2)["version"] == 2
    assert [client.disable_blueprint("orders")["status"], client.enable_blueprint("orders")["status"]] == ["disabled", "enabled"]
    assert client.retire_blueprint("orders")["status"] == "retired"
    assert client.blueprints() == []
    assert [b["name"] for b in client.blueprints(all=True)] == ["orders"]
    with pytest.raises(NotPossible):
        client.pause_blueprint("orders")
    assert [g["name"] for g in client.groups()] == ["shop"]
    assert client.group("shop")["blueprints"] == {"orders": "retired"}
    assert client.stop_group("shop", "closed")["asked"] == 0
    assert client.put_draft("task", "pay", {"Topic": 1})["name"] == "pay"
    assert client.validate_draft("task", "pay")["valid"] is False
    with pytest.raises(InvalidDocument):
        client.deploy_draft("task", "pay")
    assert client.draft("task", "pay")["document"] == {"Topic": 1}
    client.put_draft("task", "pay", {})
    assert client.deploy_draft("task", "pay")["created"] is True
    client.put_draft("task", "pay", {})
    client.delete_draft("task", "pay")
    assert client.drafts() == []
