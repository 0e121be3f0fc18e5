"""What differs between two versions of a blueprint: by structure, and as text. Pure.

A state is told apart by its name within its machine; machines nest in the branches of a Parallel and in the processor of a Map. Where a
state leads (Next, Default, Choices, Catch, End) is compared apart from what it does: a state that only leads elsewhere is rewired.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from msgspec import UNSET, Struct, UnsetType

from sfc.registry.shapes import join

Document = Mapping[str, Any]


class FieldChange(Struct, frozen=True, omit_defaults=True):
    """A value that differs. ``old`` is missing where it is new, ``new`` where it is gone."""

    pointer: str
    old: Any | UnsetType = UNSET
    new: Any | UnsetType = UNSET


class StateChange(Struct, frozen=True, omit_defaults=True):
    """``change``: added, removed, changed (``fields`` differ, perhaps ``targets`` too) or rewired (``targets`` alone).

    Pointers of ``fields`` and ``targets`` begin at the state. A target of the end of its machine is ``{"End": true}``'s ``true``."""

    pointer: str
    change: str
    type: str
    fields: list[FieldChange] = []
    targets: list[FieldChange] = []


class TriggerChange(Struct, frozen=True, omit_defaults=True):
    """``change``: added, removed or changed (``fields``, from the trigger on)."""

    id: str
    change: str
    fields: list[FieldChange] = []


class Difference(Struct, frozen=True):
    """``start``: StartAt, of the whole and of nested machines. ``sfc``: the Sfc section but its triggers. ``fields``: all else at the
    top level. Nothing in any of them: the documents say the same."""

    start: list[FieldChange]
    states: list[StateChange]
    triggers: list[TriggerChange]
    sfc: list[FieldChange]
    fields: list[FieldChange]

    @property
    def same(self) -> bool:
        return not (self.start or self.states or self.triggers or self.sfc or self.fields)


def diff(old: Document, new: Document) -> Difference:
    """Of two checked blueprints."""
    start: list[FieldChange] = []
    states: list[StateChange] = []
    _machines(old, new, "", start, states)
    old_section, new_section = old.get("Sfc") or {}, new.get("Sfc") or {}
    return Difference(
        start=start,
        states=states,
        triggers=list(_triggers(old_section.get("Triggers") or [], new_section.get("Triggers") or [])),
        sfc=list(_values(_without(old_section, "Triggers"), _without(new_section, "Triggers"), "/Sfc")),
        fields=list(_values(_without(old, "States", "StartAt", "Sfc"), _without(new, "States", "StartAt", "Sfc"), "")),
    )


def unified(old: Document, new: Document, old_name: str, new_name: str) -> str:
    """The two documents as YAML with sorted keys, as a unified diff. Empty where they are the same."""
    lines = difflib.unified_diff(_yaml(old), _yaml(new), old_name, new_name, lineterm="")
    return "\n".join(lines)


def _yaml(document: Document) -> list[str]:
    text: str = yaml.safe_dump(dict(document), sort_keys=True, allow_unicode=True, width=120)
    return text.splitlines()


def _without(document: Document, *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


def _machines(old: Document, new: Document, pointer: str, start: list[FieldChange], states: list[StateChange]) -> None:
    start += _values(old.get("StartAt", UNSET), new.get("StartAt", UNSET), join(pointer, "StartAt"))
    before, after = old.get("States") or {}, new.get("States") or {}
    for name in [*after, *(gone for gone in before if gone not in after)]:
        _states(before.get(name), after.get(name), join(join(pointer, "States"), name), start, states)


def _states(old: Document | None, new: Document | None, pointer: str, start: list[FieldChange], states: list[StateChange]) -> None:
    if old is None or new is None:
        one = new if new is not None else old
        states.append(StateChange(pointer, "removed" if new is None else "added", str((one or {}).get("Type", ""))))
        return
    old_nested, new_nested = dict(_nested(old)), dict(_nested(new))
    fields = list(_values(_does(old), _does(new), ""))
    targets = list(_values(_targets(old), _targets(new), None))
    if fields or targets:
        states.append(StateChange(pointer, "changed" if fields else "rewired", str(new.get("Type", "")), fields, targets))
    for place in sorted(old_nested.keys() | new_nested.keys()):
        _machines(old_nested.get(place, {}), new_nested.get(place, {}), pointer + place, start, states)


def _nested(state: Document) -> Iterator[tuple[str, Document]]:
    """Machines inside a state, with their places in it."""
    for index, branch in enumerate(state.get("Branches") or ()):
        yield f"/Branches/{index}", branch
    for name in ("ItemProcessor", "Iterator"):
        if name in state:
            yield f"/{name}", state[name]


def _does(state: Document) -> dict[str, Any]:
    """The state without where it leads and without the states inside it."""
    kept = _without(state, "Next", "End", "Default", "Branches")
    for name in ("Choices", "Catch"):
        if name in kept:
            kept[name] = [_without(rule, "Next") for rule in kept[name]]
    for name in ("ItemProcessor", "Iterator"):
        if name in kept:
            kept[name] = _without(kept[name], "States", "StartAt")
    return kept


def _targets(state: Document) -> dict[str, Any]:
    """Where the state leads, by the pointer of each exit."""
    found = {f"/{name}": state[name] for name in ("Next", "End", "Default") if name in state}
    for name in ("Choices", "Catch"):
        for index, rule in enumerate(state.get(name) or ()):
            if "Next" in rule:
                found[f"/{name}/{index}/Next"] = rule["Next"]
    return found


def _triggers(old: list[Document], new: list[Document]) -> Iterator[TriggerChange]:
    before, after = {str(t["Id"]): t for t in old}, {str(t["Id"]): t for t in new}
    for id_ in [*after, *(gone for gone in before if gone not in after)]:
        if id_ not in before or id_ not in after:
            yield TriggerChange(id_, "added" if id_ in after else "removed")
        elif fields := list(_values(before[id_], after[id_], "")):
            yield TriggerChange(id_, "changed", fields)


def _values(old: Any, new: Any, pointer: str | None) -> Iterator[FieldChange]:
    """The smallest values that differ: objects member by member, lists of one length item by item. Without a pointer the members' names
    are pointers already."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(came for came in new if came not in old)]:
            place = name if pointer is None else join(pointer, name)
            yield from _values(old.get(name, UNSET), new.get(name, UNSET), place)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _values(one, other, join(pointer or "", index))
    elif type(old) is not type(new) or old != new:
        yield FieldChange(pointer or "", old, new)
