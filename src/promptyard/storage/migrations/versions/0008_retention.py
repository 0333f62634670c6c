"""Let jobs that have ended and old entries of the audit log go; have feedback in order.

A migration is history: later changes are new files, this one stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_AT_ONCE = 100


def upgrade() -> None:
    """Say of jobs when they ended, and refuse to delete what no entry of the log says goes."""
    op.add_column("jobs", sa.Column("ended_at", sa.Text))
    _fill_ends()
    _index("ix_jobs_ended_at", "jobs", ["ended_at"])
    op.add_column("audit", sa.Column("prunes_before", sa.Text))
    op.create_index("ix_audit_at", "audit", ["at"])
    _index("ix_audit_prunes_before", "audit", ["prunes_before"])
    op.drop_index("ix_live_events_outcome_id", "live_events")
    _index("ix_live_events_outcome_id", "live_events", ["outcome_id", "id"])
    # An entry that says so comes after those it lets go: it cannot let itself go.
    said = "SELECT 1 FROM audit WHERE prunes_before > OLD.at AND seq > OLD.seq"
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_refuse_delete")
        op.execute(
            f"CREATE TRIGGER audit_refuse_delete BEFORE DELETE ON audit WHEN NOT EXISTS ({said}) "
            "BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END"
        )
        return
    op.execute("DROP TRIGGER audit_refuse_change ON audit")
    op.execute(
        "CREATE FUNCTION promptyard_refuse_audit_delete() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF NOT EXISTS ({said}) THEN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; "
        "END IF; RETURN OLD; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_refuse_update BEFORE UPDATE ON audit "
        "FOR EACH ROW EXECUTE FUNCTION promptyard_refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER audit_refuse_delete BEFORE DELETE ON audit "
        "FOR EACH ROW EXECUTE FUNCTION promptyard_refuse_audit_delete()"
    )


def _index(name: str, table: str, columns: Sequence[str]) -> None:
    """Make an index of the rows that have the first of its columns: most have not."""
    some = sa.text(f"{columns[0]} IS NOT NULL")
    op.create_index(name, table, list(columns), sqlite_where=some, postgresql_where=some)


def _fill_ends() -> None:
    connection = op.get_bind()
    jobs = sa.table(
        "jobs",
        sa.column("seq", sa.BigInteger),
        sa.column("is_active", sa.BigInteger),
        sa.column("job", sa.Text),
        sa.column("ended_at", sa.Text),
    )
    last = 0
    while True:
        query = sa.select(jobs.c.seq, jobs.c.job).where(jobs.c.is_active == 0, jobs.c.seq > last)
        rows = connection.execute(query.order_by(jobs.c.seq).limit(_AT_ONCE)).all()
        for seq, text in rows:
            ended_at = json.loads(text).get("ended_at")
            here = sa.update(jobs).where(jobs.c.seq == seq)
            connection.execute(here.values(ended_at=ended_at))
        if not rows:
            return
        last = rows[-1][0]
