"""What is counted; ``pool`` takes one value for each task and specific blueprint."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

LEADER = Gauge("sfc_scheduler_leader", "1 while this scheduler leads, else 0.")
WANTED = Gauge("sfc_scheduler_replicas_wanted", "Replicas that a pool should have.", ["pool"])
RUNNING = Gauge("sfc_scheduler_replicas_running", "Replicas of a pool that run.", ["pool"])
LAG = Gauge("sfc_scheduler_lag", "Jobs of a pool that wait or are at work.", ["pool"])
DEATHS = Counter("sfc_scheduler_replicas_died", "Replicas that ended without having been told to.", ["pool"])
