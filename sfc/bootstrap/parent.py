"""Ending with the process that started this one, however that one ended.

It names the read end of a pipe in SFC_PARENT_PIPE and alone holds the other end open: when it is gone, the pipe ends. That works wherever
there are pipes. On Linux the kernel is asked for a SIGTERM too, for a pipe that somebody else has got hold of.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

from sfc.errors import BadInput
from sfc.log import get_logger

PARENT_PIPE = "SFC_PARENT_PIPE"
GRACE_S = 4.0  # how long an orphan may finish what it does: less than a consumer group's session timeout, after which others begin
_SIGNAL_S = 0.3
_PR_SET_PDEATHSIG = 1

_log = get_logger()


def end_with_parent(stop: threading.Event) -> None:
    """Where SFC_PARENT_PIPE is set: sets ``stop`` when the parent has gone, and ends the process after GRACE_S if it is still there.
    Raises BadInput when it names no pipe."""
    named = os.environ.pop(PARENT_PIPE, "")  # it is not for this process's own children
    if not named:
        return
    try:
        pipe = int(named)
        os.set_inheritable(pipe, False)
    except (ValueError, OSError) as e:
        raise BadInput(f"{PARENT_PIPE} is {named!r}: the number of an open pipe was expected ({e})") from e
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    threading.Thread(target=_watch, args=(pipe, stop), name="sfc-parent", daemon=True).start()


def _watch(pipe: int, stop: threading.Event) -> None:
    while os.read(pipe, 64):
        pass  # nobody writes to it
    threading.Thread(target=_end_in_time, name="sfc-orphan", daemon=True).start()  # first: whatever anything else waits for
    time.sleep(_SIGNAL_S)  # the kernel's signal asks for the same
    if not stop.is_set():
        _log.warning("the process that started this one has gone", action="parent-gone")
        stop.set()


def _end_in_time() -> None:
    time.sleep(GRACE_S)
    os._exit(1)
