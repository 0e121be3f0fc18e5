"""One decision being made: what it may see, and what it has said so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec import json

from sfc.asl import Context, State
from sfc.engine.effects import Effect
from sfc.engine.events import AnyEvent
from sfc.engine.evolve import evolve
from sfc.engine.flow import Branch, Flow, items_of, variables_of
from sfc.engine.ids import rfc3339
from sfc.engine.program import Program
from sfc.engine.shard import Held, ShardState, held_by

STEPS_MAX = 10_000  # transitions of one branch without waiting
PAYLOAD_BYTES_MAX = 262_144  # of JSON: AWS's limit
FLOW_BYTES_MAX = 4 * 1024 * 1024

encode = json.Encoder().encode


class Missing(NamedTuple):
    """Why a start has no program: a stable word, and a sentence."""

    reason: str
    detail: str


class Decision(NamedTuple):
    """``flow`` is None when the shard knows none of that id (any more). ``closed``: an answer for a job that is not open (dropped).
    ``told``: bytes of the payloads in the events, about. ``raised``: what ended the flow where decide should not have raised; for the
    log alone."""

    flow: Flow | None
    events: list[AnyEvent]
    effects: list[Effect]
    closed: bool = False
    told: int = 0
    raised: Exception | None = None


class Turn:
    """What a decision works on. ``work`` holds (branch, state to enter): a list that is worked off, so that no depth is needed."""

    __slots__ = (
        "closed", "effects", "ended_child", "events", "flow_id", "known", "known_program", "late", "missing", "now", "offset", "raised",
        "seq", "shard", "started", "steps", "told", "work", "yielded",
    )  # fmt: skip

    def __init__(
        self, program: Program | None, flow: Flow | None, shard: ShardState, offset: int, flow_id: str, missing: Missing | None = None
    ) -> None:
        self.known_program = program
        self.missing = missing
        self.known = flow
        self.shard = shard
        self.offset = offset
        self.flow_id = flow_id
        self.now = shard.clock_ms
        self.seq = 0 if flow is None else flow.seq
        self.events: list[AnyEvent] = []
        self.effects: list[Effect] = []
        self.work: deque[tuple[int, str]] = deque()
        self.steps = 0  # transitions of this decision
        self.started = 0  # iterations of distributed Maps, in this decision
        self.yielded = False
        self.late = 0  # transitions since it would have yielded
        self.told = 0  # bytes of the payloads that its events have
        self.closed = False
        self.ended_child = ""  # whose end the decision is about
        self.raised: Exception | None = None

    @property
    def flow(self) -> Flow:
        """The flow, where there is one."""
        return self.known  # type: ignore[return-value]  # a cast would be a call, ten times in a decision

    @property
    def program(self) -> Program:
        """The flow's program, where there is one."""
        return self.known_program  # type: ignore[return-value]

    def emit(self, kind: Callable[..., AnyEvent], *args: Any, **fields: Any) -> None:
        """Says an event and lets the flow follow it."""
        seq = self.seq + 1
        event = kind(seq, self.offset, self.now, *args, **fields) if fields else kind(seq, self.offset, self.now, *args)
        self.known = evolve(self.known, event)
        self.events.append(event)
        self.seq = seq  # last: an event that could not be taken leaves no gap

    def state_of(self, branch: Branch) -> State:
        return self.program.machine.states[branch.state]

    def held(self) -> Held | None:
        """What holds the flow besides its own pause."""
        if not self.shard.holds and not self.flow.parent_held_ms:
            return None
        return held_by(self.shard, self.flow, self.known_program)

    def stands(self) -> bool:
        """Whether the flow stands still, by its own pause, that of the flow above, or a hold of the shard."""
        return self.flow.paused or self.held() is not None

    def frozen_since_ms(self) -> int:
        """Since when the flow's timers stand still, by what holds it now or has held it without a break; 0: they run."""
        held = self.held()
        known_ms, since_ms = self.flow.held_since_ms, held.freeze_since_ms if held is not None else 0
        return min(known_ms, since_ms) if known_ms and since_ms else known_ms or since_ms

    def effective(self, state: State, branch: Branch) -> Any:
        """The state's effective input, or a Failure. The context is only made where a field could look at it."""
        if state.input_path is None and state.parameters is None:
            return branch.data
        return state.effective_input(branch.data, self.context(branch))

    def output(self, state: State, branch: Branch, result: Any) -> Any:
        """The state's output for its result, or a Failure."""
        if state.output_path is None and state.result_selector is None and state.answer is None:
            return state.output(branch.data, result, None)
        return state.output(branch.data, result, self.context_after(state, branch, result))

    def context_after(self, state: State, branch: Branch, result: Any) -> Context:
        """The context of fields that are evaluated when the state has its result."""
        context = self.context(branch)
        return context.having(result=result) if state.jsonata and state.has_result else context

    def context(self, branch: Branch, token: str = "", item: tuple[int, Any] | None = None) -> Context:
        """What the fields of the branch's state may look at; with the job's token where a job is made, and with place and value
        of the item for which an iteration of the branch's Map is about to start."""
        seed = f"{self.flow_id}/{self.flow.run}/{self.seq + 1}"
        return Context(lambda: self.context_object(branch, token, item), lambda: variables_of(self.flow, branch), self.now, seed)

    def context_object(self, branch: Branch, token: str = "", item: tuple[int, Any] | None = None) -> dict[str, Any]:
        """The context object ``$$`` as a state sees it."""
        flow = self.flow
        context: dict[str, Any] = {
            "Execution": {
                "Id": flow.id,
                "Input": flow.input,
                "Name": flow.id.partition(":")[2] or flow.id,
                "RoleArn": "",  # nothing is assumed here: the field is for machines that pass it on
                "StartTime": rfc3339(flow.started_ms),
                "RedriveCount": flow.redrives,
            },
            "State": {"EnteredTime": rfc3339(branch.entered_ms), "Name": branch.state},
            "StateMachine": {"Id": f"{flow.blueprint}@{flow.version}", "Name": flow.blueprint},
        }
        if self.state_of(branch).kind == "Task":
            context["State"]["RetryCount"] = sum(branch.retries)
        if token or branch.token:
            context["Task"] = {"Token": token or branch.token}
        inner = branch
        while item is None and (inner.parent >= 0 or inner.detached is not None):  # that of the innermost Map around the branch
            around = flow.branches[inner.parent if inner.detached is None else inner.detached.owner]
            if around.map is not None:
                item = inner.index, items_of(around)[inner.index]
            inner = around
        if item is not None:
            context["Map"] = {"Item": {"Index": item[0], "Value": item[1]}}
        return context

    def decision(self) -> Decision:
        return Decision(self.known, self.events, self.effects, self.closed, self.told, self.raised)
