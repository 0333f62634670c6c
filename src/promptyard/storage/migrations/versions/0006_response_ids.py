"""Find the span of a model's answer by the id that the model's server gave it.

A migration is history: later changes are new files, this one stays as it is.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and an index of those spans that have one."""
    op.add_column("spans", sa.Column("response_id", sa.Text))
    some = sa.text("response_id IS NOT NULL")
    op.create_index(
        "ix_spans_response_id",
        "spans",
        ["response_id"],
        sqlite_where=some,
        postgresql_where=some,
    )
