"""The scheduler with the replicas that it runs: processes of this machine."""

from __future__ import annotations

import os
import sys

from sfc.bootstrap.site import Site
from sfc.runtime.definitions import Definitions
from sfc.runtime.roles import Role
from sfc.settings import PREFIX, env_name


def scheduler_role(site: Site, definitions: Definitions) -> Role:
    """Somebody else steps ``definitions``."""
    from sfc_scheduler.local import LocalReplicas
    from sfc_scheduler.scheduler import Pace, Scheduler

    s = site.settings
    environment = {
        **os.environ,
        # What the command line said goes before the environment; each worker's health page takes a port of its own.
        **{env_name(name): value for name, value in (("kafka", s.kafka), ("namespace", s.namespace))},
        f"{PREFIX}PORT": "0",
    }
    command = [sys.executable, "-m", "sfc"]
    replicas = LocalReplicas(command, environment, site.instance, stop_s=s.scheduler_stop_s, restart_s=s.scheduler_restart_s)
    pace = Pace(s.scheduler_look_s, s.scheduler_down_after_s, s.scheduler_stop_s)
    return Scheduler(site.log, site.names, definitions, replicas, pace)
