"""What the engine decided: the history of a flow. Each event has its number, the offset of its command and the shard's time.

Named as in AWS's execution history where that has a name. Entering and leaving are one struct for all state types, with
the type in ``kind``; :func:`name_of` gives AWS's name (``TaskStateEntered``). A payload is written once: a StateEntered has none, since its
input is what the branch had before, and a StateExited has the output only where it is not the state's result.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from sfc.engine.commands import ChildEnded, Complete, Dispatched, DispatchFailed, Fail, Origin, Parent, ReplyTo


class Event(Struct, frozen=True, omit_defaults=True, tag_field="type"):
    """``seq``: 1, 2, 3 … in a run. ``offset``: of the command that it was decided for. ``at_ms``: the shard's time."""

    seq: int
    offset: int
    at_ms: int


class ExecutionStarted(Event, frozen=True):
    flow: str
    blueprint: str
    version: int
    hash: str
    input: Any = None
    due_ms: int = 0
    origin: Origin | None = None
    keep_id: bool = False
    wait: ReplyTo | None = None
    traceparent: str = ""
    parent: Parent | None = None
    entry: str = ""


class ExecutionSucceeded(Event, frozen=True):
    """The output is the last StateExited's. ``keep_until_ms``: 0 = forgotten at once, else a stub stays so long."""

    keep_until_ms: int = 0
    stub_output: Any = None


class ExecutionFailed(Event, frozen=True):
    """``bare``, of this and the next two: what stays has no payloads (they were too large to be kept), and can't be redriven."""

    error: str | None = None
    cause: str | None = None
    keep_until_ms: int = 0
    bare: bool = False


class ExecutionTimedOut(Event, frozen=True):
    keep_until_ms: int = 0
    bare: bool = False


class ExecutionAborted(Event, frozen=True):
    error: str | None = None
    cause: str | None = None
    by: str = ""
    keep_until_ms: int = 0
    bare: bool = False


class ExecutionForgotten(Event, frozen=True):
    """The kept flow or stub has reached its end: its id may be used anew."""


class ExecutionRedriven(Event, frozen=True):
    """``branches``: those that go on; each then enters its state again. ``due_ms``: the machine's timeout, counted anew."""

    branches: list[int]
    request: str = ""
    by: str = ""
    due_ms: int = 0
    input: Any | UnsetType = UNSET


class ExecutionPaused(Event, frozen=True):
    """By a hold of its own (``own``) or of a shard's subject; ``since_ms``: from when on its timers stand still (0: they run on).
    ``stood``: the flow comes to stand by this very decision; without it the flow stood already. ``parent``: the flow above was paused."""

    own: bool = True
    since_ms: int = 0
    reason: str = ""
    by: str = ""
    stood: bool = False
    parent: bool = False


class ExecutionResumed(Event, frozen=True):
    """``own``: the flow's own hold is lifted, ``parent``: that of the flow above. ``free``: nothing holds it any more; ``shift_ms``: how
    far its timers move then."""

    own: bool = True
    free: bool = True
    shift_ms: int = 0
    by: str = ""
    parent: bool = False


class OutcomeHeld(Event, frozen=True):
    """An answer came while the flow was held; it is taken when the flow resumes."""

    outcome: Complete | Fail | Dispatched | DispatchFailed | ChildEnded


class OutcomesTaken(Event, frozen=True):
    """The flow resumed: the inbox is emptied, its answers are decided now, in order."""


class ExecutionYielded(Event, frozen=True):
    """The flow does much at once: what is still to be entered is entered at ``due_ms``, in another decision."""

    due_ms: int


class ExecutionContinued(Event, frozen=True):
    """The flow that yielded goes on."""


class StateEntered(Event, frozen=True):
    """Its input is what the branch had: the output of the state before, of the catcher, or the redrive's edited input."""

    branch: int
    state: str
    kind: str  # Task, Choice, …


class StateExited(Event, frozen=True):
    """``output`` UNSET: it is the state's result as it came. ``assigned``: the variables that get these values, in the branch's scope."""

    branch: int
    state: str
    kind: str
    next: str | None = None  # None: the branch ends here
    output: Any | UnsetType = UNSET
    caught: str | None = None  # the error that a catcher took
    assigned: dict[str, Any] | UnsetType = UNSET


class EvaluationFailed(Event, frozen=True):
    """JSONata in the state's field ``location`` (Output/total) could not be evaluated; what follows the next event says."""

    branch: int
    state: str
    location: str
    error: str | None = None
    cause: str | None = None


class TaskScheduled(Event, frozen=True):
    """A job leaves, a child flow is started, or a wait for a signal begins.

    ``input`` only where it is not the state's raw input. 0 in a due time: none."""

    branch: int
    token: str
    task: str  # the Resource as pinned: task:order-split@3
    input: Any | UnsetType = UNSET
    attempt: int = 0
    due_ms: int = 0
    heartbeat_ms: int = 0  # allowed silence, in milliseconds
    heartbeat_due_ms: int = 0
    child: str = ""  # the flow that is started for it


class SignalReceived(Event, frozen=True):
    """Without ``kept`` it completes an open wait by this very decision. ``kept``: no state waits for it yet; ``output``, ``error`` and
    ``cause`` are told here for then. ``request``: remembered, so that a repetition changes nothing."""

    name: str
    by: str = ""
    request: str = ""
    kept: bool = False
    output: Any = None
    error: str | None = None
    cause: str | None = None


class SignalTaken(Event, frozen=True):
    """The oldest signal of this name that was kept completes the branch's wait, which has just begun."""

    branch: int
    name: str


class TaskHeartbeat(Event, frozen=True):
    branch: int
    due_ms: int


class TaskSucceeded(Event, frozen=True):
    """``output``: the answer; UNSET for ``topic:`` states, whose result is their effective input, and after SignalTaken: there it is
    what the SignalReceived told."""

    branch: int
    output: Any | UnsetType = UNSET


class TaskFailed(Event, frozen=True):
    branch: int
    error: str | None = None
    cause: str | None = None


class TaskTimedOut(Event, frozen=True):
    branch: int
    error: str = "States.Timeout"
    cause: str = ""


class RetryScheduled(Event, frozen=True):
    """The state is tried again at ``due_ms``. ``retrier``: its place in the state's Retry. Branches of a Parallel or Map are dropped."""

    branch: int
    retrier: int
    due_ms: int


class WaitStarted(Event, frozen=True):
    branch: int
    due_ms: int


class ParallelStarted(Event, frozen=True):
    """``ids`` of the branches, in order; each then enters its first state. ``input``: the effective one, where it is not the raw one."""

    branch: int
    ids: list[int]
    input: Any | UnsetType = UNSET


class ParallelSucceeded(Event, frozen=True):
    """All branches are done; the list of their outputs is the state's result."""

    branch: int


class ParallelFailed(Event, frozen=True):
    """A branch (``child``) failed and nothing in it caught the error; what happens next the Parallel's own Retry and Catch say."""

    branch: int
    child: int = -1
    error: str | None = None
    cause: str | None = None


class DetachedStarted(Event, frozen=True):
    """As ParallelStarted, below a holder (``id``); the branch itself goes on. Branches that the same state has started before end."""

    branch: int
    id: int
    ids: list[int]
    input: Any | UnsetType = UNSET


class DetachedFailed(Event, frozen=True):
    """A detached branch (``child``) of a holder failed and nothing in it caught the error: a Join will say what follows."""

    branch: int
    child: int
    error: str | None = None
    cause: str | None = None


class JoinStarted(Event, frozen=True):
    """The branch waits for what its state ``of`` has started. ``due_ms``: 0 for ever."""

    branch: int
    of: str
    due_ms: int = 0


class JoinSucceeded(Event, frozen=True):
    """Enough branches of the holder are done; the list of their outputs, null for those that are not, is the state's result. The
    others end."""

    branch: int
    holder: int


class JoinFailed(Event, frozen=True):
    """Too many of the branches have failed, or the time is over."""

    branch: int
    error: str | None = None
    cause: str | None = None


class MapStarted(Event, frozen=True):
    """``items`` only where they are not the state's raw input; ``limit``: iterations at once; ``size``: bytes of JSON of the items.
    ``refused``: the thresholds of failures are none, the state fails now."""

    branch: int
    length: int
    limit: int = 0
    size: int = 0
    items: list[Any] | UnsetType = UNSET
    refused: bool = False


class ItemReaderScheduled(Event, frozen=True):
    """A job leaves that reads a page of the items of a distributed Map. ``reader``: where it reads. ``due_ms``: until when it must have."""

    branch: int
    token: str
    reader: str
    attempt: int = 0
    due_ms: int = 0


class ItemsRead(Event, frozen=True):
    """The next page: what the Map goes over (batches, if it makes such), of so many bytes. ``count``: items that were read. ``next``:
    where the page behind it begins; ``last``: there is none."""

    branch: int
    items: list[Any]
    size: int
    count: int
    next: Any = None
    last: bool = False


class ItemReaderFailed(Event, frozen=True):
    branch: int
    error: str | None = None
    cause: str | None = None


class MapRunStarted(Event, frozen=True):
    """A distributed Map begins: its iterations are flows, which report with its ``token``. The rest is as in MapStarted. ``reads``: what
    its ItemReader is told; the items come in pages, and ``length`` is -1. ``writes``: what its ResultWriter is told."""

    branch: int
    token: str
    length: int
    limit: int = 0
    size: int = 0
    items: list[Any] | UnsetType = UNSET
    reads: Any | UnsetType = UNSET
    writes: Any | UnsetType = UNSET


class ChildStarted(Event, frozen=True):
    """The flow (``child``) of an iteration of a distributed Map is started; its input is told by its own history."""

    branch: int
    index: int
    child: str


class ChildSucceeded(Event, frozen=True):
    """``size``: bytes of JSON of what is kept of it: the output, or the result that is to be written."""

    branch: int
    index: int
    output: Any = None
    size: int = 0


class ChildFailed(Event, frozen=True):
    """An iteration failed. ``tolerated``: the others go on; else the Map fails. ``size``: of the result that is to be written."""

    branch: int
    index: int
    error: str | None = None
    cause: str | None = None
    tolerated: bool = False
    size: int = 0


class ResultWriterScheduled(Event, frozen=True):
    """A job leaves that writes the first ``count`` results, of so many bytes, that are in no part; or the manifest. ``due_ms``: until
    when one of those that are open must have been written."""

    branch: int
    token: str
    writer: str
    status: str  # SUCCEEDED, FAILED, MANIFEST
    number: int = 0
    count: int = 0
    size: int = 0
    due_ms: int = 0


class ResultsWritten(Event, frozen=True):
    """The part, or the manifest, of this job's ``token`` is written. ``size``: bytes of the part's file; ``told``: of the manifest, where
    the results are. ``due_ms``: of the other parts that are open; 0: none is."""

    branch: int
    token: str
    size: int = 0
    told: Any = None
    due_ms: int = 0


class ResultWriterFailed(Event, frozen=True):
    branch: int
    error: str | None = None
    cause: str | None = None


class MapRunSucceeded(Event, frozen=True):
    """All iterations have ended; the list of the outputs is the state's result, or ``result``: what a ResultWriter makes of it."""

    branch: int
    result: Any | UnsetType = UNSET


class MapIterationStarted(Event, frozen=True):
    """A branch (``id``) for one item. ``input`` only where it is not the item itself."""

    branch: int
    id: int
    index: int
    input: Any | UnsetType = UNSET


class MapIterationSucceeded(Event, frozen=True):
    """Its output is its last StateExited's, of so many bytes of JSON; its branch is gone."""

    branch: int
    id: int
    index: int
    size: int


class MapIterationFailed(Event, frozen=True):
    """An iteration (``child``) failed and nothing in it caught the error: all others end with it, and what happens next the Map's own
    Retry and Catch say. ``tolerated``: the others go on, and this one's branch is gone."""

    branch: int
    child: int
    index: int
    error: str | None = None
    cause: str | None = None
    tolerated: bool = False


class MapIterationAborted(Event, frozen=True):
    """An iteration ended since another one failed."""

    branch: int
    index: int


class MapSucceeded(Event, frozen=True):
    """All iterations are done; the list of their outputs is the state's result, or ``result``: what a ResultWriter makes of it.
    ``written``: what it would write, where nothing is written (in tests)."""

    branch: int
    result: Any | UnsetType = UNSET
    written: list[Any] | UnsetType = UNSET


class MapFailed(Event, frozen=True):
    """No retrier of the state took the error. ``own``: no iteration failed, the Map itself did; its iterations are gone."""

    branch: int
    error: str | None = None
    cause: str | None = None
    own: bool = False


class BranchSucceeded(Event, frozen=True):
    """A branch of a Parallel has ended; its output is the last StateExited's."""

    branch: int


AnyEvent = (
    ExecutionStarted | ExecutionSucceeded | ExecutionFailed | ExecutionTimedOut | ExecutionAborted | ExecutionForgotten
    | ExecutionRedriven | ExecutionPaused | ExecutionResumed | OutcomeHeld | OutcomesTaken
    | ExecutionYielded | ExecutionContinued | StateEntered | StateExited | EvaluationFailed
    | SignalReceived | SignalTaken | TaskScheduled | TaskHeartbeat | TaskSucceeded | TaskFailed | TaskTimedOut | RetryScheduled
    | WaitStarted | ParallelStarted | ParallelSucceeded | ParallelFailed | BranchSucceeded
    | DetachedStarted | DetachedFailed | JoinStarted | JoinSucceeded | JoinFailed
    | ItemReaderScheduled | ItemsRead | ItemReaderFailed
    | MapStarted | MapRunStarted | ChildStarted | ChildSucceeded | ChildFailed | MapRunSucceeded
    | ResultWriterScheduled | ResultsWritten | ResultWriterFailed
    | MapIterationStarted | MapIterationSucceeded | MapIterationFailed | MapIterationAborted | MapSucceeded | MapFailed
)  # fmt: skip


def name_of(event: Event) -> str:
    """The event's name in AWS's execution history, or in its style."""
    match event:
        case StateEntered() | StateExited():
            return f"{event.kind}{type(event).__name__}"
        case ParallelStarted() | ParallelSucceeded() | ParallelFailed():
            return type(event).__name__.replace("Parallel", "ParallelState")
        case MapStarted() | MapSucceeded() | MapFailed():
            return type(event).__name__.replace("Map", "MapState")
        case _:
            return type(event).__name__
