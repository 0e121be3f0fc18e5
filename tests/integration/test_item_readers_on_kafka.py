"""Distributed Maps that read their items from a range of a topic and from files, and have results written, on a real Kafka."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sfc_workers.common import CommonWorker

from sfc.ports import Partition, TopicSpec
from tests.acceptance.processes import wait_for
from tests.integration.installation import Installation, installation

S3 = "arn:aws:states:::s3:getObject"


@pytest.fixture
def sfc(kafka: str, tmp_path: Path) -> Iterator[Installation]:
    with installation(kafka, tmp_path / "data") as running:
        site = running.site
        running.crew.add(
            "common", lambda: CommonWorker(site.log, site.names, running.definitions, items_dir=tmp_path, results_dir=tmp_path)
        )
        wait_for("the worker's being ready", lambda: running.crew.ready)
        yield running


def blueprint(name: str, reader: dict[str, Any], resources: dict[str, str] | None = None) -> dict[str, Any]:
    processor = {"StartAt": "Same", "States": {"Same": {"Type": "Pass", "End": True}}}
    caught = [{"ErrorEquals": ["States.ItemReaderFailed"], "Next": "Told"}]
    states = {
        "Each": {"Type": "Map", "ItemReader": reader, "ItemProcessor": processor, "Catch": caught, "End": True},
        "Told": {"Type": "Pass", "End": True},
    }
    return {"StartAt": "Each", "States": states, "Sfc": {"Name": name, **({"Resources": resources} if resources else {})}}


def test_a_range_of_a_topic_and_a_file_are_gone_over(sfc: Installation, tmp_path: Path) -> None:
    topic = f"orders-{uuid.uuid4().hex[:8]}"
    sfc.site.log.create([TopicSpec(topic, 1)])
    producer = sfc.site.log.producer()
    for n in range(20):
        producer.send(topic, json.dumps({"n": n}).encode(), b"k", [], 0)
    producer.flush()
    producer.close()
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "day.csv").write_text("sku,count\nx,1\ny\n")
    parameters = {"From.$": "$.from", "To.$": "$.to"}
    keyed = {"Bucket": "shop", "Key.$": "$.key"}
    config = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
    sfc.deploy(
        blueprint("range", {"Resource": f"topic:{topic}", "Parameters": parameters}),
        blueprint("rows", {"Resource": S3, "Parameters": keyed, "ReaderConfig": config}, {S3: "file:"}),
    )
    part = sfc.start("range", "a", {"from": 5, "to": 12})
    rows = sfc.start("rows", "a", {"key": "day.csv"})
    beyond = sfc.start("range", "b", {"from": 5, "to": 99})
    outside = sfc.start("rows", "b", {"key": "../../etc/passwd"})
    assert sfc.output_of(part) == [{"n": n} for n in range(5, 12)]
    assert sfc.output_of(rows) == [{"sku": "x", "count": "1"}, {"sku": "y", "count": ""}]
    for flow, cause in ((beyond, "To 99 is not in partition 0"), (outside, "must not have . or .. among its parts")):
        assert sfc.end_of(flow).status == "SUCCEEDED"
        [error] = [event["output"] for event in sfc.index.history(flow) if event.get("caught")]
        assert error["Error"] == "States.ItemReaderFailed"
        assert cause in error["Cause"]


def writing(name: str, writer: dict[str, Any]) -> dict[str, Any]:
    document = blueprint(name, {"Resource": "file:numbers.jsonl", "ReaderConfig": {"InputType": "JSONL"}})
    each = {**document["States"]["Each"], "ResultWriter": writer}
    return {**document, "States": {**document["States"], "Each": each}}


def test_more_items_than_a_page_has_are_gone_over_and_written_to_files_and_to_a_topic(sfc: Installation, tmp_path: Path) -> None:
    numbers = list(range(1_300))
    (tmp_path / "numbers.jsonl").write_text("".join(f"{n}\n" for n in numbers))
    topic = f"results-{uuid.uuid4().hex[:8]}"
    config = {"OutputType": "JSONL", "Transformation": "COMPACT"}
    sfc.deploy(
        writing("to-files", {"Resource": "file:", "Parameters": {"Bucket": "b", "Prefix": "out"}, "WriterConfig": config}),
        writing("to-a-topic", {"Resource": f"topic:{topic}", "WriterConfig": config}),
    )
    sfc.site.log.create([TopicSpec(topic, 1)])
    files, records = sfc.start("to-files", "a", {}), sfc.start("to-a-topic", "a", {})
    assert sfc.end_of(files, 60).status == "SUCCEEDED"
    place = sfc.output_of(files)["ResultWriterDetails"]
    manifest = json.loads((tmp_path / place["Bucket"] / place["Key"]).read_bytes())
    parts = [(tmp_path / "b" / file["Key"]).read_bytes() for file in manifest["ResultFiles"]["SUCCEEDED"]]
    assert len(parts) > 1
    assert sorted(int(line) for part in parts for line in part.splitlines()) == numbers
    assert sfc.end_of(records, 60).status == "SUCCEEDED"
    reader = sfc.site.log.reader({Partition(topic, 0): 0})
    found: list[tuple[bytes, bytes]] = []
    while len(found) < len(numbers):
        found += [(record.key or b"", record.value or b"") for record in reader.take(2_000, 5)]
    reader.close()
    assert sorted(int(key) for key, _ in found) == numbers
    assert all(key == value for key, value in found)
