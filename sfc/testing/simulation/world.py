"""A whole installation in one thread: the log, engines, intakes and workers, stepped in an order that the seed draws."""

from __future__ import annotations

import heapq
import logging
import random
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from itertools import count
from typing import Any

import msgspec
import structlog

from sfc.adapters.embedded import EmbeddedLog
from sfc.engine.commands import Hold
from sfc.engine.rules import RULES
from sfc.engine.shard import ShardState
from sfc.ports import Headers, Partition, TopicSpec
from sfc.runtime.lane import Lane
from sfc.testing.simulation.blueprints import ERRORS, GROUPS, TASKS, TOPICS, Catalog
from sfc.testing.simulation.broken import Broken
from sfc.testing.simulation.clock import VirtualClock
from sfc.testing.simulation.plan import Plan
from sfc.testing.simulation.processes import Intake, Process, Role, engine
from sfc.testing.simulation.tails import CountingStorage
from sfc.testing.simulation.watcher import Watcher
from sfc.testing.simulation.worker import Worker
from sfc.wire.commands import encode_command
from sfc.wire.definitions import Definition, SubjectHold, encode_definition, key_of
from sfc.wire.state import encode_shard, interval_headers, shard_key
from sfc.wire.topics import Names, core_topics, job_topic

NAMES = Names("sfc")
SHARDS = 3
MAX_POLL_S = 2.0
NESTED_MAX = 2  # a process may be frozen in the middle of what it does while another one is
_PACES_MS = (0, 2, 10, 40, 150)
_PACE_WEIGHTS = (3, 4, 6, 6, 2)
quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)


def ids() -> Callable[[], str]:
    """Ids of a log and its topics, in the order in which they are made."""
    numbers = count(1)
    return lambda: f"id-{next(numbers)}"


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
        new_id = ids()
        self._storage = CountingStorage(new_id())
        self._looked = 0
        self.log = EmbeddedLog(self._storage, clock=self.append_clock, max_poll_s=MAX_POLL_S, new_id=new_id)
        self.log.create([TopicSpec(name, n, config) for name, (n, config) in core_topics(NAMES, SHARDS).items()])
        self.job_topics = self._make_topics()
        self._client = self.log.producer()
        self.catalog = Catalog(plan.seed)
        for definition in self.catalog.definitions():
            self.define(definition)
        once = frozenset({"audit", "ship", "weigh", NAMES.task("book")})
        self.watcher = Watcher(self.log, NAMES, SHARDS, self.fail, GROUPS, self.job_topics, once)
        self.tricks: list[str] = []
        self.processes: list[Process] = []
        self._named = 0
        self._nested = 0
        self._turns: list[Process] = []
        self.may_stop: set[int] = set()  # shards that are to stand until an operator has looked
        self.torn: dict[int, list[bytes]] = {}
        self.holds: dict[str, tuple[int, bool]] = {}  # revision of the latest, and whether it holds
        self.versions: set[str] = set()  # blueprints that have a second version
        self.trigger_revision = 0
        self._heads = {name: self.catalog.head(name) for name in self.catalog.names}
        self._revision = 1
        self._later: list[tuple[int, int, Callable[[], None]]] = []
        self._laters = 0
        for _ in range(2):
            self.add("engine")
        self.add("intake")
        self.add("worker")

    def _make_topics(self) -> tuple[str, ...]:
        partitions, config = job_topic(SHARDS)
        own = [NAMES.task(name) for name, document in TASKS.items() if "Kafka" not in document]
        self.log.create([TopicSpec(name, partitions, config) for name in own])
        self.log.create([TopicSpec(name, n) for name, n in TOPICS.items()])
        return (*own, "audit", "ship", "weigh")

    def send(self, topic: str, value: bytes | None, key: bytes | None, head: Headers | None = None, partition: int | None = None) -> None:
        """What people and programs append, acknowledged; nothing where the topic is not there."""
        if topic in self.log.topics():
            self._client.send(topic, value, key, head, partition)

    def define(self, definition: Definition) -> int:
        """Publishes a definition; returns the offset behind it."""
        self.send(NAMES.definitions, encode_definition(definition), key_of(definition).encode(), None, 0)
        return self.log.ends([Partition(NAMES.definitions, 0)])[Partition(NAMES.definitions, 0)]

    # -- processes

    def add(self, kind: str) -> Process:
        """Starts a process more."""
        self._named += 1
        chance = random.Random((self.plan.seed << 8) + self._named)
        makers: dict[str, Callable[[Process], Role]] = {
            "engine": lambda p: engine(p.log, NAMES, SHARDS, p.clock, p.store, p.attempts),
            "intake": lambda p: Intake(p.log, NAMES, SHARDS, p.clock),
            "worker": lambda p: Worker(p.log, p.clock, list(self.job_topics), self.tricks, ERRORS, self.happened),
        }
        process = Process(f"{kind}-{self._named}", self.log, self.clock, chance, self.happened, makers[kind], self._was_torn)
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
        while self._later and self._later[0][0] <= self.steps:
            heapq.heappop(self._later)[2]()
        self.clock.advance(self.chance.choices(_PACES_MS, _PACE_WEIGHTS)[0])
        if not runnable:
            return 0
        process = runnable[int(self.chance.random() * len(runnable))]
        return self.turn(process)

    def turn(self, process: Process, act: Callable[[], int] | None = None) -> int:
        try:
            done = (act or process.step)()
        except (Broken, KeyboardInterrupt):
            raise
        except Exception as e:
            raise Broken(self.plan.seed, "unexpected-exception", self.steps, f"{process.name}: {type(e).__name__}: {e}") from e
        self.look()
        return done

    def look(self) -> None:
        if self._storage.appended != self._looked:
            self._looked = self._storage.appended
            self.watcher.look()
        for process, lane in self.lanes():
            for shard, why in lane.stopped.items():
                if shard not in self.may_stop and "rules number" not in why:
                    self.fail("no-shard-stops", f"{process.name}: {why}")
        for shard in self.torn:
            if shard in self.watcher.committed:
                self.fail("a-torn-shard-stands", f"shard {shard} was committed by somebody though it is torn")
        self.watcher.committed.clear()

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

    def freeze_until(self, process: Process, step: int) -> None:
        """The process stands still between two turns."""
        process.frozen = True

        def thaw() -> None:
            process.frozen = False

        self.later(step - self.steps, thaw)

    def leave(self, process: Process) -> None:
        """It closes cleanly; where it was the last of its kind, another one comes."""
        if process.frozen or process.at_work or process not in self.processes:
            return
        self.turn(process, process.leave)
        self.processes.remove(process)
        kind = process.name.partition("-")[0]
        if not self.of(kind):
            self.add(kind)

    def later(self, turns: int, do: Callable[[], None]) -> None:
        """Does something after some turns, or when the faults stop."""
        self._laters += 1
        heapq.heappush(self._later, (self.steps + turns, self._laters, do))

    def do_what_is_left(self) -> None:
        while self._later:
            heapq.heappop(self._later)[2]()

    def shift_append_time(self, shift_ms: int) -> None:
        self.append_clock.shift_ms = shift_ms

    # -- what is deployed and held

    def change_head(self, name: str, **changes: Any) -> None:
        self._revision += 1
        self._heads[name] = msgspec.structs.replace(self._heads[name], revision=self._revision, **changes)
        self.define(self._heads[name])

    def hold(self, subject: str, *, held: bool, freeze: bool = True) -> None:
        """As the registry tells it: a definition, and the whole state of the subject to every shard."""
        kind, _, name = subject.partition(":")
        if kind == "blueprint":
            self.change_head(name, status="paused" if held else "enabled")
        else:
            self._revision += 1
            self.define(SubjectHold(subject, self._revision, held, freeze))
        self.holds[subject] = self._revision, held
        value, head = encode_command(Hold(subject, self._revision, held, freeze), f"registry/{subject}", (self._revision,))
        for shard in range(SHARDS):
            self.send(NAMES.commands, value, b"/hold/" + subject.encode(), head, shard)

    # -- topics and transactions

    def delete(self, topic: str) -> bool:
        """Whether it was there. What nobody has read is lost."""
        if topic not in self.log.topics():
            return False
        self.look()
        info = self.log.describe(topic)
        assert info is not None
        self.watcher.sources.lost(info.id)
        self.log.delete(topic)
        return True

    def make_again(self, topic: str) -> None:
        if topic in self.log.topics():
            return
        self.log.create([TopicSpec(topic, TOPICS.get(topic, SHARDS))])
        self.watcher.renew(topic)

    def _was_torn(self, shard: int, keys: list[bytes]) -> None:
        """Half of a transaction is visible: the shard must stand from now on. An operator looks at it after a while."""
        self.happened("torn-transaction")
        self.torn[shard] = keys
        self.may_stop.add(shard)
        self.watcher.torn.update((shard, key.decode()) for key in keys)
        self.later(160, lambda: self.mend(shard))  # successors have tried to take it by then

    def mend(self, shard: int) -> None:
        """What an operator does: puts back what was committed before, and the shard's record under a higher number of its interval."""
        if shard not in self.torn:
            return
        self.look()
        keys = self.torn.pop(shard)
        state = self.watcher.shards.get(shard) or ShardState(shard, rules=RULES)
        mended = msgspec.structs.replace(state, interval=state.interval + 1)
        fence = self.log.transaction(NAMES.transactional_id(shard))
        fence.begin()
        for key in keys:
            self.watcher.torn.discard((shard, key.decode()))
            fence.send(NAMES.state, self.watcher.states.get(key.decode()), key, interval_headers(mended.interval), shard)
        fence.send(NAMES.state, encode_shard(mended), shard_key(shard), interval_headers(mended.interval), shard)
        fence.commit()
        self.look()
        for process, lane in self.lanes():  # a shard that stands is taken again after a new assignment
            if shard in lane.stopped:
                process.kill()
        # Who stood still in the middle of a restore may still say that it is torn, and looks again later: it may stop to the end.

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
