"""A reader that goes away, as `head -1` and `grep -q` do, changes no exit code."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sfc.cli import context, exits, pipes, topics
from sfc.cli.app import app
from sfc.cli.pipes import Lenient, ReaderGone


def unread(*arguments: str, unbuffered: bool = False, errors: bool = False) -> int:
    """The exit code of a command whose output nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.run(
            [sys.executable, *(["-u"] if unbuffered else []), "-m", "sfc", *arguments],
            stdout=writing,
            stderr=writing if errors else subprocess.DEVNULL,
            check=False,
        ).returncode
    finally:
        os.close(writing)


@pytest.fixture
def failing(tmp_path: Path) -> str:
    file = tmp_path / "a.yaml"
    file.write_text("StartAt: A\nStates:\n  A: {Type: Fail, Error: No}\n")
    (tmp_path / "a.test.yaml").write_text("cases: [{name: one, expect: {status: SUCCEEDED}}]")
    return str(file)


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("command", ["run", "test"])
def test_a_failure_stays_one_when_nobody_reads_it(command: str, unbuffered: bool, failing: str) -> None:
    assert unread(command, failing, unbuffered=unbuffered) == exits.FAILED


def test_bad_input_stays_so_when_neither_output_nor_errors_are_read(tmp_path: Path) -> None:
    broken = tmp_path / "a.yaml"
    broken.write_text("StartAt: B\nStates: {A: {Type: Pass, End: true}}\n")
    assert unread("validate", str(broken), errors=True) == exits.BAD_INPUT
    assert unread("validate", str(tmp_path / "nowhere"), errors=True) == exits.BAD_INPUT


def test_what_is_done_is_done_though_nobody_reads_it() -> None:
    assert unread("version") == exits.OK


class Closed(io.RawIOBase):
    """A pipe whose reader goes after so many writes."""

    def __init__(self, takes: int) -> None:
        self.taken: list[bytes] = []
        self._takes = takes

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        if len(self.taken) >= self._takes:
            raise BrokenPipeError
        self.taken.append(bytes(data))  # type: ignore[call-overload]
        return len(self.taken[-1])


def test_what_is_read_is_written_and_the_rest_is_dropped() -> None:
    pipe = Closed(1)
    stream = Lenient(pipe)
    assert [stream.write(b"one"), stream.write(b"two!"), stream.write(b"3")] == [3, 4, 1]
    assert pipe.taken == [b"one"]


def test_a_command_that_follows_something_for_ever_ends_with_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gateway:
        """One whose topic never ends."""

        def __enter__(self) -> Gateway:
            return self

        def __exit__(self, *_: object) -> None: ...

        def tail(self, topic: str, from_beginning: bool) -> object:
            offset = 0
            while True:
                assert offset < 100, "it goes on for nobody"
                yield {"partition": 0, "offset": offset, "value": topic}
                offset += 1

    pipe = Closed(2)
    stdout = io.TextIOWrapper(io.BufferedWriter(Lenient(pipe)), line_buffering=True)
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(context, "client", Gateway)
    monkeypatch.delenv("SFC_KAFKA", raising=False)
    with pytest.raises(ReaderGone):
        topics.tail("orders", as_json=True)
    assert len(pipe.taken) == 2


def test_the_end_of_a_reader_is_no_failure_of_what_only_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> None:
        raise ReaderGone

    monkeypatch.setattr(topics, "read_lines", gone)
    with pytest.raises(SystemExit) as ended:
        app(["publish", "orders", "x.jsonl"], prog_name="sfc")
    assert ended.value.code == exits.OK


def test_a_terminal_and_a_stream_without_a_buffer_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    monkeypatch.setattr(sys, "stdout", text)
    monkeypatch.setattr(sys, "stderr", text)
    pipes.be_lenient()
    assert sys.stdout is sys.stderr is text
