"""The pytest plugin: the fixture ``sfc_run``. Installed with the package; it imports little, since pytest loads it for every suite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sfc.testing.outcome import Outcome


@pytest.fixture
def sfc_run(request: pytest.FixtureRequest) -> Callable[..., Outcome]:
    """``sfc.testing.run``. A file's name that is not absolute is looked for beside the test's own file, then in the working directory.

    ::

        def test_an_order_is_sent(sfc_run):
            outcome = sfc_run("blueprint.yaml", {"paid": True}, mocks={"Send": [{"return": "ok"}]})
            assert outcome.status == "SUCCEEDED"
    """
    from sfc.testing.definitions import is_file_name
    from sfc.testing.running import run

    def run_beside(definition: Any, *args: Any, **named: Any) -> Outcome:
        if is_file_name(definition):
            beside = request.path.parent / definition
            definition = beside if beside.exists() else Path(definition)
        return run(definition, *args, **named)

    return run_beside
