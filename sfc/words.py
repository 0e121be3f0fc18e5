"""Times and numbers as people say them."""

from __future__ import annotations


def duration(ms: int) -> str:
    """3 s, 4 min 5 s, 2 h 3 min, 5 d 1 h."""
    seconds = max(0, ms) // 1000
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def fine_duration(ms: float) -> str:
    """3 ms, 1.2 s, and from a minute on as ``duration``."""
    if ms < 1000:
        return f"{ms:.0f} ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    return duration(round(ms))


def many(count: int, what: str) -> str:
    """1 job, 2 jobs."""
    return f"{count} {what}{'s' * (count != 1)}"
