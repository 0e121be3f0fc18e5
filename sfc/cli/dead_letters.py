"""``sfc dead-letters``: records that could not be understood."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from sfc.cli import bulk, context, output
from sfc.cli.context import Json
from sfc.cli.output import Column

if TYPE_CHECKING:
    from sfc.client import Client

app = typer.Typer(help="List, show, replay and discard records that could not be understood.", no_args_is_help=True)


def readable(data: Any) -> str:
    """Bytes that came as base64, as text; what is no base64 as it is."""
    if not data:
        return ""
    try:
        return base64.b64decode(data, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return str(data)


class State(StrEnum):
    """What became of a dead letter."""

    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"
    ALL = "all"


@app.command("list")
def list_dead_letters(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most, newest first.")] = 50,
    cursor: Annotated[str, typer.Option(help="Where to go on: as the page before says.")] = "",
    state: Annotated[State, typer.Option(help="What became of them.")] = State.OPEN,
    reason: Annotated[str, typer.Option(help="Only those of this reason.")] = "",
    topic: Annotated[str, typer.Option(help="Only those that came from this topic.")] = "",
    as_json: Json = False,
) -> None:
    """List dead letters, newest first."""
    with context.client() as gateway:
        if reason or topic:
            if cursor:
                raise typer.BadParameter("--cursor goes on behind a page of all: with --reason or --topic say a larger --limit")
            page: dict[str, Any] = {"dead_letters": list(islice(_matching(gateway, state, reason, topic), limit))}
        else:
            page = gateway.dead_letters(limit=limit, cursor=cursor, state=state.value)
    columns = [
        Column("id", lambda d: str(d["id"]), whole=True),
        Column("time", lambda d: output.local_time(d.get("at_ms")), whole=True),
        *([] if state is State.OPEN else [Column("state", lambda d: str(d.get("state", "open")))]),
        Column("reason", lambda d: str(d["reason"]), style="red"),
        Column("from", lambda d: f"{d['topic']}-{d['partition']}@{d['offset']}"),
        Column("detail", lambda d: output.shortened(d.get("detail") or "")),
    ]
    output.print_rows(page["dead_letters"], columns, as_json=as_json, none="no such dead letters" if reason or topic else "no dead letters")
    if page.get("next_cursor") and not as_json:
        output.error_console().print(f"there are more: --cursor {page['next_cursor']}", markup=False)


Letters = Annotated[list[str] | None, typer.Argument(metavar="ID", help="As `list` shows them.")]
Everything = Annotated[bool, typer.Option("--all", help="All that are open, or those of --reason and --topic.")]
OfReason = Annotated[str, typer.Option("--reason", help="With --all: only those of this reason.")]
OfTopic = Annotated[str, typer.Option("--topic", help="With --all: only those that came from this topic.")]


class Chosen(NamedTuple):
    """Which dead letters: by their ids, or all that are open, of a reason and from a topic where these are given."""

    ids: list[str] | None
    everything: bool
    reason: str
    topic: str


@app.command()
def replay(
    letters: Letters = None,
    value: Annotated[str, typer.Option("--value", metavar="JSON", help="Goes instead of the record's own value; @FILE reads a file.")] = "",
    everything: Everything = False,
    reason: OfReason = "",
    topic: OfTopic = "",
    yes: bulk.Yes = False,
    as_json: Json = False,
) -> None:
    """Append records again to the topics that they came from: everybody who reads those sees new records."""
    from sfc.cli.starts import read_input

    if value and (everything or len(letters or ()) != 1):
        raise typer.BadParameter("--value is for one dead letter: name its ID")
    mended = {"value": read_input(value, "--value")} if value else {}
    chosen = Chosen(letters, everything, reason, topic)
    _each("replay", "replayed", chosen, lambda gateway, letter: gateway.replay_dead_letter(letter, **mended), yes=yes, as_json=as_json)


@app.command()
def discard(
    letters: Letters = None,
    everything: Everything = False,
    reason: OfReason = "",
    topic: OfTopic = "",
    yes: bulk.Yes = False,
    as_json: Json = False,
) -> None:
    """Take dead letters off the list of what is open. The records stay in their topics."""
    chosen = Chosen(letters, everything, reason, topic)
    _each("discard", "discarded", chosen, lambda gateway, letter: gateway.discard_dead_letter(letter), yes=yes, as_json=as_json)


def _each(verb: str, done: str, chosen: Chosen, act: Callable[[Client, str], Any], *, yes: bool, as_json: bool) -> None:
    if bool(chosen.ids) == chosen.everything:
        raise typer.BadParameter("name the dead letters, or say --all")
    with context.client() as gateway:
        ids = chosen.ids or _open(gateway, chosen)
        if chosen.everything and not bulk.agreed(verb, len(ids), yes=yes, thing="dead letter"):
            if ids:
                raise typer.Abort
            if as_json:
                output.print_json([])
            return
        answers = []
        with output.progress(verb, len(ids)) as bar:
            for letter in ids:
                answers.append(act(gateway, letter))
                bar.advance(1)
    if as_json:
        output.print_json(answers)
    elif chosen.everything:
        output.say(f"{done} {len(answers)}")
    else:
        for answer in answers:
            output.say(f"{done} {answer['id']}" + (f" to {answer['topic']}" if "topic" in answer else ""))


def _open(gateway: Client, chosen: Chosen) -> list[str]:
    """Ids of all that are open. A list: what is resolved leaves the pages."""
    return [d["id"] for d in _matching(gateway, State.OPEN, chosen.reason, chosen.topic)]


def _matching(gateway: Client, state: State, reason: str, topic: str) -> Iterator[dict[str, Any]]:
    letters = bulk.pages(gateway.dead_letters, "dead_letters", state=state.value)
    return (d for d in letters if reason in ("", d["reason"]) and topic in ("", d["topic"]))


@app.command()
def show(letter: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")], as_json: Json = False) -> None:
    """Show a dead letter with its record."""
    with context.client() as gateway:
        found = gateway.dead_letter(letter)
    if as_json:
        output.print_json(found)
        return
    output.card(
        str(found["id"]),
        [
            ("state", _state(found)),
            ("reason", str(found["reason"])),
            ("detail", str(found.get("detail") or "")),
            ("from", f"{found['topic']}-{found['partition']}@{found['offset']}"),
            ("time", output.local_time(found.get("at_ms"))),
            ("key", readable(found.get("key"))),
            ("value", output.shortened(readable(found.get("value")), 2000)),
            ("headers", "\n".join(f"{name}: {readable(value)}" for name, value in found.get("headers") or ())),
        ],
    )


def _state(letter: dict[str, Any]) -> str:
    state = str(letter.get("state") or "open")
    if state == "open":
        return state
    by = f" by {letter['resolved_by']}" if letter.get("resolved_by") else ""
    return f"{state}{by}, {output.local_time(letter.get('resolved_ms'))}"
