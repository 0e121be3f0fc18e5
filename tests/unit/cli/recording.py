"""A gateway that records what it is asked, and the commands run over it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from sfc.cli import context
from sfc.cli.app import app

FLOW = {
    "flow": "tmall-order:o-1",
    "run": 5,
    "blueprint": "tmall-order",
    "version": 2,
    "status": "RUNNING",
    "seq": 9,
    "started_ms": 1_700_000_000_000,
    "updated_ms": 1_700_000_001_000,
    "states": ["Split"],
    "paused_by": ["own"],
    "origin": {"kind": "topic", "trigger": "orders", "topic": "order_created", "partition": 0, "offset": 7},
}


class Gateway:
    """Notes each call; answers with what it was given, or raises it."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None:
        self.calls.append(("close", (), {}))

    def __getattr__(self, name: str) -> Any:
        if name not in self.answers:
            raise AttributeError(name)

        def call(*args: Any, **named: Any) -> Any:
            self.calls.append((name, args, named))
            answer = self.answers[name]
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return call


class Result:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


def run(*words: str, gateway: Gateway | None = None, stdin: str | bytes | None = None) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        if gateway is not None:
            patch.setattr(context, "client", lambda: gateway)
        result = CliRunner().invoke(app, list(words), input=stdin)
    return Result(result.exit_code, result.stdout, result.stderr)
