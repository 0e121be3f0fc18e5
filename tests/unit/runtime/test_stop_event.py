"""The signals that end a process, sent to a real one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from sfc.runtime.roles import ONE_SIGNAL_S

WAITING = """
import sys, time
from sfc.runtime import roles
roles.ONE_SIGNAL_S = float(sys.argv[2])
stop = roles.stop_event()
print("waits", flush=True)
stop.wait()
print("stops", flush=True)
time.sleep(float(sys.argv[1]))
"""


def waiting(stops_for_s: float, one_signal_s: float) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", WAITING, str(stops_for_s), str(one_signal_s)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "waits\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_that_come_together_are_one_and_the_process_finishes(number: signal.Signals) -> None:
    """As those of the kernel, one for each thread of a parent that was killed: some find the handler at work on the one before."""
    for _ in range(5):
        process = waiting(0, 60)
        for _ in range(50):
            process.send_signal(number)
        assert process.wait(30) == 0


def test_a_later_signal_ends_a_process_at_once() -> None:
    process = waiting(600, ONE_SIGNAL_S)
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "stops\n"
    time.sleep(ONE_SIGNAL_S)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == -signal.SIGTERM
