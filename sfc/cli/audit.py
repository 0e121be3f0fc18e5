"""``sfc audit``: straight to the log, Kafka or that of the data directory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sfc.cli import broker, context, exits
from sfc.cli.context import Json, Kafka

if TYPE_CHECKING:
    from sfc.runtime.audit import AuditReport
    from sfc.settings import Settings

SHOWN = 50
_AGO_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_ago = re.compile(r"(\d{1,9})([smhd])").fullmatch


def audit(
    shard: Annotated[int | None, typer.Option("--shard", min=0, metavar="N", help="Look at this shard alone.")] = None,
    begin: Annotated[
        str, typer.Option("--from", metavar="TIME", help="What was decided from then on: 2026-01-31T12:00:00Z, 2h ago, or @OFFSET.")
    ] = "",
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="What was decided before then.")] = "",
    flow: Annotated[str, typer.Option("--flow", metavar="ID", help="Look at this flow alone.")] = "",
    jobs: Annotated[bool, typer.Option("--jobs", help="Read the job topics too, and look for each job in the history.")] = False,
    kafka: Kafka = None,
    as_json: Json = False,
) -> None:
    """Read the log and check that no flow was lost, doubled or left behind. Exit code 9: something was found."""
    from sfc.cli import output
    from sfc.errors import UnknownName
    from sfc.runtime.audit import Scope
    from sfc.runtime.audit import audit as check
    from sfc.wire.topics import Names

    first, last = _offset(begin), _offset(end)
    scope = Scope(
        shard, flow, 0 if first else _moment("--from", begin), 0 if last else _moment("--to", end), jobs, from_offset=first, to_offset=last
    )
    if (scope.to_ms and scope.from_ms > scope.to_ms) or (scope.to_offset and scope.from_offset > scope.to_offset):
        raise typer.BadParameter(f"--from {begin} is behind --to {end}")
    settings = context.settings(kafka=kafka)
    require_log(settings)
    with broker.opened(settings) as log, broker.patience(settings.kafka or str(settings.data)), output.progress("reading the log") as bar:
        report = check(log, Names(settings.namespace), scope, progress=bar.move)
    if flow and not report.flows and report.clean:
        raise UnknownName(
            f"there is no flow {flow} in what was read", hint="`sfc flows list` has their ids; what retention has removed is not read"
        )
    if as_json:
        from msgspec import to_builtins

        output.print_json(to_builtins(report))
    else:
        _show(report)
    if not report.clean:
        raise typer.Exit(exits.FOUND)


def _offset(text: str) -> int:
    """Of @1207; 0 for what is no offset."""
    return int(text[1:]) if text.startswith("@") and text[1:].isdigit() else 0


def _moment(option: str, text: str) -> int:
    """Milliseconds since 1970 of RFC 3339, or of so long ago; 0 for nothing."""
    import time
    from datetime import datetime

    if not text:
        return 0
    ago = _ago(text.removesuffix(" ago"))
    if ago is not None:
        return max(1, int(time.time() * 1000) - int(ago[1]) * _AGO_MS[ago[2]])
    try:
        return round(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except ValueError:
        expected = f"{option} is a time such as 2026-01-31T12:00:00Z, or 30m, 2h, 1d ago, or an offset of the shard's commands as @1207"
        raise typer.BadParameter(f"{expected}; it is {text!r}") from None


def require_log(settings: Settings) -> None:
    """Without a broker the data directory must have a log: looking for one makes none."""
    from sfc.errors import UnknownName

    if not settings.kafka and not (settings.data / "log").is_dir():
        raise UnknownName(
            f"there is no log in {settings.data / 'log'}", hint="name the broker with --kafka or SFC_KAFKA, or the directory with SFC_DATA"
        )


def _show(report: AuditReport) -> None:
    from sfc.cli import output
    from sfc.cli.output import Column

    rows: list[dict[str, Any]] = [
        {"code": f.code, "shard": f.shard, "flow": f.flow, "run": "" if f.run < 0 else str(f.run), "detail": f.detail}
        for f in report.findings[:SHOWN]
    ]
    columns = [
        Column("finding", lambda r: str(r["code"]), style="red", whole=True),
        Column("shard", lambda r: str(r["shard"]), "right"),
        Column("flow", lambda r: str(r["flow"])),
        Column("run", lambda r: str(r["run"]), "right"),
        Column("what was seen", lambda r: str(r["detail"])),
    ]
    if rows:
        output.print_rows(rows, columns, as_json=False, none="")
    if len(report.findings) > SHOWN:
        output.say(f"… and {len(report.findings) - SHOWN} more: --json lists all")
    counts = f"{report.runs} runs of {report.flows} flows, {report.events} events, {report.open} open"
    found = (
        f"{report.lost} lost, {report.doubled} doubled, {report.gaps} gaps, {report.orphaned_jobs} orphaned jobs,"
        f" {report.torn_shards} torn shards, {report.stuck} stuck, {report.broken} broken"
    )
    output.card(
        "the log is sound" if report.clean else f"{len(report.findings)} finding{'s' * (len(report.findings) != 1)}",
        [
            ("looked at", f"{report.shards} shard{'s' * (report.shards != 1)}: {counts}, {report.dead_letters} dead letters"),
            ("found", found),
            ("on the way", f"{report.unsettled} not judged: something about them was on its way" if report.unsettled else ""),
            *[("note", note) for note in report.notes],
        ],
    )
