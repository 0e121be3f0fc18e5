"""The role that each operation needs, by operation id: the name of the function that answers it. One that is missing here needs admin."""

from __future__ import annotations

ANYBODY = ""
"""Answered without a key."""

HEALTH = frozenset(("livez", "readyz"))
"""Answered whoever asks and however: by orchestrators that know the address alone."""

VIEWER, OPERATOR, EDITOR, ADMIN = "viewer", "operator", "editor", "admin"

ROLES = {
    "start_flow": OPERATOR,
    "find_flows": VIEWER,
    "get_flow": VIEWER,
    "get_history": VIEWER,
    "get_runs": VIEWER,
    "explain_flow": VIEWER,
    "pause_flow": OPERATOR,
    "resume_flow": OPERATOR,
    "stop_flow": OPERATOR,
    "redrive_flow": OPERATOR,
    "signal_flow": OPERATOR,
    "deploy": EDITOR,
    "list_blueprints": VIEWER,
    "get_blueprint": VIEWER,
    "put_blueprint": EDITOR,
    "list_versions": VIEWER,
    "roll_back": EDITOR,
    "get_diff": VIEWER,
    "post_diff": VIEWER,  # saves nothing
    "pause_blueprint": OPERATOR,
    "resume_blueprint": OPERATOR,
    "pause_version": OPERATOR,
    "resume_version": OPERATOR,
    "enable_blueprint": EDITOR,
    "disable_blueprint": EDITOR,
    "retire_blueprint": EDITOR,
    "list_tasks": VIEWER,
    "get_task": VIEWER,
    "put_task": EDITOR,
    "pause_task": OPERATOR,
    "resume_task": OPERATOR,
    "list_holds": VIEWER,
    "list_groups": VIEWER,
    "get_group": VIEWER,
    "pause_group": OPERATOR,
    "resume_group": OPERATOR,
    "stop_group": OPERATOR,
    "list_drafts": VIEWER,
    "get_draft": VIEWER,
    "put_draft": EDITOR,
    "delete_draft": EDITOR,
    "validate_draft": VIEWER,  # saves nothing
    "deploy_draft": EDITOR,
    "list_schedules": VIEWER,
    "get_schedule": VIEWER,
    "list_workers": VIEWER,
    "scale_workers": OPERATOR,
    "drain_workers": OPERATOR,
    "undrain_workers": OPERATOR,
    "list_dead_letters": VIEWER,
    "get_dead_letter": VIEWER,
    "replay_dead_letter": OPERATOR,
    "discard_dead_letter": OPERATOR,
    "get_statistics": VIEWER,
    "get_throughput": VIEWER,
    "get_cluster": VIEWER,
    "list_keys": ADMIN,
    "create_key": ADMIN,
    "revoke_key": ADMIN,
    "list_topics": VIEWER,
    "publish_records": OPERATOR,
    "tail_topic": VIEWER,
    "no_topics": VIEWER,  # in place of the three before it, where the log is Kafka
    "livez": ANYBODY,
    "readyz": ANYBODY,
    "metrics": VIEWER,  # and anybody, where the gateway listens on loopback alone
    "docs": ANYBODY,
    "root": ANYBODY,
}
