"""One database: how it is opened, how a transaction on it begins, and what its errors mean.

SQLite and PostgreSQL differ here and nowhere else. Everything in this module runs in the database
thread of a store (`group_commit`).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import QueuePool, StaticPool

from promptyard.errors import ReadOnlyStore, StorageError
from promptyard.storage.address import Address
from promptyard.storage.migrations import is_current, migrate

LOCK_TIMEOUT_S = 30.0
"""How long to wait for another process that writes the same."""
IDLE_LIMIT_S = 15.0
"""How long a transaction on PostgreSQL may do nothing: a process that sleeps in one loses it, and
with it the locks that others wait for."""

_CONNECT = {
    "connect_timeout": 10,
    "application_name": "promptyard",
    # A server that is gone without a word is noticed after half a minute.
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""What a connection to PostgreSQL is asked for with, where its URL says nothing else."""
_RETRY_S = 0.05
_LOCK_NOT_AVAILABLE = "55P03"
"""What PostgreSQL says after `lock_timeout`, in whatever language its messages are."""
_HELD = f"another process has held it for {LOCK_TIMEOUT_S:.0f} s; end it or try again later"
_ADVICE = {
    "file is not a database": "choose another path for the store",
    "unable to open": "choose a path for the store that you may write to",
    "readonly": "choose a path for the store that you may write to",
    "does not exist": "create it first or correct the address",
    "permission denied": "grant the user the right to create and write tables",
    "locked": _HELD,
    "lock timeout": _HELD,
    "idle-in-transaction": f"this process did nothing for {IDLE_LIMIT_S:.0f} s; try again",
    "disk is full": "free some space and try again",
    "no space left": "free some space and try again",
    "disk i/o": "check the disk and its free space, and try again",
    "malformed": "the file is damaged; restore it from a copy",
    "resolve": "check the address",
    "connection": "check the address, the password and that the server runs",
}


class Database:
    """A database of a store, used by one thread. `url` errors are raised here, others by `open`."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.is_read_only: bool = False
        self._engine = (
            _sqlite_engine(address) if address.dialect == "sqlite" else _postgresql_engine(address)
        )

    def open(self) -> None:
        """Connect and migrate; a database that is up to date is only looked at.

        An SQLite file that may not be written, or whose folder may not, is opened for reading.
        Raises StorageError in one line. Several processes may open a new database at once.
        """
        try:
            self._make_folder()
            self._open_for_reading_only()
            deadline = time.monotonic() + LOCK_TIMEOUT_S
            while not self._try_to_open(deadline):
                time.sleep(_RETRY_S)
        except (SQLAlchemyError, OSError) as error:
            self.close()
            # Without its cause: the driver's own error may repeat the URL.
            raise self.explain(error) from None
        except StorageError:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """Give a connection that sees what is committed."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, locks: Iterable[str] = ()) -> Generator[Connection]:
        """Give a connection in a transaction that is committed, durably, at the end.

        `locks` name what no other process may change meanwhile. SQLite has one lock for all of it,
        taken at once because a transaction that began by reading cannot wait for it. On PostgreSQL
        each name is an advisory lock; they are taken in order and first, so that nobody deadlocks.
        """
        with self._engine.connect() as connection, connection.begin():
            if self.address.dialect == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                for number in sorted({_lock_number(name) for name in locks}):
                    connection.execute(select(func.pg_advisory_xact_lock(number)))
            yield connection

    def close(self) -> None:
        """Give the connection back. The database may be opened again."""
        self._engine.dispose()

    def explain(self, error: Exception) -> Exception:
        """Turn an error of the database into a StorageError of one line; leave others alone."""
        if not isinstance(error, SQLAlchemyError | OSError):
            return error
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
        reason = self.address.redact(lines[0] if lines else type(cause).__name__).rstrip(".")
        advice = next((hint for sign, hint in _ADVICE.items() if sign in reason.lower()), None)
        message = f"The store {self.address.shown} failed: {reason}"
        if "readonly" in reason.lower():
            return ReadOnlyStore(f"{message}; {_ADVICE['readonly']}.")
        if self.is_read_only and "unable to open" in reason.lower():
            advice = (
                "its last writer left changes beside it that can be read only where the folder may "
                "be written: copy the file and the one that ends in -wal to such a folder"
            )
        return StorageError(f"{message}; {advice}." if advice else f"{message}.")

    def _make_folder(self) -> None:
        path = self.address.path
        if path is None:
            return
        if path.is_dir():
            raise StorageError(f"The store {path} is a folder; name a file in it: {path}/store.db")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror
            raise StorageError(
                f"The folder {path.parent} for the store cannot be made "
                f"({reason}); choose a path that you may write to."
            ) from None

    def _open_for_reading_only(self) -> None:
        """Take another engine where an SQLite file is there and cannot be written."""
        path = self.address.path
        if path is None:
            return
        is_read_only = path.is_file() and not (_may_write(path) and _may_write(path.parent))
        if is_read_only != self.is_read_only:
            self.is_read_only = is_read_only
            self._engine = _reading_engine(path) if is_read_only else _sqlite_engine(self.address)

    def _try_to_open(self, deadline: float) -> bool:
        """Return False while another process switches the same new file to WAL, or migrates."""
        try:
            with self.reading() as connection:
                current = is_current(connection, self.address.shown)
            if not current and self.is_read_only:
                raise ReadOnlyStore(
                    f"The store {self.address.shown} was written by an older Promptyard and may "
                    "only be read here; copy it to a folder that you may write to: it is brought "
                    "up to date there when it is opened."
                )
            if not current:
                self._migrate()
        except OperationalError as error:
            # SQLite refuses this switch at once, whatever the busy timeout says.
            if "locked" in str(error.orig) and time.monotonic() < deadline:
                return False
            if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
                return False  # the migration of a large store takes its time
            raise
        return True

    def _migrate(self) -> None:
        with self.writing(locks=["schema"]) as connection:
            if self.address.dialect == "postgresql":
                self._check_encoding(connection)
            # Another process may have been first while we waited for the lock; then this looks
            # at the revision, finds nothing to do and leaves it so.
            migrate(connection)

    def _check_encoding(self, connection: Connection) -> None:
        encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
        if encoding != "UTF8":
            raise StorageError(
                f"The database {self.address.shown} has the encoding {encoding}; "
                "create it with ENCODING 'UTF8'."
            )


def _sqlite_engine(address: Address) -> Engine:
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=address.target),
        # isolation_level None: the driver's own BEGIN is deferred and comes too late; ours is
        # explicit. One connection: a database in memory lives as long as it does.
        connect_args={"timeout": LOCK_TIMEOUT_S, "isolation_level": None},
        poolclass=StaticPool,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _set_pragmas)
    return engine


def _reading_engine(path: Path) -> Engine:
    """Open a file that cannot be written, or not beside which the log of changes would stand.

    Without such a log nobody writes, and no lock is taken (`immutable`): locks need the folder.
    """
    log = path.with_name(f"{path.name}-wal")
    has_log = log.is_file() and log.stat().st_size > 0
    options = {"mode": "ro", "uri": "true"} | ({} if has_log else {"immutable": "1"})
    return create_engine(
        URL.create(
            "sqlite+pysqlite", database=f"file:{quote(str(path.absolute()))}", query=options
        ),
        connect_args={"timeout": LOCK_TIMEOUT_S, "isolation_level": None},
        poolclass=StaticPool,
        hide_parameters=True,
    )


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _set_pragmas(dbapi_connection: Any, _record: Any) -> None:
    for pragma in ("foreign_keys=ON", "synchronous=FULL", "journal_mode=WAL"):
        dbapi_connection.execute(f"PRAGMA {pragma}")


def _postgresql_engine(address: Address) -> Engine:
    try:
        url = make_url(address.target)
    except (ArgumentError, ValueError):
        raise StorageError(
            f"The store URL {address.shown} cannot be read; write "
            "postgresql://user:password@host:5432/database (an @ in the password as %40)."
        ) from None
    engine = create_engine(
        url,
        connect_args={name: value for name, value in _CONNECT.items() if name not in url.query},
        isolation_level="READ COMMITTED",
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=True,  # servers and firewalls drop connections that were idle
        hide_parameters=True,
    )
    event.listen(engine, "connect", _limit_waiting)
    return engine


def _limit_waiting(dbapi_connection: Any, _record: Any) -> None:
    limits = {"lock_timeout": LOCK_TIMEOUT_S, "idle_in_transaction_session_timeout": IDLE_LIMIT_S}
    for name, limit_s in limits.items():
        written = f"{limit_s * 1000:.0f}"
        # What an address, a role or a server says of it counts more.
        query = (
            "SELECT set_config(name, %s, false) FROM pg_settings "
            "WHERE name = %s AND source = 'default'"
        )
        dbapi_connection.execute(query, (written, name))
    dbapi_connection.commit()


def _lock_number(name: str) -> int:
    digest = hashlib.sha256(f"promptyard:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
