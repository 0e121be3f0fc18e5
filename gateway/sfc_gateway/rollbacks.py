"""A rollback: as a deploy, it is published and known here, and its triggers have their start offsets, before it is answered."""

from __future__ import annotations

from sfc.registry import RolledBack
from sfc.registry.rollback import target
from sfc_gateway import deploys
from sfc_gateway.services import Services


def roll_back(services: Services, name: str, to: int | None) -> RolledBack:
    """Raises UnknownName, NotPossible; InvalidDocument when a topic of the older version's triggers is gone; NoAnswer when it is not
    published in time."""
    registry = services.registry
    number = target(name, registry.blueprint(name).current, to)
    documents = [(f"{name}@{number}", registry.version(name, number).document)]
    missing = deploys.missing_topics(services, documents, services.log.topics())
    done = registry.roll_back(name, number)
    deploys.make_topics(services, missing)
    deploys.place_triggers(services, name)
    deploys.publish(services, done.revision)
    return done
