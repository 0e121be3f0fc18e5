"""When a schedule ticks, also where clocks are changed."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from sfc.registry.cron import cron_problem, latest_ticks, next_tick, ticks, zone_problem

BERLIN = "Europe/Berlin"  # clocks go forward on 2026-03-29 at 02:00, back on 2026-10-25 at 03:00


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def local(tick: int, zone: str = BERLIN) -> str:
    return datetime.fromtimestamp(tick / 1000, ZoneInfo(zone)).isoformat(timespec="minutes")


def all_ticks(cron: str, start: str, end: str, zone: str = BERLIN) -> list[str]:
    return [local(tick, zone) for tick in ticks(cron, zone, ms(start), ms(end))]


@pytest.mark.parametrize(
    ("cron", "says", "hint"),
    [
        ("0 3 * *", "expected five fields (minute, hour, day of month, month, day of week), came 4", "Write for example"),
        ("0 0 3 * * *", "came 6", "Leave the seconds out."),
        ("60 3 * * *", "the minute '60' is wrong: expected * or 0 to 59.", "steps"),
        ("0 24 * * *", "the hour '24' is wrong", ""),
        ("0 3 0 * *", "the day of month '0' is wrong", ""),
        ("0 3 * 13 *", "the month '13' is wrong", ""),
        ("0 3 * * 8", "the day of week '8' is wrong", ""),
        ("0 3 * * FRY", "the day of week 'FRY' is wrong", ""),
        ("*/0 3 * * *", "the minute '*/0' is wrong", ""),
        ("5-1 3 * * *", "the minute '5-1' is wrong", ""),
        ("0 3 L/2#1 * *", "the day of month 'L/2#1' is wrong", ""),
        ("0 3 * * 5L/2", "the day of week '5L/2' is wrong", ""),
        ("@daily", "came 1: '@daily'", "Write for example"),
        ("", "came 0", ""),
        ("0 0 30 2 *", "names a day that never comes", ""),
        ("0 0 31 4,6 *", "names a day that never comes", ""),
        ("0,1" + ",1" * 200 + " * * * *", "expected at most 255 characters", ""),
    ],
)
def test_what_is_wrong_with_an_expression_is_named(cron: str, says: str, hint: str) -> None:
    message, what_to_write = cron_problem(cron)
    assert says in message
    assert hint in what_to_write


@pytest.mark.parametrize(
    "cron", ["* * * * *", "*/5 8-18 * * MON-FRI", "0 3 L * *", "0 9 * * 5#2", "0 0 29 2 *", "15,45 0 1 jan *", "0 3 LW * 7"]
)
def test_an_expression_that_is_right_has_no_problem(cron: str) -> None:
    assert cron_problem(cron) == ("", "")


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("Shanghai", "Did you mean 'Asia/Shanghai'?"),
        ("Asia/Shangai", "Did you mean 'Asia/Shanghai'?"),
        ("europe/berlin", "Did you mean 'Europe/Berlin'?"),
        ("New York", "Did you mean 'America/New_York'?"),
        ("+08:00", "Write a name of the IANA list"),
        ("../../etc/passwd", "Write a name of the IANA list"),
    ],
)
def test_an_unknown_zone_is_told_with_the_nearest_name(zone: str, hint: str) -> None:
    message, what_to_write = zone_problem(zone)
    assert "there is no time zone" in message
    assert hint in what_to_write


def test_a_zone_of_the_list_has_no_problem() -> None:
    assert zone_problem("Asia/Shanghai") == zone_problem("UTC") == ("", "")


def test_three_in_shanghai_is_seven_in_the_evening_before_in_utc() -> None:
    assert next_tick("0 3 * * *", "Asia/Shanghai", ms("2026-01-30T19:00:00Z")) == ms("2026-01-31T19:00:00Z")
    assert next_tick("0 3 * * *", "Asia/Shanghai", ms("2026-01-30T18:59:59.999Z")) == ms("2026-01-30T19:00:00Z")


def test_a_fixed_time_that_does_not_exist_ticks_at_the_first_moment_after_the_gap() -> None:
    found = all_ticks("30 2 * * *", "2026-03-28T00:00+01:00", "2026-03-31T00:00+02:00")
    assert found == ["2026-03-28T02:30+01:00", "2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]


def test_two_fixed_times_within_the_gap_tick_once() -> None:
    found = all_ticks("0,30 2 * * *", "2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00")
    assert found == ["2026-03-29T03:00+02:00"]


def test_a_fixed_time_that_is_there_twice_ticks_the_first_time_only() -> None:
    found = all_ticks("30 2 * * *", "2026-10-24T12:00+02:00", "2026-10-26T12:00+01:00")
    assert found == ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]
    within = ms("2026-10-25T02:10+01:00")  # the second time that it is ten past two
    assert local(next_tick("30 2 * * *", BERLIN, within)) == "2026-10-26T02:30+01:00"


def test_a_wildcard_goes_by_real_time() -> None:
    forward = all_ticks("*/30 * * * *", "2026-03-29T01:15+01:00", "2026-03-29T03:40+02:00")
    assert forward == ["2026-03-29T01:30+01:00", "2026-03-29T03:00+02:00", "2026-03-29T03:30+02:00"]
    back = all_ticks("0 * * * *", "2026-10-25T01:30+02:00", "2026-10-25T03:30+01:00")
    assert back == ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00", "2026-10-25T03:00+01:00"]


@pytest.mark.parametrize("cron", ["* * * * *", "*/7 * * * *", "30 2 * * *", "0 3 1 * *", "0 0 29 2 *"])
@pytest.mark.parametrize("count", [1, 5, 1000])
def test_the_latest_ticks_are_the_last_of_all(cron: str, count: int) -> None:
    start, end = ms("2026-10-20T00:00:00Z"), ms("2026-10-27T00:00:30Z")
    assert latest_ticks(cron, BERLIN, start, end, count) == list(ticks(cron, BERLIN, start, end))[-count:]


def test_the_latest_ticks_of_years_are_found_at_once() -> None:
    found = latest_ticks("* * * * *", "UTC", 0, ms("2026-01-01T00:00:00Z"), 1000)
    assert (len(found), found[-1]) == (1000, ms("2026-01-01T00:00:00Z"))


def test_nothing_lies_between_a_tick_and_itself() -> None:
    assert latest_ticks("* * * * *", "UTC", 60_000, 60_000, 5) == []
    assert latest_ticks("* * * * *", "UTC", 60_000, 0, 5) == []
