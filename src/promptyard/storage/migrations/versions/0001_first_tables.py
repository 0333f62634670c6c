"""Make the first tables of the store.

A migration is history: later changes are new files, this one stays as it is.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_APPEND_ONLY = ("versions", "moves")


def upgrade() -> None:
    """Create all tables, and the triggers that keep versions and moves as they are."""
    _create_call_tables()
    _create_run_tables()
    _create_version_tables()
    if op.get_bind().dialect.name == "sqlite":
        _refuse_changes_on_sqlite()
    else:
        _refuse_changes_on_postgresql()


def _create_call_tables() -> None:
    op.create_table(
        "completions",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("base_url", sa.Text, nullable=False),
        sa.Column("replicate", sa.BigInteger, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("body", sa.Text),
        sa.Column("completion", sa.Text, nullable=False),
        sa.Column("finish_reason", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.UniqueConstraint("key", "run_id", name="uq_completions_key_run_id"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("tokens", sa.BigInteger),
        sa.Column("cost_usd", sa.Float(53)),
        sa.Column("finished_at", sa.Text),
    )
    op.create_index("ix_attempts_run_id", "attempts", ["run_id"])


def _create_run_tables() -> None:
    op.create_table(
        "runs",
        sa.Column("seq", _ROW_ID, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text, nullable=False),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("header", sa.Text, nullable=False),
        sa.Column("result", sa.Text),
        sa.UniqueConstraint("id", name="uq_runs_id"),
    )
    op.create_index("ix_runs_task", "runs", ["task"])
    op.create_table(
        "journal",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
    )
    op.create_table(
        "reports",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("purpose", sa.Text, primary_key=True),
        sa.Column("program_id", sa.Text, primary_key=True),
        sa.Column("split", sa.Text, primary_key=True),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("saved_at", sa.Text, nullable=False),
    )
    op.create_table(
        "looks",
        sa.Column("holdout_key", sa.Text, primary_key=True),
        sa.Column("pair_key", sa.Text, primary_key=True),
        sa.Column("looked_at", sa.Text, nullable=False),
    )
    op.create_table(
        "eval_sets",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("eval_set", sa.Text, nullable=False),
        sa.Column("saved_at", sa.Text, nullable=False),
    )


def _create_version_tables() -> None:
    op.create_table(
        "versions",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.UniqueConstraint("name", "digest", name="uq_versions_name_digest"),
    )
    op.create_table(
        "pointers",
        sa.Column("prompt", sa.Text, primary_key=True),
        sa.Column("pointer", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("moved_at", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["prompt", "number"], ["versions.name", "versions.number"], name="fk_pointers_version"
        ),
    )
    op.create_table(
        "moves",
        sa.Column("seq", _ROW_ID, primary_key=True),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("pointer", sa.Text, nullable=False),
        sa.Column("from_number", sa.BigInteger),
        sa.Column("to_number", sa.BigInteger, nullable=False),
        sa.Column("moved_at", sa.Text, nullable=False),
        sa.Column("move", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["prompt", "to_number"], ["versions.name", "versions.number"], name="fk_moves_version"
        ),
    )
    op.create_index("ix_moves_prompt_pointer", "moves", ["prompt", "pointer"])


def _refuse_changes_on_sqlite() -> None:
    for table in _APPEND_ONLY:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_refuse_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def _refuse_changes_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION promptyard_refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION promptyard_refuse_change()"
        )
