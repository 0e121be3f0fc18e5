"""The flows that are started, by records and over HTTP, and the ledger of those that somebody has acknowledged."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from random import Random

from confluent_kafka import KafkaError, Message, Producer

from sfc.client import Client
from sfc.errors import BadInput, SfcError
from tests.chaos.documents import INPUT_PARTITIONS, Start, draw, input_topic

BY_HTTP = 0.1  # of all flows, as long as the callers keep up
CALLERS = 8
CALLS_MAX = 3 * CALLERS
TURN_S = 0.05
OPEN_MAX = 4_000  # flows at once: more would only wait
CALL_S = 12.0
ASK_AGAIN_S = 0.3


class Load:
    """Starts ``flows`` flows within ``seconds``, evenly. ``acknowledged``: those that the log, or a gateway, has confirmed, by flow."""

    def __init__(
        self, servers: str, gateways: list[str], seed: int, flows: int, seconds: float, ledger: Path, ended: Callable[[], int]
    ) -> None:
        self._gateways = gateways
        self._random = Random(seed)
        self._flows, self._seconds, self._ended = flows, seconds, ended
        self._ledger = ledger.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self._producer = Producer(
            {"bootstrap.servers": servers, "enable.idempotence": True, "message.timeout.ms": 0, "linger.ms": 5, "log_level": 0}
        )
        self._callers = ThreadPoolExecutor(CALLERS)
        self._clients = threading.local()
        self._calls: list[Future[None]] = []
        self._stop = threading.Event()  # no new flows
        self._give_up = threading.Event()
        self.acknowledged: dict[str, Start] = {}
        self.sent = 0
        self.asked_again = 0
        self.refused: list[str] = []  # what a start was refused for: never expected
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether every flow was sent."""
        return not self._thread.is_alive()

    def finish(self, timeout_s: float) -> None:
        """No new flows; waits until everything that was sent is acknowledged. What is not then, stays out of the ledger."""
        self._stop.set()
        self._thread.join()
        until_s = time.monotonic() + timeout_s
        self._producer.flush(timeout_s)
        for call in self._calls:
            try:
                call.result(max(0.1, until_s - time.monotonic()))
            except TimeoutError:
                self._give_up.set()
        self._callers.shutdown()
        self._ledger.close()

    def _run(self) -> None:
        began_s = time.monotonic()
        while self.sent < self._flows and not self._stop.wait(TURN_S):
            due = int(self._flows * min(1.0, (time.monotonic() - began_s) / self._seconds)) - self.sent
            room = OPEN_MAX - (self.sent - self._ended())
            for _ in range(max(0, min(due, room))):
                self._start()
            self._producer.poll(0)
            self._calls = [call for call in self._calls if not call.done()]

    def _start(self) -> None:
        self.sent += 1
        if self._random.random() < BY_HTTP and len(self._calls) < CALLS_MAX:
            self._calls.append(self._callers.submit(self._ask, draw(self._random, self.sent, "h"), self.sent))
        else:
            start = draw(self._random, self.sent, "r")
            value = json.dumps(start.input).encode()
            topic, partition = input_topic(start.blueprint), self.sent % INPUT_PARTITIONS
            self._producer.produce(topic, value, partition=partition, on_delivery=self._delivery_of(start))

    def _delivery_of(self, start: Start) -> Callable[[KafkaError | None, Message], None]:
        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                self._acknowledge(start)

        return delivered

    def _ask(self, start: Start, number: int) -> None:
        """Asks one gateway, then the other, with the same id, until one answers."""
        while not self._give_up.is_set():
            url = self._gateways[number % len(self._gateways)]
            try:
                self._client(url).start(start.blueprint, start.input, id=start.id)
            except BadInput as e:
                self.refused.append(f"{start.flow} was refused: {e.message}")
                return
            except SfcError:
                self.asked_again += 1
                number += 1
                self._give_up.wait(ASK_AGAIN_S)
            else:
                self._acknowledge(start)
                return

    def _client(self, url: str) -> Client:
        """One of each thread's own."""
        clients: dict[str, Client] = self._clients.__dict__
        if url not in clients:
            clients[url] = Client(url, timeout=CALL_S)
        return clients[url]

    def _acknowledge(self, start: Start) -> None:
        with self._lock:
            self.acknowledged[start.flow] = start
            self._ledger.write(f"{start.flow}\n")
