"""A worker without the SDK: nothing but a Kafka client and the header contract. It does the task ``hello``.

    python -m sfc_workers.examples.plain_worker --bootstrap localhost:9092

A job is a record: its value is the input as JSON, its headers say whose it is and where the answer goes. The answer is a record with
the same key and headers; an answer with ``sfc-error`` (and ``sfc-cause``) fails the job. The same in any language.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Consumer, Producer


def work(bootstrap: str, topic: str) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": topic,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",  # jobs that are delivered exactly once come in transactions
        }
    )
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "partitioner": "murmur2_random"})
    consumer.subscribe([topic])
    try:
        while True:
            record = consumer.poll(1.0)
            if record is None or record.error():
                continue
            received: list[Any] = list(record.headers() or [])
            headers: dict[str, bytes] = dict(received)
            deadline = headers.get("sfc-deadline")
            if deadline is None or datetime.fromisoformat(deadline.decode()) > datetime.now(UTC):  # else nobody waits any more
                output, failure = do(record.value() or b"null")
                producer.produce(
                    headers["sfc-reply-to"].decode(),
                    json.dumps(output).encode(),
                    record.key(),
                    partition=int(headers.get("sfc-reply-partition", b"-1")),
                    headers=[*received, *failure],
                )
                producer.flush()  # the answer first, the offset after: a job may be done twice, and never not at all
            consumer.commit(message=record, asynchronous=False)
    finally:
        consumer.close()


def do(value: bytes) -> tuple[Any, list[tuple[str, bytes]]]:
    """The work itself: the output, and the headers that fail the job where there is none."""
    try:
        return {"greeting": f"Hello, {json.loads(value).get('name', 'world')}!"}, []
    except Exception as e:
        return None, [("sfc-error", type(e).__name__.encode()), ("sfc-cause", str(e).encode()[:1000])]


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bootstrap", default="localhost:9092", help="HOST:PORT of a broker")
    options.add_argument("--topic", default="sfc.task.hello", help="the task's job topic, which is its consumer group too")
    chosen = options.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        work(chosen.bootstrap, chosen.topic)
