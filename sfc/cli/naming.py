"""Words that several commands share: NAME@VERSION, timers, and what a pause or a resume says when it is done."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from sfc.cli import output

_VERSION = re.compile(r"[1-9][0-9]{0,8}").fullmatch

Timers = Annotated[
    str, typer.Option("--timers", metavar="freeze|run", help="Whether timers stand still or run on.  [default: freeze]", show_default=False)
]
Why = Annotated[str, typer.Option("--reason", help="Why; shown wherever the hold is.")]


def name_and_version(text: str, version: int | None = None) -> tuple[str, int | None]:
    """Of NAME or NAME@N, and a version that was given by itself. A usage error where they don't fit."""
    name, at, number = text.partition("@")
    if not at:
        return name, version
    if not _VERSION(number):
        raise typer.BadParameter(f"expected NAME or NAME@VERSION, came {text!r}")
    if version is not None and version != int(number):
        raise typer.BadParameter(f"{text} and --version {version} name two versions")
    return name, int(number)


def done(answer: Mapping[str, Any], verb: str, what: str, *, as_json: bool) -> None:
    """``paused orders``, or ``orders was paused already``."""
    if as_json:
        output.print_json(answer)
    else:
        output.say(f"{verb} {what}" if answer.get("changed", True) else f"{what} was {verb} already")


def deployed(row: Mapping[str, Any]) -> str:
    """What a deploy did: a new version, an older one with this content is the current one again, or nothing."""
    if row.get("created"):
        return "new version"
    return f"current again, it was at @{row['before']}" if row.get("changed") else "unchanged"


def holds_text(holds: Iterable[Mapping[str, Any]] | None) -> str:
    """What holds something, and why: one line each."""
    return "\n".join(_hold(hold) for hold in holds or ())


def _hold(hold: Mapping[str, Any]) -> str:
    reason = f": {hold['reason']}" if hold.get("reason") else ""
    by = f" by {hold['by']}" if hold.get("by") else ""
    since = f", since {output.local_time(hold['since_ms'])}" if hold.get("since_ms") else ""
    return f"{hold['subject']}{reason}{by and f' ({by.strip()})'}{since}{'' if hold.get('freeze', True) else ', timers run'}"
