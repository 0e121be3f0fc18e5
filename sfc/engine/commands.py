"""What may be asked of a flow. On the log a command is one JSON object with its name in ``command`` (see sfc.wire.commands).

A reply of a worker carries no command: the wire makes a Complete, Fail or Heartbeat of it by its headers.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class ReplyTo(Struct, frozen=True, omit_defaults=True):
    """Where a verdict or an outcome is awaited: a record on ``topic`` with this key, and ``id`` to tell callers apart."""

    topic: str
    key: str
    id: str


class Origin(Struct, frozen=True, omit_defaults=True):
    """What started a flow. ``kind``: topic, http, command, schedule, flow and map (``flow``: the parent's id, ``trigger`` the Map)."""

    kind: str
    trigger: str = ""
    topic: str = ""
    partition: int = -1
    offset: int = -1
    flow: str = ""


class Parent(Struct, frozen=True, omit_defaults=True):
    """Who awaits a flow's end: a flow, and the token of its job. ``depth``: how many flows are above. ``subjects``: what holds of the
    flows above name (blueprints, versions, groups): they are the child's too."""

    flow: str
    token: str
    depth: int = 1
    subjects: tuple[str, ...] = ()
    index: int = -1  # of an iteration of a distributed Map: the item's place


class Start(Struct, frozen=True, omit_defaults=True, tag_field="command", tag="start"):
    """``definitions``: the offset of sfc.definitions at which version and hash were resolved (EXACTLY-ONCE 8)."""

    blueprint: str
    version: int
    hash: str
    input: Any = None
    definitions: int = -1
    origin: Origin | None = None
    keep_id: bool = False  # the caller chose the id: a stub of the finished flow is kept, so that it is recognised
    wait: ReplyTo | None = None  # who waits for the flow's end
    accepted: ReplyTo | None = None  # who waits for the verdict on the start
    traceparent: str = ""
    parent: Parent | None = None
    entry: str = ""  # the distributed Map whose processor is run, not the whole machine


class Complete(Struct, frozen=True, tag_field="command", tag="complete"):
    """A job's output."""

    token: str
    output: Any = None


class Fail(Struct, frozen=True, omit_defaults=True, tag_field="command", tag="fail"):
    """A job's error. Error and cause may be missing, as in AWS."""

    token: str
    error: str | None = None
    cause: str | None = None


class Heartbeat(Struct, frozen=True, tag_field="command", tag="heartbeat"):
    """A sign of life of a job."""

    token: str


class AnswerByKey(Struct, frozen=True, omit_defaults=True, tag_field="command", tag="answer-by-key"):
    """An answer that names only its flow: it belongs to the one open job of ``task``. ``failed``: the error is meant, not the output."""

    task: str
    output: Any = None
    failed: bool = False
    error: str | None = None
    cause: str | None = None


class Dispatched(Struct, frozen=True, tag_field="command", tag="dispatched"):
    """The record of a ``topic:`` state is committed: the state is done (EXACTLY-ONCE 31)."""

    token: str


class DispatchFailed(Struct, frozen=True, tag_field="command", tag="dispatch-failed"):
    """A job could not be handed to its topic (EXACTLY-ONCE 25)."""

    token: str
    cause: str = ""


Outcome = Complete | Fail | Dispatched | DispatchFailed
"""What may become of a job."""


class Pause(Struct, frozen=True, omit_defaults=True, tag_field="command", tag="pause"):
    """A hold of the flow's own. Pausing what is paused changes nothing and succeeds."""

    reason: str = ""
    by: str = ""
    reply: ReplyTo | None = None


class Resume(Struct, frozen=True, omit_defaults=True, tag_field="command", tag="resume"):
    """Lifts the flow's own hold."""

    by: str = ""
    reply: ReplyTo | None = None


class Stop(Struct, frozen=True, omit_defaults=True, tag_field="command", tag="stop"):
    """Ends the flow as ABORTED. ``child_of``: only if it is the child of the job or Map with this token."""

    error: str | None = None
    cause: str | None = None
    by: str = ""
    reply: ReplyTo | None = None
    child_of: str = ""


class Redrive(Struct, frozen=True, omit_defaults=True, tag_field="command", tag="redrive"):
    """Continues a failed, timed-out or aborted flow at the states where it ended."""

    request: str = ""  # a repeated request id changes nothing and succeeds
    input: Any = None  # replaces the failed states' input when ``edited``
    edited: bool = False
    by: str = ""
    reply: ReplyTo | None = None


class Signal(Struct, frozen=True, omit_defaults=True, tag_field="command", tag="signal"):
    """Completes the open wait of this name in the flow, or is kept for the next one. ``error``: the wait fails with it."""

    name: str
    output: Any = None
    error: str | None = None
    cause: str | None = None
    by: str = ""
    request: str = ""  # a repeated request id changes nothing and succeeds
    reply: ReplyTo | None = None


class ChildEnded(Struct, frozen=True, omit_defaults=True, tag_field="command", tag="child-ended"):
    """A child flow's end, told to the flow that started it: the answer to its job. ``status``: a flow's."""

    token: str
    status: str
    output: Any = None
    error: str | None = None
    cause: str | None = None
    index: int = -1


class HoldChild(Struct, frozen=True, tag_field="command", tag="hold-child"):
    """The flow above was paused, or goes on: so does the child."""

    held: bool


class Tick(Struct, frozen=True, tag_field="command", tag="tick"):
    """Of a shard: fire the timers that are due at ``time_ms`` (EXACTLY-ONCE 7)."""

    time_ms: int


class Hold(Struct, frozen=True, omit_defaults=True, tag_field="command", tag="hold"):
    """Of a shard: the whole state of one subject's hold, at the registry's ``revision``; an older revision changes nothing.

    ``subject``: ``blueprint:NAME``, ``version:NAME@N``, ``group:NAME`` or ``task:NAME`` (all versions of the task).
    """

    subject: str
    revision: int
    held: bool
    freeze: bool = True
    reason: str = ""
    by: str = ""


FlowCommand = (
    Start | Complete | Fail | AnswerByKey | Heartbeat | Dispatched | DispatchFailed | Pause | Resume | Stop | Redrive | Signal
    | ChildEnded | HoldChild
)  # fmt: skip
Command = FlowCommand | Tick | Hold


# Asked of a flow by the lane itself while it takes a Tick or a Hold, never on the log.


class Fire(Struct, frozen=True):
    """The flow's timers that are due at ``time_ms`` (the smaller of tick time and record time)."""

    time_ms: int


class Wake(Struct, frozen=True):
    """A hold that applied to the flow was lifted: go on, if no other holds it. ``since_ms``: when it began; ``freeze`` its Timers."""

    since_ms: int
    freeze: bool = True
