"""The registry's first tables: blueprints, tasks, their versions, the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    state = op.create_table(
        "registry_state",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("shards", sa.Integer, nullable=False),
        sa.Column("definitions_end", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(state, [{"id": 1, "revision": 0, "shards": 0, "definitions_end": 0}])
    op.create_table(
        "blueprint",
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("current", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("group", sa.String(63), nullable=False),
        sa.Column("triggers", sa.Text, nullable=False),
        sa.Column("hold_revision", sa.BigInteger, nullable=False),
        sa.Column("hold_reason", sa.Text, nullable=False),
        sa.Column("hold_by", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "blueprint_version",
        sa.Column("name", sa.String(63), sa.ForeignKey("blueprint.name"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("source_hash", sa.String(64), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "task",
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("current", sa.Integer, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "task_version",
        sa.Column("name", sa.String(63), sa.ForeignKey("task.name"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_revision", "outbox", ["revision"])


def downgrade() -> None:
    for table in ("outbox", "task_version", "task", "blueprint_version", "blueprint", "registry_state"):
        op.drop_table(table)
