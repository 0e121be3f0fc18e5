"""Two of each role as processes, on a real Kafka, Elasticsearch and PostgreSQL: one of each is killed while it works, the other one ends
in order, and nothing is lost or done twice."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from sfc.adapters.elasticsearch import ElasticsearchFlowIndex
from sfc.bootstrap import open_log
from sfc.client import Client
from sfc.errors import LogUnavailable
from sfc.monitor.folding import fold
from sfc.ports import Log, TopicSpec
from sfc.settings import Settings
from sfc.wire.topics import Names
from tests.acceptance.evidence import judge, read_histories, read_ledger
from tests.acceptance.orders import MODULE, TASKS, TRIGGER_GROUP, documents, expected_ends, members_at_work, order_lines
from tests.acceptance.processes import Process, Processes, environment, wait_for
from tests.indices import delete_namespace

ROLES = ("gateway", "engine", "trigger", "monitor", "worker", "scheduler")
SCALED = "order-pick"  # done by the schedulers' workers alone
BY_HTTP = 30
PORTION = 20  # orders published at once
START_S = 180.0  # twelve processes on two busy cores
END_S = 120.0


@pytest.fixture
def log(kafka: str) -> Iterator[Log]:
    opened = open_log(Settings(kafka=kafka))
    yield opened
    opened.close()


@pytest.fixture
def names(elasticsearch: str) -> Iterator[Names]:
    made = Names(f"all-{uuid.uuid4().hex[:8]}")
    yield made
    delete_namespace(elasticsearch, made.namespace)


def start_all(processes: Processes) -> dict[str, list[Process]]:
    """Two of each role, by role."""
    by_hand = [word for task in TASKS if task != SCALED for word in ("--task", task)]
    arguments = {"worker": (MODULE, "--no-common", *by_hand)}
    return {
        role: [processes.start(f"{role}-{n}", role, *arguments.get(role, ()), SFC_INSTANCE=f"{role}-{n}") for n in (1, 2)] for role in ROLES
    }


def leader_first(client: Client, schedulers: list[Process]) -> list[Process]:
    leader = client.workers()["scheduler"]["leader"]
    return sorted(schedulers, key=lambda scheduler: scheduler.name != leader)


def start_by_http(gateways: list[Process], number: int) -> str:
    """A flow, started by a caller who asks again with the same id, at the other gateway, when nobody answers."""
    order = {"order_id": f"H{number}", "paid": True, "items": [{"sku": "cup", "quantity": 1, "price": 100, "warehouse": "north"}]}
    for gateway in gateways:
        try:
            with Client(gateway.url) as client:
                return str(client.start("tmall-order", order, id=f"H{number}")["flow"])
        except LogUnavailable:
            continue
    raise AssertionError("no gateway answers")


def publish(producer: Producer, topic: str, lines: list[bytes]) -> None:
    for number, line in enumerate(lines):
        producer.produce(topic, line, partition=number % 4)
    assert producer.flush(60) == 0


def test_one_of_each_role_dies_and_nothing_is_lost_or_done_twice(
    kafka: str, elasticsearch: str, postgresql: str, log: Log, names: Names, tmp_path: Path
) -> None:
    topic, ledger = f"{names.namespace}.orders-in", tmp_path / "ledger"
    ledger.mkdir()
    log.create([TopicSpec(topic, 4)])
    blueprint, tasks = documents(topic)
    tasks[SCALED]["Scale"] = {"Min": 1, "Max": 2, "LagPerReplica": 20, "Module": MODULE}
    lines = order_lines()
    expected = {**expected_ends(lines), **{f"tmall-order:H{n}": "SUCCEEDED" for n in range(BY_HTTP)}}
    settings = environment(
        SFC_KAFKA=kafka,
        SFC_NAMESPACE=names.namespace,
        SFC_ELASTICSEARCH_URL=elasticsearch,
        SFC_DATABASE=postgresql,
        SFC_DATA=str(tmp_path / "data"),
        SFC_LEDGER=str(ledger),
        SFC_PORT="0",
        SFC_SHARDS="4",
        SFC_SCHEDULER_LOOK_S="0.5",
    )
    admin = AdminClient({"bootstrap.servers": kafka})

    with Processes(tmp_path, settings) as processes, ThreadPoolExecutor(4) as callers:
        roles = start_all(processes)
        gateways = roles["gateway"]
        wait_for("the gateways' being ready", lambda: all(gateway.ready for gateway in gateways), START_S)
        with Client(gateways[0].url) as client:
            assert all(one["created"] for one in client.deploy([*tasks.values(), blueprint]))
        groups = [names.engine_group, names.trigger_group(*TRIGGER_GROUP), names.monitor_group]
        groups += [names.task(task) for task in TASKS if task != SCALED]
        wait_for("both of each having partitions", lambda: all(members_at_work(admin, group) == 2 for group in groups), START_S)
        wait_for("a worker of the scheduler", lambda: members_at_work(admin, names.task(SCALED)) > 0)
        wait_for("everybody's being ready", lambda: all(process.ready for process in processes.all))

        producer = Producer({"bootstrap.servers": kafka, "linger.ms": 0, "sticky.partitioning.linger.ms": 0})
        with Client(gateways[1].url) as client:

            def flows() -> Counter[str]:
                return sum((Counter(one["flows"]) for one in client.stats()["blueprints"]), Counter[str]())

            roles["scheduler"] = leader_first(client, roles["scheduler"])
            portions = [lines[start : start + PORTION] for start in range(0, len(lines), PORTION)]
            for portion in portions[:5]:
                publish(producer, topic, portion)
            wait_for("a flow's end", lambda: flows()["SUCCEEDED"] > 0)
            victims = iter(roles[role][0] for role in ("scheduler", "monitor", "worker", "engine", "gateway", "trigger"))
            started = []
            for number, portion in enumerate(portions[5:]):
                publish(producer, topic, portion)
                started += [callers.submit(start_by_http, gateways, n) for n in range(BY_HTTP)[number :: len(portions) - 5]]
                if victim := next(victims, None):
                    wait_for("anything being under way when a process is to die", lambda: flows()["RUNNING"] > 0)
                    victim.kill()
            assert {one.result(60) for one in started} <= set(expected)
            try:
                wait_for("the end of all flows", lambda: sum((now := flows()).values()) >= len(expected) and not now["RUNNING"], END_S)
            except AssertionError as error:
                open_ = [(one["flow"], one["states"]) for one in client.flows(status="RUNNING")["flows"]]
                raise AssertionError(f"{error}: {flows()} of {len(expected)}; open: {open_}") from error
            assert flows() == Counter(expected.values())
            assert client.stats()["dead_letters"] == {"not-json": 1}

        survivors = [roles[role][1] for role in ROLES]
        assert [process for process in processes.all if process.alive] == survivors
        for process in survivors:
            process.ask_to_stop()
        assert {process.name: process.exit_code() for process in survivors} == {process.name: 0 for process in survivors}
        judge_all(log, names, elasticsearch, ledger, expected)


def judge_all(log: Log, names: Names, elasticsearch: str, ledger: Path, expected: Mapping[str, str]) -> None:
    """By what the workers wrote down: each flow's history on the log. By the log: what Elasticsearch tells of each flow."""
    done = read_ledger(ledger)
    assert {len(outcomes) for outcomes in done.values()} == {1}, "a job done twice was answered in two ways"
    histories = read_histories(log, names.history)
    assert {flow: judge(history, done) for flow, history in histories.items()} == expected
    index = ElasticsearchFlowIndex(elasticsearch, names.namespace)
    try:
        for flow, history in histories.items():
            told = fold(event for record in history for event in record.events)
            assert json.dumps(index.history(flow)) == json.dumps(told), f"{flow}: the index has another history than the log"
    finally:
        index.close()
