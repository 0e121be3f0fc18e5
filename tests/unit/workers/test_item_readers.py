"""Jobs of ItemReaders: files, URLs and topics, in each format; what leads elsewhere is refused."""

from __future__ import annotations

import json
import os
from typing import Any

import httpx
import pytest
from sfc_workers import item_readers
from sfc_workers.item_readers import ITEM_BYTES_MAX
from sfc_workers.tasks import TaskError

from sfc.ports import TopicSpec
from tests.unit.workers.item_site import CSV, FAILED, LIMIT, Answer, Site, put


@pytest.mark.parametrize(
    ("content", "config", "expected"),
    [
        ("a,b\n1,x\n2,y\n", {}, [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]),
        ("a,b\n1\n,\n", {}, [{"a": "1", "b": ""}, {"a": "", "b": ""}]),
        ("a,b\n1,2,3,4\n", {}, [{"a": "1", "b": "2"}]),
        ('a,b\n"1,5","say ""no""\nthen go"\n', {}, [{"a": "1,5", "b": 'say "no"\nthen go'}]),
        ("1,x\n2,y\n", {"CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a", "b"]}, [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]),
        ("a|b\r\n1|x\r\n", {"CSVDelimiter": "PIPE"}, [{"a": "1", "b": "x"}]),
        ("a;b\n1;x\n", {"CSVDelimiter": "SEMICOLON"}, [{"a": "1", "b": "x"}]),
        ("a\tb\n1\tx\n", {"CSVDelimiter": "TAB"}, [{"a": "1", "b": "x"}]),
        ("a b\n1 x\n", {"CSVDelimiter": "SPACE"}, [{"a": "1", "b": "x"}]),
        ("\ufeffa,b\n\n1,ü\n", {}, [{"a": "1", "b": "ü"}]),
        ("a,b\n", {}, []),
        ("", {}, []),
        ("a\n1\n2\n3\n", {"MaxItems": 2}, [{"a": "1"}, {"a": "2"}]),
        ("a\n1\n2\n3\n", {"MaxItems": 0}, [{"a": "1"}, {"a": "2"}, {"a": "3"}]),
    ],
)
def test_csv_is_texts_under_the_names_of_the_columns(site: Site, paged: None, content: str, config: dict[str, Any], expected: Any) -> None:
    put(site, "rows.csv", content)
    assert site.read("file:rows.csv", config={**CSV, **config}) == expected


@pytest.mark.parametrize(
    ("content", "config", "cause"),
    [
        ("a,b,a\n1,2,3\n", {}, "each column needs a name of its own: 'a' is there more than once"),
        ("1\n", {"CSVHeaderLocation": "GIVEN", "CSVHeaders": ["x", "x"]}, "'x' is there more than once"),
        ("a\n1\n", {"MaxItems": -1}, "MaxItems must be 0 or more, it is -1"),
        (b"a\n\xff\n", {}, "CSV in UTF-8 was expected"),
    ],
)
def test_wrong_csv_fails_the_reader(site: Site, content: str | bytes, config: dict[str, Any], cause: str) -> None:
    put(site, "rows.csv", content)
    error, said = site.read("file:rows.csv", config={**CSV, **config})
    assert error == FAILED
    assert cause in said


@pytest.mark.parametrize(
    ("content", "config", "expected"),
    [
        ('[1, "a", {"b": null}]', {}, [1, "a", {"b": None}]),
        ("[1, 2, 3]", {"MaxItems": 2}, [1, 2]),
        ('{"data": {"a/b": [[7]]}}', {"ItemsPointer": "/data/a~1b/0"}, [7]),
        ("\ufeff[]", {}, []),
        ('1\n\n{"a": 2}\r\n"x"', {"InputType": "JSONL"}, [1, {"a": 2}, "x"]),
        ("1\n2\nnot read", {"InputType": "JSONL", "MaxItems": 2}, [1, 2]),
        ("[12345678901234567890123]", {}, [12345678901234567890123]),
    ],
)
def test_json_and_json_lines(site: Site, paged: None, content: str, config: dict[str, Any], expected: Any) -> None:
    put(site, "items", content)
    assert site.read("file:items", config=config) == expected


@pytest.mark.parametrize(
    ("content", "config", "cause"),
    [
        ('{"a": []}', {}, "an array of items was expected in the content, an object came"),
        ('{"a": 1}', {"ItemsPointer": "/b"}, "the ItemsPointer /b finds nothing: there is no 'b'"),
        ("[1, ", {}, "the content is not JSON"),
        ("1\n{\n", {"InputType": "JSONL"}, "line 2 is not JSON"),
        ("[NaN]", {}, "the content is not JSON"),
        (b'["\xff"]', {}, "the content is not JSON"),
        ("[]", {"InputType": "PARQUET"}, "InputType PARQUET is not yet supported"),
    ],
)
def test_wrong_json_fails_the_reader(site: Site, content: str | bytes, config: dict[str, Any], cause: str) -> None:
    put(site, "items", content)
    error, said = site.read("file:items", config=config)
    assert error == FAILED
    assert cause in said


def test_many_items_come_in_pages(site: Site) -> None:
    items = [{"n": n, "fill": "x" * 1_000} for n in range(1_000)]
    put(site, "items", json.dumps(items, indent=1))
    pages = site.pages("file:items")
    assert len(pages) > 5
    assert all(len(json.dumps(p)) <= 140_000 for p in pages)
    assert [item for p in pages for item in p["Items"]] == items
    put(site, "numbers", json.dumps(list(range(2_500))))
    assert [len(p["Items"]) for p in site.pages("file:numbers")] == [1_000, 1_000, 500]


def test_a_page_has_whole_batches_where_they_fit(site: Site) -> None:
    put(site, "numbers", json.dumps(list(range(2_500))))
    assert [len(p["Items"]) for p in site.pages("file:numbers", Batch=300)] == [900, 900, 700]
    put(site, "items", json.dumps(["x" * 1_000] * 400))
    assert [len(p["Items"]) for p in site.pages("file:items", Batch=50)] == [100, 100, 100, 100]
    assert [len(p["Items"]) for p in site.pages("file:items", Batch=200)] == [200, 200], "a page may be larger for a batch"
    assert sum(len(p["Items"]) for p in site.pages("file:items", Batch=400)) == 400


@pytest.mark.parametrize("kind", ["JSON", "JSONL", "CSV"])
def test_a_file_that_changes_between_its_pages_fails_the_reader(site: Site, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(item_readers, "PAGE_ITEMS_MAX", 1)
    content = {"JSON": "[1, 2, 3]", "JSONL": "1\n2\n3\n", "CSV": "a\n1\n2\n"}[kind]
    put(site, "items", content)
    first = site.page("file:items", InputType=kind)
    assert len(first["Items"]) == 1
    put(site, "items", content + " ")
    with pytest.raises(TaskError, match="it was written to meanwhile") as raised:
        site.page("file:items", InputType=kind, Cursor=first["Next"])
    assert raised.value.error == FAILED


def test_a_url_is_fetched_once_for_its_pages_and_again_by_another_worker(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_readers, "PAGE_ITEMS_MAX", 2)
    asked: list[str] = []
    content = "[1, 2, 3, 4, 5]"

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, text=content)

    site.answer = answer
    first = site.page("https://s.example/x")
    second = site.page("https://s.example/x", Cursor=first["Next"])
    assert (first["Items"], second["Items"], len(asked)) == ([1, 2], [3, 4], 1)
    site.anew()
    assert site.page("https://s.example/x", Cursor=second["Next"]) == {"Items": [5], "Next": None}
    assert len(asked) == 2
    content = "[1, 2, 3, 4, 5, 6]"
    site.anew()
    with pytest.raises(TaskError, match="it was written to meanwhile"):
        site.page("https://s.example/x", Cursor=first["Next"])


def test_what_may_go_better_is_tried_again(site: Site) -> None:
    answers = [httpx.Response(503), httpx.Response(429), httpx.Response(200, text="[1]")]
    site.answer = lambda request: answers.pop(0)
    assert site.page("https://s.example/x")["Items"] == [1]
    answers = [httpx.Response(503)] * 3
    assert "503 came" in site.read("https://s.example/x")[1]
    assert answers == []


def test_an_item_as_large_as_a_payload_may_be_fits_a_portion_of_its_own(site: Site) -> None:
    large = "x" * (ITEM_BYTES_MAX - 2)
    put(site, "items", json.dumps([1, large, 2]))
    assert site.read("file:items") == [1, large, 2]
    put(site, "items", json.dumps([large + "x"]))
    assert site.read("file:items")[0] == LIMIT


def test_more_than_a_flow_could_keep_is_read(site: Site) -> None:
    put(site, "items", "\n".join(['"' + "x" * 100_000 + '"'] * 40))
    assert len(site.read("file:items", InputType="JSONL")) == 40
    assert len(site.read("file:items", InputType="JSONL", MaxItems=20)) == 20


def test_an_item_nested_too_deep_is_refused(site: Site) -> None:
    put(site, "items", "[" + "[" * 197 + "]" * 197 + "]")
    assert site.read("file:items")[0] == LIMIT


def test_bucket_and_key_lead_below_the_resource(site: Site) -> None:
    put(site, "exports/b/2026/k.json", "[1]")
    assert site.read("file:exports/", {"Bucket": "b", "Key": "2026/k.json"}) == [1]
    assert site.read("file:", {"Bucket": "exports", "Key": "b/2026/k.json"}) == [1]
    assert site.read(f"file://{site.folder}/exports/b/2026/k.json") == [1], "the whole path of what is in the folder"


@pytest.mark.parametrize(
    ("resource", "parameters"),
    [
        ("file:../secret.json", {}),
        ("file:sub/../../secret.json", {}),
        ("file:/etc/passwd", {}),
        ("file:///etc/passwd", {}),
        ("file://elsewhere/etc/passwd", {}),
        ("file:link.json", {}),
        ("file:folder-link/secret.json", {}),
        ("file:", {"Key": "../secret.json"}),
        ("file:", {"Bucket": "..", "Key": "secret.json"}),
        ("file:sub", {"Key": "./../secret.json"}),
        ("file:", {"Key": "a\0b"}),
        ("file:", {"Key": ["secret.json"]}),
        ("file:", {"Key": ""}),
        ("file:", {"Prefix": "x"}),
        ("file:", ["x"]),
        ("file:", {}),
        ("file:pipe", {}),
        ("file:nowhere.json", {}),
    ],
)
def test_nothing_outside_the_folder_is_read(site: Site, resource: str, parameters: Any) -> None:
    assert site.folder is not None
    (site.folder.parent / "secret.json").write_text('["secret"]')
    (site.folder / "link.json").symlink_to(site.folder.parent / "secret.json")
    (site.folder / "folder-link").symlink_to(site.folder.parent)
    (site.folder / "sub").mkdir()
    os.mkfifo(site.folder / "pipe")
    error, cause = site.read(resource, parameters)
    assert error == FAILED
    assert "secret" not in cause.replace("secret.json", "")
    assert str(site.folder) not in cause


def test_a_link_within_the_folder_is_followed(site: Site) -> None:
    put(site, "real.json", "[1]")
    assert site.folder is not None
    (site.folder / "link.json").symlink_to(site.folder / "real.json")
    assert site.read("file:link.json") == [1]


def test_without_a_folder_no_file_is_read(site: Site) -> None:
    site.folder = None
    assert site.read("file:x.json") == (
        FAILED,
        "this worker may read no files, and 'x.json' is asked for: set SFC_ITEMS_DIR to the folder that it may read",
    )


def test_a_url_is_read(site: Site) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url}")
        return httpx.Response(200, text="a,b\n1,2\n")

    site.answer = answer
    assert site.read("https://store.example/", {"Bucket": "b", "Key": "day 1/k?.csv"}, CSV) == [{"a": "1", "b": "2"}]
    assert asked == ["GET https://store.example/b/day%201/k%3F.csv"]


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (lambda request: httpx.Response(404), "status 200 was expected, 404 came"),
        (lambda request: httpx.Response(302, headers={"Location": "http://127.0.0.1/"}), "status 200 was expected, 302 came"),
        (lambda request: httpx.Response(200, text="<html>"), "the content is not JSON"),
    ],
)
def test_a_url_that_gives_no_items_fails_the_reader(site: Site, answer: Answer, cause: str) -> None:
    site.answer = answer
    error, said = site.read("http://me:word@store.example/x?key=word")
    assert error == FAILED
    assert cause in said
    assert "word" not in said


@pytest.mark.parametrize(
    ("resource", "parameters"),
    [("http://s.example/a?x=1", {"Key": "k"}), ("http://s.example/a/", {"Key": "../b"}), ("ftp://s.example/", {})],
)
def test_a_url_that_data_could_bend_is_refused(site: Site, resource: str, parameters: Any) -> None:
    assert site.read(resource, parameters)[0] == FAILED


def test_a_whole_answer_has_a_limit(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfc_workers.item_http.SOURCE_BYTES_MAX", 10)
    site.answer = lambda request: httpx.Response(200, text="[1, 2, 3, 4, 5]")
    assert "more than 10 bytes came" in site.read("http://s.example/")[1]


@pytest.fixture
def orders(site: Site) -> Site:
    """Ten records in two partitions, by turns."""
    site.log.create([TopicSpec("orders", 2)])
    producer = site.log.producer()
    for n in range(10):
        producer.send("orders", json.dumps({"n": n}).encode(), b"k", [], n % 2)
    producer.flush()
    return site


def numbers(found: Any) -> Any:
    return [item["n"] for item in found]


def test_a_topic_is_read_partition_after_partition(orders: Site, paged: None) -> None:
    assert numbers(orders.read("topic:orders")) == [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]
    assert numbers(orders.read("topic:orders", MaxItems=6)) == [0, 2, 4, 6, 8, 1]


def test_a_range_of_offsets_is_read(orders: Site) -> None:
    assert numbers(orders.read("topic:orders", {"Partition": 1, "From": 1, "To": 4})) == [3, 5, 7]
    assert numbers(orders.read("topic:orders", {"Partition": 0, "From": 3})) == [6, 8]
    assert orders.read("topic:orders", {"Partition": 0, "From": 4, "To": 4}) == []


def test_a_range_of_times_is_read(orders: Site) -> None:
    assert len(orders.read("topic:orders", {"From": "2020-01-01T00:00:00Z"})) == 10
    assert orders.read("topic:orders", {"To": "2020-01-01T00:00:00+02:00"}) == []
    assert orders.read("topic:orders", {"From": "2090-01-01T00:00:00Z"}) == []


@pytest.mark.parametrize(
    ("parameters", "cause"),
    [
        ({"From": 2}, "From is an offset, and the topic has 2 partitions"),
        ({"Partition": 0, "To": 6}, "To 6 is not in partition 0 of orders, which has offsets 0 to 5"),
        ({"Partition": 0, "From": -1}, "From -1 is not in partition 0"),
        ({"Partition": 2}, "Partition must be a number from 0 to 1"),
        ({"Partition": True}, "Partition must be a number from 0 to 1"),
        ({"From": "2020-01-01T00:00:00"}, "From must be an offset or a time with its zone"),
        ({"From": True}, "From must be an offset or a time with its zone"),
        ({"Key": "x"}, "Parameters of topic: may have From, To, Partition, not 'Key'"),
    ],
)
def test_a_range_that_is_none_fails_the_reader(orders: Site, parameters: Any, cause: str) -> None:
    error, said = orders.read("topic:orders", parameters)
    assert error == FAILED
    assert cause in said


def test_records_that_are_no_json_and_topics_that_are_not_there_fail_the_reader(orders: Site) -> None:
    producer = orders.log.producer()
    producer.send("orders", None, b"k", [], 0)
    producer.send("orders", b"\xff", b"k", [], 0)
    producer.flush()
    assert orders.read("topic:orders", {"Partition": 0, "From": 5, "To": 6}) == [None]
    assert "offset 6 of partition 0 of orders is not JSON" in orders.read("topic:orders", {"Partition": 0})[1]
    assert orders.read("topic:nowhere") == (FAILED, "there is no topic nowhere")


@pytest.mark.parametrize("topic", ["t.state", "t.history", "t.definitions", "t.jobs", "t.task.pay"])
def test_sfc_s_own_topics_are_not_read(site: Site, topic: str) -> None:
    site.log.create([TopicSpec(topic, 1)])
    error, cause = site.read(f"topic:{topic}")
    assert (error, cause) == (FAILED, f"{topic} is a topic of SFC's own, with what other flows carry: it can't be read")


def test_a_topic_that_falls_silent_fails_the_reader(orders: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its records were deleted between looking and reading, or nobody leads the partition."""
    monkeypatch.setattr("sfc_workers.item_topics.SILENCE_S", 0.05)
    ends = orders.log.ends
    monkeypatch.setattr(orders.log, "ends", lambda partitions: {p: end + 1 for p, end in ends(partitions).items()})
    assert "gave nothing for 0.05 s, at offset 5" in orders.read("topic:orders", {"Partition": 0})[1]


def test_the_end_of_a_range_is_fixed_when_its_first_page_is_read(orders: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_readers, "PAGE_ITEMS_MAX", 3)
    first = orders.page("topic:orders")
    assert first["Next"] == {"At": [[0, 3, 5], [1, 0, 5]], "Taken": 3}
    producer = orders.log.producer()
    producer.send("orders", b'{"n": 99}', b"k", [], 0)
    producer.flush()
    second = orders.page("topic:orders", Cursor=first["Next"])
    assert numbers(second["Items"]) == [6, 8, 1]
    third = orders.page("topic:orders", Cursor=second["Next"])
    assert numbers(third["Items"]) == [3, 5, 7]
    assert numbers(orders.page("topic:orders", Cursor=third["Next"])["Items"]) == [9]


def test_records_that_are_deleted_between_the_pages_fail_the_reader(orders: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_readers, "PAGE_ITEMS_MAX", 3)
    first = orders.page("topic:orders")
    monkeypatch.setattr(orders.log, "starts", lambda partitions: dict.fromkeys(partitions, 4))
    with pytest.raises(TaskError, match="the records of partition 0 of orders from offset 3 on are deleted: they begin at 4 now"):
        orders.page("topic:orders", Cursor=first["Next"])
    monkeypatch.setattr(orders.log, "describe", lambda topic: None)
    with pytest.raises(TaskError, match="there is no topic orders any more"):
        orders.page("topic:orders", Cursor=first["Next"])
