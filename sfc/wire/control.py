"""Records of ``sfc.control``: what any program may ask as JSON. The key may be anything; records of one key are taken in their order.

=========  ===============================================================================================
command    members (those with ? may be missing)
=========  ===============================================================================================
start      blueprint, input?, id?
pause      one of flow, blueprint (with version?), task, group; reason?
resume     one of flow, blueprint (with version?), task, group
stop       flow; error?, cause?
redrive    flow; input?
signal     flow, name; output?, or error and cause?
=========  ===============================================================================================

Each may name who asks (``by``), and on flows where the engine's verdict goes (``reply``: a topic and a key; the answer has the form of
``sfc.replies``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from sfc.engine.commands import ReplyTo
from sfc.engine.limits import DEPTH_MAX, is_too_deep
from sfc.errors import MalformedRecord
from sfc.wire.payload import UNREADABLE
from sfc.wire.texts import TEXT_CHARACTERS_MAX, long_text

_SUBJECTS = ("flow", "blueprint", "task", "group")


class ReplyAddress(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a verdict goes. ``id`` comes back in it."""

    topic: str
    key: str = ""
    id: str = ""

    def reply_to(self) -> ReplyTo:
        return ReplyTo(self.topic, self.key, self.id)


class _Asked(Struct, frozen=True, forbid_unknown_fields=True, tag_field="command", kw_only=True):
    by: str = ""
    reply: ReplyAddress | None = None


class ControlStart(_Asked, frozen=True, tag="start"):
    """``id``: the part behind the blueprint's name; without it the record's own place makes one."""

    blueprint: str
    input: Any = msgspec.field(default_factory=dict)
    id: str = ""


class _Subject(_Asked, frozen=True):
    flow: str = ""
    blueprint: str = ""
    version: int = 0
    task: str = ""
    group: str = ""


class ControlPause(_Subject, frozen=True, tag="pause"):
    reason: str = ""


class ControlResume(_Subject, frozen=True, tag="resume"):
    pass


class ControlStop(_Asked, frozen=True, tag="stop"):
    flow: str
    error: str | None = None
    cause: str | None = None


class ControlRedrive(_Asked, frozen=True, tag="redrive"):
    """``input`` replaces that of the states where the flow ended."""

    flow: str
    input: Any | UnsetType = UNSET


class ControlSignal(_Asked, frozen=True, tag="signal"):
    """Completes the wait of this name, with ``output`` or as failed with ``error``."""

    flow: str
    name: str
    output: Any | UnsetType = UNSET
    error: str | None = None
    cause: str | None = None


Control = ControlStart | ControlPause | ControlResume | ControlStop | ControlRedrive | ControlSignal

_decode: Callable[[bytes], Control] = msgspec.json.Decoder(Control).decode


def decode_control(value: bytes | None) -> Control:
    """Raises MalformedRecord that says what was expected and where."""
    if value is not None and is_too_deep(value, DEPTH_MAX + 1):  # an input stands one level down
        raise MalformedRecord(f"lists and objects nested in at most {DEPTH_MAX} levels were expected, these are deeper")
    try:
        asked = _decode(value or b"")
    except UNREADABLE as e:
        raise MalformedRecord(f'a JSON object was expected, such as {{"command": "pause", "flow": "orders:17"}}: {e}') from e
    if long := long_text(asked):
        raise MalformedRecord(f"the text of {long} takes up to {TEXT_CHARACTERS_MAX} characters, this one is longer")
    if isinstance(asked, ControlSignal):
        _check_signal(asked)
    if isinstance(asked, ControlPause | ControlResume):
        named = [name for name in _SUBJECTS if getattr(asked, name)]
        if len(named) != 1:
            came = " and ".join(named) if named else "none"
            raise MalformedRecord(f"one of {', '.join(_SUBJECTS)} was expected, {came} came")
        if asked.version and not asked.blueprint:
            raise MalformedRecord(f"version goes with blueprint, {named[0]} came")
        if asked.version < 0:
            raise MalformedRecord(f"a version is a number from 1, {asked.version} came")
    return asked


def _check_signal(asked: ControlSignal) -> None:
    if not asked.name:
        raise MalformedRecord("a signal has a name, this one is empty")
    if asked.error is not None and asked.output is not UNSET:
        raise MalformedRecord("a signal has an output or an error, both came")
    if asked.cause is not None and asked.error is None:
        raise MalformedRecord("the cause of a signal goes with its error, which is missing")


def is_of_flows(asked: Control) -> bool:
    """Whether the trigger role carries it over, to a flow's shard; the others are the registry's."""
    return bool(asked.flow) if isinstance(asked, ControlPause | ControlResume) else True


def subject_of(asked: ControlPause | ControlResume) -> str:
    """What a pause or resume is about, as holds name it: ``blueprint:NAME``, ``version:NAME@N``, ``task:NAME``, ``group:NAME``."""
    if asked.blueprint:
        return f"version:{asked.blueprint}@{asked.version}" if asked.version else f"blueprint:{asked.blueprint}"
    return f"task:{asked.task}" if asked.task else f"group:{asked.group}"
