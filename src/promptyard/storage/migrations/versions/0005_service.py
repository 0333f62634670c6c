"""Hold what the service needs: spans, hours of traffic, keys, audit log, jobs, leases, webhooks.

A migration is history: later changes are new files, this one stays as it is.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables, and the triggers that keep the audit log as it is."""
    _create_traffic_tables()
    _create_access_tables()
    _create_work_tables()
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_refuse_{change.lower()} BEFORE {change} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END"
            )
    else:
        op.execute(
            "CREATE TRIGGER audit_refuse_change BEFORE UPDATE OR DELETE ON audit "
            "FOR EACH ROW EXECUTE FUNCTION promptyard_refuse_change()"
        )


def _create_traffic_tables() -> None:
    op.create_table(
        "spans",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("trace_id", sa.Text, nullable=False),
        sa.Column("span_id", sa.Text, nullable=False),
        sa.Column("prompt", sa.Text),
        sa.Column("version", sa.BigInteger),
        sa.Column("is_error", sa.BigInteger, nullable=False),
        sa.Column("stored_at", sa.Text, nullable=False),
        sa.Column("span", sa.Text, nullable=False),
        sa.UniqueConstraint("trace_id", "span_id", name="uq_spans_trace_id_span_id"),
    )
    op.create_index("ix_spans_prompt", "spans", ["prompt", "id"])
    op.create_table(
        "traffic_hours",
        sa.Column("prompt", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("arm", sa.Text, primary_key=True),
        sa.Column("hour", sa.Text, primary_key=True),
        sa.Column("totals", sa.Text, nullable=False),
    )


def _create_access_tables() -> None:
    op.create_table(
        "api_keys",
        sa.Column("seq", _ROW_ID, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("api_key", sa.Text, nullable=False),
        sa.UniqueConstraint("id", name="uq_api_keys_id"),
    )
    op.create_table(
        "audit",
        sa.Column("seq", _ROW_ID, primary_key=True),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("entry", sa.Text, nullable=False),
    )
    op.create_index("ix_audit_actor", "audit", ["actor", "seq"])


def _create_work_tables() -> None:
    op.create_table(
        "jobs",
        sa.Column("seq", _ROW_ID, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("is_active", sa.BigInteger, nullable=False),
        sa.Column("change", sa.BigInteger, nullable=False),
        sa.Column("job", sa.Text, nullable=False),
        sa.UniqueConstraint("id", name="uq_jobs_id"),
    )
    op.create_index("ix_jobs_is_active", "jobs", ["is_active", "seq"])
    op.create_table(
        "leases",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("ends_at_s", sa.Float(53), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "webhooks",
        sa.Column("seq", _ROW_ID, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("webhook", sa.Text, nullable=False),
        sa.UniqueConstraint("id", name="uq_webhooks_id"),
    )
