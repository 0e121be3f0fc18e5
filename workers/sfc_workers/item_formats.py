"""Items of a file's content: a JSON array, JSON Lines, or CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

SOURCE_BYTES_MAX = 64 * 1024 * 1024  # of what has to be read as a whole, and of one line
_DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}

_decode = msgspec.json.Decoder().decode


def items_of(source: BinaryIO, config: dict[str, Any]) -> Iterator[Any]:
    """The items one after another, as the ReaderConfig says. Raises ValueError that says what is wrong, and where."""
    match config.get("InputType", "JSON"):
        case "JSON":
            yield from _json(source, config.get("ItemsPointer", ""))
        case "JSONL":
            yield from _json_lines(source)
        case "CSV":
            yield from _csv(source, config)
        case other:
            raise ValueError(f"InputType {other} is not yet supported: write JSON, JSONL or CSV")


def _json(source: BinaryIO, pointer: str) -> list[Any]:
    text = source.read(SOURCE_BYTES_MAX + 1)
    if len(text) > SOURCE_BYTES_MAX:
        raise ValueError(f"JSON of more than {SOURCE_BYTES_MAX} bytes can't be read: write JSON Lines (InputType JSONL)")
    found = _read(text.removeprefix(b"\xef\xbb\xbf"), "the content")
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            raise ValueError(f"the ItemsPointer {pointer} finds nothing: there is no {name!r}")
    if not isinstance(found, list):
        where = f"at {pointer}" if pointer else "in the content"
        raise ValueError(f"an array of items was expected {where}, {_kind(found)} came")
    return found


def _json_lines(source: BinaryIO) -> Iterator[Any]:
    number = 0
    while line := source.readline(SOURCE_BYTES_MAX):
        number += 1
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            yield _read(line, f"line {number}")


def _csv(source: BinaryIO, config: dict[str, Any]) -> Iterator[dict[str, str]]:
    """All cells are texts; missing ones are empty, and those beyond the columns are left out."""
    text = io.TextIOWrapper(source, encoding="utf-8-sig", newline="")
    rows = csv.reader(text, delimiter=_DELIMITERS[config.get("CSVDelimiter", "COMMA")])
    try:
        given = config.get("CSVHeaderLocation", "FIRST_ROW") == "GIVEN"
        columns = config.get("CSVHeaders", []) if given else next((row for row in rows if row), [])
        twice = sorted(name for name, count in Counter(columns).items() if count > 1)
        if twice:
            raise ValueError(f"each column needs a name of its own: {twice[0]!r} is there more than once")
        for row in rows:
            if row:
                yield {name: row[place] if place < len(row) else "" for place, name in enumerate(columns)}
    except UnicodeDecodeError as e:
        raise ValueError(f"CSV in UTF-8 was expected: {e.reason} behind line {rows.line_num}") from None
    except csv.Error as e:
        raise ValueError(f"line {rows.line_num}: {e}") from None


def _read(text: bytes, where: str) -> Any:
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise ValueError(f"{where} is not JSON: {e}") from None


def _kind(value: Any) -> str:
    return "an object" if isinstance(value, dict) else "null" if value is None else f"a {type(value).__name__}"
