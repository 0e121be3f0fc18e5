"""``sfc dead-letters replay`` and ``discard`` over a recording gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from sfc.cli import bulk, context
from sfc.cli.app import app


class Gateway:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None: ...

    def dead_letters(self, limit: int = 50, cursor: str = "", state: str = "open") -> dict[str, Any]:
        pages = {"": (["a-0-1", "a-0-2"], "next"), "next": (["b-0-1"], "")}
        ids, following = pages[cursor]
        letters = [{"id": i, "reason": "not-json" if i != "a-0-2" else "no-flow-id", "topic": i[0]} for i in ids]
        return {"dead_letters": letters, "next_cursor": following}

    def replay_dead_letter(self, id: str, **mended: Any) -> dict[str, Any]:
        self.asked.append(("replay", id, mended))
        return {"id": id, "state": "replayed", "topic": "orders"}

    def discard_dead_letter(self, id: str) -> dict[str, Any]:
        self.asked.append(("discard", id, {}))
        return {"id": id, "state": "discarded"}


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    made = Gateway()
    monkeypatch.setattr(context, "client", lambda: made)
    return made


def run(*words: str, answer: str | None = None) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["dead-letters", *words], input=answer)
    return found.exit_code, found.output


def test_named_ones_are_replayed(gateway: Gateway) -> None:
    assert run("replay", "a-0-1", "b-0-1") == (0, "replayed a-0-1 to orders\nreplayed b-0-1 to orders\n")
    assert gateway.asked == [("replay", "a-0-1", {}), ("replay", "b-0-1", {})]


def test_one_is_mended(gateway: Gateway) -> None:
    assert run("replay", "a-0-1", "--value", '{"n": 1}')[0] == 0
    assert gateway.asked == [("replay", "a-0-1", {"value": {"n": 1}})]


def test_all_of_a_reason_are_discarded_over_all_pages(gateway: Gateway) -> None:
    code, said = run("discard", "--all", "--reason", "not-json", "--yes")
    assert (code, said) == (0, "discarded 2\n")
    assert [id_ for _, id_, _ in gateway.asked] == ["a-0-1", "b-0-1"]


def test_all_without_a_terminal_needs_yes(gateway: Gateway) -> None:
    assert run("discard", "--all") == (2, "this would discard 3 dead letters: say --yes\n")
    assert not gateway.asked


def test_all_asks_first_on_a_terminal(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = type("Terminal", (), {"isatty": lambda _: True})()
    monkeypatch.setattr(bulk, "sys", type("System", (), {"stdin": terminal}))
    code, said = run("replay", "--all", answer="n\n")
    assert code == 1
    assert "replay 3 dead letters?" in said
    assert not gateway.asked
    assert run("replay", "--all", answer="y\n")[0] == 0
    assert len(gateway.asked) == 3


@pytest.mark.parametrize(
    "words", [["replay"], ["discard", "a-0-1", "--all"], ["replay", "--all", "--value", "1"], ["replay", "a", "b", "--value", "1"]]
)
def test_what_is_unclear_is_a_usage_error(gateway: Gateway, words: list[str]) -> None:
    assert run(*words)[0] == 2
    assert not gateway.asked


def test_those_of_a_reason_or_a_topic_are_listed_from_all_pages(gateway: Gateway) -> None:
    code, out = run("list", "--reason", "not-json", "--json")
    assert (code, [json.loads(line)["id"] for line in out.splitlines()]) == (0, ["a-0-1", "b-0-1"])
    assert [json.loads(line)["id"] for line in run("list", "--topic", "b", "--json")[1].splitlines()] == ["b-0-1"]
    assert [json.loads(line)["id"] for line in run("list", "--reason", "not-json", "--limit", "1", "--json")[1].splitlines()] == ["a-0-1"]
    assert run("list", "--reason", "nope") == (0, "no such dead letters\n")
    assert run("list", "--reason", "not-json", "--cursor", "x")[0] == 2


@pytest.mark.parametrize("verb", ["replay", "discard"])
def test_a_choice_that_matches_nothing_says_so(gateway: Gateway, verb: str) -> None:
    assert run(verb, "--all", "--reason", "nope") == (0, "no such dead letters\n")
    assert run(verb, "--all", "--topic", "nope", "--yes", "--json") == (0, "no such dead letters\n[]\n")
    assert gateway.asked == []
