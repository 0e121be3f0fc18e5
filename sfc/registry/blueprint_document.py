"""What may stand in a blueprint beside the language: the ``Sfc`` section, and where Resources may lead."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sfc import asl
from sfc.asl.nesting import PROCESSORS, machines_in
from sfc.engine.link import duration_ms
from sfc.errors import Problem
from sfc.registry.http_document import check_url
from sfc.registry.map_places import Place, check_place, places_of
from sfc.registry.references import SCHEME, KnownBlueprint, check_child, pinned_child, unpinned
from sfc.registry.scaling import check_scale
from sfc.registry.schedule_document import check_schedule, refuse_schedule_fields
from sfc.registry.shapes import NAME, Checks, did_you_mean, join, shown

FIELDS = ("Name", "Group", "MessageType", "Triggers", "Input", "Retention", "Resources", "Scale")
TRIGGER_FIELDS = ("Id", "Topic", "FlowId", "When", "From", "Schedule", "TimeZone", "Input", "CatchUp")
_LATER = ("sfc", "grpc")
_ROUTES = "task:NAME, topic:NAME, blueprint:NAME, signal:NAME or an http(s) URL"


class KnownTask(NamedTuple):
    """A task that references may name: its current version, and its documents by version (for all that must be checked)."""

    current: int
    documents: Mapping[int, dict[str, Any]]


class Known(NamedTuple):
    """What references may name. ``own``: the blueprint that they stand in."""

    tasks: Mapping[str, KnownTask]
    blueprints: Mapping[str, KnownBlueprint]
    own: str | None


def open_references(document: Mapping[str, Any]) -> set[str]:
    """The blueprints that a document names without a version: they are saved before it."""
    section = document.get("Sfc")
    mapping = section.get("Resources") if isinstance(section, dict) else None
    mapped = mapping if isinstance(mapping, dict) else {}
    targets = [*(resource for _, resource in resources_of(document) if resource not in mapped), *mapped.values()]
    return {name for target in targets if isinstance(target, str) and (name := unpinned(target))}


def name_of_blueprint(document: Mapping[str, Any]) -> str | None:
    """``Sfc.Name``, where it is a name."""
    section = document.get("Sfc")
    name = section.get("Name") if isinstance(section, dict) else None
    return name if isinstance(name, str) and NAME(name) else None


def check_blueprint(
    document: dict[str, Any], tasks: Mapping[str, KnownTask], blueprints: Mapping[str, KnownBlueprint] | None = None
) -> list[Problem]:
    """All that is wrong with a blueprint, in the language and in ``Sfc``; its Resources must lead to one of these tasks or blueprints."""
    known = Known(tasks, blueprints or {}, name_of_blueprint(document))
    if unwritable := asl.lone_surrogates(document):
        return unwritable
    checks = Checks()
    checks.problems += asl.validate({k: v for k, v in document.items() if k != "Sfc"})
    if any(p.code == "too-deep" for p in checks.problems):
        return checks.problems
    _section(checks, document.get("Sfc"))
    places = list(_distributed(document))
    mapped = _mapped(checks, document, known, {place.resource for place in places})
    for place in places:
        check_place(checks, place, mapped)
    for pointer, resource in resources_of(document):
        if resource not in mapped:
            _route(checks, resource, pointer, known, mapping=False)
    _one_open_job_by_key(checks, document, tasks)
    return checks.problems


def pin(document: dict[str, Any], tasks: Mapping[str, KnownTask], blueprints: Mapping[str, KnownBlueprint] | None = None) -> dict[str, Any]:
    """A copy of a checked blueprint in which each reference to a task or a blueprint names its version."""
    known = Known(tasks, blueprints or {}, None)
    section = document["Sfc"]
    mapping = section.get("Resources")
    pinned = {**document, **_pin_states(document, mapping or {}, known)}
    if mapping:
        pinned["Sfc"] = {**section, "Resources": {uri: _pinned(target, known) for uri, target in mapping.items()}}
    return pinned


def resources_of(document: Mapping[str, Any], pointer: str = "") -> Iterator[tuple[str, str]]:
    """Pointer and text of every Task state's Resource, at any depth."""
    for at, state in _states(document, pointer):
        if state.get("Type") == "Task" and isinstance(state.get("Resource"), str):
            yield join(at, "Resource"), state["Resource"]
        for place, machine in machines_in(state):
            yield from resources_of(machine, _within(at, place))


def _states(machine: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, dict[str, Any]]]:
    states = machine.get("States")
    for name, state in states.items() if isinstance(states, dict) else ():
        if isinstance(state, dict):
            yield join(join(pointer, "States"), name), state


def _within(pointer: str, place: tuple[str | int, ...]) -> str:
    for token in place:
        pointer = join(pointer, token)
    return pointer


def _distributed(machine: Mapping[str, Any], pointer: str = "") -> Iterator[Place]:
    """Each ItemReader and ResultWriter, at any depth."""
    for at, state in _states(machine, pointer):
        yield from places_of(state, at)
        for place, inner in machines_in(state):
            yield from _distributed(inner, _within(at, place))


def _section(checks: Checks, value: Any) -> None:
    if value is None:
        checks.add("missing-field", "/Sfc", "a blueprint needs a name to be deployed.", "Add Sfc: {Name: …}.")
        return
    section = checks.fields(value, "/Sfc", FIELDS, ["Name"])
    checks.absent(section, "/Sfc", {"Input": "A schema of the input"})
    if "Scale" in section:
        check_scale(checks, section["Scale"], "/Sfc/Scale", module_needed=False)
        if section.get("MessageType") != "specific":
            checks.add("one-of", "/Sfc/Scale", "only a specific blueprint has workers of its own.", "Write MessageType: specific.")
    for field in ("Name", "Group"):
        if field in section:
            checks.name(section[field], f"/Sfc/{field}")
    if "MessageType" in section:
        checks.one_of(section["MessageType"], "/Sfc/MessageType", ["common", "specific"])
    if "Triggers" in section:
        seen: set[str] = set()
        for index, trigger in enumerate(checks.listing(section["Triggers"], "/Sfc/Triggers")):
            _trigger(checks, trigger, f"/Sfc/Triggers/{index}", seen)
    if "Retention" in section:
        retention = checks.fields(section["Retention"], "/Sfc/Retention", ["Failed", "Ids"])
        for field in ("Failed", "Ids"):
            if field in retention and duration_ms(retention[field]) is None:
                checks.add("bad-duration", f"/Sfc/Retention/{field}", f"expected a duration (ISO 8601), came {shown(retention[field])}.",
                           "Write for example P14D or PT1H.")  # fmt: skip


def _trigger(checks: Checks, value: Any, at: str, seen: set[str]) -> None:
    scheduled = isinstance(value, dict) and "Schedule" in value
    trigger = checks.fields(value, at, TRIGGER_FIELDS, ["Id"] if scheduled else ["Id", "Topic"])
    if scheduled:
        check_schedule(checks, trigger, at)
    else:
        refuse_schedule_fields(checks, trigger, at)
    if "Id" in trigger and (name := checks.name(trigger["Id"], join(at, "Id"))):
        if name in seen:
            checks.add("twice", join(at, "Id"), f"a trigger {name} is there already.", "Give each trigger an Id of its own.")
        seen.add(name)
    if scheduled:
        return
    if "Topic" in trigger:
        checks.topic(trigger["Topic"], join(at, "Topic"))
    if "FlowId" in trigger:
        checks.compiles(trigger["FlowId"], join(at, "FlowId"), asl.compile_path, "a path into the record ($.order_id)")
    if "When" in trigger:
        checks.compiles(trigger["When"], join(at, "When"), asl.compile_condition, "a condition ($.channel == 'tmall')")
    if "From" in trigger and not _is_start(trigger["From"]):
        checks.add("wrong-value", join(at, "From"), f"expected latest, earliest or a time, came {shown(trigger['From'])}.",
                   "Write a time with its zone: 2026-01-31T08:00:00Z.")  # fmt: skip


def _is_start(value: Any) -> bool:
    if value in ("latest", "earliest"):
        return True
    try:
        return isinstance(value, str) and "T" in value and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _mapped(checks: Checks, document: Mapping[str, Any], known: Known, places: Collection[str]) -> Mapping[str, Any]:
    """``Sfc.Resources``. What only ItemReaders and ResultWriters name (``places``) leads to where these read and write, and is not judged
    here."""
    section = document.get("Sfc")
    mapping = section.get("Resources", {}) if isinstance(section, dict) else {}
    if not isinstance(mapping, dict):
        checks.add("wrong-type", "/Sfc/Resources", f"expected an object from URI to Resource, came {shown(mapping)}.")
        return {}
    tasks = {resource for _, resource in resources_of(document)}
    for uri, target in mapping.items():
        pointer = join("/Sfc/Resources", uri)
        if checks.text(target, pointer) and (uri in tasks or uri not in places):
            _route(checks, target, pointer, known, mapping=True)
    return mapping


def _route(checks: Checks, resource: str, pointer: str, known: Known, *, mapping: bool) -> None:
    """Adds a problem when the URI leads nowhere."""
    scheme, _, rest = resource.partition(":")
    if scheme in _LATER:
        checks.not_yet(pointer, f"A {scheme}: Resource", f"Write {_ROUTES}.")
    elif scheme == "task":
        _task_route(checks, rest, pointer, known.tasks)
    elif scheme == "blueprint":
        check_child(checks, rest, pointer, known.own, known.blueprints)
    elif scheme == "signal":
        checks.name(rest, pointer)
    elif scheme == "topic":
        checks.topic(rest, pointer)
    elif scheme in ("http", "https"):
        check_url(checks, resource, pointer)
    else:
        hint = f"Write {_ROUTES}" + ("." if mapping else f', or map it: Sfc: {{Resources: {{"{resource}": "task:…"}}}}.')
        checks.add("unknown-resource", pointer, f"nothing is known that runs {shown(resource)}.", hint)


def _task_route(checks: Checks, rest: str, pointer: str, tasks: Mapping[str, KnownTask]) -> None:
    name, at, version = rest.partition("@")
    if not NAME(name):
        checks.name(name, pointer)
    elif name not in tasks:
        hint = did_you_mean(name, tasks) or "Deploy the task first, or together with the blueprint."
        checks.add("unknown-task", pointer, f"there is no task {name}.", hint)
    elif at and not (version.isascii() and version.isdigit() and int(version) in tasks[name].documents):
        known = ", ".join(map(str, sorted(tasks[name].documents)))
        checks.add("unknown-version", pointer, f"task {name} has no version {shown(version)}.", f"There is: {known}.")


def _pinned(resource: str, known: Known) -> str:
    if resource.startswith(SCHEME):
        return pinned_child(resource, known.blueprints)
    name, _, version = resource.removeprefix("task:").partition("@")
    return f"task:{name}@{int(version) if version else known.tasks[name].current}" if resource.startswith("task:") else resource


def _pin_states(machine: Mapping[str, Any], mapping: Mapping[str, Any], known: Known) -> dict[str, Any]:
    states: dict[str, Any] = {}
    for name, state in machine["States"].items():
        changed = dict(state)
        if state.get("Type") == "Task" and state["Resource"] not in mapping:
            changed["Resource"] = _pinned(state["Resource"], known)
        if "Branches" in state:
            changed["Branches"] = [{**branch, **_pin_states(branch, mapping, known)} for branch in state["Branches"]]
        for field in PROCESSORS:
            if field in state:
                changed[field] = {**state[field], **_pin_states(state[field], mapping, known)}
        states[name] = changed
    return {"States": states}


def _one_open_job_by_key(checks: Checks, document: Mapping[str, Any], tasks: Mapping[str, KnownTask]) -> None:
    """Where only the key comes back, a flow may have one open job at a time on a reply topic: two branches of a Parallel could have two,
    and so could two iterations of a Map."""
    section = document.get("Sfc")
    found = section.get("Resources") if isinstance(section, dict) else None
    mapping = found if isinstance(found, dict) else {}

    def reply_topic(resource: str) -> str | None:
        name, _, version = str(mapping.get(resource, resource)).removeprefix("task:").partition("@")
        task = tasks.get(name)
        number = task.current if task and not version else int(version) if version.isascii() and version.isdigit() else 0
        kafka = task.documents.get(number, {}).get("Kafka") if task else None
        return kafka.get("ReplyTopic") if isinstance(kafka, dict) and kafka.get("Correlate") == "Key" else None

    def look(machine: Mapping[str, Any], pointer: str) -> None:
        for at, state in _states(machine, pointer):
            taken: dict[str, int] = {}
            several = state.get("Type") == "Map" and state.get("MaxConcurrency") != 1
            for index, (tokens, branch) in enumerate(machines_in(state)):
                place = _within(at, tokens)
                look(branch, place)
                for where, resource in resources_of(branch, place):
                    topic = reply_topic(resource)
                    if topic and (several or taken.setdefault(topic, index) != index):
                        who = "iterations" if several else "branches"
                        checks.add("two-by-key", where, f"two {who} would await replies on {topic} at once, told apart by nothing.",
                                   "Correlate by a header, or do one after the other (MaxConcurrency 1).")  # fmt: skip

    look(document, "")
