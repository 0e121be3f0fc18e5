"""Jobs of ResultWriters: parts and the manifest, in files, behind URLs, in object stores and in topics."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sfc_workers.job import Job
from sfc_workers.result_writers import ResultWriters
from sfc_workers.secrets import Secrets
from sfc_workers.tasks import TaskError

from sfc.adapters.embedded import EmbeddedLog
from sfc.ports import Partition, Record, TopicSpec
from sfc.wire import headers
from sfc.wire.topics import Names

FAILED = "States.ResultWriterFailed"
RUN = "0a1b2c3d-0000-1111-2222-333344445555"
NO_SECRETS: dict[str, str] = {}
DONE = [
    {"Index": 1, "Flow": "shop:a.1-1", "Output": {"n": 1}},
    {"Index": 0, "Flow": "shop:a.1-0", "Output": [2, 3]},
]
BROKEN = [{"Index": 2, "Flow": "shop:a.1-2", "Error": "Odd", "Cause": None}]


class Site:
    """``write`` does a job, and gives its answer, or its error and cause."""

    def __init__(self, folder: Path) -> None:
        self.folder: Path | None = folder
        self.log = EmbeddedLog.memory()
        self.answer: Callable[[httpx.Request], httpx.Response] = lambda request: httpx.Response(404)

    def write(
        self, resource: str, status: str, told: Any, parameters: Any = None, output_type: str = "JSON", transformation: str = "NONE"
    ) -> Any:
        request = {"Parameters": parameters or {}, "WriterConfig": {"OutputType": output_type, "Transformation": transformation}}
        request |= {"Run": RUN, "MapRunArn": f"shop/Each:{RUN}", "Status": status}
        request |= {"Sizes": told} if status == "MANIFEST" else {"Number": 0, "Results": told}
        head = [(headers.TASK, f"write:{resource}".encode()), (headers.JOB, b"shop:a/1/5/x"), (headers.FLOW, b"shop:a")]
        head.append((headers.BLUEPRINT, b"shop@2"))
        job = Job(Record("t.jobs", 0, 0, b"f", json.dumps(request).encode(), tuple(head), 0, None), lambda job: None)
        writers = ResultWriters(self.log, Names("t"), self.folder, httpx.MockTransport(self.answer), Secrets(environ=NO_SECRETS))
        try:
            return writers.do(job)
        except TaskError as e:
            return e.error, e.cause

    def content(self, name: str) -> bytes:
        assert self.folder is not None
        return (self.folder / name).read_bytes()


@pytest.fixture
def sink(tmp_path: Path, no_pauses: None) -> Iterator[Site]:
    folder = tmp_path / "results"
    folder.mkdir()
    made = Site(folder)
    yield made
    made.log.close()


def test_a_part_is_a_file_below_bucket_prefix_and_run_and_writing_it_again_changes_nothing(sink: Site) -> None:
    told = {"Bucket": "b", "Prefix": "day/1/"}
    for _ in range(2):
        answer = sink.write("file:out", "SUCCEEDED", DONE, told, transformation="COMPACT")
        content = sink.content(f"out/b/day/1/{RUN}/SUCCEEDED_0.json")
        assert (json.loads(content), answer) == ([{"n": 1}, [2, 3]], {"Size": len(content)})
    assert sink.folder is not None
    assert [file.name for file in (sink.folder / f"out/b/day/1/{RUN}").iterdir()] == ["SUCCEEDED_0.json"]


def test_results_with_the_metadata_of_their_flows(sink: Site) -> None:
    sink.write("file:", "SUCCEEDED", DONE[:1])
    sink.write("file:", "FAILED", BROKEN)
    around = {"Name": "a.1-1", "ExecutionArn": "shop:a.1-1", "StateMachineArn": "shop@2"}
    succeeded = {**around, "Status": "SUCCEEDED", "Output": '{"n":1}', "OutputDetails": {"Included": True}}
    assert json.loads(sink.content(f"{RUN}/SUCCEEDED_0.json")) == [succeeded]
    broken = {"Name": "a.1-2", "ExecutionArn": "shop:a.1-2", "StateMachineArn": "shop@2", "Status": "FAILED", "Error": "Odd", "Cause": None}
    assert json.loads(sink.content(f"{RUN}/FAILED_0.json")) == [broken]


def test_json_lines_and_flattened_lists(sink: Site) -> None:
    sink.write("file:", "SUCCEEDED", DONE, {"Prefix": ""}, "JSONL", "FLATTEN")
    assert sink.content(f"{RUN}/SUCCEEDED_0.jsonl") == b'{"n":1}\n2\n3\n'
    sink.write("file:", "FAILED", BROKEN, {}, "JSONL", "FLATTEN")
    assert json.loads(sink.content(f"{RUN}/FAILED_0.jsonl"))["Error"] == "Odd", "failures are told in full"


def test_the_manifest_lists_the_parts_as_in_step_functions(sink: Site) -> None:
    answer = sink.write("file:", "MANIFEST", {"SUCCEEDED": [7, 8], "FAILED": [9]}, {"Bucket": "b", "Prefix": "p"}, "JSONL")
    assert answer == {"Bucket": "b", "Key": f"p/{RUN}/manifest.json"}
    assert json.loads(sink.content(f"b/p/{RUN}/manifest.json")) == {
        "DestinationBucket": "b",
        "MapRunArn": f"shop/Each:{RUN}",
        "ResultFiles": {
            "FAILED": [{"Key": f"p/{RUN}/FAILED_0.jsonl", "Size": 9}],
            "PENDING": [],
            "SUCCEEDED": [{"Key": f"p/{RUN}/SUCCEEDED_0.jsonl", "Size": 7}, {"Key": f"p/{RUN}/SUCCEEDED_1.jsonl", "Size": 8}],
        },
    }


@pytest.mark.parametrize(
    ("resource", "parameters"),
    [
        ("file:../out", {}),
        ("file:/etc", {}),
        ("file://elsewhere/x", {}),
        ("file:link", {}),
        ("file:", {"Prefix": "../out"}),
        ("file:", {"Bucket": ".."}),
        ("file:", {"Bucket": "a\0b"}),
        ("file:", {"Key": "x"}),
        ("file:", ["x"]),
        ("ftp:x", {}),
    ],
)
def test_nothing_outside_the_folder_is_written(sink: Site, resource: str, parameters: Any) -> None:
    assert sink.folder is not None
    (sink.folder.parent / "out").mkdir()
    (sink.folder / "link").symlink_to(sink.folder.parent / "out")
    error, cause = sink.write(resource, "SUCCEEDED", DONE, parameters)
    assert error == FAILED
    assert str(sink.folder) not in cause
    assert os.listdir(sink.folder.parent / "out") == []


def test_without_a_folder_no_file_is_written(sink: Site) -> None:
    sink.folder = None
    assert "set SFC_RESULTS_DIR to the folder that it may write" in sink.write("file:x", "SUCCEEDED", DONE)[1]


def test_a_folder_that_can_not_be_written_fails_the_writer(sink: Site) -> None:
    assert sink.folder is not None
    (sink.folder / "taken").write_text("")
    assert "can't be written" in sink.write("file:taken", "SUCCEEDED", DONE)[1]


def test_a_part_is_put_to_a_url(sink: Site) -> None:
    asked: list[tuple[str, str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, str(request.url), json.loads(request.content)))
        return httpx.Response(503 if len(asked) == 1 else 201)

    sink.answer = answer
    assert sink.write("https://store.example/", "SUCCEEDED", DONE, {"Bucket": "b"}, transformation="COMPACT") == {"Size": 15}
    assert asked == [("PUT", f"https://store.example/b/{RUN}/SUCCEEDED_0.json", [{"n": 1}, [2, 3]])] * 2
    sink.answer = lambda request: httpx.Response(403)
    assert sink.write("https://me:word@s.example/?k=word", "SUCCEEDED", DONE)[0] == FAILED
    error, cause = sink.write("https://me:word@s.example/", "SUCCEEDED", DONE)
    assert (error, "403 came" in cause, "word" in cause) == (FAILED, True, False)


def test_a_part_is_an_object(sink: Site) -> None:
    store: Any = importlib.import_module("fsspec").filesystem("memory")
    try:
        assert sink.write("memory:", "SUCCEEDED", DONE, {"Bucket": "b", "Prefix": "p"}, transformation="COMPACT") == {"Size": 15}
        assert store.cat_file(f"/b/p/{RUN}/SUCCEEDED_0.json") == b'[{"n":1},[2,3]]'
    finally:
        store.store.clear()


def test_results_are_records_of_a_topic_by_the_places_of_their_items(sink: Site) -> None:
    sink.log.create([TopicSpec("shipped", 1)])
    answer = sink.write("topic:shipped", "SUCCEEDED", DONE, {}, "JSONL", "COMPACT")
    reader = sink.log.reader({Partition("shipped", 0): 0})
    records = reader.take(10, 1)
    assert [(record.key, record.value) for record in records] == [(b"1", b'{"n":1}'), (b"0", b"[2,3]")]
    assert answer == {"Size": 12}
    assert dict(records[0].headers) == {"sfc-job": b"shop:a/1/5/x", "sfc-flow": b"shop:a", "sfc-map-run": RUN.encode()}
    assert sink.write("topic:shipped", "MANIFEST", {"SUCCEEDED": [12]}) == {"Topic": "shipped", "MapRun": RUN}
    assert reader.take(10, 0.05) == []


@pytest.mark.parametrize(
    ("topic", "parameters", "cause"),
    [("t.state", {}, "a topic of SFC's own"), ("nowhere", {}, "there is no topic nowhere"), ("shipped", {"Prefix": "x"}, "not 'Prefix'")],
)
def test_topics_that_can_not_be_written_fail_the_writer(sink: Site, topic: str, parameters: Any, cause: str) -> None:
    error, said = sink.write(f"topic:{topic}", "SUCCEEDED", DONE, parameters)
    assert error == FAILED
    assert cause in said
