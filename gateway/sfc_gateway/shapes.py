"""Bodies and answers that have no type of their own elsewhere: read by sfc_gateway.openapi alone, which makes JSON schemas of them.

What requests do is in the routers: nothing is decoded into these, so that a refusal can say what was expected.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from sfc.ports import Statistics, Throughput
from sfc.registry import BlueprintInfo, DraftInfo, Edited, GroupInfo, HoldInfo, KeyInfo, ScheduleInfo, TaskInfo
from sfc.registry.diff import Difference
from sfc.wire.definitions import BlueprintVersion

Name = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,62}$")]
Base64 = Annotated[str, Meta(extra_json_schema={"contentEncoding": "base64"})]


class Body(Struct, forbid_unknown_fields=True):
    """A request's body: other members are refused."""


class Nothing(Body):
    """No body, or an empty object."""


class Reason(Body):
    """Why; it may be left out, and so may the body."""

    reason: str | UnsetType = UNSET


class HoldOptions(Body):
    """``timers``: freeze (the default; they keep their remaining time) or run (it passes)."""

    reason: str | UnsetType = UNSET
    timers: Literal["freeze", "run"] | UnsetType = UNSET


class StopOptions(Body):
    """``reason`` stands for ``cause``."""

    error: str | UnsetType = UNSET
    cause: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class RedriveOptions(Body):
    """``input``: any JSON in place of the failed states' input."""

    input: Any = UNSET


class SignalOptions(Body):
    """``output``: any JSON, or ``error`` and ``cause``; not both."""

    output: Any = UNSET
    error: str | UnsetType = UNSET
    cause: str | UnsetType = UNSET


class SourceDocument(Struct):
    """``source``: what problems call the document, a file's name for example."""

    document: dict[str, Any]
    source: str | UnsetType = UNSET


class RollbackOptions(Body):
    """``to``: a version's number; by default the one before the current one."""

    to: Annotated[int, Meta(ge=1, le=2**31 - 1)] | UnsetType = UNSET


class PoolNumbers(Body):
    """In place of what was set before; null, or left out: as in the document."""

    min: int | UnsetType | None = UNSET
    max: int | UnsetType | None = UNSET


class Mended(Body):
    """In place of the record's own value: any JSON as ``value``, or bytes; not both. Empty: the record as it was."""

    value: Any = UNSET
    value_base64: Base64 | UnsetType = UNSET


class NewKey(Body):
    name: Name
    role: Literal["viewer", "operator", "editor", "admin"]


class Started(Struct):
    """A flow that was started, or (``existed``) one that was there under this id, with its status as far as it is known."""

    flow: str
    blueprint: str
    version: int
    status_url: str
    existed: bool | UnsetType = UNSET
    status: str | UnsetType = UNSET


class Outcome(Struct):
    """How a flow ended: with ``output``, or with ``error`` and ``cause``."""

    flow: str
    status: Literal["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
    output: Any = UNSET
    error: str | UnsetType | None = UNSET
    cause: str | UnsetType | None = UNSET
    existed: bool | UnsetType = UNSET


class Event(Struct):
    """One event of a flow. ``at_ms``: milliseconds since 1970. What else it has depends on its ``name``."""

    name: str
    seq: int
    offset: int
    at_ms: int


class Runs(Struct):
    """The lives of a flow's id, latest first."""

    flow: str
    runs: list[int]


class HistoryPage(Struct):
    flow: str
    events: list[Event]
    next_cursor: str


class Verdict(Struct):
    """What was done to a flow. ``changed`` false: it was so already, as ``detail`` says."""

    flow: str
    done: Literal["pause", "resume", "stop", "redrive", "signal"]
    changed: bool
    detail: str | UnsetType = UNSET


class ProblemItem(Struct):
    """One thing that is wrong in a document or a request. ``pointer``: a JSON pointer (RFC 6901)."""

    code: str
    pointer: str
    message: str
    hint: str
    severity: Literal["error", "warning"]


class ProblemDocument(Struct):
    """An error (RFC 9457). ``problems``: all that is wrong with a document, or with arguments."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    hint: str | UnsetType = UNSET
    problems: list[ProblemItem] | UnsetType = UNSET


class DeployedDocument(Struct):
    """``created``: ``version`` is a new one. ``changed`` without that: it is an older one with this content, and the current one again.
    Neither: it was the current one already. ``before``: the version that was current, 0 for none. ``notes``: what is right but may
    surprise."""

    source: str
    kind: Literal["blueprint", "task"]
    name: str
    version: int
    hash: str
    revision: int
    created: bool
    changed: bool
    before: int
    notes: list[str]
    warnings: list[ProblemItem]


class DeployAnswer(Struct):
    """In the order of the request."""

    deployed: list[DeployedDocument]


class BlueprintShown(BlueprintInfo, kw_only=True, frozen=True):
    """``holds``: what holds any of its flows."""

    holds: list[HoldInfo]


class BlueprintAt(BlueprintShown, kw_only=True, frozen=True):
    """With the document, hash and time of one ``version``."""

    version: int


class BlueprintList(Struct):
    blueprints: list[BlueprintShown]


class VersionPage(Struct):
    versions: list[BlueprintVersion]
    next_cursor: str


class TaskAt(TaskInfo, kw_only=True, frozen=True):
    """With the document, hash and time of one ``version``."""

    version: int
    holds: list[HoldInfo]


class TaskList(Struct):
    tasks: list[TaskInfo]


class DiffShown(Difference, kw_only=True, frozen=True, rename={"from_": "from"}):
    """``text``: a unified diff of YAML. ``to``: null where a deploy would make a new version."""

    name: str
    from_: int
    to: int | None
    same: bool
    text: str


class StatusEdited(Edited, kw_only=True, frozen=True):
    """``running``: flows that still run, as the index knows them."""

    running: int


class HoldList(Struct):
    holds: list[HoldInfo]


class GroupShown(GroupInfo, kw_only=True, frozen=True):
    """``flows``: how many by status; ``versions``: those that they are of; ``paused``: how many of the running ones something holds."""

    flows: dict[str, int]
    paused: int


class GroupList(Struct):
    groups: list[GroupShown]


class GroupStopped(Struct):
    """``asked``: how many flows were asked to end."""

    group: str
    asked: int


class DraftPage(Struct):
    drafts: list[DraftInfo]
    next_cursor: str


class Checked(Struct):
    """All that a deploy would say."""

    valid: bool
    problems: list[ProblemItem]


class ScheduleList(Struct):
    schedules: list[ScheduleInfo]


class JobTopic(Struct):
    topic: str
    group: str


class PoolScale(Struct):
    min: int
    max: int
    lag_per_replica: int
    module: str


class PoolOverride(Struct):
    """null: as in the document."""

    min: int | None
    max: int | None
    drained: bool


class Member(Struct):
    """A process in the pool's consumer groups, and its partitions (``topic-number``)."""

    instance: str
    host: str
    partitions: list[str]


class PoolShown(Struct):
    """``lag``: jobs that wait or are at work; null where the log does not tell, as ``trouble`` says."""

    pool: str
    topics: list[JobTopic]
    scale: PoolScale | None
    override: PoolOverride | None
    members: list[Member]
    lag: int | None
    partitions: int
    trouble: str | UnsetType = UNSET


class Schedulers(Struct):
    leader: str | None
    waiting: list[str]


class PoolList(Struct):
    pools: list[PoolShown]
    scheduler: Schedulers


class Replayed(Struct):
    """``topic``: where the record went."""

    id: str
    state: Literal["replayed"]
    topic: str


class Discarded(Struct):
    id: str
    state: Literal["discarded"]


class StatisticsShown(Statistics, kw_only=True, frozen=True):
    """``dead_letters``: open ones by reason. ``replies_dropped``: answers that came for closed jobs."""

    dead_letters: dict[str, int]
    replies_dropped: int


class ThroughputShown(Struct):
    from_ms: int
    to_ms: int
    step_ms: int
    slices: list[Throughput]


class Cluster(Struct):
    cluster: str
    namespace: str
    shards: int
    kind: Literal["embedded", "kafka"]
    release: str
    instance: str
    dev: bool


class KeyList(Struct):
    keys: list[KeyInfo]


class TopicCount(Struct):
    name: str
    partitions: int


class TopicList(Struct):
    topics: list[TopicCount]


class Published(Struct):
    """``triggers``: the blueprints that the topic starts; ``near``: where there are none, a trigger's topic with a similar name.
    ``own``: it is a topic of SFC's, which SFC reads."""

    topic: str
    published: int
    made: bool
    triggers: list[str]
    near: str | UnsetType = UNSET
    own: bool | UnsetType = UNSET


class Health(Struct):
    status: Literal["ok", "unavailable"]


BlueprintDocument = Annotated[
    dict[str, Any], Meta(title="Blueprint", description="A blueprint: Amazon States Language, and the section `Sfc`.")
]
TaskDocument = Annotated[dict[str, Any], Meta(title="Task", description="A task's definition.")]
AnyDocument = Annotated[dict[str, Any], Meta(title="Document", description="A blueprint or a task; it need not be right.")]
AnyJson = Annotated[Any, Meta(title="Any JSON")]
Lines = Annotated[str, Meta(title="JSON lines", description="One object a line.")]
Text = Annotated[str, Meta(title="Text")]
