"""A service without the SDK (``python -m tests.chaos.service``), which answers on a reply topic of its own: its answers and the offsets of
their jobs are one transaction."""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import threading
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

from tests.chaos.documents import BILLED, BILLS
from tests.chaos.work import SUCCEEDED, tell

BATCH = 100
END_S = 15.0
HUNG_S = (
    40.0  # send_offsets_to_transaction of librdkafka 2.16 was seen to wait for ever, whatever its time limit, once the coordinator had died
)


def serve(bootstrap: str, name: str, stop: threading.Event) -> None:
    """Until told to stop. Raises KafkaException when a producer is spent: whoever runs it begins anew."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": BILLS,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "session.timeout.ms": 6_000,
        }
    )
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": name, "partitioner": "murmur2_random"})
    try:
        producer.init_transactions(30)
        consumer.subscribe([BILLS])
        print("ready", flush=True)
        while not stop.is_set():
            faulthandler.dump_traceback_later(HUNG_S, exit=True)  # whoever watches it starts it again
            jobs = [message for message in consumer.consume(BATCH, 0.2) if message.error() is None]
            if jobs:
                _answer(consumer, producer, jobs)
    finally:
        consumer.close()
        faulthandler.cancel_dump_traceback_later()


def _answer(consumer: Consumer, producer: Producer, jobs: list[Message]) -> None:
    producer.begin_transaction()
    for job in jobs:
        received: Any = list(job.headers() or [])
        tell(dict(received)["sfc-job"].decode(), SUCCEEDED)
        value = json.loads(job.value() or b"null")
        producer.produce(BILLED, json.dumps({"billed": value["id"]}), job.key(), headers=received)
    read = [partition for partition in consumer.position(consumer.assignment()) if partition.offset >= 0]
    producer.send_offsets_to_transaction(read, consumer.consumer_group_metadata(), END_S)
    producer.commit_transaction(END_S)


def main() -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        try:
            serve(os.environ["SFC_KAFKA"], os.environ["SFC_INSTANCE"], stop)
        except KafkaException as e:
            error = e.args[0]
            told = error.str() if isinstance(error, KafkaError) else str(error)
            print(f"begins anew: {told}", flush=True)
            stop.wait(0.5)


if __name__ == "__main__":
    main()
