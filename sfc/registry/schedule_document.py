"""What may stand in a trigger that is a schedule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sfc.registry.cron import cron_problem, zone_problem
from sfc.registry.documents import canonical
from sfc.registry.shapes import Checks, join

CATCH_UPS = ("skip", "one", "all")
INPUT_BYTES_MAX = 262_144  # as every payload
_OF_A_TOPIC = ("Topic", "FlowId", "When", "From")
_OF_A_SCHEDULE = ("TimeZone", "Input", "CatchUp")


def check_schedule(checks: Checks, trigger: Mapping[str, Any], at: str) -> None:
    """Adds what is wrong with a trigger that has a ``Schedule``, but for its Id."""
    for field in _OF_A_TOPIC:
        if field in trigger:
            checks.add(
                "unknown-field", join(at, field), f"{field} belongs to a trigger on a topic.", "Leave it out, or leave Schedule out."
            )
    if cron := checks.text(trigger["Schedule"], join(at, "Schedule")):
        message, hint = cron_problem(cron)
        if message:
            checks.add("bad-schedule", join(at, "Schedule"), message, hint)
    if "TimeZone" in trigger and (zone := checks.text(trigger["TimeZone"], join(at, "TimeZone"))):
        message, hint = zone_problem(zone)
        if message:
            checks.add("bad-time-zone", join(at, "TimeZone"), message, hint)
    if "CatchUp" in trigger:
        checks.one_of(trigger["CatchUp"], join(at, "CatchUp"), CATCH_UPS)
    if "Input" in trigger and (size := len(canonical(trigger["Input"]).encode())) > INPUT_BYTES_MAX:
        checks.add("too-large", join(at, "Input"), f"expected at most {INPUT_BYTES_MAX} bytes of JSON, came {size}.")


def refuse_schedule_fields(checks: Checks, trigger: Mapping[str, Any], at: str) -> None:
    """Adds a problem for each field that a trigger without ``Schedule`` can't have."""
    for field in _OF_A_SCHEDULE:
        if field in trigger:
            checks.add("unknown-field", join(at, field), f"{field} belongs to a Schedule.", "Leave it out.")
