"""Each thing that is wrong in a document has a code and a pointer."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.errors import InvalidDocument, Problem
from sfc.registry import Registry


def problems(registry: Registry, document: Any) -> dict[str, Problem]:
    with pytest.raises(InvalidDocument) as caught:
        registry.deploy([("x.yaml", document)])
    return {p.pointer: p for p in caught.value.problems}


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"Name": "Order Split"}, "/Name", "bad-name"),
        ({"Grpc": {}}, "/Grpc", "not-yet"),
        ({"Concurrency": 3}, "/Concurrency", "not-yet"),
        ({"RateLimit": {}}, "/RateLimit", "not-yet"),
        ({"Scale": {}}, "/Scale/Module", "missing-field"),
        ({"Scale": {"Module": "shop.workers", "Min": -1}}, "/Scale/Min", "wrong-value"),
        ({"Scale": {"Module": "shop.workers", "Min": 3, "Max": 2}}, "/Scale/Max", "wrong-value"),
        ({"Scale": {"Module": "shop.workers", "Max": 0}}, "/Scale/Max", "wrong-value"),
        ({"Scale": {"Module": "shop.workers", "Max": 1001}}, "/Scale/Max", "wrong-value"),
        ({"Scale": {"Module": "shop.workers", "LagPerReplica": 0}}, "/Scale/LagPerReplica", "wrong-value"),
        ({"Scale": {"Module": "shop.workers", "LagPerReplica": True}}, "/Scale/LagPerReplica", "wrong-value"),
        ({"Scale": {"Module": "--common"}}, "/Scale/Module", "bad-module"),
        ({"Scale": {"Module": "shop.workers", "Maximum": 2}}, "/Scale/Maximum", "unknown-field"),
        ({"Scale": {"Module": "shop.workers"}, "Http": {"Url": "http://shop/split"}}, "/Scale", "one-of"),
        ({"Input": {}}, "/Input", "not-yet"),
        ({"Output": {}}, "/Output", "not-yet"),
        ({"Timeoutseconds": 3}, "/Timeoutseconds", "unknown-field"),
        ({"TimeoutSeconds": 0}, "/TimeoutSeconds", "wrong-value"),
        ({"TimeoutSeconds": True}, "/TimeoutSeconds", "wrong-value"),
        ({"TimeoutSeconds": 5, "HeartbeatSeconds": 5}, "/HeartbeatSeconds", "wrong-value"),
        ({"Delivery": "twice"}, "/Delivery", "wrong-value"),
        ({"Comment": 3}, "/Comment", "wrong-type"),
        ({"Retry": [{"ErrorEquals": ["x"], "MaxAttempts": -1}]}, "/Retry/0/MaxAttempts", None),
        ({"Kafka": {"Topic": "a"}, "Http": {"Url": "http://x/"}}, "/Http", "one-of"),
        ({"Kafka": "a"}, "/Kafka", "wrong-type"),
        ({"Kafka": {}}, "/Kafka/Topic", "missing-field"),
        ({"Kafka": {"Topic": "a b"}}, "/Kafka/Topic", "bad-topic"),
        ({"Kafka": {"Topic": "a", "ReplyTopic": "a", "Correlate": "Key"}}, "/Kafka/ReplyTopic", "same-topic"),
        ({"Kafka": {"Topic": "a", "ReplyTopic": "b"}}, "/Kafka/Correlate", "missing-field"),
        ({"Kafka": {"Topic": "a", "Correlate": "Key"}}, "/Kafka/ReplyTopic", "missing-field"),
        ({"Kafka": {"Topic": "a", "ReplyTopic": "b", "Correlate": {"Path": "$.id"}}}, "/Kafka/Correlate/Path", "not-yet"),
        ({"Kafka": {"Topic": "a", "ReplyTopic": "b", "Correlate": {"Header": 3}}}, "/Kafka/Correlate/Header", "wrong-type"),
        ({"Kafka": {"Topic": "a", "ReplyTopic": "b", "Correlate": "Body"}}, "/Kafka/Correlate", "wrong-value"),
        ({"Kafka": {"Topic": "a", "ConsumerGroup": ""}}, "/Kafka/ConsumerGroup", "wrong-type"),
        ({"Http": {}}, "/Http/Url", "missing-field"),
        ({"Http": {"Url": "ftp://x/"}}, "/Http/Url", "bad-url"),
        ({"Http": {"Url": "http://[x"}}, "/Http/Url", "bad-url"),
        ({"Http": {"Url": "http://x/", "Method": "FETCH"}}, "/Http/Method", "wrong-value"),
        ({"Http": {"Url": "http://x/", "Headers": {"a/b": 3}}}, "/Http/Headers/a~1b", "wrong-type"),
        ({"Http": {"Url": "http://x/", "Headers": []}}, "/Http/Headers", "wrong-type"),
        ({"Http": {"Url": "http://x/", "Success": ["2xx", "abc"]}}, "/Http/Success/1", "wrong-value"),
        ({"Http": {"Url": "http://x/", "RetryOn": 429}}, "/Http/RetryOn", "wrong-type"),
    ],
)
def test_a_task_is_refused(registry: Registry, fields: dict[str, Any], pointer: str, code: str | None) -> None:
    found = problems(registry, {"Name": "split", **fields})
    assert list(found) == [pointer]
    assert code is None or found[pointer].code == code


def test_a_whole_task_is_taken(registry: Registry) -> None:
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}]
    kafka = {"Topic": "a", "ConsumerGroup": "g", "ReplyTopic": "b", "Correlate": {"Header": "sfc-job"}}
    common = {"Comment": "c", "TimeoutSeconds": 30, "HeartbeatSeconds": 10, "Retry": retry, "Delivery": "at-least-once"}
    http = {"Url": "https://x.example/y", "Method": "POST", "Headers": {"a": "b"}, "Success": ["2xx", 304], "RetryOn": [429, "5xx"]}
    registry.deploy([("a", {"Name": "a", "Kafka": kafka, **common}), ("b", {"Name": "b", "Http": http, **common})])
    assert registry.task("a").document["Kafka"] == kafka


@pytest.mark.parametrize(
    ("section", "pointer", "code"),
    [
        (None, "/Sfc", "missing-field"),
        ([], "/Sfc", "wrong-type"),
        ({}, "/Sfc/Name", "missing-field"),
        ({"Name": "-x"}, "/Sfc/Name", "bad-name"),
        ({"Name": "x" * 64}, "/Sfc/Name", "bad-name"),
        ({"Group": "A"}, "/Sfc/Group", "bad-name"),
        ({"MessageType": "comon"}, "/Sfc/MessageType", "wrong-value"),
        ({"Input": {}}, "/Sfc/Input", "not-yet"),
        ({"Scale": {"Max": 2}}, "/Sfc/Scale", "one-of"),
        ({"MessageType": "specific", "Scale": {"Max": "2"}}, "/Sfc/Scale/Max", "wrong-value"),
        ({"Retention": {"Failed": "14 days"}}, "/Sfc/Retention/Failed", "bad-duration"),
        ({"Retention": {"Idz": "P1D"}}, "/Sfc/Retention/Idz", "unknown-field"),
        ({"Triggers": {}}, "/Sfc/Triggers", "wrong-type"),
        ({"Triggers": [{"Topic": "t"}]}, "/Sfc/Triggers/0/Id", "missing-field"),
        ({"Triggers": [{"Id": "a"}]}, "/Sfc/Triggers/0/Topic", "missing-field"),
        ({"Triggers": [{"Id": "a", "Topic": ""}]}, "/Sfc/Triggers/0/Topic", "bad-topic"),
        ({"Triggers": [{"Id": "a", "Topic": "t"}, {"Id": "a", "Topic": "t"}]}, "/Sfc/Triggers/1/Id", "twice"),
        ({"Triggers": [{"Id": "a", "Topic": "t", "FlowId": "$.["}]}, "/Sfc/Triggers/0/FlowId", "bad-expression"),
        ({"Triggers": [{"Id": "a", "Topic": "t", "FlowId": 3}]}, "/Sfc/Triggers/0/FlowId", "wrong-type"),
        ({"Triggers": [{"Id": "a", "Topic": "t", "When": "$.a =="}]}, "/Sfc/Triggers/0/When", "bad-expression"),
        ({"Triggers": [{"Id": "a", "Topic": "t", "From": "yesterday"}]}, "/Sfc/Triggers/0/From", "wrong-value"),
        ({"Triggers": [{"Id": "a", "Topic": "t", "From": "2026-01-01T00:00:00"}]}, "/Sfc/Triggers/0/From", "wrong-value"),
        ({"Triggers": [{"Id": "a", "Topic": "t", "TimeZone": "UTC"}]}, "/Sfc/Triggers/0/TimeZone", "unknown-field"),
        ({"Triggers": [{"Id": "a", "Topic": "t", "CatchUp": "one"}]}, "/Sfc/Triggers/0/CatchUp", "unknown-field"),
        ({"Triggers": [{"Id": "a", "Schedule": "0 3 * * *", "Topic": "t"}]}, "/Sfc/Triggers/0/Topic", "unknown-field"),
        ({"Triggers": [{"Id": "a", "Schedule": "0 3 * *"}]}, "/Sfc/Triggers/0/Schedule", "bad-schedule"),
        ({"Triggers": [{"Id": "a", "Schedule": 3}]}, "/Sfc/Triggers/0/Schedule", "wrong-type"),
        ({"Triggers": [{"Id": "a", "Schedule": "0 3 * * *", "TimeZone": "Shanghai"}]}, "/Sfc/Triggers/0/TimeZone", "bad-time-zone"),
        ({"Triggers": [{"Id": "a", "Schedule": "0 3 * * *", "TimeZone": 8}]}, "/Sfc/Triggers/0/TimeZone", "wrong-type"),
        ({"Triggers": [{"Id": "a", "Schedule": "0 3 * * *", "CatchUp": "al"}]}, "/Sfc/Triggers/0/CatchUp", "wrong-value"),
        ({"Triggers": [{"Id": "a", "Schedule": "0 3 * * *", "Input": "x" * 262_144}]}, "/Sfc/Triggers/0/Input", "too-large"),
        ({"Triggers": [{"Schedule": "0 3 * * *"}]}, "/Sfc/Triggers/0/Id", "missing-field"),
        ({"Resources": []}, "/Sfc/Resources", "wrong-type"),
        ({"Resources": {"arn:x/y": "arn:z"}}, "/Sfc/Resources/arn:x~1y", "unknown-resource"),
    ],
)
def test_a_section_is_refused(registry: Registry, section: Any, pointer: str, code: str) -> None:
    document: dict[str, Any] = {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}
    if section is not None:
        whole = section in ([], {}) or not isinstance(section, dict)
        document["Sfc"] = section if whole else {"Name": "order", **section}
    found = problems(registry, document)
    assert list(found) == [pointer]
    assert found[pointer].code == code


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        ("task:nope", "unknown-task"),
        ("task:split@2", "unknown-version"),
        ("task:split@x", "unknown-version"),
        ("task:", "bad-name"),
        ("topic:", "bad-topic"),
        ("topic:a b", "bad-topic"),
        ("https:", "bad-url"),
        ("blueprint:other", "unknown-blueprint"),
        ("blueprint:order", "own-blueprint"),
        ("blueprint:order@1", "unknown-version"),
        ("blueprint:Other", "bad-name"),
        ("signal:", "bad-name"),
        ("sfc:log", "not-yet"),
        ("grpc:x", "not-yet"),
        ("arn:aws:lambda:x", "unknown-resource"),
    ],
)
def test_a_resource_that_leads_nowhere_is_refused(registry: Registry, documents: Any, resource: str, code: str) -> None:
    registry.deploy([documents.task()])
    found = problems(registry, documents.blueprint(resource=resource)[1])
    assert {p: f.code for p, f in found.items()} == {"/States/Split/Resource": code}
    assert found["/States/Split/Resource"].hint or code in ("bad-topic", "bad-url", "bad-name")


S3 = "arn:aws:states:::s3:getObject"


def reading(reader: dict[str, Any], resources: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    processor = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    each = {"Type": "Map", "ItemReader": reader, "ItemProcessor": processor, "End": True, **fields}
    inner = {"Type": "Parallel", "Branches": [{"StartAt": "Each", "States": {"Each": each}}], "End": True}
    return {"StartAt": "A", "States": {"A": inner}, "Sfc": {"Name": "order", "Resources": resources or {}}}


READER_AT = "/States/A/Branches/0/States/Each/ItemReader"


@pytest.mark.parametrize(
    ("reader", "resources", "pointer", "code"),
    [
        ({"Resource": "arn:aws:states:::s3:listObjectsV2"}, {}, f"{READER_AT}/Resource", "unknown-resource"),
        ({"Resource": "task:split"}, {}, f"{READER_AT}/Resource", "unknown-resource"),
        ({"Resource": S3}, {S3: "task:split"}, f"/Sfc/Resources/{S3}", "unknown-resource"),
        ({"Resource": "topic:a b"}, {}, f"{READER_AT}/Resource", "bad-topic"),
        ({"Resource": "https:x y"}, {}, f"{READER_AT}/Resource", "bad-url"),
        ({"Resource": S3}, {S3: "https:x y"}, f"/Sfc/Resources/{S3}", "bad-url"),
        ({"Resource": "file:x", "ReaderConfig": {"InputType": "PARQUET"}}, {}, f"{READER_AT}/ReaderConfig/InputType", "not-yet"),
        ({"Resource": "topic:x", "ReaderConfig": {"InputType": "CSV"}}, {}, f"{READER_AT}/ReaderConfig/InputType", "bad-value"),
    ],
)
def test_an_item_reader_that_reads_nothing_is_refused(
    registry: Registry, reader: dict[str, Any], resources: dict[str, str], pointer: str, code: str
) -> None:
    found = problems(registry, reading(reader, resources))
    assert {p: f.code for p, f in found.items()} == {pointer: code}
    assert found[pointer].hint or code in ("bad-topic", "bad-url")


def codes(found: dict[str, Any], at: str) -> dict[str, str]:
    """By pointer below a place."""
    return {pointer.removeprefix(at): problem.code for pointer, problem in found.items()}


@pytest.mark.parametrize(
    ("reader", "pointer", "code"),
    [
        ({"ReaderConfig": {"MaxItems": -1}}, "/ReaderConfig/MaxItems", "out-of-range"),
        ({"ReaderConfig": {"ItemsPointer": "orders"}}, "/ReaderConfig/ItemsPointer", "bad-value"),
        ({"ReaderConfig": {"InputType": "CSV", "CSVHeaders": ["a", "b", "a"]}}, "/ReaderConfig/CSVHeaders/2", "twice"),
        ({"Parameters": {"Bucket": 7}}, "/Parameters/Bucket", "wrong-type"),
        ({"Parameters": {"Key": ""}}, "/Parameters/Key", "wrong-type"),
        ({"Parameters": {"Key": "a/../b"}}, "/Parameters/Key", "bad-value"),
        ({"Parameters": {"Prefix.$": "$.p"}}, "/Parameters/Prefix.$", "unknown-field"),
        ({"Parameters": []}, "/Parameters", "wrong-type"),
        ({"Resource": "topic:x", "Parameters": {"Key": "a"}}, "/Parameters/Key", "unknown-field"),
        ({"Resource": "topic:x", "Parameters": {"Partition": -1}}, "/Parameters/Partition", "wrong-value"),
        ({"Resource": "topic:x", "Parameters": {"Partition": "1"}}, "/Parameters/Partition", "wrong-value"),
        ({"Resource": "topic:x", "Parameters": {"From": "2026-01-31"}}, "/Parameters/From", "wrong-value"),
        ({"Resource": "topic:x", "Parameters": {"To": "2026-01-31T08:00:00"}}, "/Parameters/To", "wrong-value"),
        ({"Resource": "topic:x", "Parameters": {"To": -2}}, "/Parameters/To", "wrong-value"),
    ],
)
def test_a_constant_by_which_a_reader_would_fail_is_refused(registry: Registry, reader: dict[str, Any], pointer: str, code: str) -> None:
    found = problems(registry, reading({"Resource": "file:x", **reader}))
    assert codes(found, READER_AT) == {pointer: code}
    assert "expected" in found[f"{READER_AT}{pointer}"].message or found[f"{READER_AT}{pointer}"].hint


@pytest.mark.parametrize(
    ("writer", "pointer", "code"),
    [
        ({"Parameters": {"Key": "a"}}, "/Parameters/Key", "unknown-field"),
        ({"Parameters": {"Bucket": ["b"]}}, "/Parameters/Bucket", "wrong-type"),
        ({"Parameters": {"Prefix": ".."}}, "/Parameters/Prefix", "bad-value"),
        ({"Resource": "topic:x", "Parameters": {"Prefix": "a"}}, "/Parameters/Prefix", "unknown-field"),
    ],
)
def test_a_constant_by_which_a_writer_would_fail_is_refused(registry: Registry, writer: dict[str, Any], pointer: str, code: str) -> None:
    found = problems(registry, reading({"Resource": "file:x"}, ResultWriter={"Resource": "file:", **writer}))
    assert codes(found, WRITER_AT) == {pointer: code}


def test_all_that_is_wrong_with_a_reader_and_a_writer_is_said_at_once(registry: Registry) -> None:
    config = {"InputType": "PARQUET", "Transformation": "LOAD_AND_FLATTEN", "MaxItems": -1, "CSVDelimiter": "DOT"}
    reader = {"Resource": "task:split", "ReaderConfig": config, "Parameters": {"Bucket": 7, "Other": 7}}
    writer = {"Resource": "task:split", "WriterConfig": {"OutputType": "XML"}}
    wanted = ("/Resource", "/Parameters/Bucket", *(f"/ReaderConfig/{field}" for field in config))
    assert problems(registry, reading(reader, ResultWriter=writer)).keys() == {
        *(f"{READER_AT}{below}" for below in wanted), f"{WRITER_AT}/Resource", f"{WRITER_AT}/WriterConfig/OutputType"
    }  # fmt: skip


@pytest.mark.parametrize(
    "reader",
    [
        {"Parameters": {"Bucket": "b", "Key.$": "$.key"}, "ReaderConfig": {"MaxItems": 0, "ItemsPointer": "/a"}},
        {"Parameters": {"Bucket": None}},
        {"Resource": "topic:x", "Parameters": {"From": 7, "To": "2026-01-31T08:00:00Z", "Partition": 0}},
        {"Resource": "topic:x", "Parameters": {"From.$": "$.from"}},
    ],
)
def test_constants_that_a_reader_takes_and_paths_are_let_through(registry: Registry, reader: dict[str, Any]) -> None:
    registry.deploy([("d", reading({"Resource": "file:x", **reader}))])


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        ("{% $states.input %}", None),
        ({"Bucket": "{% $states.input.b %}", "Key": "k"}, None),
        ({"Bucket": 7}, "/Arguments/Bucket"),
        ({"Prefix": "{% $states.input.b %}"}, "/Arguments/Prefix"),
        (["b"], "/Arguments"),
    ],
)
def test_arguments_in_jsonata_are_judged_where_they_are_constants(registry: Registry, arguments: Any, pointer: str | None) -> None:
    document = reading({"Resource": "file:x", "Arguments": arguments}, QueryLanguage="JSONata")
    if pointer is None:
        registry.deploy([("d", document)])
    else:
        assert problems(registry, document).keys() == {f"{READER_AT}{pointer}"}


@pytest.mark.parametrize("source", ["file:", "file:orders.json", "https://x.example/y", "topic:orders"])
def test_an_item_reader_that_reads_something_is_taken(registry: Registry, source: str) -> None:
    registry.deploy([("direct", reading({"Resource": source}))])
    registry.deploy([("mapped", reading({"Resource": S3}, {S3: source}))])


def test_what_an_item_reader_and_a_task_both_name_must_suit_both(registry: Registry) -> None:
    document = reading({"Resource": S3}, {S3: "file:x"})
    document["States"]["A"] = {**document["States"]["A"], "Next": "B"}
    del document["States"]["A"]["End"]
    document["States"]["B"] = {"Type": "Task", "Resource": S3, "End": True}
    assert [f.code for f in problems(registry, document).values()] == ["unknown-resource"]


WRITER_AT = "/States/A/Branches/0/States/Each/ResultWriter"
TO_S3 = "arn:aws:states:::s3:putObject"


@pytest.mark.parametrize(
    ("writer", "resources", "pointer", "code"),
    [
        ({"Resource": S3}, {}, f"{WRITER_AT}/Resource", "unknown-resource"),
        ({"Resource": "task:split"}, {}, f"{WRITER_AT}/Resource", "unknown-resource"),
        ({"Resource": TO_S3}, {TO_S3: "task:split"}, f"/Sfc/Resources/{TO_S3}", "unknown-resource"),
        ({"Resource": "topic:a b"}, {}, f"{WRITER_AT}/Resource", "bad-topic"),
        ({"Resource": "https:x y"}, {}, f"{WRITER_AT}/Resource", "bad-url"),
        ({"Resource": "topic:x", "WriterConfig": {"OutputType": "JSON"}}, {}, f"{WRITER_AT}/WriterConfig/OutputType", "bad-value"),
        ({"WriterConfig": {"Transformation": "NONE"}}, {}, f"{WRITER_AT}/WriterConfig/Transformation", "not-yet"),
    ],
)
def test_a_result_writer_that_writes_nothing_is_refused(
    registry: Registry, writer: dict[str, Any], resources: dict[str, str], pointer: str, code: str
) -> None:
    found = problems(registry, reading({"Resource": "file:x"}, resources, ResultWriter=writer))
    assert {p: f.code for p, f in found.items()} == {pointer: code}
    assert found[pointer].hint or code in ("bad-topic", "bad-url")


@pytest.mark.parametrize("sink", ["file:", "file:out", "https://x.example/y", "topic:shipped", "s3://b/out", "gs:", TO_S3])
def test_a_result_writer_that_writes_something_is_taken(registry: Registry, sink: str) -> None:
    registry.deploy([("direct", reading({"Resource": S3}, ResultWriter={"Resource": sink}))])
    registry.deploy([("mapped", reading({"Resource": S3}, {TO_S3: sink}, ResultWriter={"Resource": TO_S3}))])
    registry.deploy([("shaped", reading({"Resource": S3}, ResultWriter={"WriterConfig": {"Transformation": "FLATTEN"}}))])


@pytest.mark.parametrize("resource", ["task:split", "task:split@1", "topic:audit", "http://x.example/", "https://x.example/y?z=1"])
def test_a_resource_that_leads_somewhere_is_taken(registry: Registry, documents: Any, resource: str) -> None:
    registry.deploy([documents.task(), documents.blueprint(resource=resource)])


def test_problems_of_the_language_and_of_the_section_come_together(registry: Registry) -> None:
    document = {"StartAt": "B", "States": {"A": {"Type": "Succeed", "Extra": 1}}, "Sfc": {"Nam": "x"}}
    found = problems(registry, document)
    assert {"/StartAt", "/States/A/Extra", "/Sfc/Nam", "/Sfc/Name"} <= set(found)


def test_two_branches_must_not_await_replies_that_only_the_key_tells_apart(registry: Registry, documents: Any) -> None:
    kafka = {"Topic": "a", "ReplyTopic": "b", "Correlate": "Key"}

    def machine(name: str) -> dict[str, Any]:
        return {"StartAt": name, "States": {name: {"Type": "Task", "Resource": "task:split", "End": True}}}

    both = {"Type": "Parallel", "Branches": [machine("One"), machine("Two")], "End": True}
    document = {"StartAt": "Both", "States": {"Both": both}, "Sfc": {"Name": "order"}}
    registry.deploy([documents.task(Kafka=kafka)])
    found = problems(registry, document)
    assert {p: f.code for p, f in found.items()} == {"/States/Both/Branches/1/States/Two/Resource": "two-by-key"}
    registry.deploy([documents.task(Kafka={**kafka, "Correlate": {"Header": "sfc-job"}}), ("order.yaml", document)])


def test_what_is_no_document_is_refused(registry: Registry) -> None:
    assert problems(registry, {"Foo": 1})[""].code == "unknown-kind"
    assert problems(registry, [1])[""].code == "wrong-type"
    assert problems(registry, {"Name": "a", "Comment": {1, 2}})[""].code == "not-json"
    assert problems(registry, {"Name": "a", "Comment": float("nan")})[""].code == "not-json"
    assert problems(registry, {"Name": "a", "Comment": "x" * 1_100_000})[""].code == "too-large"
