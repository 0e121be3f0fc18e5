"""What is counted. Names are Prometheus's; labels take few values (never a flow's id).

``blueprint`` is the one label that users choose: an installation has tens of them.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

COMMANDS = Counter("sfc_commands_taken", "Commands that the engine took.")
FLOWS_STARTED = Counter("sfc_flows_started", "Flows started.", ["blueprint"])
FLOWS_ENDED = Counter("sfc_flows_ended", "Flows ended, by status.", ["blueprint", "status"])
JOBS_DISPATCHED = Counter("sfc_jobs_dispatched", "Jobs handed to their topics.")
REPLIES_DROPPED = Counter("sfc_replies_dropped", "Replies that came for a job that is closed.")
DEAD_LETTERS = Counter("sfc_dead_letters", "Records that could not be understood, by reason.", ["reason"])
INTERVAL_SECONDS = Histogram(
    "sfc_interval_seconds",
    "Time that a shard's commit took, with the acknowledgement of its effects.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 15),
)
INTERVAL_COMMANDS = Histogram(
    "sfc_interval_commands", "Commands committed in one interval.", buckets=(1, 5, 10, 50, 100, 500, 1000, 2000, 5000)
)
SHARDS_OWNED = Gauge("sfc_shards_owned", "Shards that this process owns.")
RESTORES = Counter("sfc_restores", "Shards restored from the log after this process took them.")
RESTORED_RECORDS = Counter("sfc_restored_records", "Records of sfc.state read to restore shards.")
RESTORE_SECONDS = Histogram(
    "sfc_restore_seconds", "Time to restore one shard from the log.", buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
)
CLOCK_SKEW = Gauge("sfc_clock_skew_seconds", "How far this engine's clock was ahead of the log's at its last tick.")
FENCED = Counter("sfc_shards_fenced", "Times that another owner took a shard of this process.")
LANE_RESTARTS = Counter("sfc_lane_restarts", "Times that a lane began again from the log because a producer was spent.")
SHARD_RESTARTS = Counter("sfc_shard_restarts", "Times that a shard was restored because the outcome of its transaction was unclear.")
STANDBY_BEHIND = Gauge("sfc_standby_behind", "Records of sfc.state of others' shards that this engine has not read yet.")
SHARD_HELD = Gauge(
    "sfc_shard_held_seconds",
    "How long an open transaction of others has kept the shard's commands from being read.",
    ["shard"],
)
TOPICS_WRONG = Gauge("sfc_topics_wrong", "1 while SFC's topics are not as they must be; the log says how.")
TRIGGER_RECORDS = Counter("sfc_trigger_records", "Records that topic triggers took, by what became of them.", ["blueprint", "outcome"])
BRIDGE_RECORDS = Counter("sfc_bridge_records", "Records of reply topics, by what became of them.", ["task", "outcome"])
