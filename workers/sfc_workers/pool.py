"""Threads for functions that wait. Leaner than an executor: no future for a job, one wake-up of the loop for many results."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any


class Pool:
    """Calls functions in up to ``threads`` daemon threads, made when they are needed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, threads: int) -> None:
        self._loop = loop
        self._threads_max = threads
        self._threads: list[threading.Thread] = []
        self._work: SimpleQueue[tuple[Callable[[], Any], Callable[[Any, Exception | None], None]] | None] = SimpleQueue()
        self._results: deque[tuple[Callable[[Any, Exception | None], None], Any, Exception | None]] = deque()
        self._outstanding = 0
        self._waking = False
        self._closed = False

    def submit(self, call: Callable[[], Any], done: Callable[[Any, Exception | None], None]) -> None:
        """``done`` is called in the loop's thread with the result, or with None and the exception."""
        self._outstanding += 1
        if len(self._threads) < min(self._outstanding, self._threads_max):
            thread = threading.Thread(target=self._serve, name=f"sfc-task-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._work.put((call, done))

    def close(self) -> None:
        """Lets idle threads end. One that is stuck in a call ends with the process."""
        self._closed = True
        for _ in self._threads:
            self._work.put(None)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            call, done = work
            try:
                self._results.append((done, call(), None))
            except Exception as e:
                self._results.append((done, None, e))
            if not self._waking and not self._closed:
                self._waking = True
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._waking = False  # before the first look: a result that comes later wakes again
        while self._results:
            done, result, exception = self._results.popleft()
            self._outstanding -= 1
            done(result, exception)
