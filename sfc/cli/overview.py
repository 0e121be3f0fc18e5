"""``sfc stats``, ``sfc settings`` and ``sfc version``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from sfc.cli import context
from sfc.cli.context import Json
from sfc.words import fine_duration

FLOW_STATUSES = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


def stats(
    over: Annotated[str, typer.Option("--over", metavar="TIME", help="Show throughput over the last TIME instead: 10m, 1h, 7d.")] = "",
    step: Annotated[str, typer.Option("--step", metavar="TIME", help="With --over: length of a slice. Default: a twelfth.")] = "",
    blueprint: Annotated[str, typer.Option("--blueprint", metavar="NAME", help="Of this blueprint alone.")] = "",
    as_json: Json = False,
) -> None:
    """Show flows by status and version, times per state, dead letters and dropped replies; or throughput over time."""
    from sfc.cli import output
    from sfc.cli.output import Column

    if step and not over:
        raise typer.BadParameter("--step needs --over, the time that it divides")
    if over:
        throughput(over, step, blueprint, as_json)
        return
    with context.client() as gateway:
        found = gateway.stats(blueprint)
    if as_json:
        output.print_json(found)
        return
    blueprints = found.get("blueprints") or []
    flows = [{"name": f"{b['blueprint']}@{b['version']}", "paused": b.get("paused", 0), **b["flows"]} for b in blueprints]
    states = [{"name": f"{b['blueprint']}@{b['version']}", **state} for b in blueprints for state in b.get("states") or ()]
    columns = [Column("blueprint", lambda r: str(r["name"]), whole=True)]
    columns += [Column(s.lower().replace("_", " "), lambda r, s=s: str(r.get(s, 0)), "right") for s in FLOW_STATUSES]  # type: ignore[misc]
    columns.append(Column("paused", lambda r: str(r["paused"]), "right"))
    output.print_rows(flows, columns, as_json=False, none="no flows yet")
    if states:
        columns = [Column("blueprint", lambda r: str(r["name"]), whole=True), Column("state", lambda r: str(r["state"]))]
        columns += [
            Column(title, lambda r, title=title: str(r.get(title, 0)), "right")  # type: ignore[misc]
            for title in ("entered", "completed", "failed", "retries")
        ]
        columns += [
            Column(title, lambda r, title=title: fine_duration(r.get(f"{title}_ms", 0)), "right")  # type: ignore[misc]
            for title in ("mean", "p50", "p95")
        ]
        output.print_rows(states, columns, as_json=False, none="")
    letters = found.get("dead_letters") or {}
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(letters.items()))
    lines = [("dead letters", f"{sum(letters.values())}{f' ({reasons})' if reasons else ''}")]
    if "replies_dropped" in found:
        lines.append(("replies dropped", str(found["replies_dropped"])))
    output.card("", lines)


def version(as_json: Json = False) -> None:
    """Show SFC's version."""
    from sfc.cli import output

    output.print_json({"version": release()}) if as_json else output.say(f"sfc {release()}")


def release() -> str:
    """SFC's version."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    try:
        return version_of("service-flow-conductor")
    except PackageNotFoundError:  # a checkout that was never installed
        return "unknown"


_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def throughput(over: str, step: str, blueprint: str, as_json: bool) -> None:
    import re
    import time

    from sfc.cli import output
    from sfc.cli.output import Column

    found = re.fullmatch(r"(\d{1,9})(ms|s|m|h|d)", over)
    if found is None or not int(found[1]):
        raise typer.BadParameter(f"--over is a time such as 10m, 1h or 7d; it is {over!r}")
    over_ms = int(found[1]) * _UNIT_MS[found[2]]
    now_ms = int(time.time() * 1000)
    with context.client() as gateway:
        answer = gateway.throughput(blueprint, begin=now_ms - over_ms, end=now_ms, step=step or f"{max(over_ms // 12, 1)}ms")
    if as_json:
        output.print_json(answer)
        return
    shown = [s for s in FLOW_STATUSES if s != "RUNNING" and any(slice_["ended"].get(s) for slice_ in answer["slices"])] or ["SUCCEEDED"]
    columns = [
        Column("from", lambda r: output.local_time(r["from_ms"]), whole=True),
        Column("started", lambda r: str(r["started"]), "right"),
        *[Column(s.lower().replace("_", " "), lambda r, s=s: str(r["ended"].get(s, 0)), "right") for s in shown],  # type: ignore[misc]
    ]
    output.print_rows(answer["slices"], columns, as_json=False, none="")


def settings(as_json: Json = False) -> None:
    """Show every setting with its environment name; secrets are hidden."""
    from sfc.cli import output
    from sfc.cli.output import Column
    from sfc.settings import KAFKA_PREFIX, Settings, env_name

    shown = context.settings().masked()
    if as_json:
        output.print_json(shown)
        return
    properties = shown.pop("kafka_properties")
    rows = [
        {
            "name": env_name(name),
            "value": value if isinstance(value, str) else json.dumps(value),
            "about": Settings.model_fields[name].description,
        }
        for name, value in shown.items()
    ]
    rows += [
        {"name": KAFKA_PREFIX + name.upper().replace(".", "_"), "value": value, "about": f"librdkafka's {name}."}
        for name, value in properties.items()
    ]
    columns = [
        Column("name", lambda r: str(r["name"]), whole=True),
        Column("value", lambda r: str(r["value"])),
        Column("", lambda r: str(r["about"]), style="dim"),
    ]
    output.print_rows(rows, columns, as_json=False, none="")
