"""Hold releases: protected pointers, rollouts and decisions, live events, alerts, publications.

A migration is history: later changes are new files, this one stays as it is.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_APPEND_ONLY = ("protections", "rollouts", "decisions")


def upgrade() -> None:
    """Create the tables, and the triggers that keep the logs as they are."""
    _create_pointer_tables()
    _create_rollout_tables()
    _create_live_tables()
    for table in _APPEND_ONLY:
        if op.get_bind().dialect.name == "sqlite":
            for change in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_refuse_{change.lower()} BEFORE {change} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        else:
            op.execute(
                f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION promptyard_refuse_change()"
            )


def _create_pointer_tables() -> None:
    op.create_table(
        "protections",
        sa.Column("seq", _ROW_ID, primary_key=True),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("pointer", sa.Text, nullable=False),
        sa.Column("protection", sa.Text, nullable=False),
    )
    op.create_index("ix_protections_prompt", "protections", ["prompt"])
    op.create_table(
        "move_requests",
        sa.Column("seq", _ROW_ID, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.UniqueConstraint("id", name="uq_move_requests_id"),
    )
    op.create_index("ix_move_requests_prompt", "move_requests", ["prompt"])
    op.create_table(
        "publications",
        sa.Column("seq", _ROW_ID, primary_key=True),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("is_active", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
    )


def _create_rollout_tables() -> None:
    op.create_table(
        "rollouts",
        sa.Column("seq", _ROW_ID, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("rollout", sa.Text, nullable=False),
        sa.UniqueConstraint("id", name="uq_rollouts_id"),
    )
    op.create_index("ix_rollouts_prompt", "rollouts", ["prompt"])
    op.create_table(
        "decisions",
        sa.Column("rollout_id", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name="fk_decisions_rollout"),
    )


def _create_live_tables() -> None:
    op.create_table(
        "live_events",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("rollout_id", sa.Text),
        sa.Column("outcome_id", sa.Text),
        sa.Column("stored_at", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.UniqueConstraint("event_id", name="uq_live_events_event_id"),
    )
    op.create_index("ix_live_events_prompt", "live_events", ["prompt", "id"])
    op.create_index("ix_live_events_rollout_id", "live_events", ["rollout_id", "id"])
    op.create_index("ix_live_events_outcome_id", "live_events", ["outcome_id"])
    op.create_table(
        "alerts",
        sa.Column("seq", _ROW_ID, primary_key=True),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("alert", sa.Text, nullable=False),
    )
    op.create_index("ix_alerts_prompt", "alerts", ["prompt"])
