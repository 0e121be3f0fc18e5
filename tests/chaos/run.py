"""A chaos run: brokers, fleet, load and faults, until all has run dry and is judged."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sfc.bootstrap import open_log
from sfc.client import Client
from sfc.errors import LogError
from sfc.ports import TopicSpec
from sfc.settings import Settings
from sfc.wire.topics import Names
from tests.acceptance.processes import environment, wait_for
from tests.chaos.cluster import Brokers, require
from tests.chaos.documents import BILLED, BILLS, BLUEPRINTS, INPUT_PARTITIONS, NAMESPACE, SHARDS, SHARES, SHIPPED, TASKS, input_topic
from tests.chaos.faults import Chaos, Kind
from tests.chaos.fleet import Fleet
from tests.chaos.load import Load
from tests.chaos.observer import Observer, read_outcomes
from tests.chaos.verdict import Verdict, audit, judge_all
from tests.services import POSTGRESQL, new_database, running

READY_S = 240.0  # brokers and ten processes on two cores that others use too
DRY_S = 120.0  # without any flow's end, and it counts as stuck
SAID_EACH_S = 10.0
DISK_MB_MIN = 300
DISK_MB_PER_FLOW = 0.01


@dataclass(frozen=True)
class Options:
    """``minutes`` of faults, in which ``flows`` are started; ``every_s``: between two faults; ``late``: how many times as long it may take
    until that is so; ``freeze_max_s``: the longest a process is stopped; ``keep``: the folder stays."""

    minutes: float = 10.0
    flows: int = 100_000
    seed: int = 1
    every_s: tuple[float, float] = (5.0, 20.0)
    late: float = 3.0
    freeze_max_s: float = 45.0
    keep: bool = False


@dataclass
class Outcome:
    """What came of a run. ``wrong``: nothing, when it is good."""

    faults: Mapping[Kind, int]
    verdict: Verdict
    wrong: list[str]
    folder: Path
    acknowledged: int


class Run:
    """One run, told on a console."""

    def __init__(self, options: Options, console: Console) -> None:
        require()
        self.options, self.console = options, console
        self.folder = Path(tempfile.mkdtemp(prefix="sfc-chaos-"))
        self.folder.chmod(0o755)
        self.wrong: list[str] = []

    def say(self, at_s: float, text: str) -> None:
        self.console.print(f"[dim]{at_s:7.1f} s[/]  {text}", highlight=False, soft_wrap=True)

    def go(self) -> Outcome:
        """Raises whatever keeps it from being judged; the folder with all logs stays then."""
        try:
            outcome = self._go()
        except BaseException:
            self.console.print(f"[red]not judged[/]; what all processes and brokers have said is in {self.folder}", highlight=False)
            raise
        if outcome.wrong or self.options.keep:
            self.console.print(f"what all processes and brokers have said is in {self.folder}", highlight=False)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        return outcome

    def _go(self) -> Outcome:
        o, began_s = self.options, time.monotonic()
        ledger = self.folder / "ledger"
        ledger.mkdir()
        (self.folder / "brokers").mkdir()
        with ExitStack() as stack:
            database = stack.enter_context(new_database(stack.enter_context(running(POSTGRESQL))))
            brokers = Brokers(self.folder / "brokers", max(DISK_MB_MIN, int(o.flows * DISK_MB_PER_FLOW)))
            stack.callback(brokers.close)
            if brokers.why_no_disk:
                self.console.print(f"no disk of a broker will be full: {brokers.why_no_disk}", highlight=False)
            settings = environment(
                SFC_KAFKA=brokers.servers,
                SFC_NAMESPACE=NAMESPACE,
                SFC_DATABASE=database,
                SFC_LEDGER=str(ledger),
                SFC_SHARDS=str(SHARDS),
                SFC_LOG_FORMAT="json",
                SFC_LOG_LEVEL="debug",
                SFC_DATA=str(self.folder / "data"),
            )
            self._make_topics(brokers.servers)
            fleet = stack.enter_context(Fleet(settings, self.folder / "processes"))
            gateways = [member.url for member in fleet.of("gateway")]
            wait_for("a gateway's being ready", lambda: fleet.of("gateway")[0].ready, READY_S)
            with Client(gateways[0], timeout=30) as client:
                assert all(one["created"] for one in client.deploy([*TASKS, *BLUEPRINTS]))
            wait_for("everybody's being ready", lambda: fleet.ready, READY_S)
            observer = Observer(brokers.servers, Names(NAMESPACE).history)
            stack.callback(observer.stop)
            self.say(0.0, f"seed {o.seed}: {o.flows} flows; everybody was ready after {time.monotonic() - began_s:.0f} s")
            load = Load(
                brokers.servers, gateways, o.seed, o.flows, o.minutes * 60, self.folder / "acknowledged", lambda: observer.judge.ended
            )
            chaos = Chaos(brokers, fleet, o.seed, o.every_s, self.say, o.freeze_max_s)
            self._rage(chaos, load, observer)
            chaos.heal_all()
            self._run_dry(brokers, fleet, load, observer)
            observer.stop()
            verdict = self._judge(brokers, load, observer, ledger)
            self._audit(settings, verdict)
            codes = fleet.end()
            self.wrong += [f"{name} ended with {code} when it was asked to stop" for name, code in codes.items()]
        self.wrong = [*verdict.wrong, *load.refused[:20], *self.wrong]
        outcome = Outcome(chaos.counts, verdict, self.wrong, self.folder, len(load.acknowledged))
        self._tell(outcome, load, time.monotonic() - began_s)
        return outcome

    def _make_topics(self, servers: str) -> None:
        log = open_log(Settings(kafka=servers))
        topics = [TopicSpec(input_topic(name), INPUT_PARTITIONS) for name in SHARES]
        topics += [TopicSpec(name, SHARDS) for name in (BILLS, BILLED, SHIPPED)]
        log.create(topics)
        log.close()

    def _rage(self, chaos: Chaos, load: Load, observer: Observer) -> None:
        """Faults, for as long as was asked for, until all flows are started and every kind of fault was made."""
        began_s = said_s = time.monotonic()
        meant_s = self.options.minutes * 60
        while True:
            now_s = time.monotonic()
            lasted_s = now_s - began_s
            if lasted_s >= meant_s and ((load.done and chaos.played) or lasted_s >= meant_s * self.options.late):
                break
            chaos.step()
            for member in chaos.restart_the_dead():
                if member.role != "service":  # which ends when its client hangs
                    self.wrong.append(f"{member.name} ended by itself")
                self.say(lasted_s, f"[red]{member.name} ended by itself[/]")
            if now_s - said_s >= SAID_EACH_S:
                said_s = now_s
                self._progress(lasted_s, load, observer)
            time.sleep(0.05)
        self.say(lasted_s, "the faults are over")

    def _progress(self, at_s: float, load: Load, observer: Observer) -> None:
        judge = observer.judge
        self.say(
            at_s, f"[dim]{load.sent} started, {len(load.acknowledged)} acknowledged, {judge.ended} ended, {len(judge.findings)} findings[/]"
        )

    def _run_dry(self, brokers: Brokers, fleet: Fleet, load: Load, observer: Observer) -> None:
        """Until every start is acknowledged and has ended, and so have their children; or nothing moves any more."""
        judge = observer.judge
        began_s = moved_s = said_s = time.monotonic()
        load.finish(READY_S)
        wait_for("the brokers' being whole again", brokers.whole, READY_S)
        read = -1
        while True:
            now_s = time.monotonic()
            missing = sum(flow not in judge.flows for flow in load.acknowledged)
            open_ = judge.open
            if not missing and not open_:
                break
            for service in fleet.of("service"):
                service.bring_back()
            if observer.read != read:
                read, moved_s = observer.read, now_s
            if now_s - moved_s >= DRY_S:
                self.wrong.append(f"nothing has moved for {DRY_S:g} s: {missing} flows never began, {len(open_)} have not ended")
                break
            if now_s - said_s >= SAID_EACH_S:
                said_s = now_s
                self.say(now_s - began_s, f"[dim]running dry: {missing} to begin, {len(open_)} to end[/]")
            time.sleep(0.2)
        self.say(
            time.monotonic() - began_s, f"after the faults; {len(load.acknowledged)} flows were acknowledged, {judge.ended} have ended"
        )

    def _judge(self, brokers: Brokers, load: Load, observer: Observer, ledger: Path) -> Verdict:
        log = open_log(Settings(kafka=brokers.servers))
        try:
            return judge_all(observer.judge, load.acknowledged, load.sent, read_outcomes(ledger), log)
        except LogError as e:
            raise AssertionError(f"what left could not be read: {e.message}") from e
        finally:
            log.close()

    def _audit(self, settings: Mapping[str, str], verdict: Verdict) -> None:
        code, report = audit(settings, self.folder)
        if code != 0:
            self.wrong.append(f"sfc audit ended with {code}: {str(report)[:2_000]}")
        else:
            told = f"{report['flows']} flows, {report['open']} of them open"
            meant = f"{verdict.flows} flows, {verdict.orphaned} of them open"
            if told != meant:
                self.wrong.append(f"sfc audit tells of {told}, the history of {meant}")
        counts = ("flows", "events", "lost", "doubled", "gaps", "orphaned_jobs", "torn_shards", "stuck", "broken")
        self.console.print("sfc audit:", ", ".join(f"{report.get(name)} {name.replace('_', ' ')}" for name in counts), highlight=False)

    def _tell(self, outcome: Outcome, load: Load, lasted_s: float) -> None:
        faults = Table("fault", "made", title="Faults", title_justify="left")
        for kind, count in sorted(outcome.faults.items()):
            faults.add_row(str(kind), str(count))
        faults.add_row("all", str(sum(outcome.faults.values())), style="bold")
        self.console.print(faults)
        v = outcome.verdict
        found = Table("", "count", title="Verdict", title_justify="left")
        for what, count in {
            "starts acknowledged": outcome.acknowledged,
            "HTTP starts asked again": load.asked_again,
            "flows in the history": v.flows,
            "outcomes accepted": v.tokens,
            "records that left exactly once": v.effects,
            "lost": v.lost,
            "doubled": v.doubled,
            "gaps": v.gaps,
            "orphaned": v.orphaned,
            "sentences on what is wrong": len(outcome.wrong),
        }.items():
            found.add_row(what, str(count))
        self.console.print(found)
        for sentence in outcome.wrong:
            self.console.print(f"[red]wrong[/] {sentence}", highlight=False, soft_wrap=True)
        good = "[red]not good[/]" if outcome.wrong else "[green]good[/]"
        self.console.print(f"{good} after {lasted_s:.0f} s, seed {self.options.seed}", highlight=False)
