"""Runs jobs: takes them in, calls what does them, answers, and only then lets their offsets be committed.

All functions of a process's tasks share one event loop, in the thread that steps the runner. Each consumer group has a consumer of its
own; with ``pumps`` each consumer has a thread that waits for records, without them one step looks at each (tests, simulation).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import traceback
from collections.abc import Callable, Coroutine, Generator, Iterator
from datetime import datetime
from typing import Any

import msgspec

from sfc.errors import LogError
from sfc.log import get_logger
from sfc.ports import Log
from sfc.wire import headers
from sfc_workers.intake import Intake, Taken
from sfc_workers.job import Job
from sfc_workers.metrics import JOBS, Counts
from sfc_workers.pool import Pool
from sfc_workers.replies import BUSY_FROM, Replies, error_headers
from sfc_workers.secrets import Secrets
from sfc_workers.tasks import Handler, TaskError

BATCH = 500
SETTLE_S = 0.1  # between two flushes of the answers
STOP_S = 10.0
_HEARTBEAT = [(headers.HEARTBEAT, b"1")]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_log = get_logger()


class NoAnswer(Exception):
    """Raised by a handler that has nothing to say any more: the flow has stopped waiting."""


class Runner:
    """``find`` gives the handler for a job's ``sfc-task``, or None. ``threads``: for functions that block. ``in_flight_max``: jobs
    taken and not answered, over all groups. ``now_ms``: what deadlines are compared with. ``secrets``: where those of credentials are."""

    def __init__(
        self,
        log: Log,
        find: Callable[[str], Handler | None],
        *,
        in_flight_max: int = 1_000,
        threads: int = 8,
        pumps: bool = True,
        stop_s: float = STOP_S,
        secrets: Secrets | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.counts = Counts()
        self._told = Counts()
        self._log = log
        self._find = find
        self._in_flight_max = in_flight_max
        self._stop_s = stop_s
        self._secrets = secrets
        self._now_ms = now_ms
        self._loop = asyncio.new_event_loop()
        self._pool = Pool(self._loop, threads)
        self._replies = Replies(log)
        self._intakes: list[Intake] = []
        self._with_pumps = pumps
        self._pumps: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._broken: BaseException | None = None
        self._taken = 0  # by all pumps; each adds under the lock
        self._lock = threading.Lock()
        self._closed_jobs = 0
        self._answered: dict[Intake, list[Taken]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._settle_due_s = 0.0

    @property
    def open(self) -> int:
        """Jobs taken and not yet answered."""
        return self._taken - self._closed_jobs

    def listen(self, topic: str, group: str) -> None:
        """Joins a consumer group."""
        intake = Intake(self._log, topic, group)
        self._intakes.append(intake)
        self._answered[intake] = []
        if self._with_pumps:
            pump = threading.Thread(target=self._pump, args=(intake,), name=f"sfc-jobs-{topic}", daemon=True)
            self._pumps.append(pump)
            pump.start()

    def step(self, timeout_s: float = 0.1) -> int:
        """Runs jobs for up to ``timeout_s``. Returns how many were answered. Raises ProducerFailed when an answer was lost."""
        before = self._closed_jobs
        if not self._with_pumps:
            self._take_from_each(timeout_s)
        # With pumps the jobs come in meanwhile; without them there is time only while something is open.
        if self._with_pumps or self.open:
            self._loop.run_until_complete(asyncio.sleep(timeout_s if self._with_pumps else 0.002))
        self._raise()
        if time.monotonic() >= self._settle_due_s or not self._with_pumps:
            self._settle()
        return self._closed_jobs - before

    def close(self) -> None:
        """Takes no more, lets what runs finish for up to ``stop_s``, commits what is answered, and leaves the groups."""
        if self._loop.is_closed():
            return
        self._stopping.set()
        for pump in self._pumps:
            pump.join()
        try:
            deadline = time.monotonic() + self._stop_s
            while self.open and time.monotonic() < deadline and self._broken is None:
                self._loop.run_until_complete(asyncio.sleep(0.005))
            if self.open:
                _log.warning("jobs were still running when the worker stopped; others will do them", action="jobs-left", jobs=self.open)
            left = list(self._tasks)
            for one in left:
                one.cancel()
            if left:
                self._loop.run_until_complete(asyncio.wait(left, timeout=1.0))
            if self._broken is None:
                self._settle()
        finally:
            for intake in self._intakes:
                intake.close()
            self._replies.close()
            self._pool.close()
            self._loop.run_until_complete(self.before_end())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def before_end(self) -> None:
        """For what a subclass opened in the loop and has to close there."""

    # ---- taking

    def _pump(self, intake: Intake) -> None:
        try:
            while not self._stopping.is_set():
                batch = self._take(intake, 0.1)
                if batch:
                    self._loop.call_soon_threadsafe(self._accept, intake, batch)
        except BaseException as e:
            self._broken = self._broken or e

    def _take_from_each(self, timeout_s: float) -> None:
        wait_s = 0.0 if self.open else timeout_s / max(1, len(self._intakes))
        for intake in self._intakes:
            batch = self._take(intake, wait_s)
            if batch:
                self._loop.call_soon(self._accept, intake, batch)

    def _take(self, intake: Intake, timeout_s: float) -> list[Taken]:
        batch = intake.take(min(BATCH, self._in_flight_max), timeout_s, full=self.open >= self._in_flight_max)
        with self._lock:
            self._taken += len(batch)
        return batch

    # ---- running

    def _accept(self, intake: Intake, batch: list[Taken]) -> None:
        self._spawn(intake, iter(batch), len(batch) >= BUSY_FROM)

    def _spawn(self, intake: Intake, batch: Iterator[Taken], busy: bool) -> None:
        one = self._loop.create_task(self._run(intake, batch, busy))
        self._tasks.add(one)
        one.add_done_callback(self._tasks.discard)

    async def _run(self, intake: Intake, batch: Iterator[Taken], busy: bool) -> None:
        """Runs the jobs of a batch one after the other. The first whose coroutine has to wait keeps this asyncio task for itself, and
        another goes on with the batch: so there is a task for each job that waits, and none for those that don't."""
        suspended = False

        def go_on() -> None:
            nonlocal suspended
            suspended = True
            self._spawn(intake, batch, busy)

        try:
            for taken in batch:
                await self._do(intake, taken, busy, go_on)
                if suspended:
                    return
        except Exception as e:  # an answer that could not be sent: back to the log
            self._broken = self._broken or e

    async def _do(self, intake: Intake, taken: Taken, busy: bool, go_on: Callable[[], None]) -> None:
        job = Job(taken.record, self._beat, self._secrets)
        if headers.JOB not in job.headers:
            self.counts.foreign += 1
            self._finish(intake, taken)
            return
        if self._late(job):
            self.counts.late += 1
            self._finish(intake, taken)
            return
        handler = self._find(job.task)
        if handler is None:
            cause = f"this worker has no function for {job.task!r}, though it takes jobs from {intake.topic}"
            self._fail(job, "States.Runtime", cause, busy)
        elif handler.blocking:
            function = handler.function
            self._pool.submit(lambda: function(job), lambda result, e: self._answer_late(intake, taken, job, result, e))
            return
        else:
            try:
                output = handler.function(job)
                if handler.is_async:
                    output = await _Tellingly(output, go_on)
            except asyncio.CancelledError as e:
                if self._stopping.is_set():
                    raise
                self._failed(job, e, busy)
            except Exception as e:
                self._failed(job, e, busy)
            else:
                self._complete(job, output, busy)
        self._finish(intake, taken)

    def _late(self, job: Job) -> bool:
        text = job.headers.get(headers.DEADLINE)
        if not text:
            return False
        try:
            return datetime.fromisoformat(text.decode()).timestamp() * 1000 < self._now_ms()
        except ValueError:
            return False

    # ---- answering

    def _answer_late(self, intake: Intake, taken: Taken, job: Job, output: Any, exception: Exception | None) -> None:
        """The answer of a function that ran in a thread."""
        try:
            if exception is None:
                self._complete(job, output, False)
            else:
                self._failed(job, exception, False)
            self._finish(intake, taken)
        except Exception as e:
            self._broken = self._broken or e

    def _complete(self, job: Job, output: Any, busy: bool) -> None:
        try:
            value = _encode(output)
            if job.opened is not None:
                value = _encode(job.opened.masked(_decode(value)))
        except (TypeError, ValueError, RecursionError, OverflowError) as e:
            self._failed(job, e, busy)
            return
        self._counted(sent=self._replies.send(job, value, busy=busy))

    def _counted(self, *, sent: bool) -> None:
        if sent:
            self.counts.completed += 1
        else:
            self.counts.unanswered += 1

    def _failed(self, job: Job, exception: BaseException, busy: bool) -> None:
        if isinstance(exception, NoAnswer):
            self.counts.late += 1
        elif isinstance(exception, TaskError):
            self._fail(job, exception.error, exception.cause, busy)
        else:
            told: dict[str, Any] = {"exc_info": exception}
            if job.opened is not None:
                told = {"exception": job.opened.mask("".join(traceback.format_exception(exception)))}
            _log.warning(f"a task raised {type(exception).__name__}", action="task-raised", task=job.task, flow=job.flow, **told)
            self._fail(job, type(exception).__name__, str(exception), busy)

    def _fail(self, job: Job, error: str, cause: str, busy: bool) -> None:
        if job.opened is not None:
            error, cause = job.opened.mask(error), job.opened.mask(cause)
        if self._replies.send(job, b"null", error_headers(error, cause), busy=busy):
            self.counts.failed += 1
        else:
            self.counts.unanswered += 1

    def _finish(self, intake: Intake, taken: Taken) -> None:
        self._closed_jobs += 1
        self._answered[intake].append(taken)

    def _beat(self, job: Job) -> None:
        """From any thread."""
        with contextlib.suppress(RuntimeError):  # the worker has stopped, and left the function behind
            self._loop.call_soon_threadsafe(self._send_beat, job)

    def _send_beat(self, job: Job) -> None:
        try:
            self._replies.send(job, b"null", _HEARTBEAT)
        except Exception as e:
            self._broken = self._broken or e

    def _settle(self) -> None:
        """Answers first, offsets after: a job whose answer is not in the log is never committed."""
        self._settle_due_s = time.monotonic() + SETTLE_S
        answered = {intake: taken for intake, taken in self._answered.items() if taken}
        if answered:
            try:
                self._replies.flush()
            except LogError as e:
                self._broken = e
                raise
            for intake, taken in answered.items():
                self._answered[intake] = []
                intake.finished.append(taken)
        self._count()

    def _count(self) -> None:
        for outcome in Counts.__slots__:
            more = getattr(self.counts, outcome) - getattr(self._told, outcome)
            if more:
                JOBS.labels(outcome).inc(more)
                setattr(self._told, outcome, getattr(self.counts, outcome))

    def _raise(self) -> None:
        if self._broken is not None:
            raise self._broken


class _Tellingly:
    """Awaits a coroutine, and calls ``suspended`` if it has to wait for something."""

    __slots__ = ("_coroutine", "_suspended")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], suspended: Callable[[], None]) -> None:
        self._coroutine = coroutine
        self._suspended = suspended

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine = self._coroutine
        try:
            waits_for = coroutine.send(None)
        except StopIteration as e:
            return e.value
        self._suspended()
        while True:
            raised: BaseException | None = None
            try:
                yield waits_for
            except BaseException as e:
                raised = e
            try:
                waits_for = coroutine.send(None) if raised is None else coroutine.throw(raised)
            except StopIteration as e:
                return e.value
