"""What an explanation says."""

from __future__ import annotations

from msgspec import Struct


class Reason(Struct, frozen=True, omit_defaults=True):
    """One thing that the flow waits for. ``code`` is stable; ``do``: commands that help, or what else to do, in order.

    Times in milliseconds since 1970, 0: none. ``lag``: jobs of the consumer group that wait or are at work, -1: not known. ``before``:
    how many of them at most come before this job, -1: not known. ``members``: who is in the group.
    """

    code: str
    said: str
    do: list[str] = []
    state: str = ""
    since_ms: int = 0
    due_ms: int = 0
    attempt: int = 0
    token: str = ""
    topic: str = ""
    group: str = ""
    members: list[str] = []
    lag: int = -1
    before: int = -1
    child: str = ""


class ChildExplanation(Struct, frozen=True, omit_defaults=True):
    """A child that the flow, or one of its children, waits for."""

    flow: str
    parent: str
    status: str
    states: list[str]
    reasons: list[Reason]


class Explanation(Struct, frozen=True, omit_defaults=True):
    """``status``: the flow's, or ``UNKNOWN`` for one whose start no engine has taken yet. ``moving``: nothing is wrong by all that can be
    seen: it goes on by itself. ``reasons``: what must change first stands first. ``children``: those that it waits for, at most 10."""

    flow: str
    status: str
    moving: bool
    shard: int
    reasons: list[Reason]
    run: int = -1
    blueprint: str = ""
    version: int = 0
    states: list[str] = []
    children: list[ChildExplanation] = []
