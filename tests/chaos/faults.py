"""Faults: which there are, in which order they come (seeded), how each is made and healed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from sfc.wire import headers
from sfc.wire.partition import partition_of
from tests.chaos.cluster import NODES, SMALL_DISK, Brokers
from tests.chaos.documents import INPUT_PARTITIONS, SHARDS, SHARES, input_topic
from tests.chaos.fleet import COUNTS, Fleet, Member

SESSION_S = 6.0  # of a consumer group's member
TRANSACTION_S = 15.0
FACTORS = (0.5, 1.0, 3.0)
FREEZES_S = tuple(sorted(timeout * factor for timeout in (SESSION_S, TRANSACTION_S) for factor in FACTORS))
DEAD_S = (0.5, 4.0)  # until a killed process is started again
BROKER_DEAD_S = (1.0, 14.0)  # Kafka notices after 9 s
STALL_S = (4.0, 12.0)
FULL_S = 8.0  # a disk stays full, unless its broker gives up sooner
GHOST = "ghost"  # ids of flows that an aborted transaction would have started


class Kind(NamedTuple):
    """``target``: a role, or what else is hit."""

    what: str
    target: str

    def __str__(self) -> str:
        return f"{self.what} {self.target}"


KILLS = [Kind("kill -9", role) for role in COUNTS]
FREEZES = [Kind("freeze", role) for role in COUNTS]
KILL_BROKER = Kind("kill -9", "broker")
MOVE = Kind("move", "coordinators")
FULL = Kind("full disk", "broker")
STALL = Kind("stall", "last stable offset")
OF_BROKERS = (KILL_BROKER, MOVE, FULL)


class Told(NamedTuple):
    """A fault that was made: seconds since the beginning, and what it hit."""

    at_s: float
    kind: Kind
    detail: str


def deck(random: Random, *, disk: bool) -> list[Kind]:
    """One of each kind, shuffled: a run that lasts long enough has made every fault. What brokers suffer is spread, since the next may
    only come when the replicas are whole again; freezing the engine stands for all freezes, which take long."""
    brokers = [KILL_BROKER, MOVE, *([FULL] if disk else [])]
    others = [*KILLS, FREEZES[0], STALL]
    random.shuffle(brokers)
    random.shuffle(others)
    kinds: list[Kind] = []
    share = -(-len(others) // len(brokers))
    for turn, broker in enumerate(brokers):
        kinds += [broker, *others[turn * share : (turn + 1) * share]]
    return kinds


def draw(random: Random, *, disk: bool) -> Kind:
    kinds = [*KILLS, *FREEZES, KILL_BROKER, MOVE, STALL, FULL]
    weights = [*[4] * len(KILLS), *[3] * len(FREEZES), 6, 3, 3, 2 if disk else 0]
    return random.choices(kinds, weights)[0]


class Chaos:
    """Makes a fault each few seconds while ``step`` is called. ``say`` hears of each as it happens."""

    def __init__(
        self,
        brokers: Brokers,
        fleet: Fleet,
        seed: int,
        every_s: tuple[float, float],
        say: Callable[[float, str], None],
        freeze_max_s: float,
    ) -> None:
        self._brokers, self._fleet, self._say = brokers, fleet, say
        self._random = Random(seed)
        self._every_s = every_s
        self._freezes_s = [s for s in FREEZES_S if s <= freeze_max_s]
        self._disk = not brokers.why_no_disk
        self._deck = deck(self._random, disk=self._disk)
        self._began_s = time.monotonic()
        self._next_s = self._began_s + 1.0
        self._heals: list[tuple[float, Callable[[], None]]] = []
        self._stalls: list[threading.Thread] = []
        self._end_stalls = threading.Event()
        self._filled = False
        self.made: list[Told] = []

    @property
    def counts(self) -> Counter[Kind]:
        return Counter(told.kind for told in self.made)

    @property
    def played(self) -> bool:
        """Whether each kind of the deck was made."""
        return not self._deck

    def step(self) -> None:
        """Heals what is due, and makes the next fault when it is time."""
        now_s = time.monotonic()
        due = [heal for at_s, heal in self._heals if at_s <= now_s]
        self._heals = [(at_s, heal) for at_s, heal in self._heals if at_s > now_s]
        for heal in due:
            heal()
        if self._filled and not self._brokers.alive(SMALL_DISK):
            self._empty("it had given up")
        if now_s >= self._next_s and self._make(self._choose()):
            self._next_s = now_s + self._random.uniform(*self._every_s)

    def heal_all(self) -> None:
        """Faults end: everybody is woken and started again."""
        self._end_stalls.set()
        for stall in self._stalls:
            stall.join(60)
        if self._filled:
            self._empty("the faults are over")
        for _, heal in sorted(self._heals, key=lambda due: due[0]):
            heal()
        self._heals.clear()
        self._fleet.heal()

    # -- choosing ---------------------------------------------------------------------------------------------------------

    def _choose(self) -> Kind:
        """The next of the deck that is possible now; when that is used up, any."""
        whole = self._brokers.whole()
        for place, kind in enumerate(self._deck):
            if whole or kind not in OF_BROKERS:
                return self._deck.pop(place)
        kind = draw(self._random, disk=self._disk)
        while kind in OF_BROKERS and not whole:
            kind = draw(self._random, disk=self._disk)
        return kind

    def _make(self, kind: Kind) -> bool:
        if kind == KILL_BROKER:
            self._kill_broker(self._random.choice(NODES), kind, gently=False)
        elif kind == MOVE:
            self._kill_broker(self._brokers.coordinator(), kind, gently=True)
        elif kind == FULL:
            self._fill(kind)
        elif kind == STALL:
            self._stall(kind)
        else:
            return self._hit(kind)
        return True

    def _tell(self, kind: Kind, detail: str) -> None:
        at_s = time.monotonic() - self._began_s
        self.made.append(Told(at_s, kind, detail))
        self._say(at_s, f"{kind.what} {detail}")

    def _later(self, seconds: float, heal: Callable[[], None]) -> None:
        self._heals.append((time.monotonic() + seconds, heal))

    # -- processes --------------------------------------------------------------------------------------------------------

    def _hit(self, kind: Kind) -> bool:
        """Somebody of that role who is up; False when nobody is."""
        up = [member for member in self._fleet.of(kind.target) if member.alive and not member.frozen]
        if not up:
            return False
        member = self._random.choice(up)
        if kind.what == "freeze":
            seconds = self._random.choice(self._freezes_s)
            member.freeze()
            self._tell(kind, f"{member.name} for {seconds:g} s")
            self._later(seconds, member.thaw)
        else:
            seconds = self._random.uniform(*DEAD_S)
            member.kill()
            self._tell(kind, f"{member.name}, back after {seconds:.1f} s")
            self._later(seconds, member.bring_back)
        return True

    def restart_the_dead(self) -> list[Member]:
        """Those that ended by themselves: nobody should."""
        expected = {heal.__self__ for _, heal in self._heals if hasattr(heal, "__self__")}
        died = [member for member in self._fleet.died() if member not in expected]
        for member in died:
            member.bring_back()
        return died

    # -- brokers ----------------------------------------------------------------------------------------------------------

    def _kill_broker(self, node: int, kind: Kind, *, gently: bool) -> None:
        seconds = self._random.uniform(*BROKER_DEAD_S)
        if gently:
            self._brokers.end(node)
            self._tell(kind, f"off broker {node}, which is ended in order, back after {seconds:.1f} s")
        else:
            self._brokers.kill(node)
            self._tell(kind, f"broker {node}, back after {seconds:.1f} s")
        self._later(seconds, lambda: self._bring_back(node))

    def _bring_back(self, node: int) -> None:
        if self._brokers.alive(node):  # still on its way out: it has had its time
            self._brokers.kill(node)
        self._brokers.bring_back(node)

    def _fill(self, kind: Kind) -> None:
        self._brokers.fill()
        self._filled = True
        self._tell(kind, f"of broker {SMALL_DISK}, for {FULL_S:g} s or until it gives up")
        self._later(FULL_S, self._make_room)

    def _make_room(self) -> None:
        if self._filled:
            self._empty("it had gone on")

    def _empty(self, what: str) -> None:
        self._filled = False
        self._brokers.make_room()
        self._brokers.kill(SMALL_DISK)
        self._say(time.monotonic() - self._began_s, f"room on the disk of broker {SMALL_DISK} ({what}), which is started again")
        self._bring_back(SMALL_DISK)

    # -- the last stable offset -------------------------------------------------------------------------------------------

    def _stall(self, kind: Kind) -> None:
        seconds = self._random.uniform(*STALL_S)
        number = sum(told.kind == STALL for told in self.made) + 1
        self._tell(kind, f"of the commands and of an input topic for {seconds:.1f} s, by a transaction that is aborted then")
        blueprint = self._random.choice(list(SHARES))
        stall = threading.Thread(target=self._hold, args=(seconds, number, blueprint), name=f"stall-{number}", daemon=True)
        self._stalls.append(stall)
        stall.start()

    def _hold(self, seconds: float, number: int, blueprint: str) -> None:
        """Records that would start flows, in a transaction that stays open and is then aborted. None of them may ever be taken."""
        servers = self._brokers.servers
        producer = Producer(
            {"bootstrap.servers": servers, "transactional.id": f"stall-{number}", "transaction.timeout.ms": 60_000, "log_level": 0}
        )
        try:
            producer.init_transactions(30)
            producer.begin_transaction()
            for partition in range(INPUT_PARTITIONS):
                value = b'{"id": "%s-%d-%d"}' % (GHOST.encode(), number, partition)
                producer.produce(input_topic(blueprint), value, partition=partition)
            for start in some_start(servers):
                for ghost in range(2 * SHARDS):
                    key = f"parcel:{GHOST}-{number}-c{ghost}".encode()
                    kept: Any = start.headers()
                    producer.produce("chaos.commands", start.value(), key, partition_of(key, SHARDS), headers=kept)
            producer.flush(5)
            self._end_stalls.wait(seconds)
            producer.abort_transaction(30)
        except KafkaException as e:  # it is aborted by the coordinator then
            self._say(time.monotonic() - self._began_s, f"the transaction of stall {number} ended early: {e.args[0]}")


def some_start(servers: str) -> Sequence[Message]:
    """A start over HTTP, as it stands among the commands: at most one."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "nobody", "log_level": 0, "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition("chaos.commands", n, 0) for n in range(SHARDS)])
        until_s = time.monotonic() + 5
        while time.monotonic() < until_s:
            for message in consumer.consume(500, 0.5):
                found = dict(message.headers() or []) if message.error() is None else {}
                if found.get(headers.COMMAND) == b"start" and headers.SOURCE not in found:
                    return [message]
    finally:
        consumer.close()
    return []
