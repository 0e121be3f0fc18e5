"""The only place that wires adapters to rooms: what each role of SFC consists of, on the embedded log or on Kafka."""

from sfc.bootstrap.processes import (
    Running,
    run_dev,
    run_engine,
    run_gateway,
    run_monitor,
    run_scheduler,
    run_trigger,
    run_worker,
    start_all,
)
from sfc.bootstrap.roles import Shared, bridge_role, engine_role, ensure_job_topics, monitor_role, open_index, publisher, trigger_role
from sfc.bootstrap.site import Site, blueprints_folder, open_log, open_site

__all__ = [
    "Running", "Shared", "Site", "blueprints_folder", "bridge_role", "engine_role", "ensure_job_topics", "monitor_role", "open_index",
    "open_log", "open_site", "publisher", "run_dev", "run_engine", "run_gateway", "run_monitor", "run_scheduler", "run_trigger",
    "run_worker", "start_all", "trigger_role",
]  # fmt: skip
