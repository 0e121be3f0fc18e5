"""Every start that a shard has taken made a flow, or there is a reason why not."""

from __future__ import annotations

from sfc.asl import MapState
from sfc.engine.commands import Start
from sfc.ports import Log, Partition, Record
from sfc.runtime.audit.history import History
from sfc.runtime.audit.reading import Steps, records
from sfc.runtime.audit.report import AuditReport
from sfc.runtime.audit.states import States
from sfc.runtime.definitions import Definitions
from sfc.runtime.intake import read_command
from sfc.runtime.letters import Refused
from sfc.wire import headers
from sfc.wire.commands import Mark
from sfc.wire.dead_letters import decode_dead_letter, decode_resolved
from sfc.wire.partition import partition_of
from sfc.wire.state import decode_flow
from sfc.wire.topics import Names


class Letters:
    """The commands that became dead letters, by partition and offset; ``count`` is of all dead letters."""

    def __init__(self, log: Log, names: Names, steps: Steps) -> None:
        self.count = 0
        self._of_commands: set[tuple[int, int]] = set()
        topics = log.topics()
        partitions = [Partition(names.dead_letters, n) for n in range(topics.get(names.dead_letters, 0))]
        starts, ends = log.starts(partitions), log.ends(partitions)
        for at in partitions:
            steps.expect(ends[at] - starts[at])
            for record in records(log, at, starts[at], ends[at], steps):
                head = list(record.headers)
                if decode_resolved(head) is not None:
                    continue
                self.count += 1
                letter = decode_dead_letter(None, None, head)
                if letter.topic == names.commands:
                    self._of_commands.add((letter.partition, letter.offset))

    def has(self, partition: int, offset: int) -> bool:
        return (partition, offset) in self._of_commands


class Starts:
    """Of one shard. ``from_offset``: the commands before it are not judged, they only tell the marks."""

    def __init__(
        self, shard: int, shards: int, history: History, states: States, definitions: Definitions, letters: Letters, report: AuditReport
    ) -> None:
        self._shard = shard
        self._shards = shards
        self._history = history
        self._states = states
        self._definitions = definitions
        self._letters = letters
        self._report = report
        self._marks: dict[str, Mark] = {}

    def read(self, log: Log, names: Names, start: int, end: int, steps: Steps, only: str = "") -> None:
        """The commands from ``start`` up to ``end``, both offsets."""
        for record in records(log, Partition(names.commands, self._shard), start, end, steps):
            if headers.find(record.headers, headers.COMMAND) is None or partition_of(record.key or b"", self._shards) != self._shard:
                continue  # an answer; or a command that was passed on, and is judged where it belongs
            if self._repeated(record) or headers.find(record.headers, headers.COMMAND) != b"start":
                continue
            if only and record.key != only.encode():
                continue
            self._judge(record)

    def _repeated(self, record: Record) -> bool:
        source = headers.text(record.headers, headers.SOURCE)
        if not source:
            return False
        try:
            mark = tuple(int(n) for n in (headers.text(record.headers, headers.MARK) or "").split(".") if n)
        except ValueError:
            return False
        if mark <= self._marks.get(source, ()):
            return True
        self._marks[source] = mark
        return False

    def _judge(self, record: Record) -> None:
        try:
            command = read_command(record).command
        except Refused:
            return  # a dead letter
        if not isinstance(command, Start):
            return
        flow, offset = (record.key or b"").decode(), record.offset
        self._report.starts += 1
        if offset < self._history.judged_from or offset >= self._end():
            return
        run = self._history.runs.get(flow)
        if run is not None and (run.has(offset) or run.justifies(offset)):
            return
        stored = self._states.flows.get(flow)
        if stored is not None and decode_flow(stored.value).run < offset:
            return  # its history is gone, and it is the reason
        if self._letters.has(record.partition, offset) or self._was_refused(command):
            return
        what = f"the start at offset {offset} of {record.topic}-{record.partition} is behind the shard's position, and there is no flow"
        self._report.find("lost-start", f"{what} of it and no dead letter", flow, offset, self._shard)

    def _end(self) -> int:
        return self._states.shard.next_offset if self._states.shard is not None else 0

    def _was_refused(self, start: Start) -> bool:
        """Whether the shard was right to make no flow of it."""
        if start.definitions > self._definitions.position:
            return True
        program = self._definitions.program(start.blueprint, start.version)
        if program is None or program.hash != start.hash:
            return True
        return bool(start.entry) and not isinstance(program.machine.states.get(start.entry), MapState)
