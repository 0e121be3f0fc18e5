"""Documents of another spelling: names in lower case, and the words of the blueprints before SFC 0.1.

Such names are told with what to write instead, and the document is then read as if it had been written so: everything else that is wrong
with it is found at once too. Nothing that is renamed here is ever accepted: each is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sfc.asl.checks import Checks, at
from sfc.asl.choice import OPERATORS
from sfc.asl.fields import FIELDS, FIELDS_JSONATA
from sfc.asl.nesting import PROCESSORS
from sfc.asl.policies import CATCHER, CATCHER_JSONATA, RETRIER
from sfc.errors import Problem

_STATE = tuple(dict.fromkeys(("Type", *(field for fields in (*FIELDS.values(), *FIELDS_JSONATA.values()) for field in fields))))
_RULE = ("Variable", "And", "Or", "Not", "Condition", "Next", "Comment", *OPERATORS)
_HANDLER = (*RETRIER, *CATCHER, *CATCHER_JSONATA)
_PROCESSOR = ("StartAt", "States", "Comment", "QueryLanguage", "ProcessorConfig")
_OF_SFC = ("Name", "Group", "MessageType", "Triggers", "Input", "Retention", "Resources", "Scale")


class _Word(NamedTuple):
    """What a word of the old blueprints is called now ('' where it has no successor at its place), and what to write."""

    now: str
    hint: str


_OF_MACHINE = {
    "startstate": _Word("StartAt", "Write StartAt."),
    "schemaversion": _Word("", "Leave it out: the language has one version, and versions of a blueprint are counted when it is deployed."),
    "topic": _Word("", "Write Sfc: {Triggers: [{Id: in, Topic: …}]}."),
    **{field.lower(): _Word("", f"Write Sfc: {{{field}: …}}.") for field in _OF_SFC},
}
_OF_STATE = {
    "mode": _Word("", "Leave it out: a Task waits for its answer. Resource: topic:NAME publishes and waits for none."),
    "processor": _Word("Resource", "Write Resource: task:NAME, and a task document that says who does it."),
}


def modernise(document: Any, machine: Iterable[str]) -> tuple[Any, list[Problem], Mapping[str, str]]:
    """The document in today's words, what had to be renamed or left out, and pointers whose last name was another one.

    ``machine``: the fields of a state machine. Give the third to ``original`` for pointers into the document as it came.
    """
    reading = _Reading()
    made = reading.machine(document, "", tuple(machine), _OF_MACHINE)
    return made, reading.checks.problems, reading.renamed


def original(pointer: str, renamed: Mapping[str, str]) -> str:
    """The pointer in the document as it came."""
    if not renamed:
        return pointer
    came, now = "", ""
    for token in pointer.split("/")[1:]:
        now += f"/{token}"
        came += f"/{renamed.get(now, token)}"
    return came


class _Reading:
    def __init__(self) -> None:
        self.checks = Checks()
        self.renamed: dict[str, str] = {}

    def machine(self, value: Any, pointer: str, known: tuple[str, ...], words: Mapping[str, _Word]) -> Any:
        if not isinstance(value, dict):
            return value
        made = self.spelt(value, pointer, known, words)
        states = made.get("States")
        if isinstance(states, dict):
            made["States"] = {name: self.state(state, at(pointer, "States", name)) for name, state in states.items()}
        return made

    def state(self, value: Any, pointer: str) -> Any:
        if not isinstance(value, dict):
            return value
        made = self.spelt(value, pointer, _STATE, _OF_STATE)
        kind = made.get("Type")
        if isinstance(kind, str) and kind not in FIELDS:
            self.kind(made, kind, pointer)
        for field, known in (("Choices", _RULE), ("Retry", _HANDLER), ("Catch", _HANDLER)):
            self.each(made, field, pointer, lambda item, here, known=known: self.entry(item, here, known))
        self.each(made, "Branches", pointer, lambda item, here: self.machine(item, here, _PROCESSOR, {}))
        for field in PROCESSORS:
            if field in made:
                made[field] = self.machine(made[field], at(pointer, field), _PROCESSOR, {})
        return made

    def kind(self, made: dict[str, Any], kind: str, pointer: str) -> None:
        by_lower = {name.lower(): name for name in FIELDS}
        here = at(pointer, "Type")
        if kind.lower() in by_lower:
            made["Type"] = by_lower[kind.lower()]
            self.checks.error("unknown-type", here, f"expected {made['Type']}, came {kind!r}", f"Did you mean {made['Type']!r}?")

    def each(self, made: dict[str, Any], field: str, pointer: str, read: Any) -> None:
        if isinstance(made.get(field), list):
            made[field] = [read(item, at(pointer, field, number)) for number, item in enumerate(made[field])]

    def entry(self, value: Any, pointer: str, known: tuple[str, ...]) -> Any:
        """A rule, with the rules in it, a retrier or a catcher."""
        if not isinstance(value, dict):
            return value
        made = self.spelt(value, pointer, known, {})
        if known is _RULE:
            for field in ("And", "Or"):
                self.each(made, field, pointer, lambda item, here: self.entry(item, here, known))
            if "Not" in made:
                made["Not"] = self.entry(made["Not"], at(pointer, "Not"), known)
        return made

    def spelt(self, document: dict[str, Any], pointer: str, known: tuple[str, ...], words: Mapping[str, _Word]) -> dict[str, Any]:
        """A copy with the names that are meant. A name is only taken for another one that the object has not got."""
        by_lower = {name.lower(): name for name in known}
        made: dict[str, Any] = {}
        for key, value in document.items():
            low = key.lower() if isinstance(key, str) else ""
            word = None if key in known else words.get(low)
            meant = "" if key in known else (word.now if word else by_lower.get(low, ""))
            if meant and (meant in document or meant in made):
                word, meant = None, ""
            if word is not None:
                self.checks.error("old-dialect", at(pointer, meant or key), f"expected a field of the language, came {key!r}", word.hint)
            elif meant:
                self.checks.error("unknown-field", at(pointer, meant), f"expected {meant!r}, came {key!r}", f"Did you mean {meant!r}?")
            if meant:
                self.renamed[at(pointer, meant)] = at("", key)[1:]
            if meant or word is None:
                made[meant or key] = value
        return made
