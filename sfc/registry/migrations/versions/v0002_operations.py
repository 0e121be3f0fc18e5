"""Holds on versions, tasks and groups; drafts; schedules; API keys; pools of workers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("registry_state", sa.Column("log", sa.String(400), nullable=False, server_default=""))
    op.add_column("blueprint", sa.Column("hold_freeze", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("blueprint", sa.Column("hold_since_ms", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "hold",
        sa.Column("subject", sa.String(90), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("held", sa.Boolean, nullable=False),
        sa.Column("freeze", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("since_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "draft",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "schedule",
        sa.Column("uid", sa.String(32), primary_key=True),
        sa.Column("blueprint", sa.String(63), sa.ForeignKey("blueprint.name"), nullable=False),
        sa.Column("id", sa.String(63), nullable=False),
        sa.Column("cron", sa.String(255), nullable=False),
        sa.Column("time_zone", sa.String(63), nullable=False),
        sa.Column("catch_up", sa.String(16), nullable=False),
        sa.Column("input", sa.Text, nullable=False),
        sa.Column("next_ms", sa.BigInteger, nullable=False),
        sa.Column("last_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_schedule_blueprint", "schedule", ["blueprint"])
    op.create_index("ix_schedule_next_ms", "schedule", ["next_ms"])
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(63), nullable=False, unique=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("revoked_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "pool",
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("min", sa.Integer, nullable=True),
        sa.Column("max", sa.Integer, nullable=True),
        sa.Column("drained", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    for table in ("pool", "api_key", "schedule", "draft", "hold"):
        op.drop_table(table)
    op.drop_column("blueprint", "hold_since_ms")
    op.drop_column("blueprint", "hold_freeze")
    op.drop_column("registry_state", "log")
