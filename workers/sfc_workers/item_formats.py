"""Items of a file's content: a JSON array, JSON Lines, or CSV; from any place in it."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

SOURCE_BYTES_MAX = 64 * 1024 * 1024  # of what has to be read as a whole, and of one line
_DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}
_BOM = b"\xef\xbb\xbf"

_decode = msgspec.json.Decoder().decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

Place = list[int]
"""Of JSON: the number of items before it; of the others: the bytes and lines before it."""


def items_of(source: BinaryIO, config: dict[str, Any], place: Place | None = None) -> Iterator[tuple[Any, Place]]:
    """The items one after another, as the ReaderConfig says, each with the place behind it. ``place``: where to begin. Raises ValueError
    that says what is wrong, and where."""
    match config.get("InputType", "JSON"):
        case "JSON":
            yield from _json(source, config.get("ItemsPointer", ""), place)
        case "JSONL":
            yield from _json_lines(source, place)
        case "CSV":
            yield from _csv(source, config, place)
        case other:
            raise ValueError(f"InputType {other} is not yet supported: write JSON, JSONL or CSV")


def _json(source: BinaryIO, pointer: str, place: Place | None) -> Iterator[tuple[Any, Place]]:
    text = source.read(SOURCE_BYTES_MAX + 1)
    if len(text) > SOURCE_BYTES_MAX:
        raise ValueError(f"JSON of more than {SOURCE_BYTES_MAX} bytes can't be read: write JSON Lines (InputType JSONL)")
    found: Any = msgspec.Raw(text.removeprefix(_BOM))
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        inner = _opened(found)
        if isinstance(inner, dict) and name in inner:
            found = inner[name]
        elif isinstance(inner, list) and name.isdecimal() and int(name) < len(inner):
            found = inner[int(name)]
        else:
            raise ValueError(f"the ItemsPointer {pointer} finds nothing: there is no {name!r}")
    items = _opened(found)
    if not isinstance(items, list):
        where = f"at {pointer}" if pointer else "in the content"
        raise ValueError(f"an array of items was expected {where}, {_kind(items)} came")
    for number in range(place[0] if place else 0, len(items)):
        yield _read(items[number], f"item {number} in the content"), [number + 1]


def _opened(raw: Any) -> Any:
    """An array or object whose members are not read yet; any other value."""
    start = bytes(raw).lstrip()[:1]
    try:
        return _decode_list(raw) if start == b"[" else _decode_object(raw) if start == b"{" else _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise ValueError(f"the content is not JSON: {e}") from None


class _Lines:
    """The lines of a source, and how far it is read."""

    def __init__(self, source: BinaryIO, place: Place | None = None) -> None:
        self._source = source
        self.bytes, self.lines = place or (0, 0)
        source.seek(self.bytes)

    @property
    def place(self) -> Place:
        return [self.bytes, self.lines]

    def __iter__(self) -> Iterator[bytes]:
        while line := self._source.readline(SOURCE_BYTES_MAX + 1):
            if len(line) > SOURCE_BYTES_MAX:
                raise ValueError(f"line {self.lines + 1} has more than {SOURCE_BYTES_MAX} bytes")
            first = self.bytes == 0
            self.bytes += len(line)
            self.lines += 1
            yield line.removeprefix(_BOM) if first else line

    def texts(self) -> Iterator[str]:
        before = self.lines
        for line in self:
            try:
                yield line.decode()
            except UnicodeDecodeError as e:
                raise ValueError(f"CSV in UTF-8 was expected: {e.reason} behind line {before}") from None
            before = self.lines


def _json_lines(source: BinaryIO, place: Place | None) -> Iterator[tuple[Any, Place]]:
    lines = _Lines(source, place)
    for line in lines:
        if line.strip():
            yield _read(line, f"line {lines.lines}"), lines.place


def _csv(source: BinaryIO, config: dict[str, Any], place: Place | None) -> Iterator[tuple[dict[str, str], Place]]:
    """All cells are texts; missing ones are empty, and those beyond the columns are left out. The columns are read again from the
    first row, wherever it begins."""
    lines = _Lines(source)
    given = config.get("CSVHeaderLocation", "FIRST_ROW") == "GIVEN"
    columns = config.get("CSVHeaders", []) if given else next((row for row, _ in _rows(lines, config)), [])
    twice = sorted(name for name, count in Counter(columns).items() if count > 1)
    if twice:
        raise ValueError(f"each column needs a name of its own: {twice[0]!r} is there more than once")
    if place:
        lines = _Lines(source, place)
    for row, behind in _rows(lines, config):
        yield {name: row[at] if at < len(row) else "" for at, name in enumerate(columns)}, behind


def _rows(lines: _Lines, config: dict[str, Any]) -> Iterator[tuple[list[str], Place]]:
    """Rows that have something in them, each with the place behind it: a row takes no more lines than it has."""
    before = lines.lines
    rows = csv.reader(lines.texts(), delimiter=_DELIMITERS[config.get("CSVDelimiter", "COMMA")])
    try:
        for row in rows:
            if row:
                yield row, lines.place
    except csv.Error as e:
        raise ValueError(f"line {before + rows.line_num}: {e}") from None


def _read(text: Any, where: str) -> Any:
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise ValueError(f"{where} is not JSON: {e}") from None


def _kind(value: Any) -> str:
    return "an object" if isinstance(value, dict) else "null" if value is None else f"a {type(value).__name__}"
