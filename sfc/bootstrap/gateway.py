"""The gateway with what it needs: registry, outbox, answers, HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sfc.bootstrap.roles import OutboxRole, Shared, open_index
from sfc.bootstrap.site import Site
from sfc.errors import BadInput
from sfc.log import get_logger
from sfc.runtime.roles import Crew
from sfc.settings import is_loopback

if TYPE_CHECKING:
    from sfc_gateway.server import Server

_log = get_logger()


def start_gateway(site: Site, crew: Crew, *, dev: bool, index: Any = None) -> tuple[Server, list[Callable[[], None]]]:
    """Registry, outbox, answers and HTTP. What must be closed afterwards, in order of its making."""
    from sfc_gateway.app import create_app
    from sfc_gateway.server import serve
    from sfc_gateway.services import Services

    from sfc.registry import Keys, Registry, Schedules
    from sfc.registry.control import RegistryControl
    from sfc.registry.outbox import Outbox
    from sfc.runtime.answers import Answers
    from sfc.runtime.dead_letters import DeadLetterOffice
    from sfc.runtime.schedules import ScheduleRole
    from sfc.runtime.starts import Appender

    host = site.settings.host
    local = is_loopback(host)
    if dev and not local:
        raise BadInput(f"`sfc dev` listens on loopback only, and SFC_HOST is {host}", hint="`sfc gateway` listens elsewhere, with API keys")
    registry = Registry(site.settings.database_url(), site.clock)
    if not local and not Keys(registry).in_use():
        registry.close()
        raise BadInput(
            f"SFC_HOST is {host}, and there are no API keys: whoever reaches that address could do anything",
            hint="make one, and start again: sfc keys create NAME --role admin --local (with the same SFC_DATABASE or SFC_DATA)",
        )
    definitions = site.definitions()
    definitions.load()
    log_of_registry = f"cluster {site.log.cluster_id()}, namespace {site.names.namespace}"
    if registry.belong_to(log_of_registry, empty=definitions.settings is None):
        _log.warning("the log is new: everything that the registry has is published to it", action="republished")
    registry.raise_revision(definitions.revision_max)
    registry.settings(site.shards)
    kicked = threading.Event()
    kicked.set()
    crew.add("outbox", lambda: OutboxRole(Outbox(registry, site.log, site.names, site.shards), kicked))
    crew.add("control", lambda: RegistryControl(site.log, site.names, registry, kicked.set))
    crew.add("definitions", lambda: Shared(definitions))
    schedules = Schedules(registry)
    crew.add("schedules", lambda: ScheduleRole(schedules, site.log, site.names, site.shards, definitions, site.clock))
    answers = Answers(site.log, site.names, site.instance)
    crew.add("answers", lambda: Shared(answers))
    index = index if index is not None else open_index(site)
    appender = Appender(site.log, site.names, site.shards)
    office = DeadLetterOffice(site.log, site.names, site.instance)
    services = Services(
        log=site.log,
        names=site.names,
        shards=site.shards,
        clock=site.clock,
        instance=site.instance,
        definitions=definitions,
        registry=registry,
        kick=kicked.set,
        index=index,
        appender=appender,
        office=office,
        answers=answers,
        dev=dev,
        embedded=not site.settings.kafka,
        create_topics=site.settings.create_topics,
        bootstrap=site.settings.kafka,
        local=local,
        live=lambda: crew.alive,
        ready=lambda: crew.ready,
    )
    server = serve(create_app(services), site.settings.host, site.settings.port)
    return server, [definitions.close, registry.close, index.close, appender.close, office.close, answers.close]
