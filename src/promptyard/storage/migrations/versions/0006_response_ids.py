"""Find spans by the id of a model's answer; have only spans of prompts in the indexes for them.

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
    """Add the column and make both indexes partial: most spans are of no prompt."""
    op.add_column("spans", sa.Column("response_id", sa.Text))
    op.drop_index("ix_spans_prompt", "spans")
    for name, columns in (
        ("ix_spans_prompt", ["prompt", "id"]),
        ("ix_spans_response_id", ["response_id"]),
    ):
        some = sa.text(f"{columns[0]} IS NOT NULL")
        op.create_index(name, "spans", columns, sqlite_where=some, postgresql_where=some)
