"""A whole installation in one thread: the log, engines, intakes and workers, stepped in an order that the seed draws."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable
from hashlib import sha256

import msgspec
import structlog

from sfc.adapters.embedded import EmbeddedLog
from sfc.adapters.memory_store import MemoryStateStore
from sfc.ports import Partition, TopicSpec
from sfc.runtime.lane import Lane
from sfc.testing.simulation.blueprints import ERRORS, GROUPS, TASKS, TOPICS, definitions
from sfc.testing.simulation.broken import Broken
from sfc.testing.simulation.clock import SkewedClock, VirtualClock
from sfc.testing.simulation.faulty_log import FaultyLog
from sfc.testing.simulation.plan import Plan
from sfc.testing.simulation.processes import Intake, Process, Role, engine
from sfc.testing.simulation.watcher import Watcher
from sfc.testing.simulation.worker import Worker
from sfc.wire.definitions import Definition, encode_definition, key_of
from sfc.wire.topics import Names, core_topics, job_topic

NAMES = Names("sfc")
SHARDS = 3
MAX_POLL_S = 2.0
NESTED_MAX = 2  # a process may be frozen in the middle of what it does while another one is
_PACES_MS = (0, 2, 10, 40, 150)
_PACE_WEIGHTS = (3, 4, 6, 6, 2)
quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)


class AppendClock:
    """The clock of the log's leaders: ``shift_ms`` is how far it is off."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.shift_ms = 0

    def now_ms(self) -> int:
        return self._clock.wall_ms + self.shift_ms

    def monotonic_s(self) -> float:
        return self._clock.ran_ms / 1000


class World:
    """``chance`` draws the order of the steps. What is in it is made by the seed alone; two runs of one plan are the same."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.chance = random.Random(plan.seed ^ 0x5EED)
        self.steps = 0
        self.faults: Counter[str] = Counter()
        self.clock = VirtualClock()
        self.append_clock = AppendClock(self.clock)
        self._ids = 0
        self.log = EmbeddedLog.memory(clock=self.append_clock, max_poll_s=MAX_POLL_S, new_id=self._new_id)
        self.log.create([TopicSpec(name, n, config) for name, (n, config) in core_topics(NAMES, SHARDS).items()])
        self.job_topics = self._make_topics()
        self.client = self.log.producer()
        for definition in definitions():
            self.define(definition)
        once = frozenset({"audit", "ship", "weigh", NAMES.task("book")})
        self.watcher = Watcher(self.log, NAMES, SHARDS, self.fail, GROUPS, self.job_topics, once)
        self.tricks: list[str] = []
        self.processes: list[Process] = []
        self._named = 0
        self._nested = 0
        self._turns: list[Process] = []
        self.may_stop: set[int] = set()  # shards that are to stand until an operator has looked
        for _ in range(2):
            self.add("engine")
        self.add("intake")
        self.add("worker")

    def _new_id(self) -> str:
        self._ids += 1
        return f"id-{self._ids}"

    def _make_topics(self) -> tuple[str, ...]:
        partitions, config = job_topic(SHARDS)
        own = [NAMES.task(name) for name, document in TASKS.items() if "Kafka" not in document]
        self.log.create([TopicSpec(name, partitions, config) for name in own])
        self.log.create([TopicSpec(name, n) for name, n in TOPICS.items()])
        return (*own, "audit", "ship", "weigh")

    def define(self, definition: Definition) -> int:
        """Publishes a definition; returns the offset behind it."""
        self.client.send(NAMES.definitions, encode_definition(definition), key_of(definition).encode(), None, 0)
        return self.log.ends([Partition(NAMES.definitions, 0)])[Partition(NAMES.definitions, 0)]

    # -- processes

    def add(self, kind: str, store: MemoryStateStore | None = None) -> Process:
        """Starts a process more."""
        self._named += 1
        chance = random.Random((self.plan.seed << 8) + self._named)
        kept = store or MemoryStateStore()
        makers: dict[str, Callable[[FaultyLog, SkewedClock], Role]] = {
            "engine": lambda log, clock: engine(log, NAMES, SHARDS, clock, kept),
            "intake": lambda log, clock: Intake(log, NAMES, SHARDS, clock),
            "worker": lambda log, clock: Worker(log, clock, list(self.job_topics), self.tricks, ERRORS),
        }
        process = Process(f"{kind}-{self._named}", self.log, self.clock, chance, self.happened, makers[kind])
        self.processes.append(process)
        return process

    def of(self, kind: str) -> list[Process]:
        return [p for p in self.processes if p.name.startswith(kind)]

    def lanes(self) -> list[tuple[Process, Lane]]:
        return [(p, p.role) for p in self.processes if isinstance(p.role, Lane)]

    def owner(self, shard: int) -> Process | None:
        """The process whose lane has the shard; a frozen one's claim counts last."""
        found = [p for p, lane in self.lanes() if shard in lane.shards]
        return min(found, key=lambda p: p.frozen, default=None)

    # -- steps

    def step(self) -> int:
        """A turn of one process, and a look at what it left on the log."""
        runnable = [p for p in self.processes if p.runnable]
        self.steps += 1
        self.clock.advance(self.chance.choices(_PACES_MS, _PACE_WEIGHTS)[0])
        if not runnable:
            return 0
        process = runnable[int(self.chance.random() * len(runnable))]
        return self.turn(process)

    def turn(self, process: Process) -> int:
        try:
            done = process.step()
        except (Broken, KeyboardInterrupt):
            raise
        except Exception as e:
            raise Broken(self.plan.seed, "unexpected-exception", self.steps, f"{process.name}: {type(e).__name__}: {e}") from e
        self.look()
        return done

    def look(self) -> None:
        self.watcher.look()
        for process, lane in self.lanes():
            for shard, why in lane.stopped.items():
                if shard not in self.may_stop:
                    self.fail("no-shard-stops", f"{process.name}: {why}")

    def freeze(self, process: Process, turns: int) -> None:
        """The process stands still in the middle of what it does, while the others take turns; then it goes on, and knows nothing of it."""
        if self._nested >= NESTED_MAX:
            return
        self._nested += 1
        process.frozen = True
        try:
            for _ in range(turns):
                self.step()
        finally:
            process.frozen = False
            self._nested -= 1

    def happened(self, kind: str) -> None:
        self.faults[kind] += 1

    def fail(self, invariant: str, detail: str) -> None:
        raise Broken(self.plan.seed, invariant, self.steps, detail)

    # -- the end

    def digest(self) -> str:
        """Of every record on the log."""
        sum = sha256()
        for topic, partitions in sorted(self.log.topics().items()):
            reader = self.log.reader({Partition(topic, n): 0 for n in range(partitions)}, committed=False)
            for record in sorted(reader.take(1_000_000, 0)):
                sum.update(msgspec.msgpack.encode(record))
            reader.close()
        return sum.hexdigest()

    def close(self) -> None:
        self.log.close()
