"""What must hold at the end: the ledgers, the history and what left exactly once agree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfc.ports import Log, Record
from sfc.wire import headers
from tests.acceptance.evidence import read_topic
from tests.chaos.documents import BILLS, NAMESPACE, SHIPPED, Start
from tests.chaos.observer import Judge

EXACTLY_ONCE = ("task:seal", "task:bill")
SAID_MAX = 20


@dataclass
class Verdict:
    """Counts, and sentences on what is wrong (at most ``SAID_MAX`` of a kind)."""

    flows: int = 0
    lost: int = 0
    doubled: int = 0
    gaps: int = 0
    orphaned: int = 0
    tokens: int = 0
    effects: int = 0
    wrong: list[str] = field(default_factory=list)

    def say(self, sentences: Iterable[str]) -> int:
        """How many there were."""
        told = list(sentences)
        self.wrong += told[:SAID_MAX]
        if len(told) > SAID_MAX:
            self.wrong.append(f"… and {len(told) - SAID_MAX} more of this kind")
        return len(told)


def judge_all(judge: Judge, acknowledged: Mapping[str, Start], sent: int, outcomes: Mapping[str, set[str]], log: Log) -> Verdict:
    """``sent``: how many flows somebody tried to start: one that nobody confirmed may have come through. ``outcomes``: what the workers
    wrote down, by token."""
    verdict = Verdict(flows=len(judge.flows), gaps=judge.gaps, doubled=judge.doubled)
    verdict.say(judge.findings)
    verdict.lost = verdict.say(f"{flow} was acknowledged, and never ran" for flow in acknowledged if flow not in judge.flows)
    verdict.orphaned = verdict.say(f"{flow} has not ended: {dict(judge.flows[flow].open)}" for flow in judge.open)
    ended = {flow: seen.status for flow, seen in judge.flows.items() if seen.status}
    verdict.say(
        f"{flow} ended as {ended[flow]}, and {start.ends} was meant"
        for flow, start in acknowledged.items()
        if flow in ended and ended[flow] != start.ends
    )
    own = [flow for flow in judge.flows if not is_child(flow)]
    verdict.say(f"{flow} runs, and nobody started it" for flow in own if flow not in acknowledged and not _was_sent(flow, sent))
    children = Counter(flow.partition(":")[2].rpartition(":")[2].split(".")[0] for flow in judge.flows if is_child(flow))
    meant = Counter({flow.partition(":")[2]: seen.children for flow, seen in judge.flows.items() if seen.children})
    verdict.say(
        f"order:{id_} has {children[id_]} children, and started {meant[id_]}" for id_ in {*children, *meant} if children[id_] != meant[id_]
    )
    verdict.doubled += verdict.say(
        f"{token} was answered in several ways: {sorted(told)}" for token, told in outcomes.items() if len(told) > 1
    )
    accepted = [(flow, *one) for flow, seen in judge.flows.items() for one in seen.accepted]
    verdict.tokens = len(accepted)
    verdict.doubled += verdict.say(f"{token} was accepted {n} times" for token, n in Counter(a[2] for a in accepted).items() if n > 1)
    verdict.say(
        f"{flow}: {outcome} was accepted for {token}, and the workers wrote {sorted(outcomes.get(token, ()))}"
        for flow, _, token, outcome in accepted
        if outcomes.get(token) != {outcome}
    )
    _judge_effects(verdict, judge, log)
    return verdict


def _judge_effects(verdict: Verdict, judge: Judge, log: Log) -> None:
    """What a read_committed reader sees of the records that leave exactly once."""
    shipped = token_counts(read_topic(log, SHIPPED))
    meant = Counter(token for seen in judge.flows.values() for token in seen.shipped)
    verdict.effects += sum(shipped.values())
    verdict.doubled += verdict.say(f"{token} stands {n} times in {SHIPPED}" for token, n in shipped.items() if n > 1)
    verdict.lost += verdict.say(f"{token} was shipped, and does not stand in {SHIPPED}" for token in meant if token not in shipped)
    verdict.say(f"{token} stands in {SHIPPED}, and no flow shipped it" for token in shipped if token not in meant)
    accepted = {token for seen in judge.flows.values() for task, token, _ in seen.accepted if task.startswith(EXACTLY_ONCE)}
    jobs = token_counts([*read_topic(log, f"{NAMESPACE}.task.seal"), *read_topic(log, BILLS)])
    verdict.effects += sum(jobs.values())
    verdict.doubled += verdict.say(f"{token} was dispatched {n} times, exactly once was meant" for token, n in jobs.items() if n > 1)
    verdict.lost += verdict.say(f"{token} was answered, and its job does not stand in its topic" for token in accepted if token not in jobs)


def token_counts(records: Iterable[Record]) -> Counter[str]:
    return Counter(headers.text(record.headers, headers.JOB) or f"{record.topic}/{record.partition}/{record.offset}" for record in records)


def is_child(flow: str) -> bool:
    return ":" in flow.partition(":")[2]


def _was_sent(flow: str, sent: int) -> bool:
    """Whether the id is one that the load has given."""
    id_ = flow.partition(":")[2]
    return id_[:1] in ("r", "h") and id_[1:].isdigit() and 1 <= int(id_[1:]) <= sent


def audit(settings: Mapping[str, str], folder: Path) -> tuple[int, dict[str, Any]]:
    """Exit code and report of ``sfc audit --json``, whose words go to a file as well."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SFC_")}
    asked = subprocess.run(
        [str(Path(sys.executable).with_name("sfc")), "audit", "--json"],
        env={**environment, **settings},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    (folder / "audit.json").write_text(asked.stdout)
    (folder / "audit.log").write_text(asked.stderr)
    try:
        report = json.loads(asked.stdout)
    except ValueError:
        report = {"said": asked.stderr[-2_000:]}
    return asked.returncode, report if isinstance(report, dict) else {"report": report}
