"""Statements that the databases write differently, or that are run for many rows at once."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Insert, Table, insert

MAX_PARAMETERS = 500
"""How many values one statement is given."""


def run_for_each(connection: Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Run a statement once for each row, which fills its `?` in order; returns the rows changed.

    Statements of every model call are written in SQL: building them of columns and taking rows
    apart by name costs more than the database does.
    """
    if connection.dialect.paramstyle != "qmark":
        sql = sql.replace("?", "%s")
    return connection.exec_driver_sql(sql, list(rows)).rowcount


def insert_rows(
    connection: Connection, head: str, rows: Sequence[tuple[Any, ...]], tail: str = ""
) -> int:
    """Insert rows by `head`, `INSERT INTO t (a, b)`, with few statements; returns how many it did.

    The driver of SQLite gives up the interpreter's lock for every row of `executemany`, and waits
    for it again behind whatever the event loop does; of one statement it does so once.
    """
    if not rows:
        return 0
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    row_marks = f"({', '.join([mark] * len(rows[0]))})"
    n_at_once = max(1, MAX_PARAMETERS // len(rows[0]))
    n_done = 0
    for start in range(0, len(rows), n_at_once):
        some = rows[start : start + n_at_once]
        sql = f"{head} VALUES {', '.join([row_marks] * len(some))} {tail}"
        n_done += connection.exec_driver_sql(sql, tuple(chain.from_iterable(some))).rowcount
    return n_done


def rows_among(
    connection: Connection, sql: str, values: Sequence[Any]
) -> Generator[tuple[Any, ...]]:
    """Run a SELECT whose `(??)` stands for a list of values, portion by portion; yield all rows.

    Written in SQL for the same reason: an expression of columns costs more than the look-up.
    """
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    for start in range(0, len(values), MAX_PARAMETERS):
        some = tuple(values[start : start + MAX_PARAMETERS])
        written = sql.replace("(??)", f"({', '.join([mark] * len(some))})")
        yield from map(tuple, connection.exec_driver_sql(written, some).all())


def insert_numbered(
    connection: Connection, table: Table, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> list[int]:
    """Insert rows of the columns `names` and return the ids that they got, in their order."""
    if connection.dialect.name == "sqlite":
        # RETURNING has no order there, so SQLAlchemy would insert row by row: three times slower.
        # The write lock of the transaction makes counting safe.
        last = connection.exec_driver_sql(f"SELECT max(id) FROM {table.name}").scalar()  # noqa: S608
        first = (last or 0) + 1
        ids = list(range(first, first + len(rows)))
        head = f"INSERT INTO {table.name} (id, {', '.join(names)})"
        insert_rows(connection, head, [(n, *row) for n, row in zip(ids, rows, strict=True)])
        return ids
    returning = insert(table).returning(table.c.id, sort_by_parameter_order=True)
    values = [dict(zip(names, row, strict=True)) for row in rows]
    return list(connection.execute(returning, values).scalars())


def insert_once(connection: Connection, table: Table) -> Insert:
    """Return an INSERT that leaves a row alone that is there already."""
    # Each is imported where it is used: all of PostgreSQL's drivers come with its dialect.
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as sqlite_insert

        return sqlite_insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects.postgresql import insert as postgresql_insert

    return postgresql_insert(table).on_conflict_do_nothing()


def insert_or_replace(
    connection: Connection, table: Table, key: tuple[str, ...], values: dict[str, Any]
) -> Insert:
    """Return an INSERT of `values` that takes the place of the row with the same `key`."""
    others = {name: value for name, value in values.items() if name not in key}
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as sqlite_insert

        replacing = sqlite_insert(table).values(values)
        return replacing.on_conflict_do_update(index_elements=key, set_=others)
    from sqlalchemy.dialects.postgresql import insert as postgresql_insert

    replacing_there = postgresql_insert(table).values(values)
    return replacing_there.on_conflict_do_update(index_elements=key, set_=others)
