"""``sfc workers`` over a recording gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from sfc.cli import context
from sfc.cli.app import app

SCALE = {"min": 1, "max": 4, "lag_per_replica": 100, "module": "shop.workers"}
MEMBER = {"instance": "host-0.task.split.1", "host": "127.0.0.1", "partitions": ["sfc.task.split-0", "sfc.task.split-2"]}


def pool(name: str = "task:split", scale: Any = SCALE, override: Any = None, *members: Any) -> dict[str, Any]:
    topics = [{"topic": "sfc.task.split", "group": "sfc.task.split"}]
    return {"pool": name, "topics": topics, "scale": scale, "override": override, "lag": 7, "partitions": 8, "members": list(members)}


class Gateway:
    """Notes what is asked of it."""

    def __init__(self, *pools: Any, leader: str | None = "host-0") -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._pools = {"pools": list(pools), "scheduler": {"leader": leader, "waiting": []}}

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None: ...

    def workers(self) -> Any:
        return self._pools

    def scale_workers(self, name: str, low: int | None, high: int | None) -> Any:
        self.calls.append(("scale", name, low, high))
        return {"pool": name, "changed": True, "min": low, "max": high}

    def drain_workers(self, name: str) -> Any:
        self.calls.append(("drain", name))
        return {"pool": name, "changed": True}

    def undrain_workers(self, name: str) -> Any:
        self.calls.append(("undrain", name))
        return {"pool": name, "changed": False}


def run(monkeypatch: pytest.MonkeyPatch, gateway: Gateway, *command: str) -> Any:
    monkeypatch.setattr(context, "client", lambda: gateway)
    return CliRunner().invoke(app, ["workers", *command])


def test_a_pool_is_listed_with_its_wish_its_lag_and_its_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway(
        pool("task:split", SCALE, None, MEMBER),
        pool("task:pick", SCALE, {"min": 2, "max": None, "drained": False}),
        pool("task:pack", SCALE, {"min": None, "max": None, "drained": True}),
        pool("task:by-hand", None),
    )
    lines = run(monkeypatch, gateway, "list").stdout.splitlines()
    rows = {words[0]: " ".join(words[1:]) for line in lines if (words := line.split())}
    assert rows["task:split"] == "1 to 4 7 1 host-0.task.split.1: 0, 2"
    assert rows["task:pick"] == "2 to 4 (document: 1 to 4) 7 0"
    assert rows["task:pack"] == "none: drained 7 0"
    assert rows["task:by-hand"] == "7 0"
    assert rows["scheduler:"] == "host-0"


def test_it_is_said_when_no_scheduler_runs_and_when_there_is_no_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no scheduler runs: `sfc scheduler`" in run(monkeypatch, Gateway(pool(), leader=None), "list").stdout
    assert "scheduler" not in run(monkeypatch, Gateway(pool(scale=None), leader=None), "list").stdout
    assert "no pools yet" in run(monkeypatch, Gateway(leader=None), "list").stderr
    assert json.loads(run(monkeypatch, Gateway(pool()), "list", "--json").stdout) == pool()


def test_scaling_and_draining(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway()
    said = [
        run(monkeypatch, gateway, *command).stdout.strip()
        for command in (
            ("scale", "task:split", "--min", "2", "--max", "3"),
            ("scale", "task:split", "--min", "0"),
            ("scale", "task:split", "--max", "3"),
            ("scale", "task:split", "--reset"),
            ("drain", "task:split"),
            ("drain", "task:split", "--undo"),
        )
    ]
    assert gateway.calls == [
        ("scale", "task:split", 2, 3),
        ("scale", "task:split", 0, None),
        ("scale", "task:split", None, 3),
        ("scale", "task:split", None, None),
        ("drain", "task:split"),
        ("undrain", "task:split"),
    ]
    assert said == [
        "task:split has 2 to 3 workers",
        "task:split has 0 workers or more",
        "task:split has 3 workers at most",
        "task:split is as its document says",
        "task:split is drained: its jobs wait",
        "task:split may have workers: it was so already",
    ]


@pytest.mark.parametrize("options", [(), ("--reset", "--min", "1"), ("--min", "-1"), ("--max", "0")])
def test_a_scale_that_says_nothing_or_two_things_is_wrong_usage(monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]) -> None:
    gateway = Gateway()
    assert run(monkeypatch, gateway, "scale", "task:split", *options).exit_code == 2
    assert gateway.calls == []
