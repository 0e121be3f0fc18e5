"""Every kind of fault, by its stable name, and how often it is planned."""

from __future__ import annotations

from sfc.testing.simulation.crashes import CRASHES
from sfc.testing.simulation.kinds import Set
from sfc.testing.simulation.people import PEOPLE
from sfc.testing.simulation.places import PLACES
from sfc.testing.simulation.weights import WEIGHTS

KINDS: dict[str, Set] = {**CRASHES, **PEOPLE, **PLACES}
FAULTS: tuple[str, ...] = tuple(KINDS)
WEIGHED: tuple[tuple[str, int], ...] = tuple((kind, WEIGHTS[kind]) for kind in KINDS)
