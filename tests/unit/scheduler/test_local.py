"""Replicas as processes: small scripts in place of ``sfc``."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sfc_scheduler import local
from sfc_scheduler.local import LocalReplicas

from sfc.bootstrap.parent import end_with_parent
from sfc.errors import BadInput
from sfc.runtime.pools import Pool
from sfc.wire.scale import Scale

POOL = Pool("task:split", {"t.task.split": "t.task.split"}, Scale(1, 4, 10, "shop.workers"))

# Says who it is, in a file of its own; ends when it is told to, or when its parent has gone.
OBEDIENT = """
import os, sys, threading
from sfc.bootstrap.parent import end_with_parent
from sfc.runtime.roles import stop_event
stop = stop_event()
end_with_parent(stop)
name = os.environ["SFC_INSTANCE"]
with open(f"{os.environ['NOTES']}/{name}", "a") as notes:
    print(os.getpid(), *sys.argv[1:], file=notes)
stop.wait()
"""
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + OBEDIENT.replace(
    "stop = stop_event()", "stop = threading.Event()"
)
DYING = "import sys; print('there is no database', file=sys.stderr); sys.exit(3)"


def until(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 45
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.01)
    return found


def tended(replicas: LocalReplicas, what: Callable[[], Any]) -> None:
    def look() -> Any:
        replicas.tend()
        return what()

    until(look)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Notes:
    """What the processes have written, by instance: a line for each life."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lives(self, instance: str) -> list[list[str]]:
        file = self.folder / instance
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    def pid(self, instance: str, life: int = 1) -> int:
        return int(until(lambda: len(found := self.lives(instance)) >= life and found)[life - 1][0])


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path)


Making = Callable[..., LocalReplicas]


@pytest.fixture
def make(notes: Notes) -> Iterator[Making]:
    made: list[LocalReplicas] = []

    def replicas(script: str = OBEDIENT, **options: Any) -> LocalReplicas:
        environment = {**os.environ, "NOTES": str(notes.folder)}
        one = LocalReplicas([sys.executable, "-c", script], environment, "host-1", **{"stop_s": 5.0, "restart_s": 0.1, **options})
        made.append(one)
        return one

    yield replicas
    for one in made:
        one.stop_all(0.1)
        one.close()


def test_replicas_have_names_of_their_own_and_are_told_what_to_do(make: Making, notes: Notes) -> None:
    replicas = make()
    replicas.start(POOL, 2)
    replicas.start(Pool("blueprint:shop", {}, Scale()), 1)
    first, second = replicas.list("task:split")
    assert (first.instance, second.instance) == ("host-1.task.split.1", "host-1.task.split.2")
    assert first.up
    assert replicas.pools() == {"task:split", "blueprint:shop"}
    notes.pid(first.instance)
    notes.pid("host-1.blueprint.shop.1")
    assert notes.lives(first.instance)[0][1:] == ["worker", "shop.workers", "--task", "split", "--no-common"]
    assert notes.lives("host-1.blueprint.shop.1")[0][1:] == ["worker", "--blueprint", "shop", "--no-common"]


def test_one_that_is_told_to_stop_stops(make: Making, notes: Notes) -> None:
    replicas = make()
    replicas.start(POOL, 1)
    (replica,) = replicas.list("task:split")
    pid = notes.pid(replica.instance)
    replicas.stop(replica)
    assert replicas.list("task:split") == []
    replicas.start(POOL, 1)  # its name is still taken
    assert [r.instance for r in replicas.list("task:split")] == ["host-1.task.split.2"]
    tended(replicas, lambda: not alive(pid))


def test_one_that_does_not_listen_is_killed(make: Making, notes: Notes) -> None:
    replicas = make(DEAF, stop_s=0.1)
    replicas.start(POOL, 2)
    pids = [notes.pid(r.instance) for r in replicas.list("task:split")]
    replicas.stop(replicas.list("task:split")[0])
    tended(replicas, lambda: not alive(pids[0]))
    replicas.stop_all(0.1)
    assert not alive(pids[1])


def test_one_that_was_killed_comes_back_under_its_name(make: Making, notes: Notes) -> None:
    replicas = make()
    replicas.start(POOL, 1)
    (replica,) = replicas.list("task:split")
    os.kill(notes.pid(replica.instance), signal.SIGKILL)
    tended(replicas, lambda: not replicas.list("task:split")[0].up)
    tended(replicas, lambda: replicas.list("task:split")[0].up)
    assert alive(notes.pid(replica.instance, life=2))


def _is_so(told: list[Any], number: int) -> bool:
    return len(told) == number


def test_a_crash_loop_is_said_with_its_last_lines_and_does_not_spin(make: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, dict[str, Any]]] = []

    class Log:
        def info(self, _message: str, **_: Any) -> None: ...

        def warning(self, message: str, **what: Any) -> None:
            told.append((message, what))

        error = warning

    monkeypatch.setattr(local, "_log", Log())
    now_s = 0.0
    replicas = make(DYING, restart_s=1.0, monotonic_s=lambda: now_s)
    replicas.start(POOL, 1)
    for deaths in (1, 2, 3, 4):
        tended(replicas, partial(_is_so, told, deaths))
        replicas.tend()
        assert not replicas.list("task:split")[0].up, "it waits"
        now_s += 2.0 ** (deaths - 1)
    assert [what["again_in_s"] for _, what in told] == [1.0, 2.0, 4.0, 8.0]
    assert [what["action"] for _, what in told] == ["replica-died"] * 2 + ["replica-crash-loop"] * 2
    assert told[3][0] == "host-1.task.split.1 ended with exit code 3, 4 times in a row"
    assert told[3][1]["last_lines"] == ["there is no database"]


def test_a_command_that_is_not_there_is_a_death_like_another(tmp_path: Path) -> None:
    replicas = LocalReplicas([str(tmp_path / "nothing")], {}, "host-1", stop_s=1, restart_s=60)
    replicas.start(POOL, 1)
    assert [r.up for r in replicas.list("task:split")] == [False]
    replicas.stop(replicas.list("task:split")[0])
    assert replicas.pools() == set()
    replicas.close()


def test_orphans_end_when_who_started_them_is_killed(notes: Notes, tmp_path: Path) -> None:
    child = tmp_path / "child.py"
    child.write_text(OBEDIENT)
    parent = f"""
import os, sys, time
from sfc_scheduler.local import LocalReplicas
from sfc.runtime.pools import Pool
from sfc.wire.scale import Scale
replicas = LocalReplicas([sys.executable, {str(child)!r}], os.environ, "host-1", stop_s=5, restart_s=1)
replicas.start(Pool("task:split", {{}}, Scale(1, 4, 10, "shop.workers")), 2)
time.sleep(60)
"""
    pid = os.spawnve(os.P_NOWAIT, sys.executable, [sys.executable, "-c", parent], {**os.environ, "NOTES": str(notes.folder)})
    pids = [notes.pid(f"host-1.task.split.{n}") for n in (1, 2)]
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    until(lambda: not any(alive(p) for p in pids))


def test_workers_end_when_the_pipe_does_even_if_its_owner_lives_on(notes: Notes) -> None:
    replicas = LocalReplicas([sys.executable, "-c", OBEDIENT], {**os.environ, "NOTES": str(notes.folder)}, "host-1", stop_s=5, restart_s=60)
    replicas.start(POOL, 1)
    notes.pid("host-1.task.split.1")
    replicas.close()
    tended(replicas, lambda: not replicas.list("task:split")[0].up)


def test_a_pipe_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFC_PARENT_PIPE", "seven")
    with pytest.raises(BadInput, match=r"SFC_PARENT_PIPE is 'seven'"):
        end_with_parent(threading.Event())
