"""What decide may see of its shard: time, and what is on hold. Read-only for decide; it changes by commands alone (EXACTLY-ONCE 9)."""

from __future__ import annotations

from msgspec import Struct, field

from sfc.asl import MapState, ParallelState
from sfc.engine.flow import Branch, Flow
from sfc.engine.program import Program

_AT_TASK = ("entered", "job", "retrying")  # about to enter its state, or at work in it


class HoldRecord(Struct, omit_defaults=True):
    """One subject's hold on this shard, at the registry's revision."""

    revision: int
    held: bool
    since_ms: int = 0
    freeze: bool = True
    reason: str = ""


class Waking(Struct, omit_defaults=True):
    """A lifted hold whose flows are being woken in order of their ids; those behind ``cursor`` still stand."""

    subject: str
    since_ms: int
    freeze: bool = True
    cursor: str = ""


class ShardState(Struct, omit_defaults=True):
    """The shard's own record in ``sfc.state`` (key ``/shard/<n>``)."""

    number: int
    next_offset: int = 0
    interval: int = 0  # number of the last committed interval
    clock_ms: int = 0  # the highest append time taken (EXACTLY-ONCE 6)
    rules: int = 0
    closed: bool = False  # given up cleanly: everything is committed (EXACTLY-ONCE 10)
    marks: dict[str, tuple[int, ...]] = field(default_factory=dict)  # the highest mark taken, per source
    heard: dict[str, int] = field(default_factory=dict)  # the day on which a source was heard last; kept where there are many
    holds: dict[str, HoldRecord] = field(default_factory=dict)
    waking: list[Waking] = field(default_factory=list)
    inherited: dict[str, list[str]] = field(default_factory=dict)  # by subject blueprint: of which blueprints its children are
    dropped_replies: int = 0  # answers to jobs that were closed
    repeated: int = 0  # commands that were taken before, by their mark
    dead_letters: int = 0
    # The careful pass (EXACTLY-ONCE 26); decide sees nothing of it.
    tries: int = 0  # how often a lane began on what waits at next_offset, and nothing was committed since
    tried_by: str = ""  # which process was the last to
    careful_until: int = 0  # below this offset one command is decided at a time
    trying: str = ""  # the flow at which a tick was
    passed_over: list[str] = field(default_factory=list)  # flows whose timers do not fire: an operator skipped the tick that died of them


class Held(Struct, frozen=True):
    """What holds a flow, besides its own pause. ``freeze_since_ms``: since when its timers stand still; 0: they run."""

    subjects: tuple[str, ...]
    freeze_since_ms: int = 0


def version_subjects(blueprint: str, version: int) -> tuple[str, str]:
    """What holds of a blueprint and of one of its versions name."""
    return f"blueprint:{blueprint}", f"version:{blueprint}@{version}"


def held_by(shard: ShardState, flow: Flow, program: Program | None) -> Held | None:
    """The shard's holds on a flow, and that of the flow above, or None. A lifted hold still applies to flows behind its wake cursor.

    Without its program a flow is held by its blueprint and its version alone: nothing more is known of it.
    """
    if not shard.holds and not flow.parent_held_ms:
        return None
    subjects: list[str] = []
    since: list[int] = []
    if flow.parent_held_ms and flow.parent is not None:
        subjects.append(f"flow:{flow.parent.flow}")
        since.append(flow.parent_held_ms)
    for subject in subjects_of(flow, program):
        hold = shard.holds.get(subject)
        if hold is None:
            continue
        applies = hold.held
        if applies and hold.freeze:
            since.append(hold.since_ms)
        for waking in shard.waking:
            if waking.subject == subject and flow.id > waking.cursor:
                applies = True
                if waking.freeze:
                    since.append(waking.since_ms)
        if applies:
            subjects.append(subject)
    if not subjects:
        return None
    return Held(tuple(subjects), stood_since(flow, min(since)) if since else 0)


def stood_since(flow: Flow, since_ms: int) -> int:
    """Since when a flow has stood under a hold that began at ``since_ms``: one that came under it later, since it came."""
    return max(since_ms, flow.stood_ms)


def subjects_of(flow: Flow, program: Program | None) -> tuple[str, ...]:
    """All that a hold on this flow may name: its blueprint, version and group, those of the flows above, and the tasks at which its
    branches stand."""
    inherited = flow.parent.subjects if flow.parent is not None else ()
    if program is None:
        return (*version_subjects(flow.blueprint, flow.version), *inherited)
    if not program.task_of:
        return (*program.subjects, *inherited) if inherited else program.subjects
    tasks: list[str] = []
    for branch in flow.branches.values():
        if branch.phase in _AT_TASK:
            state = branch.state or first_state(program, flow, branch)
            task = program.task_of.get(state)
            if task is not None and task not in tasks:
                tasks.append(task)
    return (*program.subjects, *inherited, *tasks)


def inherit(shard: ShardState, child: Flow) -> None:
    """Remembers of which blueprint a new child is: its flows are looked for when what holds those above is lifted."""
    for subject in child.parent.subjects if child.parent is not None else ():
        if subject.startswith("blueprint:"):
            known = shard.inherited.setdefault(subject, [])
            if child.blueprint not in known:
                shard.inherited[subject] = sorted((*known, child.blueprint))


def first_state(program: Program, flow: Flow, branch: Branch) -> str:
    """Where the part of the machine starts that a new branch is to run."""
    if branch.parent < 0:
        entry = program.machine.states.get(flow.entry)
        return entry.start_at if isinstance(entry, MapState) else program.machine.start_at
    around = program.machine.states[flow.branches[branch.parent].state]
    if isinstance(around, MapState):
        return around.start_at
    assert isinstance(around, ParallelState)  # only these two start branches
    return around.branches[branch.index]
