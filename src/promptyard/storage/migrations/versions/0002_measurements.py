"""Add measurements, certificates and the lineage of eval sets; keep trials apart from reports.

A migration is history: later changes are new files, this one stays as it is.
"""

from __future__ import annotations

import json
from collections import Counter

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables; list the versions of eval sets that are there, without a parent.

    Reports that are there stay as they are, with their trials inside.
    """
    op.add_column("reports", sa.Column("seq", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "report_trials",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("purpose", sa.Text, primary_key=True),
        sa.Column("program_id", sa.Text, primary_key=True),
        sa.Column("split", sa.Text, primary_key=True),
        sa.Column("chunk", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("trials", sa.Text, nullable=False),
    )
    op.create_table(
        "measurements",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("program_id", sa.Text, nullable=False),
        sa.Column("eval_set_version", sa.Text, nullable=False),
        sa.Column("split", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("measurement", sa.Text, nullable=False),
        sa.UniqueConstraint(
            "run_id", "purpose", "program_id", "split", name="uq_measurements_report"
        ),
    )
    op.create_index("ix_measurements_task", "measurements", ["task"])
    op.create_table(
        "certificates",
        sa.Column("seq", _ROW_ID, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("prompt_hash", sa.Text, nullable=False),
        sa.Column("certificate", sa.Text, nullable=False),
        sa.UniqueConstraint("id", name="uq_certificates_id"),
    )
    op.create_index("ix_certificates_prompt_hash", "certificates", ["prompt_hash"])
    versions = op.create_table(
        "eval_set_versions",
        sa.Column("seq", _ROW_ID, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("parent", sa.Text),
        sa.Column("change", sa.Text, nullable=False),
        sa.Column("n_cases", sa.BigInteger, nullable=False),
        sa.Column("n_by_split", sa.Text, nullable=False),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.UniqueConstraint("name", "version", name="uq_eval_set_versions_name_version"),
    )
    _list_present_versions(versions)


def _list_present_versions(versions: sa.Table) -> None:
    connection = op.get_bind()
    present = connection.execute(
        sa.text("SELECT name, version, saved_at FROM eval_sets ORDER BY saved_at, name")
    ).all()
    of_version = sa.text("SELECT eval_set FROM eval_sets WHERE name = :name AND version = :version")
    for name, version, saved_at in present:  # one at a time: each may have many thousand cases
        key = {"name": name, "version": version}
        text = connection.execute(of_version, key).scalar_one()
        cases = json.loads(text)["cases"]
        splits = Counter(case.get("split") for case in cases)
        n_by_split = {split: splits[split] for split in ("train", "dev", "holdout")}
        row = {
            **key,
            "parent": None,
            "change": "",
            "n_cases": len(cases),
            "n_by_split": json.dumps({split: n for split, n in n_by_split.items() if n}),
            "created_at": saved_at,
        }
        connection.execute(sa.insert(versions).values(row))
