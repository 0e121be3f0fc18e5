"""Every kind of fault, by its stable name."""

from __future__ import annotations

from sfc.testing.simulation.crashes import CRASHES
from sfc.testing.simulation.kinds import Kind
from sfc.testing.simulation.people import PEOPLE
from sfc.testing.simulation.places import PLACES

KINDS: dict[str, Kind] = {**CRASHES, **PEOPLE, **PLACES}
FAULTS: tuple[str, ...] = tuple(KINDS)
