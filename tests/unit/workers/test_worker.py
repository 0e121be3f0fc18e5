"""The SDK's worker over the log in memory."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from sfc_workers import Handler, Job, TaskError, Worker, task

from sfc.adapters.embedded import EmbeddedLog
from sfc.engine.commands import Complete, Fail
from sfc.engine.states.task import fitted
from sfc.engine.turn import PAYLOAD_BYTES_MAX
from sfc.errors import ProducerFailed
from sfc.ports import Partition, Record, TopicSpec
from sfc.wire import headers
from sfc.wire.jobs import rfc3339
from sfc.wire.topics import Names

NAMES = Names("t")
TOPIC = NAMES.task("split")
REPLIES = NAMES.commands


class Shop:
    """A log in memory with one task's topic."""

    def __init__(self) -> None:
        self.log = EmbeddedLog.memory()
        self.log.create([TopicSpec(TOPIC, 2), TopicSpec(REPLIES, 4, {"max.message.bytes": "8388608"})])
        self._producer = self.log.producer()
        self._workers: list[Worker] = []

    def worker(self, *functions: Callable[..., Any], **options: Any) -> Worker:
        options = {"pumps": False, **options}
        handlers: dict[str, Handler] = {h.name: h for h in (f.__sfc_task__ for f in functions)}  # type: ignore[attr-defined]
        worker = Worker(self.log, NAMES, handlers, **options)
        self._workers.append(worker)
        return worker

    def job(
        self, value: Any = None, *, partition: int = 0, flow: str = "shop:1", name: str = "split", raw: bytes | None = None, **head: Any
    ) -> None:
        given: dict[str, bytes] = {
            headers.JOB: f"{flow}/0/3/abc".encode(),
            headers.FLOW: flow.encode(),
            headers.BLUEPRINT: b"shop@1",
            headers.STATE: b"Split",
            headers.TASK: f"task:{name}@2".encode(),
            headers.ATTEMPT: b"2",
            headers.REPLY_TO: REPLIES.encode(),
            headers.REPLY_PARTITION: b"3",
            headers.TRACEPARENT: b"00-1-2-01",
            **{f"sfc-{k.replace('_', '-')}": v for k, v in head.items()},
        }
        kept = [(k, v) for k, v in given.items() if v is not None]
        self._producer.send(TOPIC, json.dumps(value).encode() if raw is None else raw, flow.encode(), kept, partition)

    def answers(self) -> list[Record]:
        reader = self.log.reader({Partition(REPLIES, n): 0 for n in range(4)})
        try:
            return reader.take(100_000, 0)
        finally:
            reader.close()

    def committed(self) -> dict[int, int]:
        return {p.number: x.offset for p, x in self.log.group_positions(TOPIC).items()}

    def close(self) -> None:
        for worker in self._workers:
            worker.close()
        self.log.close()


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.close()


@task("split")
async def echo(job: Job) -> Any:
    return job.input


def until(worker: Worker, done: Callable[[], object], timeout_s: float = 45.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not done():
        worker.step(0.005)
        assert time.monotonic() < deadline, "it did not happen"


def header(record: Record, name: str) -> str | None:
    return headers.text(record.headers, name)


def test_an_answer_goes_where_the_job_says_with_its_key_and_headers(shop: Shop) -> None:
    seen: list[Job] = []

    @task("split")
    async def split(job: Job) -> dict[str, int]:
        seen.append(job)
        return {"parcels": len(job.input["items"])}

    worker = shop.worker(split)
    shop.job({"items": [1, 2]}, deadline=rfc3339(time.time_ns() // 1_000_000 + 60_000).encode())
    until(worker, shop.answers)
    [answer] = shop.answers()
    assert (answer.partition, answer.key, json.loads(answer.value or b"")) == (3, b"shop:1", {"parcels": 2})
    # Of SFC's own headers the engine gets back those that say something which it does not know by the token.
    assert dict(answer.headers) == {headers.JOB: b"shop:1/0/3/abc", headers.TRACEPARENT: b"00-1-2-01"}
    job = seen[0]
    assert (job.token, job.flow, job.blueprint, job.state, job.task, job.attempt) == (
        "shop:1/0/3/abc", "shop:1", "shop@1", "Split", "task:split@2", 2,
    )  # fmt: skip
    assert job.deadline is not None
    assert job.deadline.timestamp() > time.time()


def test_an_answer_to_a_topic_of_the_service_has_all_headers_of_its_job(shop: Shop) -> None:
    worker = shop.worker(echo)
    shop.job(1, reply_partition=None, order_id=b"17")
    until(worker, shop.answers)
    [answer] = shop.answers()
    found = dict(answer.headers)
    assert (found[headers.JOB], found[headers.FLOW], found[headers.REPLY_TO]) == (b"shop:1/0/3/abc", b"shop:1", REPLIES.encode())
    assert found["sfc-order-id"] == b"17"


def test_without_a_reply_partition_the_key_chooses_it(shop: Shop) -> None:
    worker = shop.worker(echo)
    for n in range(20):
        shop.job(n, flow=f"shop:{n}", reply_partition=None)
    until(worker, lambda: len(shop.answers()) == 20)
    assert {a.partition for a in shop.answers()} == {0, 1, 2, 3}


@pytest.mark.parametrize("blocking", [True, False])
def test_a_function_that_is_no_coroutine_works_too(shop: Shop, blocking: bool) -> None:
    threads: set[str] = set()

    @task("split", blocking=blocking)
    def split(job: Job) -> Any:
        threads.add(threading.current_thread().name)
        return job.input

    worker = shop.worker(split)
    shop.job("x")
    until(worker, shop.answers)
    assert (threading.current_thread().name in threads) is not blocking


def test_functions_that_block_run_side_by_side(shop: Shop) -> None:
    together = threading.Barrier(4, timeout=5)

    @task("split")
    def split(job: Job) -> Any:
        together.wait()

    worker = shop.worker(split, threads=4)
    for n in range(4):
        shop.job(n)
    until(worker, lambda: len(shop.answers()) == 4)
    assert worker.counts.completed == 4


def test_jobs_that_wait_do_not_hold_up_the_others(shop: Shop) -> None:
    gate = asyncio.Event()

    @task("split")
    async def split(job: Job) -> Any:
        if job.input == "wait":
            async with asyncio.timeout(30):  # needs a task of its own
                await gate.wait()
        return job.input

    worker = shop.worker(split)
    for value in ("wait", "a", "wait", "b"):
        shop.job(value)
    until(worker, lambda: len(shop.answers()) == 2)
    assert [a.value for a in shop.answers()] == [b'"a"', b'"b"']
    gate.set()
    until(worker, lambda: len(shop.answers()) == 4)


@pytest.mark.parametrize("kind", ["coroutine", "thread", "inline"])
@pytest.mark.parametrize(
    ("exception", "error", "cause"),
    [
        (TaskError("Busy", "come back later"), "Busy", "come back later"),
        (TaskError("Busy"), "Busy", None),
        (KeyError("sku"), "KeyError", "'sku'"),
        (ValueError("x" * 2_000), "ValueError", "x" * 1_000),
        (ValueError("\ud800"), "ValueError", "\\ud800"),
    ],
)
def test_a_task_that_raises_fails_its_job(shop: Shop, kind: str, exception: Exception, error: str, cause: str | None) -> None:
    async def later(job: Job) -> Any:
        await asyncio.sleep(0)
        raise exception

    def now(job: Job) -> Any:
        raise exception

    worker = shop.worker(task("split", blocking=kind == "thread")(later if kind == "coroutine" else now))
    shop.job()
    until(worker, shop.answers)
    [answer] = shop.answers()
    assert (header(answer, headers.ERROR), header(answer, headers.CAUSE)) == (error, cause)
    assert header(answer, headers.JOB) == "shop:1/0/3/abc"
    until(worker, lambda: shop.committed() == {0: 1}, 5)


def test_an_input_that_is_no_json_fails_its_job_alone(shop: Shop) -> None:
    worker = shop.worker(echo)
    shop.job(raw=b"{nope")
    shop.job(2)
    until(worker, lambda: len(shop.answers()) == 2)
    assert [header(a, headers.ERROR) for a in shop.answers()] == ["DecodeError", None]


def test_an_output_that_is_no_json_fails_the_job(shop: Shop) -> None:
    @task("split")
    async def split(job: Job) -> Any:
        return object()

    worker = shop.worker(split)
    shop.job()
    until(worker, shop.answers)
    assert header(shop.answers()[0], headers.ERROR) == "TypeError"


def test_an_output_over_the_limit_fails_the_job(shop: Shop) -> None:
    worker = shop.worker(echo)
    shop.job("x" * PAYLOAD_BYTES_MAX)
    shop.job("x" * (PAYLOAD_BYTES_MAX - 2))
    until(worker, lambda: len(shop.answers()) == 2)
    answers = shop.answers()
    assert [header(a, headers.ERROR) for a in answers] == ["States.DataLimitExceeded", None]
    judged = fitted(Complete("t", "x" * PAYLOAD_BYTES_MAX))
    assert isinstance(judged, Fail), "an engine refuses it too, of a worker in another language"
    assert (judged.error, judged.cause) == (header(answers[0], headers.ERROR), header(answers[0], headers.CAUSE))


def test_an_output_over_what_the_reply_topic_takes_fails_the_job(shop: Shop) -> None:
    shop.log.create([TopicSpec("small", 1, {"max.message.bytes": "10000"})])
    worker = shop.worker(echo)
    shop.job("x" * 20_000, reply_to=b"small", reply_partition=None)
    until(worker, lambda: worker.counts.completed)
    reader = shop.log.reader({Partition("small", 0): 0})
    [answer] = reader.take(10, 0)
    assert header(answer, headers.ERROR) == "States.DataLimitExceeded"
    assert str(header(answer, headers.CAUSE)).startswith("the output of the job has 20002 bytes of JSON: at most ")


@pytest.mark.parametrize("head", [{"reply_to": b"nowhere"}, {"reply_to": None}, {"reply_partition": b"77"}])
def test_a_job_that_nobody_can_be_told_about_stops_nobody_else(shop: Shop, head: dict[str, Any]) -> None:
    worker = shop.worker(echo)
    shop.job(1, **head)
    shop.job(2)
    until(worker, shop.answers)
    until(worker, lambda: shop.committed() == {0: 2})
    assert (worker.counts.unanswered, worker.counts.completed) == (1, 1)


def test_a_job_past_its_deadline_is_not_started(shop: Shop) -> None:
    started: list[Any] = []

    @task("split")
    async def split(job: Job) -> None:
        started.append(job.input)

    worker = shop.worker(split, now_ms=lambda: 1_000_000)
    shop.job("late", deadline=rfc3339(999_999).encode())
    shop.job("in time", deadline=rfc3339(1_000_001).encode())
    shop.job("no time that can be read", deadline=b"soon")
    until(worker, lambda: len(shop.answers()) == 2)
    assert started == ["in time", "no time that can be read"]
    assert worker.counts.late == 1
    until(worker, lambda: shop.committed() == {0: 3})


def test_records_that_are_no_jobs_are_passed_over(shop: Shop) -> None:
    worker = shop.worker(echo)
    shop.job("not ours", job=None)
    shop.job("ours")
    until(worker, shop.answers)
    assert worker.counts.foreign == 1


def test_a_job_of_a_task_that_nobody_here_does_fails(shop: Shop) -> None:
    worker = shop.worker(echo)
    shop.job(name="other")
    until(worker, shop.answers)
    assert header(shop.answers()[0], headers.ERROR) == "States.Runtime"


def test_a_heartbeat_is_a_sign_of_life(shop: Shop) -> None:
    @task("split")
    async def split(job: Job) -> str:
        await job.heartbeat()
        await asyncio.sleep(0)
        return "done"

    worker = shop.worker(split)
    shop.job()
    until(worker, lambda: len(shop.answers()) == 2)
    beat, answer = shop.answers()
    assert header(beat, headers.HEARTBEAT) == "1"
    assert header(beat, headers.JOB) == header(answer, headers.JOB)
    assert header(answer, headers.HEARTBEAT) is None


def test_a_function_in_a_thread_gives_signs_of_life_while_it_blocks(shop: Shop) -> None:
    go_on = threading.Event()

    @task("split")
    def split(job: Job) -> None:
        job.heartbeat()
        assert go_on.wait(5)

    worker = shop.worker(split)
    shop.job()
    until(worker, shop.answers)
    assert header(shop.answers()[0], headers.HEARTBEAT) == "1"
    go_on.set()
    until(worker, lambda: len(shop.answers()) == 2)


def test_offsets_are_committed_up_to_the_first_job_that_still_runs(shop: Shop) -> None:
    gate = asyncio.Event()

    @task("split")
    async def split(job: Job) -> None:
        if job.input == "wait":
            await gate.wait()

    worker = shop.worker(split)
    for value in ("a", "wait", "b", "c"):
        shop.job(value)
    shop.job("other partition", partition=1)
    until(worker, lambda: shop.committed() == {0: 1, 1: 1})
    assert len(shop.answers()) == 4
    gate.set()
    until(worker, lambda: shop.committed() == {0: 4, 1: 1})


def test_an_answer_that_was_lost_leaves_its_job_to_be_done_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = shop.worker(echo)
    shop.job(1)

    def lose() -> None:
        raise ProducerFailed("lost")

    monkeypatch.setattr(worker._replies, "flush", lose)
    with pytest.raises(ProducerFailed):
        until(worker, shop.committed)
    assert shop.committed() == {}
    monkeypatch.undo()
    worker.close()
    assert shop.committed() == {}
    again = shop.worker(echo)
    until(again, lambda: shop.committed() == {0: 1})


def test_closing_waits_for_what_runs_and_commits_it(shop: Shop) -> None:
    @task("split")
    async def split(job: Job) -> str:
        await asyncio.sleep(0.05)
        return "done"

    worker = shop.worker(split)
    shop.job()
    until(worker, lambda: worker.open)
    worker.close()
    assert len(shop.answers()) == 1
    assert shop.committed() == {0: 1}


def test_closing_does_not_wait_for_ever(shop: Shop) -> None:
    @task("split")
    async def split(job: Job) -> None:
        if job.input == "stuck":
            await asyncio.Event().wait()

    worker = shop.worker(split, stop_s=0.05)
    shop.job("quick")
    shop.job("stuck")
    until(worker, lambda: worker.open == 1)
    worker.close()
    assert len(shop.answers()) == 1
    assert shop.committed() == {0: 1}


def test_a_worker_takes_no_more_than_it_may_have_in_flight(shop: Shop) -> None:
    gate = asyncio.Event()
    running = 0
    most = 0

    @task("split")
    async def split(job: Job) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1

    worker = shop.worker(split, in_flight_max=3)
    for n in range(10):
        shop.job(n)
    until(worker, lambda: running >= 3)
    for _ in range(10):
        worker.step(0.001)
    gate.set()
    until(worker, lambda: len(shop.answers()) == 10)
    assert most == 3


def test_two_workers_share_the_jobs_and_none_is_lost_when_one_leaves(shop: Shop) -> None:
    one, two = shop.worker(echo), shop.worker(echo)
    for n in range(40):
        shop.job(n, flow=f"shop:{n}", partition=n % 2)
        one.step(0.001)
        two.step(0.001)
    one.close()
    for n in range(40, 50):
        shop.job(n, flow=f"shop:{n}", partition=n % 2)
    until(two, lambda: len({a.key for a in shop.answers()}) == 50)
    until(two, lambda: shop.committed() == {0: 25, 1: 25})


def test_what_finishes_after_its_partition_went_is_answered_and_not_committed(shop: Shop) -> None:
    gates = [asyncio.Event(), asyncio.Event()]

    def waits(gate: asyncio.Event) -> Callable[[Job], Awaitable[str]]:
        @task("split")
        async def split(job: Job) -> str:
            await gate.wait()
            return "done"

        return split

    one = shop.worker(waits(gates[0]))
    shop.job(partition=0)
    shop.job(partition=1)
    until(one, lambda: one.open == 2)
    two = shop.worker(waits(gates[1]))
    for _ in range(20):
        one.step(0.001)
        two.step(0.001)
    assert two.open == 1  # the partition that moved is done again from its commit
    gates[0].set()
    until(one, lambda: len(shop.answers()) == 2)
    one.close()
    assert len(shop.committed()) == 1
    gates[1].set()
    until(two, lambda: shop.committed() == {0: 1, 1: 1})


def test_with_pumps_the_jobs_of_several_tasks_meet_in_one_loop() -> None:
    log = EmbeddedLog.memory()
    log.create([TopicSpec(NAMES.task(n), 1) for n in "abc"] + [TopicSpec(REPLIES, 1)])
    loops: set[int] = set()

    def handler(name: str) -> Handler:
        async def work(job: Job) -> Any:
            loops.add(id(asyncio.get_running_loop()))
            await asyncio.sleep(0)
            return job.input

        return Handler(name, work, True, False)

    worker = Worker(log, NAMES, {n: handler(n) for n in "abc"})
    producer = log.producer()
    for n in range(300):
        name = "abc"[n % 3]
        head = [(headers.JOB, b"f/0/1/x"), (headers.TASK, f"task:{name}@1".encode()), (headers.REPLY_TO, REPLIES.encode())]
        producer.send(NAMES.task(name), b"1", b"f", head, 0)
    until(worker, lambda: log.ends([Partition(REPLIES, 0)])[Partition(REPLIES, 0)] == 300)
    worker.close()
    assert len(loops) == 1
    assert {log.group_positions(NAMES.task(n))[Partition(NAMES.task(n), 0)].offset for n in "abc"} == {100}
    log.close()
