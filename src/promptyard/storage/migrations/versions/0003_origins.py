"""Find the attempts of one role by an index; versions and runs may hold origins from here on.

Origins stand in the records, which are kept whole, so no table changes for them. The revision
alone matters there: an older Promptyard could not read such a version and says so when it opens
the store. A migration is history: later changes are new files, this one stays as it is.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Put the index by run and role in the place of the one by run, which it serves as well."""
    op.create_index("ix_attempts_run_id_role", "attempts", ["run_id", "role"])
    op.drop_index("ix_attempts_run_id", "attempts")
