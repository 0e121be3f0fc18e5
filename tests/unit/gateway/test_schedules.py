"""Schedules over HTTP, through the client."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sfc.client import Client
from sfc.errors import InvalidDocument, UnknownName

PASSING = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
NIGHTLY = {"Id": "nightly", "Schedule": "0 3 * * *", "TimeZone": "Asia/Shanghai", "Input": {"a": 1}, "CatchUp": "one"}


def blueprint(name: str, *triggers: dict[str, Any]) -> dict[str, Any]:
    return {**PASSING, "Sfc": {"Name": name, "Triggers": list(triggers)}}


def test_schedules_are_listed_and_shown(client: Client) -> None:
    assert client.schedules() == []
    client.deploy([blueprint("report", NIGHTLY, {"Id": "hourly", "Schedule": "0 * * * *"})])
    hourly, nightly = client.schedules()
    assert (hourly["id"], hourly["time_zone"], hourly["catch_up"], hourly["input"]) == ("hourly", "UTC", "skip", {})
    assert client.schedule("report", "nightly") == nightly
    following = datetime.fromtimestamp(nightly["next_ms"] / 1000, ZoneInfo("Asia/Shanghai"))
    assert (following.hour, following.minute, following.second) == (3, 0, 0)
    assert nightly["next_ms"] / 1000 > datetime.now().timestamp()
    assert (nightly["status"], nightly["last_ms"], nightly["upcoming"][0]) == ("enabled", 0, nightly["next_ms"])
    client.pause_blueprint("report")
    assert client.schedule("report", "nightly")["status"] == "paused"


def test_a_schedule_that_is_not_there_is_told(client: Client) -> None:
    client.deploy([blueprint("report", NIGHTLY)])
    with pytest.raises(UnknownName, match="there is no schedule report:nightli") as told:
        client.schedule("report", "nightli")
    assert "report:nightly" in told.value.hint


def test_what_is_wrong_with_a_schedule_is_told_in_one_go(client: Client) -> None:
    with pytest.raises(InvalidDocument) as told:
        client.deploy([blueprint("report", {"Id": "a", "Schedule": "61 3 * * *", "TimeZone": "Berlin", "CatchUp": "some"})])
    found = {problem.pointer: problem for problem in told.value.problems}
    assert set(found) == {f"/Sfc/Triggers/0/{field}" for field in ("Schedule", "TimeZone", "CatchUp")}
    assert "the minute '61'" in found["/Sfc/Triggers/0/Schedule"].message
    assert "Europe/Berlin" in found["/Sfc/Triggers/0/TimeZone"].hint
