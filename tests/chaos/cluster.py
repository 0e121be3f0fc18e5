"""Three brokers as processes (deploy/local/kafka.sh): killed, ended in order, brought back; one of them has a disk that can be filled."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import signal
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata

from tests.services import LOCAL, Absent, has_java_and_maven

NODES = (1, 2, 3)
SMALL_DISK = 3  # the broker whose disk can be filled
_SCRIPT = str(LOCAL / "kafka.sh")
_COORDINATOR = "__transaction_state"


def require() -> None:
    """Raises Absent where three brokers can't be started: containers can't be killed and stopped as processes can."""
    if not has_java_and_maven():
        in_ci = os.environ.get("CI", "").lower() in ("true", "1")
        raise Absent("three brokers to kill are needed, as processes: install java 17+ and mvn", fails=in_ci)


def quiet_port(*beside: int) -> int:
    """A port on loopback that is free, together with those so far above it. Below those that connections get: whoever is dead for a while
    must find his port free when he comes back."""
    for port in random.sample(range(15_000, 31_000), 100):
        with ExitStack() as probes:
            try:
                for above in beside or (0,):
                    probes.enter_context(socket.socket()).bind(("127.0.0.1", port + above))
            except OSError:
                continue
            return port
    raise RuntimeError("no free ports found on 127.0.0.1")


class Brokers:
    """Three brokers in a folder; replication 3, min.insync.replicas 2. ``disk_mb``: the size of the disk that can be filled; 0: none."""

    def __init__(self, folder: Path, disk_mb: int) -> None:
        self._folder = folder
        self._disk = folder / f"data-{SMALL_DISK}"
        self._environment = {"SFC_KAFKA_HEAP": "256m", **os.environ}
        self._starting: dict[int, subprocess.Popen[bytes]] = {}
        self._out: set[int] = set()
        self.why_no_disk = self._mount(disk_mb) if disk_mb else "it was not asked for"
        started = subprocess.run(
            [_SCRIPT, "start", str(folder), str(len(NODES)), str(quiet_port(0, 1, 2, 101, 102, 103))],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            env=self._environment,
            cwd=folder,
        )
        if started.returncode != 0:
            self._unmount()
            raise RuntimeError(f"{_SCRIPT} could not start three brokers in {folder}:\n{started.stderr}")
        self.servers = started.stdout.strip().splitlines()[-1]
        self._admin = AdminClient({"bootstrap.servers": self.servers, "log_level": 0})

    # -- processes --------------------------------------------------------------------------------------------------------

    def pid(self, node: int) -> int:
        return int((self._folder / f"{node}.pid").read_text())

    def alive(self, node: int) -> bool:
        try:
            return Path(f"/proc/{self.pid(node)}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False

    def kill(self, node: int) -> None:
        """As the machine's failure would."""
        self._out.add(node)
        self._signal(node, signal.SIGKILL)
        until_s = time.monotonic() + 5
        while self.alive(node) and time.monotonic() < until_s:
            time.sleep(0.01)

    def end(self, node: int) -> None:
        """In order: what it leads and coordinates moves away first."""
        self._out.add(node)
        self._signal(node, signal.SIGTERM)

    def _signal(self, node: int, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid(node), number)

    def bring_back(self, node: int) -> None:
        """Does not wait until it has come."""
        quiet = subprocess.DEVNULL
        self._starting[node] = subprocess.Popen(
            [_SCRIPT, "restart", str(self._folder), str(node)],
            stdin=quiet,
            stdout=quiet,
            stderr=quiet,
            env=self._environment,
            cwd=self._folder,
        )
        self._out.discard(node)

    # -- what they say ----------------------------------------------------------------------------------------------------

    def _metadata(self) -> ClusterMetadata | None:
        try:
            return self._admin.list_topics(timeout=2.0)
        except KafkaException:
            return None

    def whole(self) -> bool:
        """Whether every partition has all its replicas in sync. A broker that is out, or coming, may still be told of as in sync: it takes
        the others seconds to notice."""
        if self._out or any(starting.poll() is None for starting in self._starting.values()):
            return False
        metadata = self._metadata()
        if metadata is None or len(metadata.brokers) < len(NODES):
            return False
        partitions = [partition for topic in metadata.topics.values() for partition in topic.partitions.values()]
        return bool(partitions) and all(len(partition.isrs) == len(NODES) for partition in partitions)

    def coordinator(self) -> int:
        """The node that coordinates transactions; the first, where that can't be told now."""
        metadata = self._metadata()
        topic = None if metadata is None else metadata.topics.get(_COORDINATOR)
        leader = topic.partitions[0].leader if topic is not None and topic.partitions else -1
        return leader if leader in NODES else NODES[0]

    # -- the disk ---------------------------------------------------------------------------------------------------------

    def _mount(self, disk_mb: int) -> str:
        """Why there is no small disk; empty when there is."""
        self._disk.mkdir()
        try:
            mounted = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={disk_mb}m", "tmpfs", str(self._disk)], capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            return "there is no mount command"
        return "" if mounted.returncode == 0 else f"a file system may not be mounted here: {mounted.stderr.strip()}"

    def _unmount(self) -> None:
        if not self.why_no_disk:
            subprocess.run(["umount", "--lazy", str(self._disk)], capture_output=True, check=False)

    def fill(self) -> None:
        """Leaves not a byte on the small disk."""
        self._out.add(SMALL_DISK)
        with (self._disk / "filler").open("ab", buffering=0) as filler:
            for block in (1 << 20, 4096, 1):
                try:
                    while True:
                        filler.write(bytes(block))
                except OSError as e:
                    if e.errno != errno.ENOSPC:
                        raise

    def make_room(self) -> None:
        (self._disk / "filler").unlink(missing_ok=True)

    # -- the end ----------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        for starting in self._starting.values():
            if starting.poll() is None:
                starting.wait(60)
        subprocess.run([_SCRIPT, "stop", str(self._folder)], capture_output=True, timeout=60, check=False)
        time.sleep(0.1)
        self._unmount()
