"""Asking the same of all flows that a query finds: counted first, then flow by flow, a few at a time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from sfc.cli import exits, output

if TYPE_CHECKING:
    from sfc.client import Client

AT_ONCE = 8
PAGE = 1_000

Blueprint = Annotated[str, typer.Option("--blueprint", help="Instead of one flow: all of this blueprint.")]
Version = Annotated[int, typer.Option("--version", min=0, help="Of them, those of this version.", show_default=False)]
Group = Annotated[str, typer.Option("--group", help="Instead of one flow: all of this group's blueprints.")]
Status = Annotated[str, typer.Option("--status", help="Those with this status; the default is what the command is for.")]
State = Annotated[str, typer.Option("--state", help="Those in this state now.")]
Error = Annotated[str, typer.Option("--error", help="Those with this error.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before several are touched.")]

_STATUSES = {"pause": ("RUNNING",), "resume": ("PAUSED",), "stop": ("RUNNING",), "redrive": ("FAILED", "TIMED_OUT", "ABORTED")}
_DONE = {"pause": "paused", "resume": "resumed", "stop": "stopped", "redrive": "redriven"}


class Query(NamedTuple):
    """Which flows. Empty parts are not asked for."""

    blueprint: str = ""
    version: int = 0
    group: str = ""
    status: str = ""
    state: str = ""
    error: str = ""


class Outcome(NamedTuple):
    """What became of one flow. ``word``: done, refused (not possible, or gone), unanswered."""

    flow: str
    word: str
    detail: str = ""


def check(flow: str | None, query: Query) -> None:
    """A usage error unless there is either a flow or a query."""
    if flow is not None and any(query):
        raise typer.BadParameter("FLOW and a query are two ways to say which flows: give one of them")
    if flow is None and not any(query):
        raise typer.BadParameter("name a FLOW, or say which flows: --blueprint, --group, --status, --state, --error")
    if query.group and query.blueprint:
        raise typer.BadParameter("--group and --blueprint are two ways to say which flows: give one of them")


def run(gateway: Client, verb: str, query: Query, ask: Callable[[str], Any], *, yes: bool, as_json: bool) -> None:
    """Counts, asks for consent, does it, and sums up. Exit code 5 where none of them could, 1 where some did not answer."""
    flows = sorted(set(_found(gateway, verb, query)))
    if not agreed(verb, len(flows), yes=yes):
        return
    outcomes = list(_asked(flows, verb, ask))
    if as_json:
        output.print_json_lines([outcome._asdict() for outcome in outcomes])
    else:
        _sum_up(verb, outcomes)
    words = {outcome.word for outcome in outcomes}
    if "unanswered" in words:
        raise typer.Exit(exits.FAILED)
    if words == {"refused"}:
        raise typer.Exit(exits.NOT_POSSIBLE)


def agreed(verb: str, count: int, *, yes: bool, thing: str = "flow") -> bool:
    """Whether it shall be done: asked on a terminal; elsewhere --yes is needed, and without it this ends the command."""
    if not count:
        output.error_console().print(f"no such {thing}s", markup=False)
        return False
    what = f"{verb} {count} {thing}{'s' * (count != 1)}"
    if yes:
        return True
    if not sys.stdin.isatty():
        print(f"this would {what}: say --yes", file=sys.stderr)
        raise typer.Exit(exits.USAGE)
    return typer.confirm(f"{what}?", err=True)


def _found(gateway: Client, verb: str, query: Query) -> Iterator[str]:
    of = [(query.blueprint, query.version)]
    if query.group:
        versions = gateway.group(query.group)["versions"]
        of = [(blueprint, number) for blueprint in versions for number in versions[blueprint] if query.version in (0, number)]
    for status in (query.status.upper(),) if query.status else _STATUSES[verb]:
        for blueprint, version in of:
            given = {"status": status, "blueprint": blueprint, "version": version, "state": query.state, "error": query.error}
            yield from (str(flow["flow"]) for flow in pages(gateway.flows, "flows", **given))


def pages(ask: Callable[..., Mapping[str, Any]], member: str, **query: Any) -> Iterator[dict[str, Any]]:
    """All that a query finds, page after page: ``member`` of each answer."""
    cursor = ""
    while True:
        page = ask(**query, limit=PAGE, cursor=cursor)
        yield from page[member]
        cursor = page.get("next_cursor") or ""
        if not cursor:
            return


def _asked(flows: list[str], verb: str, ask: Callable[[str], Any]) -> Iterator[Outcome]:
    """In order of the flows. An error that would meet every flow (no gateway) ends it."""
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(AT_ONCE, "sfc-bulk")
    try:
        with output.progress(_DONE[verb], len(flows)) as bar:
            for outcome in pool.map(lambda flow: _one(flow, ask), flows):
                bar.advance(1)
                yield outcome
    finally:
        pool.shutdown(cancel_futures=True)


def _one(flow: str, ask: Callable[[str], Any]) -> Outcome:
    from sfc.errors import NoAnswer, NotPossible, UnknownName

    try:
        ask(flow)
    except (NotPossible, UnknownName) as e:
        return Outcome(flow, "refused", e.message)
    except NoAnswer as e:
        return Outcome(flow, "unanswered", e.message)
    return Outcome(flow, "done")


def _sum_up(verb: str, outcomes: list[Outcome]) -> None:
    counts = {word: [o for o in outcomes if o.word == word] for word in ("done", "refused", "unanswered")}
    output.say(f"{_DONE[verb]} {len(counts['done'])} of {len(outcomes)} flows")
    if refused := counts["refused"]:
        output.warn(f"not possible for {len(refused)}, for example {refused[0].flow}: {refused[0].detail}")
    if silent := counts["unanswered"]:
        output.warn(f"no answer in time for {len(silent)}, for example {silent[0].flow}: {silent[0].detail}")
