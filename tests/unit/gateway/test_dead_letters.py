"""/v1/dead-letters: replay and discard over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from sfc.client import Client
from sfc.errors import BadInput, NotPossible, UnknownName
from sfc.ports import DeadLetterDocument, DeadLetterMark, Partition, TopicSpec


@pytest.fixture
def letter(gateway: Any) -> str:
    gateway.log.create([TopicSpec("order_created", 1)])
    found = DeadLetterDocument("id-0-3", 5, "not-json", "expected JSON", "order_created", 0, 3, b"k", b"{nope")
    gateway.index.index([], [found], {})
    return found.id


def records(gateway: Any) -> list[bytes | None]:
    reader = gateway.log.reader({Partition("order_created", 0): 0})
    try:
        return [r.value for r in reader.take(10, 0)]
    finally:
        reader.close()


def test_a_letter_is_replayed_to_its_topic(gateway: Any, client: Client, letter: str) -> None:
    assert client.replay_dead_letter(letter) == {"id": letter, "state": "replayed", "topic": "order_created"}
    assert records(gateway) == [b"{nope"]
    with pytest.raises(NotPossible, match="replayed already"):
        client.replay_dead_letter(letter)


def test_it_is_mended_on_the_way(gateway: Any, client: Client, letter: str) -> None:
    client.replay_dead_letter(letter, value={"order_id": 2**70})
    assert records(gateway) == [b'{"order_id":1180591620717411303424}']


@pytest.mark.parametrize("body", [{"value": 1, "value_base64": ""}, {"valu": 1}, [1], {"value_base64": "?"}, {"value_base64": 7}])
def test_a_body_that_makes_no_sense_is_refused_and_nothing_is_sent(http: TestClient, gateway: Any, letter: str, body: Any) -> None:
    answer = http.post(f"/v1/dead-letters/{letter}/replay", json=body)
    assert answer.status_code == 400
    assert "base64" in answer.json()["detail"]
    assert records(gateway) == []


def test_a_discarded_letter_leaves_the_list_of_open_ones(gateway: Any, client: Client, letter: str) -> None:
    assert client.discard_dead_letter(letter) == {"id": letter, "state": "discarded"}
    gateway.index.index([], [], {}, [DeadLetterMark(letter, "discarded", 9)])  # as the monitor reads it from the log
    assert client.dead_letters()["dead_letters"] == []
    assert [d["state"] for d in client.dead_letters(state="all")["dead_letters"]] == ["discarded"]
    assert client.dead_letters(state="replayed")["dead_letters"] == []


def test_unknown_ones_and_unknown_states_are_refused(client: Client) -> None:
    for act in (client.replay_dead_letter, client.discard_dead_letter):
        with pytest.raises(UnknownName):
            act("nothing-0-0")
    with pytest.raises(BadInput):
        client.dead_letters(state="lost")
