"""Blueprints without any server, for your own tests::

    from sfc.testing import run

    outcome = run("blueprint.yaml", {"order_id": "T1"}, mocks={"Split": [{"throw": {"error": "Busy"}}, {"return": {"parcels": 2}}]})
    assert outcome.status == "SUCCEEDED"

``run`` drives the engine's own ``decide`` and ``evolve`` with a clock that jumps: a flow that waits for a week ends at once, and the same
arguments always give the same outcome.
"""

from sfc.testing.definitions import Loaded, load
from sfc.testing.mocks import Mock, TaskFailed
from sfc.testing.outcome import Outcome
from sfc.testing.running import Endless, MissingMock, run
from sfc.testing.stages import Step, step

__all__ = ["Endless", "Loaded", "MissingMock", "Mock", "Outcome", "Step", "TaskFailed", "load", "run", "step"]
