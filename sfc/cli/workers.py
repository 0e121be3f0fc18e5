"""``sfc workers``: pools of workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from sfc.cli import context, output
from sfc.cli.context import Json
from sfc.cli.output import Column

app = typer.Typer(help="List, scale and drain the workers of tasks and specific blueprints.", no_args_is_help=True)

Pool = Annotated[str, typer.Argument(metavar="POOL", help="task:NAME or blueprint:NAME, as `list` shows it.")]


def wish(pool: Mapping[str, Any]) -> str:
    """How many are wanted, in a few words."""
    scale, override = pool.get("scale"), pool.get("override") or {}
    if override.get("drained"):
        return "none: drained"
    if not scale:
        return ""
    low, high = override.get("min"), override.get("max")
    text = f"{scale['min'] if low is None else low} to {scale['max'] if high is None else high}"
    return text if low is None and high is None else f"{text} (document: {scale['min']} to {scale['max']})"


def at_work(pool: Mapping[str, Any]) -> str:
    """A line for each worker: its instance and its partitions, by number alone where the pool has one topic."""
    lines = []
    for member in pool["members"]:
        named = member["partitions"]
        numbers = [p.rpartition("-")[2] for p in named] if len(pool["topics"]) == 1 else named
        lines.append(f"{member['instance']}: {', '.join(numbers) or 'none'}")
    return "\n".join(lines)


@app.command("list")
def list_workers(as_json: Json = False) -> None:
    """List the pools: how many workers are wanted, how many jobs wait, and who is at work on which partitions."""
    with context.client() as gateway:
        found = gateway.workers()
    columns = [
        Column("pool", lambda p: str(p["pool"]), whole=True),
        Column("wanted", wish),
        Column("lag", lambda p: "?" if p["lag"] is None else str(p["lag"]), "right"),
        Column("workers", lambda p: str(len(p["members"])), "right"),
        Column("partitions of each", at_work),
    ]
    output.print_rows(found["pools"], columns, as_json=as_json, none="no pools yet: deploy a task that SFC's workers do")
    if not as_json and any(pool["scale"] for pool in found["pools"]):
        leader = found["scheduler"]["leader"]
        output.say(f"scheduler: {leader}" if leader else "no scheduler runs: `sfc scheduler` starts and stops workers as Scale says")


@app.command()
def scale(
    pool: Pool,
    low: Annotated[int | None, typer.Option("--min", min=0, max=1000, help="At least so many; default: as in the document.")] = None,
    high: Annotated[int | None, typer.Option("--max", min=1, max=1000, help="At most so many; default: as in the document.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Take both back: the document counts again.")] = False,
    as_json: Json = False,
) -> None:
    """Set how many workers a pool has, over what its document says."""
    given = low is not None or high is not None
    if given == reset:
        raise typer.BadParameter("give --min, --max or both, or --reset alone")
    with context.client() as gateway:
        edited = gateway.scale_workers(pool, low, high)
    _say(edited, as_json, f"{pool} is as its document says" if reset else f"{pool} has {_words(low, high)}")


@app.command()
def drain(
    pool: Pool,
    undo: Annotated[bool, typer.Option("--undo", help="Let it have workers again.")] = False,
    as_json: Json = False,
) -> None:
    """Stop all workers of a pool when they have finished what they do: its jobs wait."""
    with context.client() as gateway:
        edited = gateway.undrain_workers(pool) if undo else gateway.drain_workers(pool)
    _say(edited, as_json, f"{pool} may have workers" if undo else f"{pool} is drained: its jobs wait")


def _words(low: int | None, high: int | None) -> str:
    if low is not None and high is not None:
        return f"{low} to {high} workers"
    return f"{low} workers or more" if high is None else f"{high} workers at most"


def _say(edited: Mapping[str, Any], as_json: bool, done: str) -> None:
    if as_json:
        output.print_json(edited)
    else:
        output.say(done if edited["changed"] else f"{done}: it was so already")
