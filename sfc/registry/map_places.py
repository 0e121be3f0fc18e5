"""ItemReaders and ResultWriters: where they read and write, and what of their constants no worker would take.

What comes of a path or an expression is judged by the worker when it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sfc.asl.jsonata import is_expression
from sfc.engine.sources import Found, sink_problems, source_problems
from sfc.registry.http_document import check_url
from sfc.registry.shapes import Checks, did_you_mean, join, shown

_TOLD = ("Parameters", "Arguments")
_BELOW = {"ItemReader": ("Bucket", "Key"), "ResultWriter": ("Bucket", "Prefix")}
_OF_A_TOPIC: dict[str, tuple[str, ...]] = {"ItemReader": ("From", "To", "Partition"), "ResultWriter": ()}


class Place(NamedTuple):
    """An ItemReader or a ResultWriter: where it stands, its Resource ('' for none), and its configuration."""

    pointer: str
    field: str
    given: Mapping[str, Any]
    resource: str
    config: dict[str, Any]
    judge: Callable[[str, Mapping[str, Any]], list[Found]]


def places_of(state: Mapping[str, Any], pointer: str) -> list[Place]:
    """Those of one state."""
    found = []
    for field, configured, judge in _MAP_FIELDS if state.get("Type") == "Map" else ():
        given = state.get(field)
        if isinstance(given, dict):
            resource, config = given.get("Resource", "" if field == "ResultWriter" else None), given.get(configured)
            if isinstance(resource, str):
                found.append(Place(join(pointer, field), field, given, resource, config if isinstance(config, dict) else {}, judge))
    return found


_MAP_FIELDS = (("ItemReader", "ReaderConfig", source_problems), ("ResultWriter", "WriterConfig", sink_problems))


def check_place(checks: Checks, place: Place, mapped: Mapping[str, Any]) -> None:
    """Adds a problem for each thing by which it could neither read nor write. ``mapped``: ``Sfc.Resources``."""
    resource = mapped.get(place.resource, place.resource)
    if not isinstance(resource, str):
        return
    named_at = join("/Sfc/Resources", place.resource) if place.resource in mapped else join(place.pointer, "Resource")
    wrong = place.judge(resource, place.config)
    for code, below, message, hint in wrong:
        checks.add(code, named_at if below == "/Resource" else f"{place.pointer}{below}", f"{message}.", f"{hint[0].upper()}{hint[1:]}.")
    nowhere = any(below == "/Resource" for _, below, _, _ in wrong)
    if not nowhere and resource.startswith("topic:"):
        checks.topic(resource.removeprefix("topic:"), named_at)
    elif not nowhere and resource.startswith(("http:", "https:")):
        check_url(checks, resource, named_at)
    if place.field == "ItemReader":
        _config(checks, place)
    if resource:
        _told(checks, place, resource, nowhere=nowhere)


def _config(checks: Checks, place: Place) -> None:
    """The language lets these through, as Step Functions does, and fails when it runs."""
    at, config = f"{place.pointer}/ReaderConfig", place.config
    most = config.get("MaxItems")
    if isinstance(most, int | float) and most < 0:
        checks.add("out-of-range", f"{at}/MaxItems", f"expected a number from 0 on, came {shown(most)}.", "Write 0 for all.")
    where = config.get("ItemsPointer")
    if isinstance(where, str) and where and not where.startswith("/"):
        checks.add("bad-value", f"{at}/ItemsPointer", f"expected a JSON Pointer (/orders), came {shown(where)}.", f"Write /{where}.")
    headers, seen = config.get("CSVHeaders"), set[str]()
    for index, name in enumerate(headers if isinstance(headers, list) else ()):
        if isinstance(name, str):
            if name in seen:
                said = f"a column {shown(name)} is there already."
                checks.add("twice", f"{at}/CSVHeaders/{index}", said, "Give each column its own name.")
            seen.add(name)


def _told(checks: Checks, place: Place, resource: str, *, nowhere: bool) -> None:
    """Parameters, in JSONata Arguments. ``nowhere``: it is not known yet which there may be."""
    kind, _, name = resource.partition(":")
    known = _OF_A_TOPIC[place.field] if kind == "topic" else _BELOW[place.field]
    for field in _TOLD:
        told, at = place.given.get(field), join(place.pointer, field)
        if told is None or (field == "Arguments" and is_expression(told)):
            continue
        if not isinstance(told, dict):
            checks.add("wrong-type", at, f"expected an object with {', '.join(known) or 'nothing in it'}, came {shown(told)}.")
            continue
        for key, value in told.items():
            computed = key.endswith(".$") if field == "Parameters" else is_expression(value)
            plain = key.removesuffix(".$") if field == "Parameters" else key
            if plain not in known:
                if nowhere:
                    continue
                hint = did_you_mean(plain, known) or (f"Known here: {', '.join(known)}." if known else "Leave it out.")
                what = f"topic {name}" if kind == "topic" else f"a {kind}: Resource"
                checks.add("unknown-field", join(at, key), f"{plain} is not known of {what}.", hint)
            elif not computed and value is not None:
                _constant(checks, place, plain, value, join(at, key))


def _constant(checks: Checks, place: Place, name: str, value: Any, at: str) -> None:
    if name == "Partition":
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            checks.add("wrong-value", at, f"expected the number of a partition, from 0 on, came {shown(value)}.")
    elif name in ("From", "To"):
        if not _is_offset(value) and not _is_time(value):
            expected = "expected an offset or a time with its zone"
            checks.add("wrong-value", at, f"{expected}, came {shown(value)}.", "Write a number, or for example 2026-01-31T08:00:00Z.")
    elif not isinstance(value, str) or "\0" in value or (not value and place.field == "ItemReader"):
        checks.add("wrong-type", at, f"expected text, came {shown(value)}.", "Write a name below the Resource, or leave it out.")
    elif any(part in (".", "..") for part in value.split("/")):
        checks.add("bad-value", at, f"expected a path without the parts . and .., came {shown(value)}.", "Name it from the Resource on.")


def _is_offset(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and "T" in value and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
