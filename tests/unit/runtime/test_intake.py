"""What a shard takes of a record: ids that can't be one, records of other shards, and what is too large or too deep."""

from __future__ import annotations

import pytest

from sfc.adapters.lmdb_store import LmdbStore
from sfc.engine.commands import Command, Pause, Redrive, ReplyTo, Start
from sfc.wire import headers
from sfc.wire.commands import encode_command
from sfc.wire.partition import partition_of
from sfc.wire.topics import RECORD_BYTES_MAX
from tests.unit.runtime.lane_bench import NAMES, SHARDS, Bench, settle

START = encode_command(Start("twice", 1, "h-twice", None))[0]
PAUSE = encode_command(Pause())[0]
COMMAND = [(headers.FORMAT, b"1"), (headers.COMMAND, b"start")]


def send(bench: Bench, key: bytes | None, value: bytes, head: list[tuple[str, bytes]], partition: int | None = None) -> None:
    place = partition_of(key or b"", SHARDS) if partition is None else partition
    bench.producer.send(NAMES.commands, value, key, head, place)
    bench.producer.flush()


def reasons(bench: Bench) -> list[str | None]:
    return [headers.text(r.headers, headers.REASON) for r in bench.dead_letters()]


@pytest.mark.parametrize(
    "key", [b"/shard/0", b"twice/a", b"twice:\xff", b"twice:" + b"x" * 600, b"tell:a", b"twice", b"", None, "twice:ä".encode()]
)
def test_a_start_whose_key_cannot_be_its_flows_id_is_a_dead_letter(bench: Bench, key: bytes | None) -> None:
    """Such an id would not be found again, would be taken for another blueprint's, or for the shard's own record."""
    lane = bench.lane()
    send(bench, key, START, COMMAND, 0 if key == b"/shard/0" else None)
    bench.start("twice:a", 1)
    bench.run([lane], lambda: bool(bench.answers))
    lane.close()
    assert reasons(bench) == ["bad-flow-id"]
    second = bench.lane()
    settle(bench, [second], 5)
    assert not second.stopped
    second.close()


@pytest.mark.parametrize("key", [b"x" * 600, b"", b"a b", b"/shard/0"])
@pytest.mark.parametrize("kind", ["command", "reply"])
def test_commands_to_what_is_no_flow_are_dead_letters(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory, key: bytes, kind: str
) -> None:
    """On the store that engines have beside Kafka, whose keys are limited."""
    store = LmdbStore(tmp_path_factory.mktemp("store"))
    lane = bench.lane(store)  # type: ignore[arg-type]
    head = [(headers.JOB, key + b"/1/1/x")] if kind == "reply" else [(headers.COMMAND, b"pause")]
    send(bench, key, b"1" if kind == "reply" else PAUSE, head)
    bench.start("twice:a", 1)
    bench.run([lane], lambda: bool(bench.answers))
    assert len(reasons(bench)) == 1
    lane.close()
    store.close()


def test_a_repeated_command_on_the_wrong_partition_is_forwarded_once(bench: Bench) -> None:
    """Rule 3: its mark is looked at where it came."""
    lane = bench.lane()
    value, head = encode_command(Start("nap", 1, "h-nap", None), "trigger/x", (0, 5))
    wrong = 1 - partition_of(b"nap:a", SHARDS)
    for _ in range(2):
        send(bench, b"nap:a", value, head, wrong)
    settle(bench, [lane], 20)
    forwarded = [r for r in bench.all(NAMES.commands) if r.partition != wrong and r.key == b"nap:a"]
    assert len(forwarded) == 1
    assert lane.shards[wrong].state.repeated == 1
    lane.close()


def test_an_answer_that_was_forwarded_twice_is_taken_once(bench: Bench) -> None:
    """Rule 30: the copy that a shard passes on has source and mark, be it a worker's reply."""
    lane = bench.lane()
    bench.start("twice:a", 1)
    job = bench.await_jobs(lane)[0]
    home = partition_of(b"twice:a", SHARDS)
    for _ in range(2):
        send(bench, b"twice:a", b"2", [*job.headers, (headers.SOURCE, b"shard/9"), (headers.MARK, b"7.0")], home)
    settle(bench, [lane], 20)
    assert (lane.shards[home].state.repeated, lane.shards[home].state.dropped_replies) == (1, 0)
    lane.close()


def test_a_record_that_is_too_large_to_forward_is_a_dead_letter(bench: Bench) -> None:
    value = b'{"command":"pause","reason":"' + b"x" * (RECORD_BYTES_MAX - 170) + b'"}'
    lane = bench.lane()
    send(bench, b"twice:a", value, [(headers.FORMAT, b"1"), (headers.COMMAND, b"pause")], 1 - partition_of(b"twice:a", SHARDS))
    bench.start("twice:a", 1)
    bench.run([lane], lambda: bool(bench.answers))
    assert reasons(bench) == ["too-large"]
    lane.close()


@pytest.mark.parametrize("head", [[], [(headers.JOB, b"\x01" * 3_000_000)]])
def test_a_dead_letter_that_is_too_large_goes_without_its_value(bench: Bench, head: list[tuple[str, bytes]]) -> None:
    lane = bench.lane()
    send(bench, b"twice:x", b"x" * (RECORD_BYTES_MAX - 200 if not head else 5_387_900), head)
    bench.start("twice:a", 1)
    bench.run([lane], lambda: bool(bench.answers))
    letters = bench.dead_letters()
    assert len(letters) == 1
    assert letters[0].value is None
    assert len(headers.text(letters[0].headers, headers.DETAIL) or "") <= 1_200
    lane.close()


@pytest.mark.parametrize(("header", "content"), [(headers.SOURCE, b"s" * 3_000_000), (headers.MARK, b"1" * 1_000), (headers.MARK, b"x")])
def test_a_source_or_mark_that_makes_no_sense_is_a_dead_letter(bench: Bench, header: str, content: bytes) -> None:
    """They stand in the shard's own record."""
    lane = bench.lane()
    head = [h for h in encode_command(Pause(), "s", (1,))[1] if h[0] != header]
    send(bench, b"twice:a", PAUSE, [*head, (header, content)])
    settle(bench, [lane], 5)
    assert reasons(bench) == ["no-command"]
    assert not any(s.state.marks for s in lane.shards.values())
    lane.close()


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize("levels", [201, 900, 980, 984, 985, 986, 987, 990, 1_000, 100_000])
def test_an_answer_that_is_nested_too_deeply_is_a_dead_letter_and_fails_its_attempt(bench: Bench, levels: int) -> None:
    """What can be read just so might not be written again."""
    lane = bench.lane()
    bench.start("twice:a", 1)
    job = bench.await_jobs(lane)[0]
    bench.answer(job, nested(levels))
    bench.run([lane], lambda: bool(bench.answers))
    assert (bench.answers[0].status, bench.answers[0].error) == ("FAILED", "States.Runtime")
    assert "200 levels" in (bench.answers[0].cause or "")
    assert reasons(bench) == ["not-json"]
    lane.close()


def test_an_answer_of_the_deepest_kind_is_taken_and_read_back(bench: Bench) -> None:
    lane = bench.lane()
    bench.start("twice:a", 1)
    bench.answer(bench.await_jobs(lane)[0], nested(200))
    second = bench.await_jobs(lane)[0]
    assert second.value == nested(200)
    settle(bench, [lane], 10)
    lane.close()
    lane = bench.lane()
    bench.answer(second, nested(200))
    bench.run([lane], lambda: bool(bench.answers))
    assert bench.answers[0].status == "SUCCEEDED"
    lane.close()


@pytest.mark.parametrize("levels", [201, 990, 100_000])
def test_a_command_that_is_nested_too_deeply_is_a_dead_letter(bench: Bench, levels: int) -> None:
    lane = bench.lane()
    send(bench, b"twice:b", START.replace(b'"hash"', b'"input":' + nested(levels) + b',"hash"'), COMMAND)
    bench.start("twice:a", 1)
    bench.run([lane], lambda: bool(bench.answers))
    assert reasons(bench) == ["no-command"]
    lane.close()


@pytest.mark.parametrize(
    "command",
    [
        Pause(by="x" * 5_000),
        Redrive(request="x" * 5_000),
        Start("twice", 1, "h-twice", wait=ReplyTo("sfc.replies", "x" * 5_000, "1")),
    ],
)
def test_a_command_with_an_endless_name_is_a_dead_letter(bench: Bench, command: Command) -> None:
    lane = bench.lane()
    bench.command("twice:b", command)
    bench.start("twice:a", "x" * 5_000)
    bench.run([lane], lambda: bool(bench.answers))
    assert reasons(bench) == ["too-large"]
    lane.close()


def test_a_trace_header_of_any_length_starts_its_flow(bench: Bench) -> None:
    """A trigger carries the header of somebody else's record."""
    lane = bench.lane()
    bench.command("twice:a", Start("twice", 1, "h-twice", 1, traceparent="x" * 5_000))
    assert [headers.text(j.headers, headers.TRACEPARENT) for j in bench.await_jobs(lane)] == [None]
    lane.close()


def test_reasons_of_any_length_are_cut(bench: Bench) -> None:
    lane = bench.lane()
    bench.start("twice:a", 1)
    bench.await_jobs(lane)
    bench.command("twice:a", Pause(reason="x" * 8_000_000))
    settle(bench, [lane])
    shard = lane.shards[partition_of(b"twice:a", SHARDS)]
    flow = shard.flow("twice:a")
    assert flow is not None
    assert len(flow.paused_reason) == 4_096
    lane.close()
