"""`sfc audit` as its users run it, on a real Kafka: a sound log, then one with events missing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from typer.testing import CliRunner

from sfc.cli.app import app
from sfc.engine import events as e
from sfc.ports import Log, Partition, Record
from sfc.wire.history import decode_history, encode_history
from sfc.wire.partition import partition_of
from sfc.wire.topics import Names
from tests.acceptance.processes import wait_for
from tests.integration.installation import installation

SHARDS = 2
WAIT = {"Nap": {"Type": "Wait", "Seconds": 1, "Next": "Done"}, "Done": {"Type": "Pass", "End": True}}
ASK = {"Ask": {"Type": "Task", "Resource": "signal:go", "End": True}}


def document(name: str, states: Mapping[str, Any]) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": dict(states), "Sfc": {"Name": name}}


def audited(kafka: str, names: Names, *more: str) -> tuple[int, dict[str, Any]]:
    """Exit code and report."""
    environment = {"SFC_KAFKA": kafka, "SFC_NAMESPACE": names.namespace}
    result = CliRunner().invoke(app, ["audit", "--json", *more], env=environment)
    return result.exit_code, json.loads(result.stdout)


def last_of(log: Log, names: Names, flow: str) -> Record:
    """The last history record of a flow."""
    at = Partition(names.history, partition_of(flow.encode(), SHARDS))
    end = log.ends([at])[at]
    reader = log.reader({at: 0})
    found = None
    while reader.position(at) < end:
        for record in reader.take(1_000, 0.2):
            found = record if record.key == flow.encode() else found
    reader.close()
    assert found is not None
    return found


def test_a_sound_log_is_clean_and_planted_faults_are_named(kafka: str, tmp_path: Path) -> None:
    with installation(kafka, tmp_path, shards=SHARDS) as site:
        names, log = site.site.names, site.site.log
        site.deploy(document("wait", WAIT), document("ask", ASK))
        ended = [site.start("wait", f"n{n}", {"n": n}) for n in range(20)]
        asking = [site.start("ask", f"n{n}", {"n": n}) for n in range(5)]
        early, _ = audited(kafka, names)  # while flows run
        for flow in ended:
            site.end_of(flow)
        wait_for("the others being known", lambda: all(site.index.get(flow) for flow in asking))
        code, report = audited(kafka, names)
        assert (early, code, report["findings"]) == (0, 0, [])
        assert (report["flows"], report["open"], report["starts"]) == (25, 5, 25)
        assert [report[name] for name in ("lost", "doubled", "gaps", "orphaned_jobs", "torn_shards")] == [0] * 5

        producer = log.producer()
        record = last_of(log, names, asking[0])
        told = decode_history(record.value or b"")
        seq = told.events[-1].seq
        paused = e.ExecutionPaused(seq + 3, told.events[-1].offset, told.events[-1].at_ms)
        value = encode_history(replace(told, first=seq + 3, events=[paused]))
        producer.send(record.topic, value, record.key, record.headers, record.partition)
        record = last_of(log, names, ended[0])
        producer.send(record.topic, record.value, record.key, record.headers, record.partition)
        producer.flush()
        code, report = audited(kafka, names)
        found = {(f["code"], f["flow"]) for f in report["findings"]}
    assert code == 9
    assert (report["clean"], report["gaps"]) == (False, 1)
    assert ("gap", asking[0]) in found
    assert ("doubled-event", ended[0]) in found
    assert {flow for _, flow in found} == {asking[0], ended[0]}
