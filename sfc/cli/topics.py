"""``sfc publish`` and ``sfc tail``: straight to Kafka where it is named, else through the gateway of `sfc dev`."""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sfc.cli import context
from sfc.cli.context import Json, Kafka

if TYPE_CHECKING:
    from sfc.ports import Log, Record
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

    key_of = key_reader(key)
    lines = read_lines(file)
    settings = context.settings(kafka=kafka)
    keyless = 0

    def records() -> Iterator[Line]:
        nonlocal keyless
        for line in lines:
            found = key_of(line)
            keyless += found is None
            yield found, line

    with _progress(not as_json) as progress:
        bar = progress.add_task(f"to {topic}", total=len(lines))

        def advance(count: int) -> None:
            progress.advance(bar, count)

        sent = _publish_to_kafka(settings, topic, records(), advance) if settings.kafka else _publish(topic, records(), advance)
    if as_json:
        output.print_json({"topic": topic, "sent": sent, "without_key": keyless})
    else:
        note = f", {keyless} of them without a key" if key and keyless else ""
        output.say(f"sent {sent} record{'s' * (sent != 1)} to {topic}{note}")


def read_lines(file: Path) -> list[bytes]:
    """The lines of a file as they stand; empty ones are left out."""
    from sfc.errors import BadInput

    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as e:
        raise BadInput(f"{file} can't be read: {e.strerror}") from None
    return [line.removesuffix(b"\r") for line in data.split(b"\n") if line.strip()]


def key_reader(path: str) -> Callable[[bytes], bytes | None]:
    """What gives a line's key: text as it is, anything else as JSON; None where the line has none."""
    if not path:
        return lambda _line: None
    import msgspec

    from sfc.asl.jsonpath import MISSING, PathError, compile_path
    from sfc.errors import BadInput

    try:
        find = compile_path(path).find
    except PathError as e:
        raise BadInput(f"--key: {e}", hint="a path looks like '$.order_id'") from None

    def key_of(line: bytes) -> bytes | None:
        try:
            found = find(msgspec.json.decode(line), None)
        except msgspec.DecodeError:
            return None
        if found is MISSING or found is None:
            return None
        return found.encode() if isinstance(found, str) else msgspec.json.encode(found)

    return key_of


def _progress(wanted: bool) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from sfc.cli import output

    shown = output.error_console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=shown, disable=not (wanted and shown.is_terminal))


def _publish_to_kafka(settings: Settings, topic: str, records: Iterator[Line], advance: Callable[[int], None]) -> int:
    from sfc.errors import LogError

    lost: list[str] = []
    sent = 0
    log = _open(settings)
    try:
        _check_topic(log, topic)
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
    finally:
        log.close()
    if lost:
        raise LogError(f"{len(lost)} of {sent} records were not taken by {topic}: {lost[0]}")
    return sent


def _open(settings: Settings) -> Log:
    """The log, without its client's own lines on stderr: what matters of them is in the error that ends the command."""
    import logging

    from sfc import bootstrap

    if not os.environ.get("SFC_DEBUG"):
        logging.getLogger("sfc.kafka").addHandler(logging.NullHandler())
    return bootstrap.open_log(settings)


def _check_topic(log: Log, topic: str) -> int:
    """The topic's partition count. Raises TopicMissing with the nearest name."""
    import difflib

    from sfc.errors import TopicMissing

    topics = log.topics()
    if topic not in topics:
        near = difflib.get_close_matches(topic, topics, n=1)
        hint = (
            f"did you mean {near[0]}?"
            if near
            else f"kafka-topics.sh --create --topic {topic} makes it, and so does deploying a blueprint that it triggers"
        )
        raise TopicMissing(f"there is no topic {topic}", hint=hint)
    return topics[topic]


def _publish(topic: str, records: Iterator[Line], advance: Callable[[int], None]) -> int:
    sent = 0
    batch: list[Line] = []
    with context.client() as gateway:
        for record in records:
            batch.append(record)
            if len(batch) == BATCH_RECORDS:
                gateway.publish(topic, batch)
                advance(len(batch))
                sent += len(batch)
                batch = []
        if batch:
            gateway.publish(topic, batch)
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
    settings = context.settings(kafka=kafka)
    source = _tail_of_kafka(settings, topic, from_beginning) if settings.kafka else _tail(topic, from_beginning)
    for shown, record in enumerate(source, 1):
        _print_record(record, as_json)
        if shown == limit:
            return


def as_document(record: Record) -> dict[str, Any]:
    """A record as the gateway gives it: what is UTF-8 as text, what is not under ``…_base64``."""
    document: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
    }
    for name, data in (("key", record.key), ("value", record.value)):
        try:
            document[name] = None if data is None else data.decode()
        except UnicodeDecodeError:
            document[f"{name}_base64"] = b64encode(data or b"").decode()
    document["headers"] = {name: value.decode("utf-8", "replace") for name, value in record.headers}
    return document


def _tail_of_kafka(settings: Settings, topic: str, from_beginning: bool) -> Iterator[dict[str, Any]]:
    from sfc.ports import Partition

    log = _open(settings)
    try:
        partitions = [Partition(topic, number) for number in range(_check_topic(log, topic))]
        reader = log.reader(log.starts(partitions) if from_beginning else log.ends(partitions))
        try:
            while True:
                for record in reader.take(BATCH_RECORDS, POLL_S):
                    yield as_document(record)
        finally:
            reader.close()
    finally:
        log.close()


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
