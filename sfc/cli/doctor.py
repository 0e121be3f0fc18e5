"""``sfc doctor``: what would break, and the command that mends it. Straight to the log, no gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sfc.cli import broker, context, exits
from sfc.cli.audit import require_log
from sfc.cli.context import Json, Kafka

if TYPE_CHECKING:
    from sfc.ports import Log
    from sfc.runtime.doctor import Diagnosis
    from sfc.wire.topics import Names

Place = Annotated[str, typer.Option(metavar="SHARD@OFFSET", show_default=False)]


def doctor(
    accept_rules: Annotated[
        int | None,
        typer.Option("--accept-rules", min=0, metavar="SHARD", help="Let this release take a shard that an older one left unclosed."),
    ] = None,
    skip: Annotated[str, typer.Option("--skip", metavar="SHARD@OFFSET", help="Leave out a command that kills its engines.")] = "",
    retry: Annotated[str, typer.Option("--retry", metavar="SHARD@OFFSET", help="Have such a command tried again.")] = "",
    kafka: Kafka = None,
    as_json: Json = False,
) -> None:
    """Look at brokers, topics, shards and consumer groups: what breaks, and the command that mends it. Exit code 9: something is wrong."""
    from sfc.bootstrap.doctoring import open_cluster, require_shard
    from sfc.cli import output
    from sfc.runtime.doctor import examine
    from sfc.wire.topics import Names

    if sum((accept_rules is not None, bool(skip), bool(retry))) > 1:
        raise typer.BadParameter("--accept-rules, --skip and --retry: one at a time")
    settings = context.settings(kafka=kafka)
    require_log(settings)
    names = Names(settings.namespace)
    with broker.opened(settings) as log, broker.patience(settings.kafka or str(settings.data)):
        if accept_rules is not None:
            require_shard(log, names, settings, accept_rules)
            _accept(log, names, accept_rules, as_json=as_json)
            return
        if skip or retry:
            shard, offset = _place("--skip", skip) if skip else _place("--retry", retry)
            require_shard(log, names, settings, shard)
            _tried(log, names, shard, offset, leave_out=bool(skip), as_json=as_json)
            return
        found = examine(log, open_cluster(settings), names, settings.shards, settings.kafka)
    if as_json:
        from msgspec import to_builtins

        output.print_json(to_builtins(found))
    else:
        _show(found)
    if not found.sound:
        raise typer.Exit(exits.FOUND)


def _accept(log: Log, names: Names, shard: int, *, as_json: bool) -> None:
    from sfc.cli import output
    from sfc.runtime.doctor import accept_rules

    done = accept_rules(log, names, shard)
    if as_json:
        output.print_json(done._asdict())
        return
    output.say(
        f"shard {shard} has rules number {done.to_rules} now, it had {done.from_rules}: engines of this release take it within seconds"
    )
    output.note(
        f"commands from offset {done.position} on may have been decided before without being committed: jobs of theirs may leave twice"
    )


def _tried(log: Log, names: Names, shard: int, offset: int, *, leave_out: bool, as_json: bool) -> None:
    from sfc.cli import output
    from sfc.runtime.skipping import retry_command, skip_command

    if not leave_out:
        retry_command(log, names, shard, offset)
        output.print_json({"shard": shard, "offset": offset}) if as_json else output.say(f"shard {shard} tries offset {offset} again")
        return
    done = skip_command(log, names, shard, offset)
    if as_json:
        output.print_json(done._asdict())
        return
    output.say(f"left out the command at offset {offset} of shard {shard} ({done.key or 'no key'}): it is among the dead letters")
    if done.flow:
        output.note(f"the timers of {done.flow} do not fire any more: stop it, or go on with it by hand")


def _place(option: str, text: str) -> tuple[int, int]:
    shard, at, offset = text.partition("@")
    if not (at and shard.isdigit() and offset.isdigit()):
        raise typer.BadParameter(f"{option} is a shard and an offset, as the engine's log names them (3@1207); it is {text!r}")
    return int(shard), int(offset)


def _show(found: Diagnosis) -> None:
    from rich.text import Text

    from sfc.cli import output

    console = output.console()
    for finding in found.findings:
        style = "red" if finding.severity == "error" else "yellow"
        console.print(
            Text.assemble((f"{finding.severity}: ", style), (f"{finding.said} ", "bold"), (f"[{finding.code}]", "dim")), soft_wrap=True
        )
        console.print(Text(f"  breaks: {finding.breaks}"), soft_wrap=True)
        console.print(Text(f"  mend:   {finding.mend}", style="cyan"), soft_wrap=True)
    errors = sum(finding.severity == "error" for finding in found.findings)
    warnings = len(found.findings) - errors
    looked = (
        f"{found.brokers} brokers, {found.topics} topics, {found.shards} shards"
        if found.brokers
        else f"{found.topics} topics, {found.shards} shards"
    )
    output.card(
        "nothing is wrong" if found.sound else f"{errors} error{'s' * (errors != 1)}",
        [("looked at", looked), ("warnings", str(warnings) if warnings else ""), *[("note", note) for note in found.notes]],
    )
