"""The signals that end a process, sent to a real one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from sfc.runtime.roles import ONE_SIGNAL_S

WAITING = """
import sys
from sfc.runtime import roles
roles.ONE_SIGNAL_S = float(sys.argv[1])
stop = roles.stop_event()
print("waits", flush=True)
stop.wait()
print("stops", flush=True)
sys.stdin.read()  # a process that is ending already takes signals as the kernel has them
"""


def waiting(one_signal_s: float) -> subprocess.Popen[str]:
    """It ends when it has got a signal and its input is closed."""
    command = [sys.executable, "-c", WAITING, str(one_signal_s)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "waits\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_that_come_together_are_one_and_the_process_finishes(number: signal.Signals) -> None:
    """As those of the kernel, one for each thread of a parent that was killed: some find the handler at work on the one before."""
    for _ in range(5):
        process = waiting(60)
        for _ in range(50):
            process.send_signal(number)
        assert process.communicate(timeout=30)[0] == "stops\n"
        assert process.returncode == 0


def test_a_later_signal_ends_a_process_at_once() -> None:
    process = waiting(ONE_SIGNAL_S)
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "stops\n"
    time.sleep(ONE_SIGNAL_S)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == -signal.SIGTERM
