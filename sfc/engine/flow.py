"""A flow's state: what folding its events gives, and what stands in ``sfc.state``. Changed only by sfc.engine.evolve."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from sfc.engine.commands import ChildEnded, Complete, Dispatched, DispatchFailed, Fail, Origin, Parent, ReplyTo

Status = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]

Phase = Literal["entered", "job", "waiting", "retrying", "branches", "spread", "done", "failed", "stopped"]
"""entered: about to run · job: an answer is awaited · waiting: a Wait state's time · retrying: the pause before a retry ·
branches: inside a Parallel or Map · spread: a distributed Map, whose iterations are flows of their own ·
done: a branch with its result · failed: where the flow failed · stopped: a sibling cut off by that."""


class Reads(Struct, omit_defaults=True):
    """Of a distributed Map with an ItemReader: what it has of its items. The page in hand is ``Going.items``."""

    request: Any = None  # what the reader is told for each page, beside the cursor
    token: str = ""  # of the job that reads a page; empty: none is open
    cursor: Any = None  # where the next page begins, as the reader said; null: at the beginning
    more: bool = True  # whether there is a next page
    read: int = 0  # items read so far, before they were batched
    first: int = 0  # the place of the first item in hand
    size: int = 0  # bytes of JSON of the page in hand
    ahead: list[Any] | UnsetType = UNSET  # the page behind it
    ahead_size: int = 0


class Part(Struct):
    """Results that are being written as one file. ``status``: SUCCEEDED, FAILED, or MANIFEST for the last file, which has none."""

    status: str
    number: int
    results: list[Any]
    size: int


class Writes(Struct, omit_defaults=True):
    """Of a distributed Map with a ResultWriter: the results that are not written yet. ``{"Index", "Output"}``, or ``{"Index", "Error",
    "Cause"}``."""

    request: Any = None  # what the writer is told with each part
    filling: dict[str, list[Any]] = field(default_factory=dict)  # by status: what goes into the next part
    filled: dict[str, int] = field(default_factory=dict)  # bytes of JSON of these
    sizes: dict[str, list[int]] = field(default_factory=dict)  # by status: bytes of each part written; -1: not yet
    open: dict[str, Part] = field(default_factory=dict)  # by the token of the job that writes it
    largest: int = 0  # bytes of JSON of the largest result so far
    told: Any = None  # the answer to the manifest: where the results are


class Going(Struct, omit_defaults=True):
    """How far a Map is. The iterations that are at work are branches; one that is done leaves its output in ``results``."""

    limit: int  # iterations at once
    items: list[Any] | UnsetType = UNSET  # what it goes over; UNSET: the very input of the state
    results: list[Any] = field(default_factory=list)  # outputs in order of the items, as many as were started; null where there is none yet
    living: int = 0
    failed: list[int] = field(default_factory=list)  # iterations whose failure was tolerated; the result leaves them out
    size: int = 0  # bytes of JSON of items and results
    open: list[int] = field(default_factory=list)  # of a distributed Map: the iterations at work, which are no branches
    started: int = 0  # of a distributed Map: iterations that were started
    broken: int = 0  # of these, those whose failure was tolerated
    reads: Reads | None = None
    writes: Writes | None = None


class Broken(Struct, frozen=True, omit_defaults=True):
    """What ended a detached branch that failed."""

    error: str | None = None
    cause: str | None = None


class Detached(Struct, omit_defaults=True):
    """Of a holder: whose branches hang below it, and which of them, by their place, have failed."""

    owner: int
    failed: dict[int, Broken] = field(default_factory=dict)


class Branch(Struct, omit_defaults=True):
    """One path of control. Branch 0 is the flow itself; a Parallel state, and each iteration of a Map, start others below its own."""

    id: int
    parent: int = -1
    index: int = 0  # place among its siblings = place of its result; of an iteration: of its item
    state: str = ""
    data: Any = None  # the state's raw input; of a done branch its output
    phase: Phase = "entered"
    entered_seq: int = 0
    entered_ms: int = 0
    token: str = ""  # of the open job
    child: str = ""  # the flow that does the open job
    due_ms: int = 0  # end of a Wait or of a pause before a retry, or the deadline of the job or of an ItemReader's page; 0: none
    heartbeat_due_ms: int = 0  # end of a job's allowed silence, or of a ResultWriter's; 0: none
    retries: list[int] = field(default_factory=list)  # attempts used, per retrier of the state; [] = none yet
    result: Any | UnsetType = UNSET  # of the state, from its answer or join to its exit
    variables: dict[str, Any] = field(default_factory=dict)  # assigned in the branch's own scope; see variables_of
    map: Going | None = None  # of a Map whose iterations are at work
    detached: Detached | None = None  # of a holder, which runs nothing itself: see sfc.engine.detached
    steps: int = 0  # states entered since a wait of its own, of a branch below it or of one that it detached was over


class KeptSignal(Struct, frozen=True, omit_defaults=True):
    """A signal that came before a state waited for it. ``error`` or ``cause``: the wait fails with them."""

    name: str
    output: Any = None
    error: str | None = None
    cause: str | None = None


class Flow(Struct, omit_defaults=True):
    """One life of a flow id."""

    id: str
    run: int  # offset of the start command on its shard
    blueprint: str
    version: int
    hash: str
    seq: int = 0  # number of its last event; events are numbered 1, 2, 3 … without a gap
    status: Status = "RUNNING"
    input: Any = None
    output: Any = None  # of a stub: a small one; the full output is in the history
    error: str | None = None
    cause: str | None = None
    started_ms: int = 0
    ended_ms: int = 0
    due_ms: int = 0  # the machine's own TimeoutSeconds; after the end: when the flow is forgotten; 0: none
    branches: dict[int, Branch] = field(default_factory=dict)
    branches_made: int = 0  # so that the id of a branch is never used twice
    paused: bool = False  # the flow's own hold
    paused_reason: str = ""
    held_since_ms: int = 0  # since when its timers stand still; 0: they run
    stood_ms: int = 0  # when it came to stand by a decision of its own (started under a hold, at a held task); 0: a hold came to it
    inbox: list[Complete | Fail | Dispatched | DispatchFailed | ChildEnded] = field(default_factory=list)  # what came while it was held
    signals: list[KeptSignal] = field(default_factory=list)  # in the order in which they came
    redrives: int = 0
    requests: list[str] = field(default_factory=list)  # ids of redrives and signals done, the last 20
    origin: Origin | None = None
    keep_id: bool = False
    wait: ReplyTo | None = None
    traceparent: str = ""
    parent: Parent | None = None  # who awaits its end
    entry: str = ""  # the distributed Map of which it is an iteration; empty: it runs the whole machine
    parent_held_ms: int = 0  # since when the flow above is paused; 0: it is not
    yielded_ms: int = 0  # when it goes on that had much to do at once; 0: it did not yield

    @property
    def running(self) -> bool:
        return self.status == "RUNNING"


def variables_of(flow: Flow, branch: Branch) -> dict[str, Any]:
    """The variables that a state of the branch sees: those of its own scope, and of the scopes around it. Not to be changed."""
    if branch.parent < 0:
        return branch.variables
    return {**variables_of(flow, flow.branches[branch.parent]), **branch.variables}


def items_of(branch: Branch) -> list[Any]:
    """What a Map goes over."""
    assert branch.map is not None  # asked only of a Map at work
    items: list[Any] = branch.data if branch.map.items is UNSET else branch.map.items
    return items


class BranchGlance(Struct, frozen=True, omit_defaults=True):
    """What a restore looks at of a branch."""

    state: str = ""
    phase: Phase = "entered"
    token: str = ""
    due_ms: int = 0
    heartbeat_due_ms: int = 0


class Glance(Struct, frozen=True, omit_defaults=True):
    """What a restore looks at of each flow of its shard: read from the same bytes as a Flow, in a fraction of the time."""

    id: str
    blueprint: str
    version: int
    hash: str
    status: Status = "RUNNING"
    due_ms: int = 0
    branches: dict[int, BranchGlance] = field(default_factory=dict)
    held_since_ms: int = 0
    yielded_ms: int = 0

    @property
    def running(self) -> bool:
        return self.status == "RUNNING"


def next_due_ms(flow: Flow | Glance) -> int:
    """When the flow's next timer is due, in milliseconds since 1970; 0 when it has none or they stand still."""
    if flow.held_since_ms and flow.running:
        return 0
    due = flow.due_ms
    if flow.running:
        if flow.yielded_ms and (not due or flow.yielded_ms < due):
            due = flow.yielded_ms
        for branch in flow.branches.values():
            for timer in (branch.due_ms, branch.heartbeat_due_ms):
                if timer and (not due or timer < due):
                    due = timer
    return due
