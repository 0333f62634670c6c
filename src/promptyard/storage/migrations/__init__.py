"""Brings a database to the tables of this version.

The revision is looked up by plain SQL, so that a store that is up to date opens without Alembic.
So does a new SQLite store: `sqlite_<revision>.sql` holds what the migrations make of an empty
database. `python -m promptyard.storage.migrations` writes it; a test holds the two together.
"""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Connection, column, insert, inspect, select, table

from promptyard.errors import StorageError
from promptyard.storage.tables import metadata

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
"""All revisions, oldest first; each is a file of `versions/`."""

HEAD = REVISIONS[-1]
_VERSION_TABLE = "alembic_version"
_NEXT = ";\n\n"
_version_table = table(_VERSION_TABLE, column("version_num"))
_alembic = threading.Lock()  # Alembic keeps its context in module globals


def is_current(connection: Connection, shown: str) -> bool:
    """Return whether the tables are those of this version.

    Raises StorageError when a newer version wrote the database, or when it is not ours.
    """
    present = set(inspect(connection).get_table_names())
    revision = _revision(connection) if _VERSION_TABLE in present else None
    ours = present & metadata.tables.keys()
    if revision is None and ours:
        raise StorageError(
            f"The database {shown} holds tables of another application "
            f"({', '.join(sorted(ours))}); give the store a database of its own."
        )
    if revision is not None and revision not in REVISIONS:
        if "completions" not in ours:
            raise StorageError(
                f"The database {shown} is managed by the migrations of another application; "
                "give the store a database of its own."
            )
        raise StorageError(
            f"The store {shown} was written by a newer Promptyard (revision {revision}, this one "
            f"knows {HEAD}); upgrade: pip install --upgrade promptyard"
        )
    return revision == HEAD


def migrate(connection: Connection) -> None:
    """Make or complete the tables in the transaction that `connection` is in.

    The caller holds the database's write lock and commits.
    """
    snapshot = snapshot_path()
    is_new = not inspect(connection).has_table(_VERSION_TABLE)
    if is_new and connection.dialect.name == "sqlite" and snapshot.is_file():
        for statement in snapshot.read_text("utf-8").split(_NEXT):
            connection.exec_driver_sql(statement)
        connection.execute(insert(_version_table).values(version_num=HEAD))
        return
    run_migrations(connection)


def snapshot_path() -> Path:
    """Where the statements are that make a new SQLite store of this version."""
    return Path(__file__).parent / f"sqlite_{HEAD}.sql"


def snapshot(connection: Connection) -> str:
    """Write the statements that make the tables of an SQLite database, in their order."""
    made = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
    statements = connection.exec_driver_sql(made).scalars()
    return _NEXT.join(statement.strip() for statement in statements) + "\n"


def run_migrations(connection: Connection) -> None:
    """Run the missing migrations of Alembic."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    folder = str(Path(__file__).parent)
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    with _alembic:
        command.upgrade(config, HEAD)


def _revision(connection: Connection) -> str | None:
    return connection.execute(select(_version_table.c.version_num)).scalar()
