"""A lane: one engine thread with its clients, its store and the shards that it was assigned (EXACTLY-ONCE, "The loop of a lane").

The thread only loops ``step``, so that tests drive the very same code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sfc.errors import LogError, LogUnavailable, ProducerFailed, ProducerFenced, SfcError, ShardStopped, ShardUnclear
from sfc.log import get_logger
from sfc.ports import Clock, Consumer, Log, Partition, Position, Record, StateStore
from sfc.runtime import metrics
from sfc.runtime.attempts import Attempts, stopped_before
from sfc.runtime.definitions import Definitions
from sfc.runtime.fixed import joined
from sfc.runtime.intake import DefinitionsBehind
from sfc.runtime.outlets import Outlets
from sfc.runtime.shard import OwnedShard
from sfc.runtime.standby import Standby
from sfc.runtime.taking import Taking
from sfc.runtime.takings import Takings
from sfc.wire.topics import Names

_log = get_logger()

LOOK_AGAIN_S = 0.02  # for definitions that a start waits for
AHEAD_MS_MAX = 5_000  # a record further ahead of the engine's clock waits (EXACTLY-ONCE 6)
TAKING_SLICE_S = 0.05  # of a turn, for the shard that is being restored: the others wait no longer
TAKE_AGAIN_S = 0.5  # after a log that did not answer
CAREFUL_PER_TURN = 20  # commands that are decided one at a time, each with a commit
FENCED_S = 15.0  # longer than a group waits for a member: whoever took a shard that is not his has been told by then
LOOK_AT_STOPPED_S = 5.0  # whether an operator has mended a shard that stopped
GROUP_COMMIT_S = 2.0  # the group's own offsets serve lag displays only


@dataclass(frozen=True)
class LaneLimits:
    """When an interval ends, whichever is first. ``commits_per_s_max``: over all shards of the lane (EXACTLY-ONCE 20)."""

    interval_s: float = 0.1
    commands_max: int = 5_000
    bytes_max: int = 8 * 1024 * 1024
    batch_records_max: int = 1_000
    commits_per_s_max: float = 40.0


class Lane:
    """Owns shards from assignment to revocation. Made once per engine thread; ``close`` gives everything up cleanly. ``fixed``: these
    shards, without a group. ``standby``: it follows the states of all others, so as to take them quickly."""

    def __init__(
        self,
        log: Log,
        names: Names,
        shards: int,
        definitions: Definitions,
        store: StateStore,
        clock: Clock,
        limits: LaneLimits | None = None,
        attempts: Attempts | None = None,
        fixed: Sequence[int] | None = None,
        *,
        standby: bool = False,
        fences_at_once: int = 1,
    ) -> None:
        self._log_port = log
        self._names = names
        self._shard_count = shards
        self._definitions = definitions
        self._store = store
        self._clock = clock
        self._limits = limits or LaneLimits()
        self._attempts = attempts
        self._outlets = Outlets(log, names, shards)
        self._shards: dict[int, OwnedShard] = {}
        self._stopped: dict[int, str] = {}  # shards that must not go on, and why
        self._stopped_at: dict[int, int] = {}  # where their partitions of sfc.state ended then
        self._look_at_stopped_s = 0.0
        self._to_take: list[int] = []
        self._take_again_s = 0.0  # not before
        self._fenced: dict[int, float] = {}  # shards of ours that somebody else took, and until when that is his affair
        self._careful_left = CAREFUL_PER_TURN
        self._moved: set[int] = set()  # revoked or assigned anew during the call that took the batch
        self._ahead: dict[int, tuple[Record, int]] = {}  # what a shard waits before: for this engine's clock, or for its definitions
        self._commit_due_s: dict[int, float] = {}
        self._group_commit_due_s = 0.0
        self._takings = Takings(log, names, store, definitions, clock, attempts, fences_at_once)
        self._standby = Standby(log, names, shards, store, clock) if standby else None
        definitions.load()
        self._consumer: Consumer = joined(
            log, names.engine_group, names.commands, fixed, assigned=self._assigned, revoked=self._revoked, lost=self._lost
        )

    @property
    def ready(self) -> bool:
        """Whether it takes commands of all shards that it was given; of one at least, unless it stands by for others."""
        return not self._to_take and (bool(self._shards) or (self._standby is not None and self._standby.caught_up))

    @property
    def shards(self) -> dict[int, OwnedShard]:
        return self._shards

    @property
    def stopped(self) -> dict[int, str]:
        """Shards that must not go on, with the reason."""
        return self._stopped

    # -- the loop --------------------------------------------------------------------------------------------------------

    def step(self, timeout_s: float = 0.1) -> int:
        """One turn: take a batch, decide it, let due timers tick, commit the shard whose interval has ended.

        Returns how many commands were taken. A failure of a producer, or a log that does not answer, costs the shards a restore, never
        the lane. After any other exception it owns no shard: nothing of a command that was taken by half may ever be committed.
        """
        try:
            taken = self._step(timeout_s)
        except (ProducerFailed, LogUnavailable) as e:
            self._start_again(e)
            return 0
        except BaseException:
            self._drop_all()
            raise
        metrics.COMMANDS.inc(taken)
        return taken

    def _step(self, timeout_s: float) -> int:
        self._moved.clear()
        self._careful_left = CAREFUL_PER_TURN
        records = self._consumer.take(self._limits.batch_records_max, self._wait_s(timeout_s))
        self._look_at_stopped()
        self._look_at_fenced()
        self._take_assigned()
        self._go_on()
        self._outlets.expect(len(records))
        taken = 0
        for record in records:
            # consume() was seen to run the revoke callback and still hand over the partition's records (EXACTLY-ONCE 15).
            if record.partition in self._moved or self._waits(record):
                continue
            shard = self._shards.get(record.partition)
            if shard is not None:
                taken += self._take(shard, record)
        for shard in list(self._shards.values()):
            shard.tick_if_due()
        self._outlets.poll(self._clock.monotonic_s())
        self._commit_due()
        if self._standby is not None:
            self._standby.step((*self._shards, *self._to_take))
        return taken

    def _take(self, shard: OwnedShard, record: Record) -> int:
        """How many commands were taken: one, or none where the shard must wait before it."""
        careful = shard.careful
        try:
            shard.take(record)
        except DefinitionsBehind as e:
            self._stand_before(record, e.position)
            return 0
        except (ProducerFenced, ShardStopped) as e:
            self._ended(shard, e)
        except SfcError:
            raise
        except Exception as e:
            if not careful:
                if self._attempts is not None:
                    self._attempts.raised(shard.number)
                raise
            shard.state.next_offset = record.offset  # where it stands, as far as anybody else knows
            self._ended(shard, ShardStopped(stopped_before(shard.state, f"deciding it raised {type(e).__name__}: {e}")))
        if careful and shard.number in self._shards:
            self._commit(shard)
            self._carefully(shard)
        elif shard.overlay.bytes >= self._limits.bytes_max:  # here and not after the batch: a few decisions may say a lot
            self._commit(shard)
        return 1

    def _carefully(self, shard: OwnedShard) -> None:
        """After some commands of the careful pass the lane's other shards get their turn; the rest of the batch is read again."""
        self._careful_left -= 1
        if self._careful_left <= 0 and shard.number in self._shards:
            self._moved.add(shard.number)
            self._consumer.start(Partition(self._names.commands, shard.number), shard.state.next_offset)

    def _stand_before(self, record: Record, definitions: int = -1) -> None:
        """The shard waits before the record; what came behind it in the batch is read again later."""
        self._moved.add(record.partition)
        self._ahead[record.partition] = record, definitions
        self._consumer.pause([Partition(record.topic, record.partition)])

    def _waits(self, record: Record) -> bool:
        """Whether the record's append time is too far ahead: a leader with a wrong clock must not fire every timer at once."""
        if record.append_ms is None or record.append_ms <= self._clock.now_ms() + AHEAD_MS_MAX:
            return False
        _log.warning(
            "append time is ahead of this engine's clock; the shard waits", action="clock-ahead", shard=record.partition,
            ahead_ms=record.append_ms - self._clock.now_ms(),
        )  # fmt: skip
        self._stand_before(record)
        return True

    def _go_on(self) -> None:
        """Shards that waited before a record go on when the engine's clock has come close enough, or its definitions far enough."""
        if any(position > self._definitions.position for _, position in self._ahead.values()):
            self._definitions.step(0)
        for number, (record, position) in list(self._ahead.items()):
            on_time = record.append_ms is not None and record.append_ms <= self._clock.now_ms() + AHEAD_MS_MAX
            if on_time and position <= self._definitions.position:
                del self._ahead[number]
                self._consumer.start(Partition(record.topic, number), record.offset)

    def _wait_s(self, timeout_s: float) -> float:
        """No longer than until the next commit or tick is due, or definitions that are awaited may have come."""
        now_s = self._clock.monotonic_s()
        if self._to_take:
            timeout_s = min(timeout_s, self._take_again_s - now_s)
        if any(position > self._definitions.position for _, position in self._ahead.values()):
            timeout_s = min(timeout_s, LOOK_AGAIN_S)
        for number, shard in self._shards.items():
            if shard.overlay:
                timeout_s = min(timeout_s, self._commit_due_s.get(number, now_s) - now_s)
            timeout_s = min(timeout_s, shard.next_tick_in_s())
        return max(0.0, timeout_s)

    def _interval_s(self) -> float:
        return max(self._limits.interval_s, len(self._shards) / self._limits.commits_per_s_max)

    def _commit_due(self) -> None:
        """At most one shard whose time is up, so that the lane never stands still for two commits in a row; besides those that
        are full, or have exactly-once jobs waiting."""
        now_s = self._clock.monotonic_s()
        timely: OwnedShard | None = None
        for shard in list(self._shards.values()):
            overlay = shard.overlay
            if overlay.jobs or overlay.commands >= self._limits.commands_max or overlay.bytes >= self._limits.bytes_max:
                self._commit(shard)
            elif overlay:
                # An interval begins with its first command: what comes alone is answered before anything is committed.
                due_s = self._commit_due_s.setdefault(shard.number, now_s + self._interval_s())
                if now_s >= due_s and (timely is None or due_s < self._commit_due_s[timely.number]):
                    timely = shard
        if timely is not None:
            self._commit(timely)
        if now_s >= self._group_commit_due_s:
            self._group_commit_due_s = now_s + GROUP_COMMIT_S
            self._commit_group()

    def _commit(self, shard: OwnedShard) -> None:
        began_s = self._clock.monotonic_s()
        self._commit_due_s.pop(shard.number, None)
        self._guarded(shard, shard.commit)
        metrics.INTERVAL_SECONDS.observe(self._clock.monotonic_s() - began_s)

    def _commit_group(self) -> None:
        positions = {Partition(self._names.commands, n): Position(s.state.next_offset) for n, s in self._shards.items()}
        if positions:
            try:
                self._consumer.commit(positions, wait=False)
            except LogError as e:
                _log.debug(
                    "the group did not take the offsets, which are for display only", action="group-commit-refused", reason=e.message
                )

    def _guarded(self, shard: OwnedShard, act: Callable[[], None]) -> None:
        """What ends one shard ends no other: fenced, it is somebody else's; stopped, it waits for an operator; with a transaction of
        which nobody knows, it is restored (EXACTLY-ONCE 23)."""
        try:
            act()
        except (ProducerFenced, ShardStopped) as e:
            self._ended(shard, e)
        except ShardUnclear as e:
            _log.warning(e.message, action="shard-restarted", shard=shard.number)
            metrics.SHARD_RESTARTS.inc()
            self._drop(shard)
            if shard.number not in self._to_take:
                self._to_take.append(shard.number)
            self._take_again_s = self._clock.monotonic_s() + TAKE_AGAIN_S

    def _ended(self, shard: OwnedShard, why: ProducerFenced | ShardStopped) -> None:
        self._drop(shard)  # first: it ends an open transaction, and that moves the end of sfc.state
        if isinstance(why, ShardStopped):
            self._stop(shard.number, why)
        else:
            self._was_fenced(shard.number, why)

    def _was_fenced(self, number: int, why: ProducerFenced) -> None:
        metrics.FENCED.inc()
        _log.warning("another engine has taken the shard", action="shard-fenced", shard=number, reason=why.message)
        self._fenced[number] = self._clock.monotonic_s() + FENCED_S

    def _look_at_fenced(self) -> None:
        """A shard that is still assigned to us so long after it was taken from us is nobody's: one who woke up late took it, and has
        been told since that it is not his."""
        if not self._fenced:
            return
        now_s = self._clock.monotonic_s()
        for number in [n for n, until_s in self._fenced.items() if now_s >= until_s]:
            del self._fenced[number]
            if Partition(self._names.commands, number) in self._consumer.assignment() and number not in (*self._shards, *self._to_take):
                _log.warning("the shard is taken again: it is still assigned to this engine", action="shard-taken-again", shard=number)
                self._to_take.append(number)

    # -- shards come and go ----------------------------------------------------------------------------------------------

    def _assigned(self, partitions: list[Partition]) -> None:
        for partition in partitions:
            self._moved.add(partition.number)
            self._fenced.pop(partition.number, None)
            if partition.number not in self._to_take:
                self._to_take.append(partition.number)

    def _revoked(self, partitions: list[Partition]) -> None:
        """The shard is committed and given up within the callback, before anybody else is told to take it."""
        failed: Exception | None = None
        for partition in partitions:
            self._forget(partition.number)
            shard = self._shards.pop(partition.number, None)
            if shard is not None:
                try:
                    self._guarded(shard, shard.give_up)
                except LogError as e:
                    _log.warning("the shard was not closed cleanly", action="shard-not-closed", shard=shard.number, reason=e.message)
                except Exception as e:  # the others are given up first
                    failed = e
                else:
                    _log.debug("gave a shard up", action="shard-given-up", shard=shard.number)
                self._forget(partition.number)  # whatever became of it: it is not ours
        if failed is not None:
            raise failed

    def _lost(self, partitions: list[Partition]) -> None:
        for partition in partitions:
            shard = self._shards.pop(partition.number, None)
            self._forget(partition.number)
            if shard is not None:
                _log.warning("lost a shard", action="shard-lost", shard=shard.number)
                shard.drop()

    def _forget(self, number: int) -> None:
        self._moved.add(number)
        self._stopped.pop(number, None)
        self._fenced.pop(number, None)
        self._ahead.pop(number, None)
        self._takings.drop(number)
        if number in self._to_take:
            self._to_take.remove(number)
        metrics.SHARDS_OWNED.set(len(self._shards))

    def _take_assigned(self) -> None:
        """One shard after the other, and of a turn no more than a slice: those that are here go on meanwhile."""
        until_s = self._clock.monotonic_s() + TAKING_SLICE_S
        while self._to_take and self._clock.monotonic_s() >= self._take_again_s:
            number = self._to_take[0]
            try:
                taken = self._take_on(number, until_s)
            except ShardStopped as e:
                self._takings.drop(number)
                self._to_take.remove(number)
                self._stop(number, e)
            except ProducerFenced as e:  # while it was taken
                self._takings.drop(number)
                self._to_take.remove(number)
                self._was_fenced(number, e)
            except (ProducerFailed, LogUnavailable) as e:
                self._takings.drop(number)
                self._to_take.append(self._to_take.pop(0))
                self._take_again_s = self._clock.monotonic_s() + TAKE_AGAIN_S
                _log.warning(e.message, action="shard-not-taken", shard=number)
            else:
                if taken is not None:
                    self._own(taken)
                    self._to_take.remove(number)
            if self._clock.monotonic_s() >= until_s:
                return

    def _take_on(self, number: int, until_s: float) -> Taking | None:
        """Fence and restore, in portions; when it returns what was taken, all is done but to begin."""
        self._moved.add(number)  # whatever the batch in hand has of it is read again
        self._ahead.pop(number, None)
        if number not in self._takings:
            old = self._shards.pop(number, None)
            if old is not None:
                old.drop()
        taking = self._takings.first_of([number, *(n for n in self._to_take if n != number and n not in self._shards)])
        return taking if taking.step(until_s) else None

    def _own(self, taken: Taking) -> None:
        """Begins to read, at the shard's own position (EXACTLY-ONCE 13)."""
        shard = OwnedShard(
            taken, self._log_port, self._names, self._shard_count, self._definitions, self._store, self._outlets, self._clock
        )
        number = shard.number
        self._takings.done(number)
        self._shards[number] = shard
        self._commit_due_s.pop(number, None)
        self._consumer.start(Partition(self._names.commands, number), shard.state.next_offset)
        metrics.SHARDS_OWNED.set(len(self._shards))
        took_s = self._clock.monotonic_s() - taken.began_s
        metrics.RESTORES.inc()
        metrics.RESTORE_SECONDS.observe(took_s)
        _log.debug(
            "took a shard", action="shard-taken", shard=number, offset=shard.state.next_offset, seconds=round(took_s, 3),
            records=taken.records, cold=taken.cold,
        )  # fmt: skip

    def _stop(self, number: int, why: ShardStopped) -> None:
        self._stopped[number] = why.message
        self._stopped_at[number] = self._end_of_state(number)
        _log.error(why.message, action="shard-stopped", shard=number)

    def _end_of_state(self, number: int) -> int:
        """-1 where the log does not answer."""
        partition = Partition(self._names.state, number)
        try:
            return self._log_port.ends([partition], committed=False)[partition]
        except LogError:
            return -1

    def _look_at_stopped(self) -> None:
        """A shard whose state somebody has changed since it stopped is taken again: an operator has mended it."""
        now_s = self._clock.monotonic_s()
        if not self._stopped or now_s < self._look_at_stopped_s:
            return
        self._look_at_stopped_s = now_s + LOOK_AT_STOPPED_S
        for number in list(self._stopped):
            end = self._end_of_state(number)
            if end not in (-1, self._stopped_at[number]):
                del self._stopped[number]
                self._to_take.append(number)

    def _drop(self, shard: OwnedShard) -> None:
        self._shards.pop(shard.number, None)
        shard.drop()
        self._consumer.pause([Partition(self._names.commands, shard.number)])
        metrics.SHARDS_OWNED.set(len(self._shards))

    def _drop_all(self) -> None:
        """Lets go of every shard without a word; whoever takes one decides again from its last commit."""
        shards = list(self._shards.values())
        self._shards.clear()  # first: whatever fails below, nothing of them can be committed
        metrics.SHARDS_OWNED.set(0)
        for shard in shards:
            shard.drop()
        self._takings.close()

    def _start_again(self, why: LogError) -> None:
        """A producer is spent, or a commit's outcome is unclear: new producers, and every shard from the log (EXACTLY-ONCE 23)."""
        _log.error(why.message, action="lane-restarted", shards=sorted(self._shards))
        metrics.LANE_RESTARTS.inc()
        numbers = sorted(set(self._shards) | set(self._to_take))
        self._drop_all()
        self._consumer.pause([Partition(self._names.commands, n) for n in numbers])
        self._outlets.close()
        self._outlets = Outlets(self._log_port, self._names, self._shard_count)
        self._to_take = numbers

    def close(self) -> None:
        """Finishes the interval, writes ``closed``, and leaves the group."""
        self._consumer.close()
        self._drop_all()
        self._outlets.close()
        self._definitions.close()
        if self._standby is not None:
            self._standby.close()
