"""The roles as processes on a real Kafka: one engine, one trigger and one worker die while they work, and nothing is lost or done twice."""

from __future__ import annotations

import shutil
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from sfc.bootstrap import open_log
from sfc.client import Client
from sfc.ports import Log, TopicSpec
from sfc.settings import Settings
from sfc.wire.dead_letters import decode_dead_letter
from sfc.wire.topics import Names
from tests.acceptance.evidence import judge, read_histories, read_ledger, read_topic
from tests.acceptance.orders import BLUEPRINT, MODULE, TASKS, TRIGGER_GROUP, expected_ends, members_at_work, order_lines
from tests.acceptance.processes import Processes, environment, wait_for

PORTION = 20  # orders published at once
END_S = 60.0


@pytest.fixture
def log(kafka: str) -> Iterator[Log]:
    opened = open_log(Settings(kafka=kafka))
    yield opened
    opened.close()


@pytest.mark.timeout(180)
def test_flows_outlive_an_engine_a_trigger_and_a_worker_that_are_killed(kafka: str, log: Log, tmp_path: Path) -> None:
    namespace = f"roles-{uuid.uuid4().hex[:8]}"
    names, topic, ledger = Names(namespace), f"{namespace}.orders-in", tmp_path / "ledger"
    ledger.mkdir()
    folder = tmp_path / "tmall-order"
    shutil.copytree(BLUEPRINT, folder, ignore=shutil.ignore_patterns("*.py", "*.json*"))
    blueprint = (folder / "blueprint.yaml").read_text(encoding="utf-8")
    (folder / "blueprint.yaml").write_text(blueprint.replace("Topic: order_created", f"Topic: {topic}"), encoding="utf-8")
    log.create([TopicSpec(topic, 4)])
    lines = order_lines()
    expected = expected_ends(lines)

    settings = environment(
        SFC_KAFKA=kafka, SFC_NAMESPACE=namespace, SFC_DATA=str(tmp_path / "data"), SFC_LEDGER=str(ledger), SFC_PORT="0", SFC_SHARDS="4"
    )
    admin = AdminClient({"bootstrap.servers": kafka})
    with Processes(tmp_path, settings) as processes:
        gateway = processes.start("gateway", "gateway")
        wait_for("the gateway's being ready", lambda: gateway.ready)
        processes.start("monitor", "monitor")
        engines = [processes.start(f"engine-{n}", "engine") for n in (1, 2)]
        triggers = [processes.start(f"trigger-{n}", "trigger") for n in (1, 2)]
        workers = [processes.start(f"worker-{n}", "worker", MODULE, "--no-common") for n in (1, 2)]
        deploy = processes.start("deploy", "deploy", str(folder), SFC_URL=gateway.url)
        assert deploy.exit_code(30) == 0, deploy.log
        wait_for("everybody's being ready", lambda: all(p.ready for p in processes.all if p is not deploy))
        groups = [names.engine_group, names.trigger_group(*TRIGGER_GROUP), *(names.task(task) for task in TASKS)]
        wait_for("both of each having partitions", lambda: all(members_at_work(admin, g) == 2 for g in groups))

        producer = Producer({"bootstrap.servers": kafka, "linger.ms": 0, "sticky.partitioning.linger.ms": 0})
        with Client(gateway.url) as client:

            def flows() -> Counter[str]:
                versions = client.stats()["blueprints"]
                assert all(one["version"] == 1 for one in versions)
                return sum((Counter(one["flows"]) for one in versions), Counter[str]())

            # A third of the orders is under way before anybody dies; the others come while the dead are still members of their groups.
            victims = {6: engines[0], 8: triggers[0], 10: workers[0]}
            for portion, start in enumerate(range(0, len(lines), PORTION)):
                for number, line in enumerate(lines[start : start + PORTION]):
                    producer.produce(topic, line, partition=number % 4)
                assert producer.flush(10) == 0
                if portion == 5:
                    wait_for("a flow's end", lambda: flows()["SUCCEEDED"] > 0)
                if portion in victims:
                    wait_for("anything being under way when a process is to die", lambda: flows()["RUNNING"] > 0, 5)
                    victims[portion].kill()
                time.sleep(0.05)

            wait_for(
                f"the end of {len(expected)} flows",
                lambda: sum((found := flows()).values()) >= len(expected) and not found["RUNNING"],
                END_S,
            )
            assert flows() == Counter(expected.values())
            assert client.stats()["dead_letters"] == {"not-json": 1}

        survivors = [p for p in processes.all if p.alive]
        assert {p.name for p in survivors} == {"gateway", "monitor", "engine-2", "trigger-2", "worker-2"}
        for process in survivors:
            process.ask_to_stop()
        assert {p.name: p.exit_code() for p in survivors} == {p.name: 0 for p in survivors}

        assert "is no setting" not in "".join(p.log for p in processes.all)

        done = read_ledger(ledger)
        assert {len(outcomes) for outcomes in done.values()} == {1}, "a job done twice was answered in two ways"
        histories = read_histories(log, names.history)
        assert {flow: judge(history, done) for flow, history in histories.items()} == expected
        letters = [decode_dead_letter(r.key, r.value, list(r.headers)) for r in read_topic(log, names.dead_letters)]
        assert {(letter.reason, letter.value) for letter in letters} == {("not-json", lines[40])}
        assert len({letter.id for letter in letters}) == 1
