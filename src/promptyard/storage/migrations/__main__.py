"""Writes the snapshot of a new SQLite store; run it when a migration was added."""

from __future__ import annotations

from sqlalchemy import create_engine

from promptyard.storage.migrations import run_migrations, snapshot, snapshot_path


def main() -> None:
    """Migrate an empty database in memory and write down what came of it."""
    with create_engine("sqlite://").begin() as connection:
        run_migrations(connection)
        snapshot_path().write_text(snapshot(connection), "utf-8")


if __name__ == "__main__":
    main()
