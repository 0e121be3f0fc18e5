"""How long an engine that was killed takes to come back, with its local store and without it.

    restore.py --kafka HOST:PORT [--flows 100000] [--shards 4]

Starts flows that wait for a year, kills the engine with SIGKILL, and starts it again: from process start until it owns all shards. Warm:
with the store that the dead one left; cold: without, from sfc.state. Prints a table; writes .bench/restore.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

from rich.console import Console
from rich.table import Table
from system import ROOT

from sfc.adapters.kafka import KafkaLog
from sfc.bootstrap import open_site
from sfc.engine.commands import Start
from sfc.ports import Log, Partition
from sfc.settings import Settings
from sfc.wire.commands import encode_command
from sfc.wire.definitions import BlueprintHead, BlueprintVersion, encode_definition, key_of
from sfc.wire.partition import partition_of
from sfc.wire.topics import Names

DOCUMENT = {"StartAt": "Nap", "States": {"Nap": {"Type": "Wait", "Seconds": 31_536_000, "End": True}}, "Sfc": {"Name": "nap"}}
INPUT = {"order": "A-1001", "items": [{"sku": f"sku-{n}", "quantity": n} for n in range(5)], "paid": True}


class Engine:
    """``sfc engine`` in a process of its own."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self._told = folder / f"engine-{time.monotonic_ns()}.log"
        self.began_s = time.monotonic()
        with self._told.open("wb") as told:
            self.process = subprocess.Popen(
                [str(Path(sys.executable).with_name("sfc")), "engine"], stdout=told, stderr=told, env={**os.environ, **settings}, cwd=folder
            )

    def metric(self, name: str) -> float:
        found = re.search(r"answers on (http://[0-9.:]+)", self._told.read_text())
        if found is None:
            return 0.0
        try:
            with urllib.request.urlopen(f"{found[1]}/metrics", timeout=2) as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, TimeoutError):
            return 0.0
        value = re.search(rf"^{name}(?:_total)? ([0-9.e+]+)$", text, re.MULTILINE)
        return float(value[1]) if value else 0.0

    def owns(self, shards: int, timeout_s: float = 600) -> float:
        """Seconds from process start until it says that it owns so many. Its metrics are not asked meanwhile: that takes its time."""
        until_s = time.monotonic() + timeout_s
        while f'"has": {shards}' not in self._told.read_text():
            if self.process.poll() is not None or time.monotonic() > until_s:
                raise SystemExit(self._told.read_text()[-4_000:])
            time.sleep(0.01)
        return time.monotonic() - self.began_s

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def deploy(log: Log, names: Names) -> None:
    producer = log.producer()
    for definition in (BlueprintVersion("nap", 1, "h", DOCUMENT), BlueprintHead("nap", 1, "enabled", 1)):
        producer.send(names.definitions, encode_definition(definition), key_of(definition).encode(), None, 0)
    producer.flush()
    producer.close()


def start_flows(log: Log, names: Names, shards: int, flows: int) -> None:
    producer = log.producer(busy=True)
    value, head = encode_command(Start("nap", 1, "h", INPUT))
    for n in range(flows):
        key = b"nap:%d" % n
        producer.send(names.commands, value, key, head, partition_of(key, shards))
    producer.flush()
    producer.close()


def await_decided(log: Log, names: Names, shards: int) -> None:
    partitions = [Partition(names.commands, n) for n in range(shards)]
    ends = log.ends(partitions)
    while True:
        found = log.group_positions(names.engine_group)
        if all(p in found and found[p].offset >= ends[p] for p in partitions):
            return
        time.sleep(0.5)


def timed(folder: Path, settings: dict[str, str], shards: int) -> dict[str, float]:
    """Seconds from process start, records read, CPU seconds."""
    engine = Engine(folder, settings)
    try:
        took_s = engine.owns(shards)
        records, cpu_s = int(engine.metric("sfc_restored_records")), round(engine.metric("process_cpu_seconds"), 2)
        return {"seconds": round(took_s, 2), "records": records, "cpu_s": cpu_s}
    finally:
        engine.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--flows", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=4)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sfc-bench-restore-"))
    namespace = f"bench-restore-{uuid.uuid4().hex[:6]}"
    own = {"SFC_KAFKA": options.kafka, "SFC_NAMESPACE": namespace, "SFC_SHARDS": str(options.shards), "SFC_PORT": "0"}
    own |= {"SFC_STATE_DIR": str(folder / "state"), "SFC_LOG_FORMAT": "json"}
    fixed = own | {"SFC_ENGINE_SHARDS": f"0-{options.shards - 1}"}
    log, names = KafkaLog({"bootstrap.servers": options.kafka}), Names(namespace)
    say = Console(stderr=True).print
    results: dict[str, dict[str, float]] = {}
    try:
        open_site(Settings(kafka=options.kafka, namespace=namespace, shards=options.shards)).log.close()
        deploy(log, names)
        engine = Engine(folder, fixed)
        engine.owns(options.shards)
        say(f"starting {options.flows:,} flows")
        began_s = time.monotonic()
        start_flows(log, names, options.shards, options.flows)
        await_decided(log, names, options.shards)
        say(f"decided and committed in {time.monotonic() - began_s:.1f} s")
        engine.kill()
        for name, settings, cold in (
            ("warm, fixed shards", fixed, False),
            ("warm again, fixed shards", fixed, False),
            ("cold, fixed shards", fixed, True),
            ("warm, by the group", own, False),
            ("warm, by the group, straight after a kill", own, False),
        ):
            if cold:
                shutil.rmtree(folder / "state")
            results[name] = timed(folder, settings, options.shards)
            say(f"{name}: {results[name]}")
    finally:
        for topic in [t for t in log.topics() if t.startswith(f"{namespace}.")]:
            with contextlib.suppress(Exception):
                _delete(options.kafka, topic)
        shutil.rmtree(folder, ignore_errors=True)
    table = Table(title=f"{options.flows:,} active flows in {options.shards} shards")
    for column in ("start", "seconds", "records read", "CPU s"):
        table.add_column(column)
    for name, one in results.items():
        table.add_row(name, f"{one['seconds']:.2f}", f"{one['records']:,}", f"{one['cpu_s']:.2f}")
    Console().print(table)
    (ROOT / ".bench").mkdir(exist_ok=True)
    (ROOT / ".bench" / "restore.json").write_text(json.dumps({"flows": options.flows, "shards": options.shards, **results}, indent=2))


def _delete(kafka: str, topic: str) -> None:
    from confluent_kafka.admin import AdminClient

    for future in AdminClient({"bootstrap.servers": kafka}).delete_topics([topic]).values():
        future.result(10)


if __name__ == "__main__":
    main()
