"""Consumer groups: members, who should own which partition, and what is committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Condition, RLock

from sfc.ports import Partition, Position


class Member:
    """One consumer. It owns what ``assigned`` told it, until its own ``revoked`` has run, whatever ``target`` says."""

    def __init__(self, topics: Sequence[str], lock: RLock, now_s: float, client_id: str) -> None:
        self.client_id = client_id
        self.topics = frozenset(topics)
        self.wake = Condition(lock)
        self.owned: set[Partition] = set()
        self.target: set[Partition] = set()
        self.taking = False  # within ``take`` just now
        self.seen_s = now_s  # when it last was
        self.out = False  # left, or put out of the group


class Group:
    """Used under the broker's lock only."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: list[Member] = []
        self.committed: dict[Partition, Position] = {}
        self.pending: dict[Partition, int] = {}  # how many open transactions are about to commit a position

    def balance(self, topics: Mapping[str, int]) -> None:
        """Gives the members their targets, and wakes those whose turn it is to give or to take."""
        targets = balanced([(member.topics, member.owned) for member in self.members], topics)
        for member, target in zip(self.members, targets, strict=True):
            member.target = target
            member.wake.notify()

    def expire(self, seen_before_s: float) -> bool:
        """Puts out the members that have not called ``take`` since."""
        late = [member for member in self.members if not member.taking and member.seen_s < seen_before_s]
        for member in late:
            member.out = True
            self.members.remove(member)
        return bool(late)

    def grantable(self, member: Member) -> list[Partition]:
        """What the member is to have and nobody else still has."""
        others = [other.owned for other in self.members if other is not member]
        return sorted(at for at in member.target - member.owned if not any(at in owned for owned in others))


def balanced(members: Sequence[tuple[frozenset[str], set[Partition]]], topics: Mapping[str, int]) -> list[set[Partition]]:
    """A sticky assignment: everybody keeps what he has as far as the numbers come out even. ``members``: topics and what is owned."""
    targets: list[set[Partition]] = [set() for _ in members]
    wanted = sorted({topic for names, _ in members for topic in names if topic in topics})
    homeless = []
    for at in (Partition(topic, number) for topic in wanted for number in range(topics[topic])):
        owner = next((i for i, (names, owned) in enumerate(members) if at in owned and at.topic in names), None)
        if owner is None:
            homeless.append(at)
        else:
            targets[owner].add(at)
    for at in homeless:
        able = [i for i, (names, _) in enumerate(members) if at.topic in names]
        targets[min(able, key=lambda i: len(targets[i]))].add(at)
    while (move := _next_move(members, targets)) is not None:
        at, source, sink = move
        targets[source].remove(at)
        targets[sink].add(at)
    return targets


def _next_move(
    members: Sequence[tuple[frozenset[str], set[Partition]]], targets: Sequence[set[Partition]]
) -> tuple[Partition, int, int] | None:
    """A partition whose move makes two members more even; from the fullest to the emptiest."""
    order = sorted(range(len(members)), key=lambda i: len(targets[i]))
    for source in reversed(order):
        for sink in order:
            if len(targets[source]) - len(targets[sink]) < 2:
                break
            movable = [at for at in targets[source] if at.topic in members[sink][0]]
            if movable:
                return max(movable), source, sink
    return None
