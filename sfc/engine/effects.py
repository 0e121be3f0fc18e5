"""What a decision does to the world: one closed union. The lane carries effects out; the core only names them."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from sfc.engine.commands import ChildEnded, HoldChild, ReplyTo, Start, Stop
from sfc.engine.program import Target


class DispatchJob(Struct, frozen=True):
    """One attempt of a task. ``value`` is the effective input as JSON: encoded once, for the token's hash and for the record.
    ``credentials``: the name that the state's Credentials give, never a secret; '' for none."""

    token: str
    flow: str
    blueprint: str
    version: int
    state: str
    target: Target
    value: bytes
    attempt: int
    deadline_ms: int
    traceparent: str = ""
    credentials: str = ""


class Reply(Struct, frozen=True):
    """An answer to somebody who waits. ``status``: a flow's status, or done, unknown, not-possible, flow-exists; ``error`` and ``cause``
    of a failed flow; ``detail`` says why something was not possible."""

    to: ReplyTo
    flow: str
    status: str
    output: Any = None
    error: str | None = None
    cause: str | None = None
    detail: str = ""


class RefuseStart(Struct, frozen=True):
    """A start that makes no flow: of a topic's record it becomes a dead letter, an HTTP caller already has the id."""

    flow: str
    reason: str  # flow-exists, unknown-blueprint, unknown-definitions
    detail: str


class SendCommand(Struct, frozen=True):
    """A command to another flow, wherever its shard is: with source and mark it is taken once. A Start's ``definitions`` is the sender's
    to fill in."""

    flow: str
    command: Start | Stop | HoldChild | ChildEnded


Effect = DispatchJob | Reply | RefuseStart | SendCommand
