"""RFC 3339 timestamps as exact numbers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

_FORM = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_timestamp(value: Any) -> int | None:
    """Nanoseconds since 1970; None for what is no timestamp. ``Z`` or an offset is required, as Step Functions does."""
    if not isinstance(value, str):
        return None
    form = _FORM.fullmatch(value)
    if form is None:
        return None
    fraction, sign, hours, minutes = form.group(7, 8, 9, 10)
    try:
        zone: timezone = UTC
        if sign is not None:
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            zone = timezone(-offset if sign == "-" else offset)
        year, month, day, hour, minute, second = (int(part) for part in form.group(1, 2, 3, 4, 5, 6))
        moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        return None
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + int((fraction or "").ljust(9, "0"))
