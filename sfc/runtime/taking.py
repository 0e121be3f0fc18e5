"""A shard on its way to a lane: fenced, restored in portions, its due order found (EXACTLY-ONCE 13)."""

from __future__ import annotations

from collections.abc import Iterator

from sfc.engine.flow import next_due_ms
from sfc.engine.rules import RULES
from sfc.engine.shard import ShardState
from sfc.errors import ShardStopped
from sfc.ports import Clock, Log, Partition, StateStore, Transaction
from sfc.runtime.attempts import Attempts
from sfc.runtime.checkpoint import Place, place_of
from sfc.runtime.definitions import Definitions
from sfc.runtime.interval import write_record
from sfc.runtime.programs import Programs
from sfc.runtime.restore import Restore
from sfc.runtime.timers import Timers
from sfc.wire.state import glance_at
from sfc.wire.topics import Names

_LOOK_AT_CLOCK = 500  # flows between two looks at the clock


class Taking:
    """Making it fences the shard's former owner. ``step`` until it says True; then ``state``, ``fence`` and the rest are the shard's.

    ``place``, ``fence``: where it is known, or taken already. Between two steps the lane's other shards go on. Nothing is decided and
    nothing is sent meanwhile.
    """

    def __init__(
        self,
        number: int,
        log: Log,
        names: Names,
        store: StateStore,
        definitions: Definitions,
        clock: Clock,
        attempts: Attempts | None = None,
        place: Place | None = None,
        fence: Transaction | None = None,
    ) -> None:
        self.number = number
        self._log_port = log
        self._names = names
        self._attempts = attempts
        self._closed = False  # by its last owner
        self.began_s = clock.monotonic_s()
        self._store = store
        self._clock = clock
        self._programs = Programs(number, definitions)
        self.fence: Transaction = fence or log.transaction(names.transactional_id(number))
        self.state: ShardState | None = None
        self.timers = Timers()
        self.open: list[tuple[str, str]] = []  # flows and tokens of exactly-once jobs without reply that may be done (EXACTLY-ONCE 31)
        self._looking: Iterator[None] | None = None
        try:
            self.place: Place = place or place_of(log, names)
            definitions.read_to_end()  # every version that its flows may have (EXACTLY-ONCE 32)
            self._restore = Restore(log, names, number, store, self.place, clock)
        except BaseException:
            self.fence.close()
            raise

    @property
    def records(self) -> int:
        """How many were read of ``sfc.state``."""
        return self._restore.records

    @property
    def cold(self) -> str:
        """Why the local store could not be gone on from; "" when it could."""
        return self._restore.cold

    def step(self, until_s: float) -> bool:
        """Goes on until the monotonic clock says ``until_s``. Whether all is done. Raises ShardStopped when it must not be taken."""
        while self.state is None:
            if not self._restore.step(until_s):
                return False
            state = self._restore.finish()
            if state is not None:
                self._closed = state.closed
                _check_rules(state)
                self.state = state
        if self._looking is None:
            self._restore.close()
            self._looking = self._look_at_flows()
        if not all(self._clock.monotonic_s() < until_s for _ in self._looking):
            return False
        end = self._check_position(self.state.next_offset)
        if self._attempts is not None and self._attempts.begin(self.state, end, closed=self._closed):
            # If deciding what waits kills this process, the next one knows.
            self._store.apply(self.number, write_record(self.fence, self._names, self.state))
        return True

    def _check_position(self, position: int) -> int:
        """The end of the shard's commands. Raises ShardStopped when the log has not what comes next for the shard."""
        partition = Partition(self._names.commands, self.number)
        where = f"{partition.topic}-{partition.number}"
        start = self._log_port.starts([partition])[partition]
        if position < start:
            raise ShardStopped(
                f"shard {self.number} stands at offset {position}, but {where} begins at {start}:"
                " commands were deleted before they were read; retention.ms is too short for the time without an engine"
            )
        end = self._log_port.ends([partition], committed=False)[partition]
        if position > end:
            raise ShardStopped(
                f"shard {self.number} stands at offset {position}, but {where} ends at {end}: the topic was made anew or brought back from"
                " a backup. Its commands would be taken again from another place: use another namespace (SFC_NAMESPACE), or bring it back"
            )
        return end

    def _look_at_flows(self) -> Iterator[None]:
        """Finds the due order, and ``topic:`` states that wait to hear that they are dispatched; yields now and then."""
        looked = 0
        for key, value in self._store.scan(self.number):
            if key.startswith(b"/"):
                continue
            flow = glance_at(value)
            self.timers.set(flow.id, next_due_ms(flow))
            if flow.running:
                for branch in flow.branches.values():
                    if branch.phase == "job" and branch.token:
                        program = self._programs.of(flow)
                        if program is not None and branch.state in program.targets and program.targets[branch.state].kind == "topic":
                            self.open.append((flow.id, branch.token))
            looked += 1
            if looked % _LOOK_AT_CLOCK == 0:
                yield

    def close(self) -> None:
        """Lets go of it, before or after it is done; a shard that was made of it has the fence."""
        self._restore.close()

    def drop(self) -> None:
        """Lets go of the shard."""
        self.close()
        self.fence.close()


def _check_rules(state: ShardState) -> None:
    """EXACTLY-ONCE 10: a shard is decided again only by the rules that it was decided by."""
    if state.interval and (state.rules > RULES or (state.rules < RULES and not state.closed)):
        raise ShardStopped(
            f"shard {state.number} was decided by rules number {state.rules}{'' if state.closed else ' and not closed'},"
            f" this engine has {RULES}: an engine of that release must take it and stop cleanly first;"
            f" an older release's can be taken on an operator's word: `sfc doctor --accept-rules {state.number}`"
        )
    state.rules = RULES
    state.closed = False
