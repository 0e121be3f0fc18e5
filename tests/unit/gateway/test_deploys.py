"""Saving blueprints and tasks over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from sfc.errors import LogError
from sfc.ports import Partition, TopicSpec

MACHINE = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
TASK = {"Name": "split"}
WITH_TASK = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "task:split", "End": True}}, "Sfc": {"Name": "orders"}}


def triggered(*triggers: dict[str, Any]) -> dict[str, Any]:
    return {**MACHINE, "Sfc": {"Name": "orders", "Triggers": list(triggers)}}


def publish(gateway: Any, topic: str, count: int) -> None:
    producer = gateway.log.producer()
    for n in range(count):
        producer.send(topic, b"{}", partition=n % 2)
    producer.flush()


def offsets(gateway: Any, trigger: str = "in") -> list[int]:
    positions = gateway.log.group_positions(gateway.names.trigger_group("orders", trigger))
    return [positions[at].offset for at in sorted(positions)]


def test_the_content_of_an_older_version_makes_that_current_again_and_no_new_one(http: TestClient) -> None:
    for kind, name, document in (("blueprints", "orders", MACHINE), ("tasks", "split", {"Name": "split"})):
        http.put(f"/v1/{kind}/{name}", json=document)
        http.put(f"/v1/{kind}/{name}", json={**document, "Comment": "edited"})
        back = http.put(f"/v1/{kind}/{name}", json=document)
        assert back.status_code == 200
        assert [back.json()[field] for field in ("version", "created", "changed", "before")] == [1, False, True, 2]
        assert http.get(f"/v1/{kind}/{name}").json()["current"] == 1
    assert [v["version"] for v in http.get("/v1/blueprints/orders/versions").json()["versions"]] == [1, 2]


def test_a_changed_blueprint_is_a_new_version_and_the_same_one_is_not(http: TestClient) -> None:
    first = http.put("/v1/blueprints/orders", json=MACHINE)
    assert (first.status_code, first.json()["version"], first.json()["created"]) == (201, 1, True)
    again = http.put("/v1/blueprints/orders", json={**MACHINE, "Sfc": {"Name": "orders"}})
    assert (again.status_code, again.json()["version"], again.json()["created"]) == (200, 1, False)
    second = http.put("/v1/blueprints/orders", json={**MACHINE, "Comment": "edited"})
    assert (second.status_code, second.json()["version"]) == (201, 2)
    assert [second.json()[field] for field in ("created", "changed", "before")] == [True, True, 1]
    assert [again.json()[field] for field in ("created", "changed", "before")] == [False, False, 1]
    assert [v["version"] for v in http.get("/v1/blueprints/orders/versions").json()["versions"]] == [1, 2]
    assert http.get("/v1/blueprints/orders").json()["document"]["Comment"] == "edited"
    assert "Comment" not in http.get("/v1/blueprints/orders", params={"version": 1}).json()["document"]


def test_a_start_right_after_the_answer_takes_the_new_version(gateway: Any, http: TestClient) -> None:
    for version in range(1, 6):
        assert http.put("/v1/blueprints/orders", json={**MACHINE, "Comment": str(version)}).status_code == 201
        assert http.post("/v1/blueprints/orders/flows", json={}).json()["version"] == version


def test_yaml_is_taken_too_and_what_is_none_is_refused_with_its_line(http: TestClient) -> None:
    yaml = "StartAt: A\nStates:\n  A: {Type: Pass, End: true}\n"
    headers = {"content-type": "application/yaml"}
    assert http.put("/v1/blueprints/orders", content=yaml, headers=headers).status_code == 201
    answer = http.put("/v1/blueprints/orders", content=yaml + "  : : x", headers=headers)
    assert answer.status_code == 400
    assert "orders:4:3: expected a YAML document" in answer.json()["detail"]
    answer = http.put("/v1/blueprints/orders", content="- a", headers=headers)
    assert answer.json()["detail"] == "orders: a document is an object, this is list"
    assert http.put("/v1/tasks/split", content=b"\xff", headers=headers).status_code == 400


def test_all_problems_come_at_once_with_their_pointers(http: TestClient) -> None:
    document = {"StartAt": "Nowhere", "States": {"A": {"Type": "Pass", "Next": "B"}, "C": {"Type": "Nonsense"}}}
    answer = http.put("/v1/blueprints/orders", json=document)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    problems = answer.json()["problems"]
    assert {"/StartAt", "/States/A/Next", "/States/C/Type"} <= {p["pointer"] for p in problems}
    assert all(p["message"] and p["code"] for p in problems)


def test_a_document_of_another_name_is_refused(http: TestClient) -> None:
    answer = http.put("/v1/blueprints/orders", json={**MACHINE, "Sfc": {"Name": "bills"}})
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["pointer"] == "/Sfc/Name"
    assert http.put("/v1/tasks/split", json={"Name": "join"}).json()["problems"][0]["message"].startswith("the address says 'split'")


def test_tasks_and_blueprints_are_deployed_together_or_not_at_all(http: TestClient) -> None:
    both = [{"source": "orders.yaml", "document": WITH_TASK}, {"source": "split.yaml", "document": TASK}]
    answer = http.post("/v1/deploy", json=both)
    assert answer.status_code == 200, answer.text
    assert [(d["kind"], d["name"], d["created"]) for d in answer.json()["deployed"]] == [
        ("blueprint", "orders", True),
        ("task", "split", True),
    ]
    assert http.get("/v1/blueprints/orders").json()["document"]["States"]["A"]["Resource"] == "task:split@1"
    broken = [{"source": "a.yaml", "document": {"Name": "other"}}, {"source": "b.yaml", "document": {"Name": "bad", "TimeoutSeconds": -1}}]
    assert http.post("/v1/deploy", json=broken).status_code == 422
    assert http.get("/v1/tasks/other").status_code == 404
    assert [t["name"] for t in http.get("/v1/tasks").json()["tasks"]] == ["split"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{}", "a deploy must be a list"),
        ("[]", "not an empty one"),
        ('[{"document": 1}]', "entry 0 of a deploy must be"),
        ("[", "a deploy must be JSON"),
    ],
)
def test_a_deploy_that_does_not_fit_is_refused(http: TestClient, body: str, said: str) -> None:
    answer = http.post("/v1/deploy", content=body)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_a_new_trigger_begins_at_the_topics_end_as_of_the_deploy(gateway: Any, http: TestClient) -> None:
    gateway.log.create([TopicSpec("order_created", 2)])
    publish(gateway, "order_created", 5)
    assert http.put("/v1/blueprints/orders", json=triggered({"Id": "in", "Topic": "order_created"})).status_code == 201
    assert offsets(gateway) == [3, 2]
    publish(gateway, "order_created", 2)
    changed = triggered({"Id": "in", "Topic": "order_created", "FlowId": "$.id"})
    assert http.put("/v1/blueprints/orders", json=changed).status_code == 201
    assert offsets(gateway) == [3, 2]  # an edit moves nothing


def test_a_trigger_with_a_new_from_begins_there(gateway: Any, http: TestClient) -> None:
    gateway.log.create([TopicSpec("order_created", 2)])
    publish(gateway, "order_created", 5)
    trigger = {"Id": "in", "Topic": "order_created"}
    for start, expected in (("earliest", [0, 0]), ("2999-01-01T00:00:00Z", [3, 2]), ("2001-01-01T00:00:00Z", [0, 0])):
        assert http.put("/v1/blueprints/orders", json=triggered({**trigger, "From": start})).status_code == 201
        assert offsets(gateway) == expected


def test_a_group_that_has_members_still_is_waited_for(gateway: Any, http: TestClient) -> None:
    gateway.log.create([TopicSpec("order_created", 2)])
    group = gateway.names.trigger_group("orders", "in")
    member = gateway.log.consumer(group, ["order_created"])
    member.take(1, 0.2)
    with pytest.raises(LogError):
        gateway.log.set_group_positions(group, {})
    left: list[bool] = []
    leave, kick = member.close, gateway.outbox_woken

    def learn() -> None:
        if not left:
            left.append(True)
            leave()
        kick()

    with TestClient(gateway.app(kick=learn), base_url="http://127.0.0.1") as other:
        answer = other.put("/v1/blueprints/orders", json=triggered({"Id": "in", "Topic": "order_created"}))
    assert answer.status_code == 201, answer.text
    assert offsets(gateway) == [0, 0]


def test_the_embedded_log_makes_a_missing_topic(gateway: Any, http: TestClient) -> None:
    assert http.put("/v1/blueprints/orders", json=triggered({"Id": "in", "Topic": "order_created"})).status_code == 201
    assert gateway.log.topics()["order_created"] == 2
    assert offsets(gateway) == [0, 0]


def test_on_kafka_a_missing_topic_is_refused_before_anything_is_saved(gateway: Any) -> None:
    with TestClient(gateway.app(embedded=False, bootstrap="b:9092"), base_url="http://127.0.0.1") as http:
        answer = http.put("/v1/blueprints/orders", json=triggered({"Id": "in", "Topic": "order_created"}))
        assert answer.status_code == 422
        (problem,) = answer.json()["problems"]
        assert (problem["code"], problem["pointer"]) == ("topic-missing", "/Sfc/Triggers/0/Topic")
        assert "there is no topic order_created on Kafka at b:9092" in problem["message"]
        assert "kafka-topics.sh --bootstrap-server b:9092 --create --topic order_created --partitions 2" in problem["hint"]
        assert http.get("/v1/blueprints").json()["blueprints"] == []


def test_a_specific_blueprint_gets_its_job_topic(gateway: Any, http: TestClient) -> None:
    specific = {**WITH_TASK, "Sfc": {"Name": "orders", "MessageType": "specific"}}
    assert http.put("/v1/tasks/split", json=TASK).status_code == 201
    assert http.put("/v1/blueprints/orders", json={**specific, "Sfc": {"Name": "orders", "MessageType": "common"}}).status_code == 201
    assert gateway.names.specific_jobs("orders") not in gateway.log.topics()
    assert http.put("/v1/blueprints/orders", json=specific).status_code == 201
    assert gateway.log.topics()[gateway.names.specific_jobs("orders")] == 2
    assert gateway.definitions.program("orders", 2).targets["A"].topic == "t.jobs.orders"


def test_where_no_topic_may_be_made_a_specific_blueprint_without_its_own_is_refused(gateway: Any) -> None:
    document = {**MACHINE, "Sfc": {"Name": "orders", "MessageType": "specific"}}
    with TestClient(gateway.app(create_topics=False), base_url="http://127.0.0.1") as http:
        answer = http.put("/v1/blueprints/orders", json=document)
        assert answer.status_code == 422
        (problem,) = answer.json()["problems"]
        assert (problem["code"], problem["pointer"]) == ("topic-missing", "/Sfc/MessageType")
        assert "the blueprint's job topic" in problem["message"]
        assert "t.jobs.orders" in problem["hint"]
        gateway.log.create([TopicSpec("t.jobs.orders", 2)])
        assert http.put("/v1/blueprints/orders", json=document).status_code == 201


def test_pausing_a_blueprint_is_known_when_it_is_answered(gateway: Any, http: TestClient) -> None:
    http.put("/v1/blueprints/orders", json=MACHINE)
    answer = http.post("/v1/blueprints/orders/pause", json={"reason": "stock"})
    assert (answer.status_code, answer.json()["status"]) == (200, "paused")
    head = gateway.definitions.heads["orders"]
    assert (head.status, head.hold_reason) == ("paused", "stock")
    commands = gateway.log.ends([Partition(gateway.names.commands, n) for n in range(2)])
    assert list(commands.values()) == [1, 1]  # a hold on every shard
    assert http.post("/v1/blueprints/orders/resume").json()["status"] == "enabled"
    assert gateway.definitions.heads["orders"].status == "enabled"
    assert http.post("/v1/blueprints/ordres/pause").json()["hint"] == "Did you mean 'orders'?"


def test_an_edit_that_is_not_published_in_time_is_504(gateway: Any) -> None:
    with TestClient(gateway.app(kick=lambda: None, publish_s=0.1), base_url="http://127.0.0.1") as http:
        answer = http.put("/v1/blueprints/orders", json=MACHINE)
        assert answer.status_code == 504
        assert "is saved, but not yet published" in answer.json()["detail"]
        assert http.get("/v1/blueprints/orders").json()["current"] == 1


@pytest.mark.parametrize("topic", ["state", "definitions", "history", "dead-letters", "commands", "jobs", "task.split"])
def test_no_document_reads_or_writes_a_topic_of_sfcs_own(gateway: Any, http: TestClient, topic: str) -> None:
    own = f"{gateway.names.namespace}.{topic}"
    writing = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": f"topic:{own}", "End": True}}, "Sfc": {"Name": "orders"}}
    mapped = {**WITH_TASK, "Sfc": {"Name": "orders", "Resources": {"task:split": f"topic:{own}"}}}
    correlated = {"Topic": "order_split", "ReplyTopic": own, "Correlate": {"Header": "sfc-job"}}
    found = {}
    for name, document in (("writing", writing), ("triggered", triggered({"Id": "in", "Topic": own})), ("mapped", mapped)):
        answer = http.put("/v1/blueprints/orders", json=document)
        found[name] = (answer.status_code, [(p["code"], p["pointer"]) for p in answer.json()["problems"]])
    for name, kafka in (("jobs", {"Topic": own}), ("replies", correlated)):
        answer = http.put("/v1/tasks/split", json={**TASK, "Kafka": kafka})
        found[name] = (answer.status_code, [(p["code"], p["pointer"]) for p in answer.json()["problems"]])
    assert found == {
        "writing": (422, [("own-topic", "/States/A/Resource")]),
        "triggered": (422, [("own-topic", "/Sfc/Triggers/0/Topic")]),
        "mapped": (422, [("own-topic", "/Sfc/Resources/task:split")]),
        "jobs": (422, [("own-topic", "/Kafka/Topic")]),
        "replies": (422, [("own-topic", "/Kafka/ReplyTopic")]),
    }


def test_a_flow_may_write_to_the_control_topic(gateway: Any, http: TestClient) -> None:
    states = {"A": {"Type": "Task", "Resource": f"topic:{gateway.names.control}", "End": True}}
    assert http.put("/v1/blueprints/orders", json={"StartAt": "A", "States": states}).status_code == 201
