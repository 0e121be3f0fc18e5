"""The commands of all shards in their order, and what follows from that order alone: which are repetitions, and what was held when.

Written a second time on purpose: what the engine does is compared with it.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from sfc.engine.commands import ChildEnded, Command, Dispatched, DispatchFailed, Hold, HoldChild, Pause, Resume, Start, Stop, Tick
from sfc.errors import MalformedRecord
from sfc.ports import Record
from sfc.runtime.intake import read_command
from sfc.runtime.letters import Refused
from sfc.wire.commands import decode_command
from sfc.wire.partition import partition_of

_FOR_EVER = 1 << 62


class Seen(NamedTuple):
    """A record of a shard's partition. ``command`` is None where it can't be read; ``counts``: it is at home, and no repetition."""

    record: Record
    flow: str
    command: Command | None
    counts: bool
    source: str


class _Line:
    """A hold over time: whether it was held as of an offset."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.held: list[bool] = []
        self.revision = -1

    def add(self, offset: int, held: bool) -> None:
        self.offsets.append(offset)
        self.held.append(held)

    def at(self, offset: int) -> bool:
        place = bisect_right(self.offsets, offset) - 1
        return place >= 0 and self.held[place]


class CommandsSeen:
    """``by_offset``: per shard; commands have no gaps, nothing transactional is written there."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self.by_offset: list[list[Seen]] = [[] for _ in range(shards)]
        self.starts: dict[str, list[Seen]] = {}
        self.not_dispatched: set[str] = set()  # tokens
        self.dispatched: list[str] = []  # tokens, since the last look
        self.children_ended: set[tuple[str, int]] = set()  # tokens, with places in a Map
        self.children_stopped: set[tuple[str, str]] = set()  # ids, with the tokens by which they were started
        self.strays: list[Seen] = []  # on the wrong partition, and no repetitions
        self.sent: set[tuple[str, tuple[int, ...]]] = set()  # sources and marks of what is at home
        self._marks: list[dict[str, tuple[int, ...]]] = [{} for _ in range(shards)]
        self._subjects: list[dict[str, _Line]] = [{} for _ in range(shards)]
        self._flows: dict[str, _Line] = {}
        self._parents: dict[str, _Line] = {}

    def take(self, record: Record) -> Seen:
        shard, key = record.partition, record.key or b""
        assert record.offset == len(self.by_offset[shard])
        flow = key.decode("utf-8", "replace")
        home = key.startswith(b"/") or partition_of(key, self._shards) == shard
        try:
            received = decode_command(record.key, record.value, list(record.headers))
        except MalformedRecord:
            seen = Seen(record, flow, None, False, "")
            self.by_offset[shard].append(seen)
            return seen
        counts = home
        if received.source:
            marks = self._marks[shard]
            if received.mark <= marks.get(received.source, ()):
                counts = False
            else:
                marks[received.source] = received.mark
        seen = Seen(record, flow, received.command, counts, received.source)
        self.by_offset[shard].append(seen)
        if home:
            self.sent.add((received.source, received.mark))
        elif received.mark == () or received.mark == self._marks[shard][received.source]:
            self.strays.append(seen)
        if counts:
            self._learn(seen, shard)
        return seen

    def not_forwarded(self) -> list[Seen]:
        """In the end: commands on the wrong partition that nobody has passed on with their place as mark."""
        found = []
        for seen in self.strays:
            try:
                read_command(seen.record)
            except Refused:  # a dead letter
                continue
            if (f"shard/{seen.record.partition}", (seen.record.offset, 0)) not in self.sent:
                found.append(seen)
        return found

    def _learn(self, seen: Seen, shard: int) -> None:
        offset = seen.record.offset
        match seen.command:
            case Start():
                self.starts.setdefault(seen.flow, []).append(seen)
            case DispatchFailed(token=token):
                self.not_dispatched.add(token)
            case Dispatched(token=token):
                self.dispatched.append(token)
            case ChildEnded(token=token, index=index):
                self.children_ended.add((token, index))
            case Stop(child_of=token) if token:
                self.children_stopped.add((seen.flow, token))
            case Hold(subject=subject, revision=revision, held=held):
                line = self._subjects[shard].setdefault(subject, _Line())
                if revision > line.revision:
                    line.revision = revision
                    line.add(offset, held)
            case Pause():
                self._flows.setdefault(seen.flow, _Line()).add(offset, True)
            case Resume():
                self._flows.setdefault(seen.flow, _Line()).add(offset, False)
            case HoldChild(held=held):
                self._parents.setdefault(seen.flow, _Line()).add(offset, held)
            case _:
                pass

    def held(self, shard: int, offset: int, flow: str, since: int, subjects: tuple[str, ...]) -> str:
        """What holds a life of a flow when a command is decided, "" for nothing. A pause before ``since`` is none of it."""
        for subject in subjects:
            line = self._subjects[shard].get(subject)
            if line is not None and line.at(offset):
                return subject
        for lines in (self._flows, self._parents):
            line = lines.get(flow)
            if line is not None and line.at(offset):
                place = bisect_right(line.offsets, offset) - 1
                if line.offsets[place] > since:
                    return f"flow:{flow}"
        return ""

    def subjects_held(self, shard: int, before: int) -> set[str]:
        """What is on hold on a shard when its commands before that offset have been taken."""
        return {subject for subject, line in self._subjects[shard].items() if line.at(before - 1)}

    def fired_ms(self, shard: int, offset: int) -> int:
        """Until when timers were to fire by this command: the smaller of tick time and record time; no limit for what is no tick."""
        seen = self.by_offset[shard][offset]
        if isinstance(seen.command, Tick):
            assert seen.record.append_ms is not None
            return min(seen.command.time_ms, seen.record.append_ms)
        return _FOR_EVER
