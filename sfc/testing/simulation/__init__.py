"""The real engine, triggers, bridge and timers on the memory log, in one thread, with virtual time and faults; all drawn from a seed::

    from sfc.testing.simulation import simulate

    report = simulate(17)  # raises Broken when an invariant does not hold

``python -m sfc.testing.simulation --seeds 1000 --first 1`` runs many. A seed replays exactly: nothing asks the system for time or chance.
"""

from sfc.testing.simulation.broken import Broken, Report
from sfc.testing.simulation.faults import FAULTS
from sfc.testing.simulation.plan import Size
from sfc.testing.simulation.run import simulate

__all__ = ["FAULTS", "Broken", "Report", "Size", "simulate"]
