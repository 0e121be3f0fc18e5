"""When a schedule ticks: cron expressions in a time zone (cronsim, which does as Debian's cron does).

Where clocks are changed: an expression whose minute and hour are both fixed (neither begins with ``*``) ticks once a day whatever the
clocks do: a local time that does not exist ticks at the first moment after the gap, one that is there twice ticks the first time only. All
others go by real time: what does not exist does not tick, what is there twice ticks twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from sfc.registry.shapes import did_you_mean, shown

CRON_CHARACTERS_MAX = 255
FIELDS = ("minute", "hour", "day of month", "month", "day of week")
_RANGES = ("0 to 59", "0 to 23", "1 to 31 or L", "1 to 12 or JAN to DEC", "0 to 7 or SUN to SAT")
_HOUR_MS = 3_600_000
_WINDOWS_MS = (_HOUR_MS, 24 * _HOUR_MS, 31 * 24 * _HOUR_MS, 366 * 24 * _HOUR_MS)


def cron_problem(expression: str) -> tuple[str, str]:
    """What is wrong with a cron expression and what to write instead; empty texts when it is right."""
    parts = expression.split()
    if len(expression) > CRON_CHARACTERS_MAX:
        return f"expected at most {CRON_CHARACTERS_MAX} characters, came {len(expression)}.", ""
    if len(parts) != len(FIELDS):
        hint = "Leave the seconds out." if len(parts) == len(FIELDS) + 1 else 'Write for example "0 3 * * *": at three each morning.'
        return f"expected five fields ({', '.join(FIELDS)}), came {len(parts)}: {shown(expression)}.", hint
    for index, part in enumerate(parts):
        if not _parses(" ".join(part if n == index else "*" for n in range(len(FIELDS)))):
            hint = "Also lists (1,15), ranges (1-5) and steps (*/10)."
            return f"the {FIELDS[index]} {shown(part)} is wrong: expected * or {_RANGES[index]}.", hint
    if not _parses(expression) or next_tick(expression, "UTC", 0) == 0:
        return f"{shown(expression)} names a day that never comes.", ""
    return "", ""


def _parses(expression: str) -> bool:
    try:
        CronSim(expression, datetime.fromtimestamp(0, UTC))
    except (CronSimError, ValueError, TypeError, AssertionError):  # the last ones for some combinations that it does not foresee
        return False
    return True


def zone_problem(name: str) -> tuple[str, str]:
    """What is wrong with the name of a time zone and what to write instead; empty texts when there is such a zone."""
    zones = _zones()
    if name in zones:
        return "", ""
    ends = {zone.rpartition("/")[2].lower(): zone for zone in sorted(zones, reverse=True)}
    same = ends.get(name.rpartition("/")[2].lower().replace(" ", "_"))
    hint = f"Did you mean {same!r}?" if same else did_you_mean(name, sorted(zones))
    return f"there is no time zone {shown(name)}.", hint or "Write a name of the IANA list: Asia/Shanghai, Europe/Berlin, UTC."


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def ticks(expression: str, zone: str, after_ms: int, to_ms: int | None = None) -> Iterator[int]:
    """The nominal times behind ``after_ms`` up to and with ``to_ms``, in milliseconds since 1970, in order."""
    last = after_ms
    for moment in CronSim(expression, datetime.fromtimestamp(after_ms / 1000, ZoneInfo(zone))):
        tick = int(moment.timestamp()) * 1000
        if to_ms is not None and tick > to_ms:
            return
        if tick > last:  # within an hour that is there twice, it counts from the first one
            last = tick
            yield tick


def next_tick(expression: str, zone: str, after_ms: int) -> int:
    """The first nominal time behind ``after_ms``; 0 when there is none within 50 years."""
    return next(ticks(expression, zone, after_ms), 0)


def latest_ticks(expression: str, zone: str, after_ms: int, to_ms: int, count: int) -> list[int]:
    """The last ``count`` nominal times behind ``after_ms`` up to and with ``to_ms``, oldest first. Looks back no further than it must."""
    for window_ms in _WINDOWS_MS:
        if to_ms - window_ms <= after_ms:
            break
        found = deque(ticks(expression, zone, to_ms - window_ms, to_ms), count)
        if len(found) == count:
            return list(found)
    return list(deque(ticks(expression, zone, after_ms, to_ms), count)) if after_ms < to_ms else []
