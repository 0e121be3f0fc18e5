"""A worker in a process of its own that answers every job as the table of cases says. Whoever gets a job twice answers it twice alike.
Its arguments are the address of a broker, and a namespace."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from sfc.adapters.kafka import KafkaLog
from sfc.engine.commands import Complete, Fail
from sfc.ports import Headers, Record
from sfc.wire import headers
from sfc.wire.topics import Names
from tests.case_table import TASKS, answer_of, table


def job_topics(names: Names) -> list[str]:
    """Where jobs of the cases go: of tasks, of web services, of specific blueprints."""
    tasks = [task["Kafka"]["Topic"] if "Kafka" in task else names.task(name) for name, task in TASKS.items()]
    specific = [names.specific_jobs(case.name) for case in table().values() if case.document["Sfc"].get("MessageType") == "specific"]
    return [*tasks, names.jobs, *specific]


def answers(record: Record) -> Iterator[tuple[bytes, Headers]]:
    """Values and headers of what is answered: a sign of life, an output, an error, or nothing."""
    head = list(record.headers)
    case = table()[(headers.text(head, headers.BLUEPRINT) or "").partition("@")[0]]
    state, attempt = headers.text(head, headers.STATE) or "", int(headers.text(head, headers.ATTEMPT) or "0")
    answer = answer_of(case, state, attempt, headers.text(head, headers.JOB) or "", json.loads(record.value or b""))
    if answer.heartbeat_ms:
        yield b"", [*head, (headers.HEARTBEAT, b"1")]
    match answer.command:
        case Complete(output=output):
            yield json.dumps(output).encode(), head
        case Fail(error=error, cause=cause):
            because = [] if cause is None else [(headers.CAUSE, cause.encode())]
            yield b"", [*head, (headers.ERROR, (error or "").encode()), *because]


def work(bootstrap: str, names: Names) -> None:
    log = KafkaLog({"bootstrap.servers": bootstrap})
    consumer = log.consumer(f"{names.namespace}.cases", job_topics(names))
    producer = log.producer()
    print("at work", flush=True)
    while True:
        for record in consumer.take(100, 1.0):
            for value, head in answers(record):
                topic = headers.text(head, headers.REPLY_TO) or ""
                place = headers.text(head, headers.REPLY_PARTITION)
                producer.send(topic, value, record.key, head, int(place) if place else None)
        producer.flush()


if __name__ == "__main__":
    work(sys.argv[1], Names(sys.argv[2]))
