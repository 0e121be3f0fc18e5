"""A role is plain code around ``step()``; here are the threads that loop it, and the signals that end it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Protocol

from sfc.errors import LogUnavailable, SfcError
from sfc.log import get_logger

_log = get_logger()

ONE_SIGNAL_S = 0.2  # signals that come so soon after the first are one with it
RETRY_S = (0.5, 1.0, 2.0, 5.0)  # the pauses after a failure; the last one repeats


class Role(Protocol):
    """Belongs to one thread, from its making to its close."""

    @property
    def ready(self) -> bool: ...

    def step(self, timeout_s: float = 0.1) -> int:
        """One turn, at most ``timeout_s`` when there is nothing to do. Returns how much was done."""

    def close(self) -> None:
        """Finishes what is at hand and leaves."""


class RoleThread:
    """Makes a role in a thread of its own and loops it. A role that fails is made anew after a pause: all it knew stands in the log."""

    def __init__(self, name: str, make: Callable[[], Role]) -> None:
        self.name = name
        self._make = make
        self._role: Role | None = None
        self._stop = threading.Event()
        self.trouble: str = ""  # why it is not running now
        self._thread = threading.Thread(target=self._run, name=f"sfc-{name}", daemon=True)

    @property
    def ready(self) -> bool:
        role = self._role
        return role is not None and role.ready

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> RoleThread:
        self._thread.start()
        return self

    def ask_to_stop(self) -> None:
        self._stop.set()

    def join(self, timeout_s: float = 15.0) -> bool:
        """Whether it has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                self._role = self._make()
                self.trouble = ""
                while not self._stop.is_set():
                    self._role.step()
                    failures = 0
            except SfcError as e:
                self.trouble = e.message
                _log.error(e.message, action="role-failed", role=self.name, hint=e.hint, broker_away=isinstance(e, LogUnavailable))
            except Exception as e:
                self.trouble = f"{type(e).__name__}: {e}"
                _log.exception("a role failed unexpectedly and is made anew", action="role-failed", role=self.name)
            finally:
                self._close_role()
            if not self._stop.is_set():
                self._stop.wait(RETRY_S[min(failures, len(RETRY_S) - 1)])
                failures += 1

    def _close_role(self) -> None:
        role, self._role = self._role, None
        if role is not None:
            try:
                role.close()
            except Exception as e:  # leaving must not keep the others from leaving
                _log.warning("a role did not close cleanly", action="role-not-closed", role=self.name, reason=str(e))


class Crew:
    """The threads of one process, started together and stopped in reverse order."""

    def __init__(self) -> None:
        self._threads: list[RoleThread] = []

    def add(self, name: str, make: Callable[[], Role]) -> RoleThread:
        thread = RoleThread(name, make).start()
        self._threads.append(thread)
        return thread

    @property
    def ready(self) -> bool:
        return all(t.ready for t in self._threads)

    @property
    def alive(self) -> bool:
        return all(t.alive for t in self._threads)

    def troubles(self) -> dict[str, str]:
        """Why roles are not running, by role."""
        return {t.name: t.trouble for t in self._threads if t.trouble}

    def stop(self, first: Sequence[str] = ()) -> None:
        """Stops the named ones first, and then the others, last started first; waits for each."""
        ordered = [t for name in first for t in self._threads if t.name == name]
        ordered += [t for t in reversed(self._threads) if t not in ordered]
        for thread in ordered:
            thread.ask_to_stop()
            if not thread.join():
                _log.warning("a role did not end in time", action="role-not-ended", role=thread.name)


def stop_event() -> threading.Event:
    """Set by SIGTERM and SIGINT. A later signal ends the process at once, as the default handlers do; those that come together are one:
    the kernel tells the death of a parent once for each of its threads.

    The handler takes no lock. It runs within whatever the main thread does, so within itself too, and would wait for a lock that it
    holds: an event is set under one, and by another thread here.
    """
    event = threading.Event()
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    first_s = 0.0

    def ask(number: int, _frame: FrameType | None) -> None:
        nonlocal first_s
        now_s = time.monotonic()
        if first_s and now_s - first_s > ONE_SIGNAL_S:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        elif not first_s:
            first_s = now_s
            os.write(tell, b"!")

    def hear() -> None:
        os.read(told, 1)
        event.set()

    threading.Thread(target=hear, name="sfc-signals", daemon=True).start()
    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return event
