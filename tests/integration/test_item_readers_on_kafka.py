"""Distributed Maps that read their items from a range of a topic and from a file, on a real Kafka."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sfc_workers.common import CommonWorker

from sfc.ports import TopicSpec
from tests.acceptance.processes import wait_for
from tests.integration.installation import Installation, installation

S3 = "arn:aws:states:::s3:getObject"


@pytest.fixture
def sfc(kafka: str, tmp_path: Path) -> Iterator[Installation]:
    with installation(kafka, tmp_path / "data") as running:
        site = running.site
        running.crew.add("common", lambda: CommonWorker(site.log, site.names, running.definitions, items_dir=tmp_path))
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


@pytest.mark.timeout(120)
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
