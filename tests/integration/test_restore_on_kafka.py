"""Engines that die and come back, on a real Kafka: with a warm store, as standbys, and before a command that kills them."""

from __future__ import annotations

import re
import shutil
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sfc.adapters.kafka import KafkaLog
from sfc.bootstrap import open_site
from sfc.engine.commands import ReplyTo, Start
from sfc.ports import Partition
from sfc.runtime.shard_records import last_record
from sfc.settings import Settings
from sfc.wire.commands import encode_command
from sfc.wire.definitions import BlueprintHead, BlueprintVersion, encode_definition, key_of
from sfc.wire.partition import partition_of
from sfc.wire.replies import Answer, decode_answer
from sfc.wire.topics import Names
from tests.acceptance.processes import Process, Processes, environment, wait_for

SHARDS = 2
FLOWS = 20_000
ROOT = Path(__file__).parents[2]
NAP = {"Type": "Wait", "Seconds": 31_536_000, "End": True}
PASS = {"Type": "Pass", "End": True}


class World:
    """Topics, two blueprints without tasks, and the test as their client."""

    def __init__(self, kafka: str, folder: Path) -> None:
        self.names = Names(f"restore-{uuid.uuid4().hex[:8]}")
        self.log = KafkaLog({"bootstrap.servers": kafka})
        self.store = folder / "state"
        self.settings = environment(
            SFC_KAFKA=kafka, SFC_NAMESPACE=self.names.namespace, SFC_DATA=str(folder), SFC_STATE_DIR=str(self.store), SFC_PORT="0",
            SFC_SHARDS=str(SHARDS), SFC_LOG_LEVEL="debug", SFC_LOG_FORMAT="console", PYTHONPATH=str(ROOT),
        )  # fmt: skip
        open_site(Settings(kafka=kafka, namespace=self.names.namespace, shards=SHARDS)).log.close()
        self._producer = self.log.producer(busy=True)
        for name, state in (("nap", NAP), ("quick", PASS)):
            document = {"StartAt": "S", "States": {"S": state}, "Sfc": {"Name": name}}
            for definition in (BlueprintVersion(name, 1, f"h-{name}", document), BlueprintHead(name, 1, "enabled", 1)):
                self._producer.send(self.names.definitions, encode_definition(definition), key_of(definition).encode(), None, 0)
        self._producer.flush()
        self._replies = self.log.reader({Partition(self.names.replies, 0): 0})
        self.answers: dict[str, Answer] = {}

    def start(self, *flows: str, wait: bool = True) -> None:
        for flow in flows:
            name = flow.partition(":")[0]
            reply_to = ReplyTo(self.names.replies, "test", flow) if wait else None
            verdict = reply_to if name == "nap" else None  # nobody awaits its end
            value, head = encode_command(Start(name, 1, f"h-{name}", {"n": flow}, wait=reply_to, accepted=verdict))
            self._producer.send(self.names.commands, value, flow.encode(), head, partition_of(flow.encode(), SHARDS))
        self._producer.flush()

    def answered(self, *flows: str) -> bool:
        for record in self._replies.take(1_000, 0.05):
            answer = decode_answer(record.value or b"")
            self.answers[answer.flow] = answer
        return all(flow in self.answers for flow in flows)

    def committed(self) -> bool:
        """Whether all commands are decided and committed: what the group shows is only decided."""
        partitions = [Partition(self.names.commands, n) for n in range(SHARDS)]
        ends = self.log.ends(partitions)
        own = {p: last_record(self.log, self.names, p.number) for p in partitions}
        return all(state is not None and state.next_offset >= ends[p] for p, state in own.items())

    def close(self) -> None:
        self._replies.close()
        self._producer.close()
        self.log.close()


@pytest.fixture
def world(kafka: str, tmp_path: Path) -> Iterator[World]:
    made = World(kafka, tmp_path)
    yield made
    made.close()


def metric(engine: Process, name: str) -> float:
    with urllib.request.urlopen(f"{engine.url}/metrics", timeout=5) as answer:
        found = re.search(rf"^{name} (\S+)$", answer.read().decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def takings(engine: Process) -> list[dict[str, Any]]:
    """What the engine said of the shards that it took."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", engine.log)
    found = re.findall(r"action=shard-taken cold='?([^'\n]*?)'? offset=\d+ records=(\d+) .*shard=(\d+)", text)
    return [{"cold": cold, "records": int(records), "shard": int(shard)} for cold, records, shard in found]


def test_an_engine_that_was_killed_reads_what_its_store_has_not(world: World, tmp_path: Path) -> None:
    mine = {"SFC_ENGINE_SHARDS": f"0-{SHARDS - 1}"}
    with Processes(tmp_path, world.settings) as processes:
        first = processes.start("first", "engine", **mine)
        wait_for("the engine being ready", lambda: first.ready)
        world.start(*(f"nap:{n}" for n in range(FLOWS)), wait=False)
        wait_for("all flows being started", world.committed, 150)
        world.start("quick:last")
        wait_for("one more being answered", lambda: world.answered("quick:last"))
        first.kill()

        warm = processes.start("warm", "engine", **mine)
        wait_for("the engine being back", lambda: warm.ready, 60)
        read = metric(warm, "sfc_restored_records_total")
        assert [one["cold"] for one in takings(warm)] == [""] * SHARDS
        assert read < FLOWS * 0.75  # what came since the last checkpoint
        world.start("nap:7", f"nap:{FLOWS - 1}", "quick:new")
        wait_for("flows of before being known", lambda: world.answered("nap:7", f"nap:{FLOWS - 1}", "quick:new"))
        assert {world.answers[f].status for f in ("nap:7", f"nap:{FLOWS - 1}")} == {"flow-exists"}
        assert world.answers["quick:new"].status == "SUCCEEDED"
        warm.kill()

        again = processes.start("again", "engine", **mine)
        wait_for("the engine being back", lambda: again.ready, 60)
        assert metric(again, "sfc_restored_records_total") < FLOWS / 10  # nothing but what the last one did
        again.kill()

        shutil.rmtree(world.store)
        cold = processes.start("cold", "engine", **mine)
        wait_for("the engine being back", lambda: cold.ready, 60)
        assert metric(cold, "sfc_restored_records_total") >= FLOWS
        assert [one["cold"] for one in takings(cold)] == ["no checkpoint"] * SHARDS


def test_a_standby_takes_the_shards_of_a_dead_engine_warm(world: World, tmp_path: Path) -> None:
    with Processes(tmp_path, world.settings) as processes:
        engines = [processes.start(f"engine-{n}", "engine", "--standby", SFC_INSTANCE=f"engine-{n}") for n in (1, 2)]
        wait_for("both having a shard", lambda: all(e.ready and metric(e, "sfc_shards_owned") == 1 for e in engines), 60)
        world.start(*(f"nap:{n}" for n in range(2_000)), wait=False)
        wait_for("all flows being started", world.committed, 60)
        wait_for("the second having followed the first", lambda: metric(engines[1], "sfc_standby_behind") == 0)
        engines[0].kill()
        wait_for("the second having both", lambda: metric(engines[1], "sfc_shards_owned") == 2, 60)
        last = takings(engines[1])[-1]
        assert last["cold"] == ""
        assert last["records"] < 500
        world.start(*(f"quick:{n}" for n in range(10)))
        wait_for("both shards going on", lambda: world.answered(*(f"quick:{n}" for n in range(10))))


def test_a_command_that_kills_the_process_stops_its_shard_alone_until_it_is_skipped(world: World, tmp_path: Path) -> None:
    poison = "quick:poison"
    shard = partition_of(poison.encode(), SHARDS)
    flows = [f"quick:{n}" for n in range(40)]
    others = [f for f in flows if partition_of(f.encode(), SHARDS) != shard]
    world.start(*flows[:20], poison, *flows[20:])
    world.settings["SFC_ENGINE_SHARDS"] = f"0-{SHARDS - 1}"
    deaths = 0
    with Processes(tmp_path, world.settings) as processes:
        while True:
            engine = processes.start_python(f"engine-{deaths}", "-m", "tests.integration.poisoned_engine")
            wait_for(f"engine {deaths} dying, or stopping its shard", lambda e=engine: not e.alive or "shard-stopped" in e.log, 40)  # type: ignore[misc]
            if engine.alive:
                break
            deaths += 1
            assert deaths < 8, "it dies for ever"
        assert deaths >= 2
        found = re.search(rf"sfc doctor --skip {shard}@(\d+)", engine.log)
        assert found is not None
        wait_for("the other shard going on", lambda: world.answered(*others))
        skip = processes.start("skip", "doctor", "--skip", f"{shard}@{found[1]}")
        assert skip.exit_code(60) == 0, skip.log
        assert poison in skip.log
        wait_for("the shard going on", lambda: world.answered(*flows), 60)
        assert engine.alive
    assert {world.answers[f].status for f in flows} == {"SUCCEEDED"}
