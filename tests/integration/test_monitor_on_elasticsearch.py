"""The monitor between a real Kafka and a real Elasticsearch: what a kill and an absence do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from sfc.adapters.elasticsearch import ElasticsearchFlowIndex
from sfc.adapters.kafka import KafkaLog
from sfc.errors import IndexUnavailable
from sfc.ports import FlowIndex, FlowQuery, IndexCounters, Statistics
from sfc.wire.dead_letters import DeadLetter, Resolved, dead_letter_headers, resolved_headers
from sfc.wire.topics import Names
from tests.acceptance.evidence import read_histories
from tests.acceptance.processes import Processes, environment, wait_for
from tests.indices import delete_namespace, make_searchable
from tests.integration.installation import Installation, installation
from tests.integration.proxy import Proxy

FLOWS = 60

CHECK = {
    "StartAt": "Look",
    "States": {
        "Look": {"Type": "Pass", "Next": "Good?"},
        "Good?": {"Type": "Choice", "Choices": [{"Variable": "$.good", "BooleanEquals": True, "Next": "Both"}], "Default": "Bad"},
        "Both": {
            "Type": "Parallel", "Next": "Done",
            "Branches": [{"StartAt": s, "States": {s: {"Type": "Wait", "Seconds": 0, "End": True}}} for s in ("Left", "Right")],
        },
        "Bad": {"Type": "Fail", "Error": "Bad.One"},
        "Done": {"Type": "Succeed"},
    },
    "Sfc": {"Name": "check"},
}  # fmt: skip


@pytest.fixture
def proxy(elasticsearch: str) -> Iterator[Proxy]:
    with Proxy(elasticsearch) as made:
        yield made


def answers(index: FlowIndex) -> tuple[Statistics, IndexCounters, list[Any], list[Any]]:
    return (
        index.statistics(),
        index.counters(),
        index.find(FlowQuery(limit=1_000)).flows,
        index.dead_letters().dead_letters,
    )


def write_dead_letters(log: KafkaLog, names: Names) -> None:
    producer = log.producer()
    letters = [DeadLetter("not-json", "why", "orders", "", 0, n, b"k", b"{") for n in range(5)]
    for letter in letters:
        producer.send(names.dead_letters, letter.value, letter.key, dead_letter_headers(letter))
    for letter, state in zip(letters, ("replayed", "discarded"), strict=False):
        producer.send(names.dead_letters, None, None, resolved_headers(Resolved(letter.id, state, "ann")))
    producer.flush()


def test_a_monitor_that_is_killed_in_mid_bulk_loses_and_doubles_nothing(
    kafka: str, elasticsearch: str, proxy: Proxy, tmp_path: Path
) -> None:
    with installation(kafka, tmp_path / "first") as sfc:
        namespace, names = sfc.site.settings.namespace, sfc.site.names
        sfc.deploy(CHECK)
        flows = [sfc.start("check", str(n), {"good": n % 3 > 0}) for n in range(FLOWS)]
        for flow in flows:
            sfc.end_of(flow)
        write_dead_letters(KafkaLog({"bootstrap.servers": kafka}), names)
        wait_for("the dead letters", lambda: sfc.index.counters().dead_letters == {"not-json": 3})
        ends = sfc.index.positions()
        expected, histories = answers(sfc.index), [sfc.index.history(flow) for flow in flows]
    assert sum(expected[1].flows.values()) == FLOWS

    index = ElasticsearchFlowIndex(elasticsearch, namespace)
    settings = environment(SFC_KAFKA=kafka, SFC_NAMESPACE=namespace, SFC_DATA=str(tmp_path), SFC_ELASTICSEARCH_URL=proxy.url)
    try:
        with Processes(tmp_path, settings) as processes:
            for life, bulk in enumerate((1, 2)):  # what each life has written is in the index, and it knows nothing of it
                proxy.swallow(bulk)
                monitor = processes.start(f"monitor-{life}", "monitor")
                assert proxy.swallowed.wait(60), f"{monitor.log}\nno bulk request {bulk} was answered in 60 s"
                monitor.kill()
            proxy.pass_all()
            monitor = processes.start("monitor", "monitor")
            wait_for("the whole log's being indexed", lambda: index.positions() == ends, 60)
            make_searchable(elasticsearch, namespace)
            assert answers(index) == expected
            assert [index.history(flow) for flow in flows] == histories

            rebuilt = processes.start("rebuild", "monitor", "rebuild")
            assert rebuilt.exit_code(60) == 0, rebuilt.log
            assert "rebuilt the flow index from" in rebuilt.log
            second = ElasticsearchFlowIndex(elasticsearch, namespace)
            assert answers(second) == expected
            second.close()
    finally:
        index.close()
        delete_namespace(elasticsearch, namespace)


def ended(sfc: Installation) -> set[str]:
    histories = read_histories(sfc.site.log, sfc.site.names.history)
    return {flow for flow, records in histories.items() if records[-1].summary.ended_ms}


def said(told: Sequence[Mapping[str, Any]], action: str) -> int:
    return sum(line.get("action") == action for line in told)


def test_elasticsearch_may_be_away_and_the_monitor_catches_up(kafka: str, elasticsearch: str, proxy: Proxy, tmp_path: Path) -> None:
    with capture_logs() as told, installation(kafka, tmp_path, elasticsearch_url=proxy.url) as sfc:
        try:
            sfc.deploy(CHECK)
            before = sfc.start("check", "before", {"good": True})
            assert sfc.end_of(before).status == "SUCCEEDED"
            proxy.stop()
            with pytest.raises(IndexUnavailable, match="no Elasticsearch answers") as caught:
                sfc.index.get(before)
            assert "flows go on meanwhile" in caught.value.hint
            flows = [sfc.start("check", str(n), {"good": True}) for n in range(10)]
            wait_for("the flows' end, which the log tells", lambda: ended(sfc) == {before, *flows})
            wait_for("the monitor's saying so", lambda: said(told, "monitor.index-away") == 1)
            proxy.start()
            for flow in flows:
                assert sfc.end_of(flow).status == "SUCCEEDED"
            wait_for("the monitor's being back", lambda: said(told, "monitor.index-back") == 1)
            assert said(told, "monitor.index-away") == 1, "said once, however often it tried"
        finally:
            proxy.stop()
            delete_namespace(elasticsearch, sfc.site.settings.namespace)
