"""One worker process, with the last lines of what it said."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from threading import Lock, Thread

LINES_KEPT = 20
LINE_SHOWN_MAX = 500
_OUTPUT = Lock()  # lines of several processes must not mix


class WorkerProcess:
    """Runs from its making on, in a process group of its own: Ctrl-C reaches who started it, and that one stops it.
    What it says goes on to stderr, line by line. Raises OSError when it can't be started."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], parent_pipe: int) -> None:
        self._lines: deque[bytes] = deque(maxlen=LINES_KEPT)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**environment, "SFC_PARENT_PIPE": str(parent_pipe)},
            pass_fds=(parent_pipe,),
            start_new_session=True,
        )
        self._reader = Thread(target=self._read, name=f"sfc-output-{self._process.pid}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout_s: float) -> bool:
        """Whether it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        return self._process.poll() is not None

    def last_lines(self) -> list[str]:
        """Of one that has ended; a line may be cut."""
        self._reader.join(1.0)  # what it said last may still be on its way
        return [line.decode("utf-8", "replace").rstrip()[:LINE_SHOWN_MAX] for line in tuple(self._lines)]

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        with stream:
            for line in stream:
                self._lines.append(line)
                with _OUTPUT, contextlib.suppress(OSError):
                    sys.stderr.flush()
                    os.write(2, line)
