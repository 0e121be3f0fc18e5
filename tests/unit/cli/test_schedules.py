"""``sfc schedules`` and the triggers of ``sfc blueprints`` over a recording gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from sfc.cli import context, output
from sfc.cli.app import app

NIGHTLY = {
    "blueprint": "report",
    "id": "nightly",
    "uid": "u",
    "cron": "0 3 * * *",
    "time_zone": "Asia/Shanghai",
    "catch_up": "skip",
    "input": {"a": 1},
    "status": "enabled",
    "next_ms": 1_900_000_000_000,
    "last_ms": 0,
    "upcoming": [1_900_000_000_000, 1_900_086_400_000],
}


class Gateway:
    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[tuple[Any, ...]] = []

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None: ...

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            self.calls.append((name, *args))
            return self.answers[name]

        return call


@pytest.fixture(autouse=True)
def fresh_streams() -> None:
    output._stream.cache_clear()


def run(gateway: Gateway, *words: str) -> tuple[int, str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "client", lambda: gateway)
        result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.stdout, result.stderr


def test_schedules_are_listed_with_their_next_times() -> None:
    code, out, _ = run(Gateway(schedules=[NIGHTLY, {**NIGHTLY, "id": "held", "status": "paused"}]), "schedules", "list")
    assert code == 0
    first, held = [line for line in out.splitlines() if line.lstrip().startswith("report:")]
    assert "0 3 * * *" in first
    assert "Asia/Shanghai" in first
    assert output.local_time(NIGHTLY["next_ms"]) in first
    assert "paused" in held
    assert output.local_time(NIGHTLY["next_ms"]) not in held, "it starts nothing then"


def test_a_list_without_schedules_says_where_they_come_from() -> None:
    assert "Triggers" in run(Gateway(schedules=[]), "schedules", "list")[2]


def test_a_schedule_is_shown_with_its_next_five_times() -> None:
    gateway = Gateway(schedule=NIGHTLY)
    code, out, _ = run(gateway, "schedules", "show", "report:nightly")
    assert (code, gateway.calls) == (0, [("schedule", "report", "nightly")])
    assert '{"a": 1}' in out
    assert all(output.local_time(tick) in out for tick in NIGHTLY["upcoming"])  # type: ignore[attr-defined]
    assert json.loads(run(gateway, "schedules", "show", "report:nightly", "--json")[1]) == NIGHTLY


@pytest.mark.parametrize("word", ["nightly", "report:", ":nightly"])
def test_a_schedule_is_named_by_its_blueprint_and_id(word: str) -> None:
    code, _, err = run(Gateway(), "schedules", "show", word)
    assert code != 0
    assert "BLUEPRINT:ID was expected" in err


def test_a_blueprint_shows_its_schedules_among_its_triggers() -> None:
    section = {"Name": "report", "Triggers": [{"Id": "nightly", "Schedule": "0 3 * * *"}, {"Id": "in", "Topic": "orders"}]}
    blueprint = {"name": "report", "current": 1, "status": "enabled", "triggers": [{"id": "in", "topic": "orders"}],
                 "document": {"Sfc": section}}  # fmt: skip
    assert "in: orders, nightly: 0 3 * * * UTC" in run(Gateway(blueprint=blueprint), "blueprints", "show", "report")[1]
    assert "orders, 0 3 * * * UTC" in run(Gateway(blueprints=[blueprint]), "blueprints", "list")[1]
