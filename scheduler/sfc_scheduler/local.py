"""Replicas as processes of this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sfc.log import get_logger
from sfc.runtime.pools import BLUEPRINT, Pool
from sfc_scheduler.metrics import DEATHS
from sfc_scheduler.ports import Replica
from sfc_scheduler.process import WorkerProcess

_log = get_logger()

RESTART_S_MAX = 60.0  # the longest pause; who has lived for longer than that begins anew with the shortest
LOOP_FROM = 3  # deaths in a row that make a crash loop
KILLED_S = 5.0  # after SIGKILL the kernel needs a moment


@dataclass
class _Kept:
    """A replica with its process, or None while it waits to be started again."""

    pool: str
    instance: str
    module: str
    command: list[str]
    process: WorkerProcess | None = None
    started_s: float = 0.0
    deaths: int = 0  # in a row
    due_s: float = 0.0
    kill_s: float = field(default=float("inf"))  # when it is killed, of one that was told to stop


class LocalReplicas:
    """See ``sfc_scheduler.ports.Replicas``.

    ``command`` is what ``sfc`` is here; ``environment`` what the workers get (settings and secrets: never on the command line).
    ``instance``: this scheduler's name, with which its replicas' names begin. ``restart_s``: the first pause before one that died is
    started again; it doubles with each further death. The workers end when this process ends, however that happens: they watch a pipe
    that nobody else holds open (and on Linux ask the kernel for a signal).
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        instance: str,
        *,
        stop_s: float,
        restart_s: float,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._instance = instance
        self._stop_s = stop_s
        self._restart_s = restart_s
        self._monotonic_s = monotonic_s
        self._kept: list[_Kept] = []
        self._stopping: list[_Kept] = []
        self._pipe, self._pipe_end = os.pipe()  # neither is inherited, but where it is said so

    def list(self, pool: str) -> list[Replica]:
        return [Replica(k.pool, k.instance, k.module, k.process is not None) for k in self._kept if k.pool == pool]

    def pools(self) -> set[str]:
        return {k.pool for k in self._kept}

    def start(self, pool: Pool, n: int) -> None:
        assert pool.scale is not None
        module = pool.scale.module
        arguments = ["worker", *([module] if module else [])]
        arguments += ["--blueprint" if pool.name.startswith(BLUEPRINT) else "--task", pool.subject, "--no-common"]
        for _ in range(n):
            kept = _Kept(pool.name, self._free_name(pool.name), module, [*self._command, *arguments])
            self._kept.append(kept)
            self._run(kept)

    def stop(self, replica: Replica) -> None:
        for kept in [k for k in self._kept if k.instance == replica.instance]:
            self._dismiss(kept, self._stop_s)

    def tend(self) -> None:
        now_s = self._monotonic_s()
        for kept in self._kept:
            if kept.process is None:
                if now_s >= kept.due_s:
                    self._run(kept)
            elif (code := kept.process.ended()) is not None:
                self._died(kept, f"ended with exit code {code}" if code >= 0 else f"was ended by signal {-code}", kept.process.last_lines())
        for kept in list(self._stopping):
            process = kept.process
            if process is None or process.ended() is not None:
                self._stopping.remove(kept)
            elif now_s >= kept.kill_s:
                _log.warning(f"{kept.instance} did not stop in time: killed", action="replica-killed", pool=kept.pool, pid=process.pid)
                process.kill()
                kept.kill_s = float("inf")

    def stop_all(self, grace_s: float) -> None:
        for kept in list(self._kept):
            self._dismiss(kept, grace_s)
        left = [kept.process for kept in self._stopping if kept.process is not None]
        until_s = time.monotonic() + grace_s
        for process in left:
            if not process.wait(max(0.0, until_s - time.monotonic())):
                process.kill()
        for process in left:
            process.wait(KILLED_S)
        self._stopping.clear()

    def close(self) -> None:
        """Lets go of the pipe: a worker that should be left over would end by that."""
        for end in (self._pipe, self._pipe_end):
            os.close(end)

    def _free_name(self, pool: str) -> str:
        taken = {k.instance for k in (*self._kept, *self._stopping)}
        names = (f"{self._instance}.{pool.replace(':', '.')}.{n}" for n in range(1, len(taken) + 2))
        return next(name for name in names if name not in taken)

    def _run(self, kept: _Kept) -> None:
        kept.started_s = self._monotonic_s()
        try:
            kept.process = WorkerProcess(kept.command, {**self._environment, "SFC_INSTANCE": kept.instance}, self._pipe)
        except OSError as e:
            self._died(kept, f"can't be started: {e}", [])
            return
        _log.info(f"started {kept.instance}", action="replica-started", pool=kept.pool, pid=kept.process.pid)

    def _died(self, kept: _Kept, how: str, lines: Sequence[str]) -> None:
        now_s = self._monotonic_s()
        kept.process = None
        kept.deaths = 1 if now_s - kept.started_s > RESTART_S_MAX else kept.deaths + 1
        pause_s = min(self._restart_s * 2.0 ** min(kept.deaths - 1, 16), RESTART_S_MAX)
        kept.due_s = now_s + pause_s
        DEATHS.labels(kept.pool).inc()
        said = {"pool": kept.pool, "instance": kept.instance, "deaths": kept.deaths, "again_in_s": round(pause_s, 1), "last_lines": lines}
        if kept.deaths < LOOP_FROM:
            _log.warning(f"{kept.instance} {how}; it is started again", action="replica-died", **said)
        else:
            _log.error(f"{kept.instance} {how}, {kept.deaths} times in a row", action="replica-crash-loop", **said)

    def _dismiss(self, kept: _Kept, grace_s: float) -> None:
        self._kept.remove(kept)
        if kept.process is not None:
            kept.process.ask_to_stop()
            kept.kill_s = self._monotonic_s() + grace_s
            self._stopping.append(kept)
            _log.info(f"stopping {kept.instance}", action="replica-stopping", pool=kept.pool, pid=kept.process.pid)
