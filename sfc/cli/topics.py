"""``sfc publish`` and ``sfc tail``: straight to Kafka where it is named, else through the gateway of `sfc dev`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from sfc.cli import broker, context, pipes
from sfc.cli.context import Json, Kafka

if TYPE_CHECKING:
    from sfc.settings import Settings

BATCH_RECORDS = 500
POLL_S = 0.5

Line = tuple[bytes | None, bytes]  # key, value


def publish(
    topic: Annotated[str, typer.Argument(help="An existing topic.")],
    file: Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="One record a line, sent as it stands; - for stdin.")],
    key: Annotated[str, typer.Option("--key", metavar="PATH", help="Path of the record key: '$.order_id'.")] = "",
    kafka: Kafka = None,
    as_json: Json = False,
) -> None:
    """Send the lines of a file to a topic. A line that is not JSON is sent too, without a key."""
    from sfc.cli import output

    read = reader(key)
    lines = [read(line) for line in read_lines(file)]
    settings = context.settings(kafka=kafka)
    told: dict[str, Any] = {}
    records = ((line.key, line.value) for line in lines)

    with output.progress(f"to {topic}", len(lines)) as bar:
        sent = _publish_to_kafka(settings, topic, records, bar.advance) if settings.kafka else _publish(topic, records, bar.advance, told)
    not_json, keyless = sum(not line.is_json for line in lines), sum(line.key is None for line in lines)
    if as_json:
        output.print_json({"topic": topic, "sent": sent, "without_key": keyless, "not_json": not_json, **told})
    else:
        output.say(f"sent {sent} record{'s' * (sent != 1)} to {topic}")
    if not_json:
        output.warn(f"{not_json} of {sent} are not JSON; they were sent all the same, and a trigger makes dead letters of them")
    if key and keyless > not_json:
        output.warn(f"{keyless - not_json} of {sent} have nothing at {key}; they were sent without a key")
    for sentence in _readers(topic, told):
        output.warn(sentence)


def read_lines(file: Path) -> list[bytes]:
    """The lines of a file as they stand; empty ones are left out, and so is a byte order mark before the first."""
    from codecs import BOM_UTF8

    from sfc.errors import BadInput

    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as e:
        raise BadInput(f"{file} can't be read: {e.strerror}") from None
    return [line.removesuffix(b"\r") for line in data.removeprefix(BOM_UTF8).split(b"\n") if line.strip()]


class Read(NamedTuple):
    """A line of the file, as it will be sent."""

    key: bytes | None
    value: bytes
    is_json: bool


def reader(path: str) -> Callable[[bytes], Read]:
    """What reads a line. Its key, at ``path``: text as it is, anything else as JSON; None where the line has none."""
    import msgspec

    from sfc.asl.jsonpath import MISSING, PathError, compile_path
    from sfc.errors import BadInput, MalformedRecord
    from sfc.wire.payload import decode_any

    try:
        find = compile_path(path).find if path else lambda _document, _context: MISSING
    except PathError as e:
        raise BadInput(f"--key: {e}", hint="a path looks like '$.order_id'") from None

    def read(line: bytes) -> Read:
        try:
            found = find(decode_any(line), None)
        except MalformedRecord:
            return Read(None, line, False)
        if found is MISSING or found is None:
            return Read(None, line, True)
        return Read(found.encode() if isinstance(found, str) else msgspec.json.encode(found), line, True)

    return read


def _readers(topic: str, told: dict[str, Any]) -> list[str]:
    """What the gateway of `sfc dev` told about who reads the topic, where that is not as it should be."""
    if not told or told.get("triggers") or told.get("own"):
        return []
    near = f" Did you mean {told['near']!r}?" if told.get("near") else ""
    what = f"{topic} was made anew; no trigger reads it." if told.get("made") else f"no trigger reads {topic}."
    return [f"{what}{near} Records that come before a trigger's deploy start nothing, unless the trigger says From: earliest"]


def _publish_to_kafka(settings: Settings, topic: str, records: Iterator[Line], advance: Callable[[int], None]) -> int:
    from sfc.errors import LogError

    lost: list[str] = []
    sent = 0
    with broker.opened(settings) as log:
        broker.partitions_of(log, topic, settings)
        producer = log.producer(busy=True)
        try:
            for key, value in records:
                producer.send(topic, value, key, on_failure=lost.append)
                sent += 1
                if sent % BATCH_RECORDS == 0:
                    producer.poll()
                    advance(BATCH_RECORDS)
            producer.flush()
            advance(sent % BATCH_RECORDS)
        finally:
            producer.close()
    if lost:
        raise LogError(f"{len(lost)} of {sent} records were not taken by {topic}: {lost[0]}")
    return sent


def _publish(topic: str, records: Iterator[Line], advance: Callable[[int], None], told: dict[str, Any]) -> int:
    """``told``: what the gateway says of the topic in its first answer, when the topic may just have been made."""
    sent = 0
    with context.client() as gateway:
        while batch := list(islice(records, BATCH_RECORDS)):
            answer = gateway.publish(topic, batch)
            if not sent:
                told.update({name: answer[name] for name in ("made", "triggers", "near", "own") if name in answer})
            advance(len(batch))
            sent += len(batch)
    return sent


def tail(
    topic: Annotated[str, typer.Argument(help="An existing topic.")],
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="What is there already too.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many records.")] = None,
    kafka: Kafka = None,
    as_json: Json = False,
) -> None:
    """Print the records of a topic as they come, until Ctrl-C."""
    pipes.end_with_reader()
    settings = context.settings(kafka=kafka)
    source = _tail_of_kafka(settings, topic, from_beginning) if settings.kafka else _tail(topic, from_beginning)
    for shown, record in enumerate(source, 1):
        _print_record(record, as_json)
        if shown == limit:
            return


def _tail_of_kafka(settings: Settings, topic: str, from_beginning: bool) -> Iterator[dict[str, Any]]:
    from sfc.ports import Partition
    from sfc.runtime.record_lines import record_line

    with broker.opened(settings) as log:
        partitions = [Partition(topic, number) for number in range(broker.partitions_of(log, topic, settings))]
        following = log.reader(log.starts(partitions) if from_beginning else log.ends(partitions))
        try:
            while True:
                for record in following.take(BATCH_RECORDS, POLL_S):
                    yield record_line(record)
        finally:
            following.close()


def _tail(topic: str, from_beginning: bool) -> Iterator[dict[str, Any]]:
    with context.client() as gateway:
        yield from gateway.tail(topic, from_beginning=from_beginning)


def _print_record(record: dict[str, Any], as_json: bool) -> None:
    from rich.text import Text

    from sfc.cli import output

    if as_json:
        output.print_json_lines([record])
        return
    key = record.get("key") or record.get("key_base64") or "-"
    value = record.get("value") or record.get("value_base64") or ""
    place = f"{record['partition']}@{record['offset']}"
    line = Text.assemble(
        (f"{output.local_time(record.get('timestamp_ms'))} {place} ", "dim"),
        (f"{key} ", "cyan"),
        str(value),
    )
    output.console().print(line, soft_wrap=True)
