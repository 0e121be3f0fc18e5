"""Dead letters are replayed or discarded, over the log in memory; the index learns of it from the log alone."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier, Thread
from typing import Any, cast

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.adapters.sql import SqliteFlowIndex
from sfc.errors import LogUnavailable, NotPossible
from sfc.monitor import Indexer
from sfc.ports import DeadLetterDocument, Log, Partition, Record, TopicSpec
from sfc.runtime.dead_letters import DeadLetterOffice
from sfc.wire.dead_letters import DeadLetter, dead_letter_headers
from sfc.wire.topics import Names, core_topics

NAMES = Names("t")
TOPIC = "orders"


class World:
    def __init__(self) -> None:
        self.log = EmbeddedLog.memory()
        self.log.create([TopicSpec(n, p, c) for n, (p, c) in core_topics(NAMES, 2).items()])
        self.log.create([TopicSpec(TOPIC, 2)])
        self.producer = self.log.producer()
        self.index = SqliteFlowIndex(None)
        self.indexer = Indexer(self.log, NAMES, self.index)
        self.office = DeadLetterOffice(self.log, NAMES, "gw-1")

    def dead(self, offset: int = 0, *, topic: str = TOPIC, value: bytes | None = b"{", head: tuple[tuple[str, bytes], ...] = ()) -> str:
        letter = DeadLetter("not-json", "no JSON", topic, "", 1, offset, b"k", value, head)
        self.producer.send(NAMES.dead_letters, letter.value, letter.key, dead_letter_headers(letter), 0)
        self.producer.flush()
        self.read_on()
        return letter.id

    def read_on(self) -> None:
        for _ in range(4):
            self.indexer.step(0.005)

    def letter(self, id_: str) -> DeadLetterDocument:
        found = self.index.dead_letter(id_)
        assert found is not None
        return found

    def records(self, topic: str) -> list[Record]:
        reader = self.log.reader({Partition(topic, n): 0 for n in range(self.log.topics()[topic])})
        try:
            return reader.take(100, 0)
        finally:
            reader.close()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.office.close()
    made.indexer.close()
    made.index.close()


def test_a_replayed_record_is_in_its_topic_again_as_it_came(world: World) -> None:
    id_ = world.dead(head=(("traceparent", b"00-1"), ("sfc-source", b"trigger/1"), ("sfc-mark", b"0.5")))
    assert world.office.replay(world.letter(id_), "ada") == TOPIC
    (record,) = world.records(TOPIC)
    assert (record.key, record.value) == (b"k", b"{")
    assert dict(record.headers) == {"traceparent": b"00-1", "sfc-replayed": id_.encode()}, "a new record has no old source"


def test_the_list_tells_what_became_of_each(world: World) -> None:
    replayed, discarded, open_ = world.dead(1), world.dead(2), world.dead(3)
    world.office.replay(world.letter(replayed), "ada")
    world.office.discard(world.letter(discarded), "bob")
    world.read_on()
    assert [(d.id, d.state) for d in world.index.dead_letters(state="open").dead_letters] == [(open_, "open")]
    found = {d.id: (d.state, d.resolved_by) for d in world.index.dead_letters().dead_letters}
    assert found == {open_: ("open", ""), replayed: ("replayed", "ada"), discarded: ("discarded", "bob")}
    assert world.index.counters().dead_letters == {"not-json": 1}


def test_a_mended_value_goes_instead_of_the_records_own(world: World) -> None:
    world.office.replay(world.letter(world.dead()), value=b'{"order_id": 1}')
    assert [r.value for r in world.records(TOPIC)] == [b'{"order_id": 1}']


def test_what_is_resolved_is_not_resolved_again_even_before_the_index_knows(world: World) -> None:
    letter = world.letter(world.dead())
    world.office.replay(letter)
    with pytest.raises(NotPossible, match="replayed already"):
        world.office.replay(letter)
    with pytest.raises(NotPossible, match="replayed already"):
        world.office.discard(letter)
    assert len(world.records(TOPIC)) == 1


def test_the_record_of_a_refused_start_is_taken_from_its_topic(world: World) -> None:
    world.producer.send(TOPIC, b'{"n": 1}', b"order-1", [("a", b"b")], 1)
    id_ = world.dead(0, value=None)
    world.office.replay(world.letter(id_))
    first, again = world.records(TOPIC)
    assert (again.key, again.value, dict(again.headers)["a"]) == (first.key, first.value, b"b")


def test_one_that_is_gone_from_its_topic_can_be_replayed_with_a_value_only(world: World) -> None:
    letter = world.letter(world.dead(17, value=None))
    with pytest.raises(NotPossible, match="not in its topic any more"):
        world.office.replay(letter)
    world.office.replay(letter, value=b"{}")
    assert [r.value for r in world.records(TOPIC)] == [b"{}"]


def test_one_whose_topic_is_not_there_stays_open(world: World) -> None:
    letter = world.letter(world.dead(topic="gone"))
    with pytest.raises(NotPossible, match="topic gone"):
        world.office.replay(letter)
    world.office.discard(letter)


def test_record_and_mark_appear_together_or_not_at_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    letter = world.letter(world.dead())
    world.office.replay(world.letter(world.dead(5)))  # so that there is a transaction to fail
    transaction = world.office._transaction
    assert transaction is not None

    def unreachable() -> None:
        raise LogUnavailable("no broker answers")

    monkeypatch.setattr(transaction, "commit", unreachable)
    with pytest.raises(LogUnavailable):
        world.office.replay(letter)
    world.read_on()
    assert world.letter(letter.id).state == "open"
    assert len(world.records(TOPIC)) == 1
    world.office.replay(world.letter(letter.id))
    assert len(world.records(TOPIC)) == 2


def test_two_who_replay_at_once_replay_it_once(world: World) -> None:
    letter = world.letter(world.dead())
    started = Barrier(2)
    outcomes: list[str] = []

    class Slow:
        """Both have found the letter open before either goes on."""

        def __init__(self, log: EmbeddedLog) -> None:
            self._log = log

        def topics(self) -> dict[str, int]:
            started.wait(5)
            return dict(self._log.topics())

        def __getattr__(self, name: str) -> Any:
            return getattr(self._log, name)

    office = DeadLetterOffice(cast("Log", Slow(world.log)), NAMES, "gw-2")

    def replay() -> None:
        try:
            outcomes.append(office.replay(letter))
        except NotPossible as e:
            outcomes.append(e.message)

    both = [Thread(target=replay) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(10)
    office.close()
    assert sorted(outcomes) == sorted([f"dead letter {letter.id} is replayed already", TOPIC])
    assert len(world.records(TOPIC)) == 1


def test_a_replay_that_fails_in_any_way_leaves_the_office_open(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    id_ = world.dead()
    transaction = world.log.transaction("t-dead-letters-gw-1")
    world.office._transaction = transaction

    def broken(*_: Any) -> None:
        raise ValueError("unforeseen")

    with monkeypatch.context() as m:
        m.setattr(transaction, "send", broken)
        with pytest.raises(ValueError, match="unforeseen"):
            world.office.replay(world.letter(id_))
    world.office.replay(world.letter(id_))
    assert len(world.records(TOPIC)) == 1


def test_no_transaction_is_ever_open_on_the_commands(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    letter = world.letter(world.dead(topic=NAMES.commands, value=b"{}"))
    world.office.discard(world.letter(world.dead(9)))  # so that there is a transaction to look at
    transaction = world.office._transaction
    assert transaction is not None
    sent: list[str] = []
    real = transaction.send

    def noting(topic: str, *more: Any) -> None:
        sent.append(topic)
        real(topic, *more)

    monkeypatch.setattr(transaction, "send", noting)
    world.office.replay(letter)
    assert [r.value for r in world.records(NAMES.commands)] == [b"{}"]
    assert sent == [NAMES.dead_letters], "only the mark: an open transaction there would hold the shard up"
    world.read_on()
    assert world.letter(letter.id).state == "replayed"
