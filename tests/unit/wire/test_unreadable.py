"""Bytes that are no JSON, for each of the decoders: whoever reads a topic hears the same of all of them, and reads on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sfc.errors import MalformedRecord
from sfc.wire.commands import decode_command
from sfc.wire.control import decode_control
from sfc.wire.definitions import decode_definition
from sfc.wire.headers import COMMAND, JOB
from sfc.wire.history import decode_history
from sfc.wire.payload import decode_any
from sfc.wire.replies import decode_answer

DECODERS: dict[str, Callable[[bytes], Any]] = {
    "payload": decode_any,
    "control": decode_control,
    "definition": decode_definition,
    "history": decode_history,
    "answer": decode_answer,
    "command": lambda value: decode_command(b"k", value, [(COMMAND, b"start")]),
}
NO_JSON = {
    "no UTF-8": b'"\xff\xfe"',
    "no UTF-8 in a member": b'{"command": "start", "kind": "task", "blueprint": "\xc3\x28", "flow": "\xc3\x28", "id": "\xc3\x28"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "half of it": b'{"command": "sta',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "digits": b"9" * 100_000,
    "a huge exponent": b"1e999999",
    "no number": b"NaN",
    "nothing": b"",
}


@pytest.mark.parametrize("value", NO_JSON.values(), ids=NO_JSON)
@pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)
def test_what_is_no_json_is_a_malformed_record(decode: Callable[[bytes], Any], value: bytes) -> None:
    with pytest.raises(MalformedRecord):
        decode(value)


def test_a_worker_whose_answer_is_no_text_has_failed() -> None:
    received = decode_command(b"orders:1", b'"\xff"', [(JOB, b"orders:1/5/3/abc")])
    assert "utf-8" in received.bad_value
