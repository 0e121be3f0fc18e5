"""A shard while a lane owns it: a deterministic state machine over the records of one partition of ``sfc.commands``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from traceback import format_exception

import msgspec

from sfc.engine.commands import (
    ChildEnded,
    Command,
    Dispatched,
    DispatchFailed,
    Fire,
    FlowCommand,
    Hold,
    Start,
    Tick,
    Wake,
)
from sfc.engine.decide import decide
from sfc.engine.effects import DispatchJob, RefuseStart, Reply, SendCommand
from sfc.engine.evolve import kept
from sfc.engine.flow import Flow, next_due_ms
from sfc.engine.shard import held_by, inherit, subjects_of
from sfc.engine.start import EXISTS
from sfc.engine.turn import Decision, Missing
from sfc.errors import LogError, ProducerFailed, RecordTooLarge, ShardStopped, ShardUnclear, TransactionAborted
from sfc.log import get_logger
from sfc.ports import Clock, Log, Partition, Record, StateStore, Transaction
from sfc.runtime.attempts import careful, got_on
from sfc.runtime.carrier import topic_id_of
from sfc.runtime.checkpoint import Progress
from sfc.runtime.definitions import Definitions
from sfc.runtime.instead import instead_of, instead_of_record
from sfc.runtime.intake import read_command
from sfc.runtime.interval import Overlay, count, note_flow, write_interval
from sfc.runtime.letters import Refused, letter_of
from sfc.runtime.outlets import Outlets
from sfc.runtime.programs import Programs
from sfc.runtime.remembered import is_new, take_hold
from sfc.runtime.shard_records import last_record
from sfc.runtime.taking import Taking
from sfc.runtime.ticks import Ticks
from sfc.runtime.waking import flows_behind
from sfc.wire.commands import Received
from sfc.wire.dead_letters import DeadLetter
from sfc.wire.partition import partition_of
from sfc.wire.state import decode_flow, shard_key
from sfc.wire.topics import Names

_log = get_logger()

FIRED_PER_TICK_MAX = 1_000
WOKEN_PER_TICK_MAX = 1_000
DECODED_FLOWS_MAX = 50_000  # about 3 KB each
REFUSED_ALONE = 4  # attempts to write an interval without the jobs that were refused; then all jobs for their topics are left out
SLOW_COMMIT_S = 1.0  # then the producer is renewed (EXACTLY-ONCE 24)


class OwnedShard:
    """What a Taking has made ready: fenced, restored, and only then this."""

    def __init__(
        self,
        taken: Taking,
        log: Log,
        names: Names,
        shards: int,
        definitions: Definitions,
        store: StateStore,
        outlets: Outlets,
        clock: Clock,
    ) -> None:
        assert taken.state is not None  # it is done
        number = taken.number
        self.number = number
        self.state = taken.state
        self._log_port = log
        self._names = names
        self._shards = shards
        self._programs = Programs(number, definitions)
        self._store = store
        self._outlets = outlets
        self._clock = clock
        self._decoded: OrderedDict[str, Flow] = OrderedDict()
        self._timers = taken.timers
        self._ticks = Ticks(number, self._timers, clock)
        self._progress = Progress(taken.place, log, Partition(names.state, number), clock)
        self._commands_topic_id = self._topic_id(names.commands)
        self._known_topics: set[str] = set()
        self._sent = 0  # commands to shards that the command at hand has led to
        self._later: list[Callable[[], None]] | None = None  # in the careful pass: effects leave when all is decided
        self.overlay = Overlay()
        self._fence: Transaction = taken.fence
        for flow_id, token in taken.open:
            self._append(flow_id, Dispatched(token))

    @property
    def careful(self) -> bool:
        """Whether the next command is to be decided alone (EXACTLY-ONCE 26)."""
        return careful(self.state)

    def _topic_id(self, topic: str) -> str:
        info = self._log_port.describe(topic)
        return info.id if info else ""

    # -- taking commands -------------------------------------------------------------------------------------------------

    def take(self, record: Record) -> None:
        """Decides one record of the shard's partition; effects leave at once. Raises DefinitionsBehind, and nothing has changed."""
        state, careful_here = self.state, self.careful
        append_ms = self._check_place(record)
        key = record.key or b""
        home = self.number if key.startswith(b"/") else partition_of(key, self._shards)
        received: Received | None = None
        refused: Refused | None = None
        try:
            received = read_command(record)
        except Refused as e:
            refused = e
        else:
            if home == self.number and isinstance(received.command, Start):
                self._programs.await_start(received.command)
        state.clock_ms = max(state.clock_ms, append_ms)
        state.next_offset = record.offset + 1
        self._sent = 0
        self._later = [] if careful_here else None
        self.overlay.commands += 1
        self.overlay.bytes += len(record.value or b"")
        if received is None:
            assert refused is not None
            self._refuse(record, refused)
            return
        try:
            if received.source and not isinstance(received.command, Hold) and not is_new(state, received):
                return
        except Refused as e:
            self._refuse(record, e)
            return
        if home != self.number:
            self._forward(record, home)
            return
        if received.bad_value:
            self._dead_letter(record, "not-json", received.bad_value)
        self._carry_out(key.decode("utf-8", "replace"), received.command, record, received.source)
        if self._later:
            for leave in self._later:
                leave()

    def _check_place(self, record: Record) -> int:
        """The record's append time. Raises ShardStopped where the log is not what it was."""
        if record.append_ms is None:
            raise ShardStopped(
                f"{record.topic}-{record.partition} gives no append time: set message.timestamp.type=LogAppendTime on {record.topic}"
            )
        if record.offset < self.state.next_offset:
            raise ShardStopped(
                f"shard {self.number} stands at offset {self.state.next_offset} and was given offset {record.offset} of"
                f" {record.topic}-{record.partition}: was the topic made anew? Use another namespace (SFC_NAMESPACE), or bring it back"
            )
        return record.append_ms

    def _forward(self, record: Record, home: int) -> None:
        """Passes the record on to the shard that it belongs to (EXACTLY-ONCE 30)."""
        try:
            self._outlets.forward(home, record.key, record.value, list(record.headers), f"shard/{self.number}", (record.offset, 0))
        except RecordTooLarge as e:
            self._dead_letter(record, "too-large", f"the record can't be passed on to shard {home}: {e.message}")

    def _carry_out(self, flow_id: str, command: Command, record: Record, source: str) -> None:
        if isinstance(command, Tick):
            self._tick(command, record)
        elif isinstance(command, Hold):  # its revision says what a mark would
            try:
                take_hold(self.state, command)
            except Refused as e:
                self._refuse(record, e)
        else:
            decision = self._decide(flow_id, command, record.offset, source, record)
            if decision.closed:
                self.state.dropped_replies += 1

    def _decide(
        self, flow_id: str, command: FlowCommand | Fire | Wake, offset: int, source: str = "", record: Record | None = None
    ) -> Decision:
        flow = self.flow(flow_id)
        missing: Missing | None = None
        if isinstance(command, Start):
            program, missing = self._programs.of_start(command)
        else:
            program = self._programs.of(flow)
        decision = decide(program, flow, command, self.state, offset, flow_id, missing)
        if decision.raised is not None:
            trace = "".join(format_exception(decision.raised, limit=-20))  # no values of the flow's
            _log.error("decide raised", action="decide-raised", flow=flow_id, offset=offset, exception=trace)
        if decision.events:
            self.overlay.bytes += decision.told
            changed = decision.flow if decision.flow is not None else flow
            assert changed is not None
            keep = decision.flow is not None and kept(decision.flow)
            self.overlay.add(changed, program, decision.events, keep=keep)
            if isinstance(command, Start) and command.parent is not None:
                inherit(self.state, changed)
            if not changed.running and flow_id in self.state.passed_over:
                self.state.passed_over.remove(flow_id)
            if not keep:
                self._decoded.pop(flow_id, None)
                self._timers.set(flow_id, 0)
            else:
                self._decoded[flow_id] = changed
                self._timers.set(flow_id, next_due_ms(changed))
        if self._later is None:
            self._let_leave(decision, command, offset, source, record)
        else:
            self._later.append(partial(self._let_leave, decision, command, offset, source, record))
        return decision

    def _let_leave(self, decision: Decision, command: object, offset: int, source: str, record: Record | None) -> None:
        for effect in decision.effects:
            match effect:
                case DispatchJob():
                    self._dispatch(effect)
                case Reply():
                    self._outlets.reply(effect)
                case RefuseStart():
                    self._refuse_start(effect, command, source, record)
                case SendCommand():
                    self._send(effect, offset)

    def flow(self, flow_id: str) -> Flow | None:
        """The flow as it is now, with what the interval has changed."""
        if flow_id in self.overlay.flows:
            return self.overlay.flows[flow_id]
        flow = self._decoded.get(flow_id)
        if flow is not None:
            return flow
        value = self._store.get(self.number, flow_id.encode())
        if value is None:
            return None
        flow = decode_flow(value)
        self._decoded[flow_id] = flow
        return flow

    # -- effects ---------------------------------------------------------------------------------------------------------

    def _append(self, flow_id: str, command: Command) -> None:
        self._outlets.command(self.number, flow_id.encode(), command)

    def _send(self, sent: SendCommand, offset: int) -> None:
        """A command to another flow, on whatever shard, this one included: decided again it has the same mark, and is dropped there."""
        command, flow_id = sent.command, sent.flow.encode()
        if isinstance(command, Start):
            command = msgspec.structs.replace(command, definitions=self._programs.position)
        mark = offset, self._sent
        self._sent += 1
        try:
            self._outlets.command(partition_of(flow_id, self._shards), flow_id, command, f"shard/{self.number}", mark)
        except RecordTooLarge as e:
            self._not_sent(sent, e.message)

    def _not_sent(self, sent: SendCommand, reason: str) -> None:
        """The topic takes less than what decide lets through: its limit was lowered."""
        _log.error("a command to a flow is too large for the log", action="command-too-large", flow=sent.flow, reason=reason)
        self._tell(instead_of(sent.flow, sent.command, reason))

    def _tell(self, told: tuple[str, ChildEnded] | None) -> None:
        if told is not None:
            key = told[0].encode()
            self._outlets.command(partition_of(key, self._shards), key, told[1])

    def _dispatch(self, job: DispatchJob) -> None:
        if job.target.exactly_once:
            self.overlay.jobs.append(job)
        else:
            self._outlets.job(job, self.number, self._dispatch_failed)

    def _dispatch_failed(self, job: DispatchJob, reason: str) -> None:
        _log.warning("a job was not taken by its topic", action="dispatch-failed", flow=job.flow, topic=job.target.topic, reason=reason)
        self._append(job.flow, DispatchFailed(job.token, f"topic {job.target.topic}: {reason}"))

    def _refuse_start(self, refused: RefuseStart, command: object, source: str, record: Record | None) -> None:
        """A topic's record becomes a dead letter. So does a start of nobody who waits, except that an id may be used again: who chose it
        meant that."""
        if not isinstance(command, Start):
            return
        origin = command.origin
        if origin is None or origin.kind != "topic":
            awaited = command.accepted or command.wait or command.parent
            if record is not None and refused.reason != EXISTS and awaited is None:
                self._dead_letter(record, refused.reason, refused.detail)
            return
        self.state.dead_letters += 1
        self._outlets.dead_letter(
            DeadLetter(
                reason=refused.reason,
                detail=refused.detail,
                topic=origin.topic,
                topic_id=topic_id_of(source),
                partition=origin.partition,
                offset=origin.offset,
                key=refused.flow.encode(),
                value=None,
            )
        )

    def _refuse(self, record: Record, why: Refused) -> None:
        self._dead_letter(record, why.reason, why.detail)
        self._tell(instead_of_record(record, why.detail))

    def _dead_letter(self, record: Record, reason: str, detail: str) -> None:
        self.state.dead_letters += 1
        self._outlets.dead_letter(letter_of(record, self._commands_topic_id, reason, detail))

    # -- time and holds --------------------------------------------------------------------------------------------------

    def tick_if_due(self) -> None:
        """Appends a tick to the shard's own partition when a timer is due by the engine's clock; one is in flight at a time."""
        if not self.overlay and self._progress.old():
            self.overlay.commands += 1
        tick = self._ticks.due(waking=bool(self.state.waking))
        if tick is not None:
            self._outlets.command(self.number, shard_key(self.number), tick)

    def next_tick_in_s(self) -> float:
        """Seconds until ``tick_if_due`` would append one; infinite when nothing is due."""
        return self._ticks.next_in_s(waking=bool(self.state.waking))

    def _tick(self, tick: Tick, record: Record) -> None:
        """Fires what is due by the smaller of tick time and record time, in order of due time and flow id.

        A flow found due under a hold leaves the due order; waking puts it back. It does not count towards the limit: whether it had
        been found before depends on restores, and what a tick fires must not.
        """
        assert record.append_ms is not None
        self._ticks.came(tick, record.append_ms)
        until_ms = min(tick.time_ms, record.append_ms)
        fired = 0
        while fired < FIRED_PER_TICK_MAX and (flow_id := self._timers.pop(until_ms)) is not None:
            flow = self.flow(flow_id)
            if flow is None or (flow.running and (flow.paused or held_by(self.state, flow, self._programs.of(flow)))):
                continue
            if self._passes_over(flow):
                continue
            fired += 1
            self._decide(flow_id, Fire(until_ms), record.offset)
        self._wake(record.offset)

    def _passes_over(self, flow: Flow) -> bool:
        """Whether a tick leaves the flow alone. In the careful pass the flow that comes next is noted before it is decided."""
        if flow.id in self.state.passed_over:
            return True
        if self._later is not None:
            self._store.apply(self.number, note_flow(self._fence, self._names, self._store, self.state, flow.id))
        return False

    def _wake(self, offset: int) -> None:
        """Wakes the next of a lifted hold's flows: looks at a portion in order of their ids, and wakes those that it applied to.

        Whether it did the flow itself says: what stands under a hold changes neither its version nor the states of its branches.
        """
        if not self.state.waking:
            return
        waking = self.state.waking[0]
        flows = flows_behind(waking, self.state, self.overlay.flows, self._store, WOKEN_PER_TICK_MAX)
        for flow_id in flows[:WOKEN_PER_TICK_MAX]:
            waking.cursor = flow_id
            flow = self.flow(flow_id)
            if flow is None or not flow.running or waking.subject not in subjects_of(flow, self._programs.of(flow)):
                continue
            if self._passes_over(flow):
                continue
            self._decide(flow_id, Wake(waking.since_ms, waking.freeze), offset)  # its timers come back with what that says
        if len(flows) <= WOKEN_PER_TICK_MAX:
            self.state.waking.pop(0)

    # -- committing ------------------------------------------------------------------------------------------------------

    def commit(self) -> None:
        """Ends the interval: effects are acknowledged, then everything of the shard goes out in one transaction, or nothing.

        Raises ProducerFenced (the shard is not ours any more), ShardUnclear (its transaction failed, or nobody knows: restore it from
        the log), ProducerFailed (an effect was lost: restore all from the log).
        """
        overlay = self.overlay
        if not overlay:
            return
        self._leave_out_refused(overlay)
        self._outlets.flush()
        began_s = self._clock.monotonic_s()
        self.state.interval += 1
        got_on(self.state)
        checkpoint = self._progress.before_commit(len(overlay.flows) + 1, self.state.interval)
        changes = self._write(overlay)
        self._store.apply(self.number, changes, checkpoint)
        self.overlay = Overlay()
        count(overlay)
        while len(self._decoded) > DECODED_FLOWS_MAX:
            self._decoded.popitem(last=False)
        for job in overlay.jobs:
            if job.target.kind == "topic":
                self._append(job.flow, Dispatched(job.token))
        if self._clock.monotonic_s() - began_s > SLOW_COMMIT_S:  # a late end of this transaction must not end the next one
            self._renew_fence("a commit took over a second", self.state.interval)

    def _write(self, overlay: Overlay) -> dict[bytes, bytes | None]:
        """The transaction. One that refuses exactly-once jobs is written again without them: they fail alone (EXACTLY-ONCE 25)."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return write_interval(self._fence, self._names, self.state, overlay, self._store, self._names.commands)
            except TransactionAborted as e:
                refused = self._refused(overlay.jobs, e, attempt)
                if refused is None:
                    raise ShardUnclear(e.message) from e
                self._fail_jobs(overlay, refused, e.message)
                # The client counts the refused records: "skipped sequence numbers", when the same partition gets others (librdkafka).
                self._renew_fence("a transaction was refused", self.state.interval - 1)
                self._outlets.flush()
            except ProducerFailed as e:
                raise ShardUnclear(e.message) from e
            except RecordTooLarge as e:  # what decide lets through is smaller; the limits of the topics were lowered, say
                raise ShardStopped(f"shard {self.number} can't write its interval: {e.message}") from e

    def _refused(self, jobs: list[DispatchJob], why: TransactionAborted, attempt: int) -> list[DispatchJob] | None:
        """The jobs to leave out of the next attempt; None where none is to blame.

        Kafka refuses a whole batch for its size: then those are meant that are larger than their topic takes. Where none is, all go once
        more, by a producer that makes no such batches any more. In the end all for the topics that refuse are left out.
        """
        told = {(topic, key) for topic, key, _ in why.refused}
        topics = {topic for topic, _ in told}
        meant = [job for job in jobs if job.target.topic in topics]
        if not meant:
            return None
        if attempt > REFUSED_ALONE:
            return meant
        refused = [job for job in meant if (job.target.topic, job.flow.encode()) in told] or meant
        limits = {topic: self._bytes_max(topic) for topic in topics}
        larger = [job for job in refused if len(job.value) > limits[job.target.topic]]
        return larger if larger or attempt == 1 else refused

    def _bytes_max(self, topic: str) -> float:
        info = self._log_port.describe(topic)
        return float((info and info.config.get("max.message.bytes")) or "inf")

    def _fail_jobs(self, overlay: Overlay, failed: list[DispatchJob], reason: str) -> None:
        """Takes exactly-once jobs out of the interval; their flows hear of it by command."""
        tokens = {job.token for job in failed}
        overlay.jobs = [job for job in overlay.jobs if job.token not in tokens]
        for job in failed:
            self._dispatch_failed(job, reason)

    def _leave_out_refused(self, overlay: Overlay) -> None:
        """Exactly-once jobs whose topic is not there would end the whole interval: they fail alone (EXACTLY-ONCE 25)."""
        if any(job.target.topic not in self._known_topics for job in overlay.jobs):
            self._known_topics = set(self._log_port.topics())
            lost = [job for job in overlay.jobs if job.target.topic not in self._known_topics]
            self._fail_jobs(overlay, lost, "there is no such topic")

    def _renew_fence(self, why: str, committed: int) -> None:
        """Only straight after a commit or an abort that succeeded: until then the shard was ours. ``committed``: our last interval. Where
        the log has another, somebody had the shard while this process stood still."""
        _log.warning(f"{why}; the transactional producer is renewed", action="fence-renewed", shard=self.number)
        self._fence.close()
        try:
            self._fence = self._log_port.transaction(self._names.transactional_id(self.number))
            found = last_record(self._log_port, self._names, self.number, fenced=True)
        except (ProducerFailed, LogError) as e:
            raise ShardUnclear(e.message) from e
        if (found.interval if found is not None else 0) != committed:
            raise ShardUnclear(f"shard {self.number} was somebody else's while its producer was renewed")

    def give_up(self) -> None:
        """Commits with ``closed``, so that an engine with other rules may take the shard, and lets go of it."""
        self.state.closed = True
        self.overlay.commands += 1  # the record is written even when nothing else has changed
        try:
            self.commit()
        finally:
            self.drop()

    def drop(self) -> None:
        """Lets go without a word: the shard is not ours, or what we hold is not to be trusted."""
        self.overlay = Overlay()
        self._decoded.clear()
        self._fence.close()
