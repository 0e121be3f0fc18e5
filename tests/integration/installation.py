"""An engine and a reply bridge in this process, on a real Kafka, in a namespace of their own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfc.bootstrap import Shared, Site, bridge_role, engine_role, ensure_job_topics, open_index, open_site
from sfc.bootstrap import monitor_role as make_monitor
from sfc.engine.link import is_specific
from sfc.ports import Clock, FlowDocument, FlowIndex, TopicSpec
from sfc.registry import Registry
from sfc.registry.outbox import Outbox
from sfc.runtime.definitions import Definitions
from sfc.runtime.roles import Crew
from sfc.runtime.starts import Appender, start_command
from sfc.settings import Settings
from tests.acceptance.processes import wait_for


@dataclass
class Installation:
    """``deploy`` and ``start`` are what the gateway would do; ``index`` is the monitor's."""

    site: Site
    index: FlowIndex
    registry: Registry
    definitions: Definitions
    appender: Appender
    crew: Crew

    def deploy(self, *documents: dict[str, Any], topics: Sequence[str] = ()) -> None:
        """With the topics that the documents speak of. Returns when everybody in this process but the engine knows."""
        self.site.log.create([TopicSpec(topic, 2) for topic in topics])
        specific = [d["Sfc"]["Name"] for d in documents if is_specific(d)]
        ensure_job_topics(self.site, [d["Name"] for d in documents if "Name" in d and "Kafka" not in d], specific)
        self.registry.deploy([(f"document-{number}", document) for number, document in enumerate(documents)])
        outbox = Outbox(self.registry, self.site.log, self.site.names, self.site.shards)
        try:
            while outbox.step():
                pass
        finally:
            outbox.close()
        assert self.definitions.wait_for(self.registry.definitions_end(), 60)

    def start(self, blueprint: str, rest: str, input: Any) -> str:
        """The flow's id."""
        flow = f"{blueprint}:{rest}"
        self.appender.append(flow, start_command(self.definitions, blueprint, input))
        return flow

    def end_of(self, flow: str, timeout_s: float = 60.0) -> FlowDocument:
        """Waits for the flow's end."""

        def found() -> FlowDocument | None:
            return self.index.get(flow)

        wait_for(f"the end of {flow}", lambda: (one := found()) is not None and one.status != "RUNNING", timeout_s)
        ended = found()
        assert ended is not None
        return ended

    def output_of(self, flow: str) -> Any:
        """What the last state left with."""
        assert self.end_of(flow).status == "SUCCEEDED"
        return [event["output"] for event in self.index.history(flow) if event["name"].endswith("StateExited")][-1]


@contextmanager
def installation(
    kafka: str, folder: Path, database: str = "", registry_clock: Clock | None = None, *, engine: bool = True, **settings: Any
) -> Iterator[Installation]:
    """Engine, monitor and bridge as threads; all have ended when this ends. ``database``: default an SQLite file. ``engine``: without one,
    engines are the test's own processes."""
    known = {"namespace": f"it-{uuid.uuid4().hex[:8]}", "shards": 2, **settings}
    site = open_site(Settings(kafka=kafka, data=folder, **known))
    with ExitStack() as stack:
        stack.callback(site.log.close)
        registry = Registry(database or site.settings.database_url(), registry_clock or site.clock)
        stack.callback(registry.close)
        registry.settings(site.shards)
        definitions = site.definitions()
        stack.callback(definitions.close)
        definitions.load()
        appender = Appender(site.log, site.names, site.shards)
        stack.callback(appender.close)
        index = open_index(site)
        stack.callback(index.close)
        crew = Crew()
        stack.callback(crew.stop)
        crew.add("definitions", lambda: Shared(definitions))
        if engine:
            crew.add("engine", lambda: engine_role(site))
        crew.add("monitor", lambda: make_monitor(site, index))
        crew.add("bridge", lambda: bridge_role(site, definitions))
        wait_for("engine, monitor and bridge being ready", lambda: crew.ready)
        yield Installation(site, index, registry, definitions, appender, crew)
