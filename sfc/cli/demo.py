"""The demo: the sample orders through ``tmall-order``, with a pause, an edit and a redrive on the way, and every number checked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sfc.cli import output
from sfc.cli.demo_checks import Check, Snapshot, compare, snapshot
from sfc.cli.documents import is_task
from sfc.cli.output import Column
from sfc.registry.files import load_documents
from sfc.words import fine_duration

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

BLUEPRINT = "tmall-order"
TOPIC = "order_created"
DEADLINE_S = 60.0
POLL_S = 0.1
STANDSTILL_S = 0.5  # so long nothing may start while the blueprint is paused


class Gateway(Protocol):
    """What the demo asks of sfc.client.Client."""

    url: str

    def deploy(self, documents: Sequence[tuple[str, dict[str, Any]]], /) -> list[dict[str, Any]]: ...

    def pause_blueprint(self, name: str, reason: str = "") -> dict[str, Any]: ...

    def resume_blueprint(self, name: str) -> dict[str, Any]: ...

    def blueprint(self, name: str) -> dict[str, Any]: ...

    def stats(self) -> dict[str, Any]: ...

    def flow(self, flow: str) -> dict[str, Any]: ...

    def redrive(self, flow: str) -> dict[str, Any]: ...


class Overdue(Exception):
    """The demo's time is over."""


def run(
    client: Gateway,
    console: Console,
    publish: Callable[[list[bytes]], None],
    folder: Path,
    deadline_s: float = DEADLINE_S,
    *,
    kept: str = "",
) -> int:
    """Plays the demo against a running SFC whose workers do ``sfc_workers.examples.tmall``; 0 if every number is the expected one, else 1.

    ``kept``: the command that shows these flows later; '' where they are gone when it ends.
    ``publish`` appends values to the topic ``order_created`` and returns when the log has them. ``folder``: that of the example blueprints.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        play = _Play(client, console, publish, folder, progress, time.monotonic() + deadline_s)
        try:
            checks = play.all()
        except Overdue as e:
            console.print(f"✗ {deadline_s:g} s are over: {e}", style="red", markup=False)
            return 1
    return _report(console, play, checks, kept)


class _Play:
    """The demo's steps, and what they found."""

    def __init__(
        self,
        client: Gateway,
        console: Console,
        publish: Callable[[list[bytes]], None],
        folder: Path,
        progress: Progress,
        until_s: float,
    ) -> None:
        self.last = Snapshot({}, 0, {}, {})
        self.short: list[str] = []
        self._client = client
        self._console = console
        self._publish = publish
        self._folder = folder
        self._progress = progress
        self._until_s = until_s
        self._expected: dict[str, Any] = json.loads((folder / BLUEPRINT / "expected.json").read_text(encoding="utf-8"))
        self._flows = {int(v): sum(count.values()) for v, count in self._expected["after_redrive"].items()}
        self._total = sum(self._flows.values())
        self._bar = progress.add_task("", total=self._total)

    def all(self) -> list[Check]:
        """Raises Overdue, or what the client raises."""
        expected = self._expected
        lines = (self._folder / BLUEPRINT / "orders.jsonl").read_bytes().splitlines()
        half = expected["first_half"]
        checks = [Check("flows of an earlier demo", 0, self._look().started())]
        if not checks[0].ok:
            self._say("there are flows of an earlier demo: this one needs a namespace (SFC_NAMESPACE) of its own")
            return checks

        checks.append(Check("version deployed", 1, self._deploy(self._folder / BLUEPRINT)))
        self._publish(lines[:half])
        self._say(f"published the first {half} of {len(lines)} orders")
        unreadable = sum(expected["dead_letters"].values())
        self._wait(
            f"{self._flows[1]} flows of version 1 to start, and {unreadable} dead letters",
            lambda s: s.started(1) >= self._flows[1] and sum(s.dead_letters.values()) >= unreadable,
        )

        self._client.pause_blueprint(BLUEPRINT, reason="half-way through the demo")
        status = self._client.blueprint(BLUEPRINT)["status"]
        self._say(f"paused {BLUEPRINT} half-way: it is {status}; jobs that are out finish, and nothing follows them")
        checks.append(Check("status while paused", "paused", status))
        checks.append(Check("version of the edit", 2, self._deploy(self._folder / BLUEPRINT / "_edits" / "label.yaml")))
        self._publish(lines[half:])
        self._say(f"published the other {len(lines) - half} orders: they wait in the topic")
        held = self._stand_still()
        running = held.flows.get(1, {}).get("RUNNING", 0)
        self._say(f"{running} flows of version 1 are under way, {held.paused} of them held; of version 2 there are {held.started(2)}")
        checks.append(Check("flows of version 1 under way at the edit", True, running > 0))
        checks.append(Check("flows started while paused", 0, held.started(2)))

        self._client.resume_blueprint(BLUEPRINT)
        self._say(f"resumed {BLUEPRINT}: flows of version 1 go on as version 1, new ones are version 2")
        before = self._wait(f"all {self._total} flows to end", lambda s: s.started() >= self._total and s.ended >= self._total)

        self.short = [f"{BLUEPRINT}:{order}" for order in expected["short"]]
        for flow in self.short:
            checks += self._redrive(flow)
        succeeded = sum(count["SUCCEEDED"] for count in expected["after_redrive"].values())
        after = self._wait(f"{succeeded} flows to succeed", lambda s: s.count("SUCCEEDED") >= succeeded and s.ended >= self._total)
        return [*checks, *compare(expected, before, after)]

    def place(self, state: Mapping[str, Any]) -> int:
        """Where a state stands in the tables: as the flow goes."""
        order = list(self._expected["entered"]["2"])
        return order.index(state["state"]) if state["state"] in order else len(order)

    def _deploy(self, path: Path) -> int:
        """The blueprint's version afterwards."""
        documents = sorted(load_documents(path), key=lambda pair: not is_task(pair[1]))
        saved = self._client.deploy(documents)
        tasks = sum(one["kind"] == "task" for one in saved)
        version = next(int(one["version"]) for one in saved if one["kind"] == "blueprint")
        self._say(f"deployed {BLUEPRINT}@{version}{f' and {tasks} tasks' if tasks else ''}")
        return version

    def _redrive(self, flow: str) -> list[Check]:
        failed = self._client.flow(flow)
        error = failed.get("error")
        self._say(f"{flow} is {failed['status']}: {error}, {failed.get('cause')}; redriving it")
        self._client.redrive(flow)
        return [Check(f"status of {flow}", "FAILED", failed["status"]), Check(f"error of {flow}", "OutOfStock", error)]

    def _stand_still(self) -> Snapshot:
        """Looks for a while at what is paused."""
        until_s = time.monotonic() + STANDSTILL_S
        while time.monotonic() < until_s:
            self._look()
            time.sleep(POLL_S)
        return self._look()

    def _wait(self, awaited: str, done: Callable[[Snapshot], bool]) -> Snapshot:
        """Polls the statistics. Raises Overdue, with what was awaited and what had come."""
        while not done(now := self._look()):
            if time.monotonic() > self._until_s:
                raise Overdue(f"awaited {awaited}; there are {_said(now)}")
            time.sleep(POLL_S)
        return now

    def _look(self) -> Snapshot:
        now = self.last = snapshot(self._client.stats(), BLUEPRINT)
        self._progress.update(self._bar, completed=now.ended, description=_said(now))
        return now

    def _say(self, text: str) -> None:
        self._console.print(f"• {text}", markup=False, highlight=False)


def _said(now: Snapshot) -> str:
    return (
        f"{now.started()} started, {now.count('RUNNING')} running, {now.count('SUCCEEDED')} succeeded, "
        f"{now.count('FAILED', 'TIMED_OUT', 'ABORTED')} failed, {sum(now.dead_letters.values())} dead letters"
    )


def _report(console: Console, play: _Play, checks: list[Check], kept: str) -> int:
    """Tables, checks, and where to look next. The exit code."""
    last = play.last
    statuses = sorted({status for count in last.flows.values() for status in count}, reverse=True)
    flows: list[dict[str, Any]] = [{"name": f"{BLUEPRINT}@{version}", **last.flows[version]} for version in sorted(last.flows)]
    columns = [Column("blueprint", lambda r: str(r["name"]), whole=True)]
    columns += [Column(s.lower().replace("_", " "), lambda r, s=s: str(r.get(s, 0)), "right") for s in statuses]  # type: ignore[misc]
    console.print(output.table(flows, columns))
    states = [{"name": f"@{version}", **state} for version in sorted(last.states) for state in sorted(last.states[version], key=play.place)]
    console.print(
        output.table(
            states,
            [
                Column("version", lambda r: str(r["name"])),
                Column("state", lambda r: str(r["state"])),
                Column("entered", lambda r: str(r["entered"]), "right"),
                Column("retries", lambda r: str(r["retries"]), "right"),
                Column("mean", lambda r: fine_duration(r["mean_ms"]), "right"),
                Column("p95", lambda r: fine_duration(r["p95_ms"]), "right"),
            ],
        )
    )
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(last.dead_letters.items()))
    console.print(f"dead letters: {reasons or 'none'}\n", markup=False, highlight=False)
    for check in checks:
        mark, style, more = ("✓", "green", "") if check.ok else ("✗", "red", f": {check.difference}")
        console.print(f"{mark} {check.name}{more}", style=style, markup=False, highlight=False)
    wrong = sum(not check.ok for check in checks)
    console.print(
        f"\n{wrong} of {len(checks)} checks differ" if wrong else f"\nall {len(checks)} checks agree with expected.json", style="bold"
    )
    advice = _next(kept, play.short[0] if play.short else "FLOW")
    console.print(f"\nwhere to look next\n{advice}", markup=False, highlight=False, soft_wrap=True)
    return 1 if wrong else 0


def _next(kept: str, flow: str) -> str:
    """What can be done now: without ``kept`` nothing of the demo is left."""
    if not kept:
        return (
            "  sfc demo --keep (or make demo KEEP=1)   the same, and its flows are kept\n"
            "  sfc dev                                 all roles in one process: the README's first ten minutes"
        )
    return (
        f"  {kept}\n"
        "and in another terminal\n"
        "  sfc flows list --status FAILED   what failed, and why\n"
        f"  sfc flows history {flow}   a flow, event by event\n"
        "  sfc stats\n"
        "  sfc dead-letters list"
    )
