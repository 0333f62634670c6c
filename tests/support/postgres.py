"""A real PostgreSQL server for tests: started on demand, reached by a socket, thrown away after.

`postgres_server` is a fixture of the session, `postgres_url` gives each test an empty schema.
Import both into the `conftest.py` of the folder that needs them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from itertools import count
from pathlib import Path
from urllib.parse import quote

import pytest

_NEEDED = ("initdb", "postgres")
_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
_START_TIMEOUT_S = 30.0
_FAST = {
    # The data is thrown away, so nothing has to survive a power cut.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
}
DURABLE = {"listen_addresses": ""}
"""For measurements: PostgreSQL as it comes, which waits for the disk at every commit."""


class PostgresServer:
    """A server of its own in a temporary folder; it listens on a socket there, on no port."""

    def __init__(self, binaries: Path, settings: Mapping[str, str] = _FAST) -> None:
        self._binaries = binaries
        self._settings = settings
        self._user = _server_user()
        # The path of a socket is limited to about 100 bytes, so not pytest's long folders.
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make a cluster, start the server and wait until it answers."""
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        self._run_initdb()
        self._run()

    @contextlib.contextmanager
    def stopped(self) -> Generator[None]:
        """Stop the server as a restart does, and start it again when the block ends."""
        self._end()
        try:
            yield
        finally:
            self._run()

    def stop(self) -> None:
        """End the server and remove its folder."""
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self) -> None:
        settings = {**self._settings, "unix_socket_directories": str(self._folder)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._folder / "data", *options],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                user=self._user,
            )
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {self._log()}")
            time.sleep(0.02)

    def _end(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # PostgreSQL's "fast" shutdown
            self._process.wait(timeout=_START_TIMEOUT_S)
            self._process = None

    def create_database(self, encoding: str = "UTF8") -> str:
        """Make an empty database and return its URL."""
        name = f"store_{next(self._numbers)}"
        self._execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' "
            "TEMPLATE template0"
        )
        return self._url(name)

    def create_schema(self) -> str:
        """Make an empty schema and return the URL that works in it: 50 times faster than above."""
        name = f"store_{next(self._numbers)}"
        self._execute(f"CREATE SCHEMA {name}")
        return f"{self._url('postgres')}&options=-csearch_path%3D{name}"

    def drop_connections(self) -> None:
        """Cut all connections of clients, as a restart or a firewall does."""
        self._execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )

    def _url(self, database: str) -> str:
        return f"postgresql://tester@/{database}?host={quote(str(self._folder), safe='')}"

    def _run_initdb(self) -> None:
        subprocess.run(
            [
                self._binaries / "initdb",
                *("-D", self._folder / "data", "-U", "tester", "--auth=trust"),
                *("--encoding=UTF8", "--no-locale", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            cwd=self._folder,
            user=self._user,
        )

    def _answers(self) -> bool:
        import psycopg

        try:
            self._execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-2000:]


def _server_user() -> str | None:
    """Return whom the server runs as: PostgreSQL refuses root, so then somebody else."""
    if os.geteuid() != 0:
        return None
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


def find_binaries() -> Path:
    """Return the folder of the newest server binaries, or skip the test."""
    candidates: list[Path] = []
    on_path = shutil.which("postgres")
    if on_path is not None:
        candidates.append(Path(on_path).resolve().parent)
    for pattern in _FOLDERS:
        candidates.extend(sorted(Path("/").glob(pattern[1:]), key=_version, reverse=True))
    candidates.extend(_folder_of_pg_config())
    for folder in candidates:
        if all((folder / name).exists() for name in _NEEDED):
            return folder
    pytest.skip(
        "PostgreSQL server binaries not found: install postgresql or put initdb and postgres "
        "on PATH to run these tests"
    )


def _version(folder: Path) -> list[int]:
    return [int(part) for part in "".join(c if c.isdigit() else " " for c in str(folder)).split()]


def _folder_of_pg_config() -> list[Path]:
    program = shutil.which("pg_config")
    if program is None:
        return []
    answer = subprocess.run([program, "--bindir"], capture_output=True, text=True, check=False)
    return [Path(answer.stdout.strip())] if answer.returncode == 0 else []


@pytest.fixture(scope="session")
def postgres_server() -> Generator[PostgresServer]:
    """A running server for the whole session."""
    if sys.platform == "win32":
        pytest.skip("the PostgreSQL of these tests is reached by a Unix socket")
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install psycopg[binary]")
    binaries = find_binaries()
    if os.geteuid() == 0 and _server_user() is None:
        pytest.skip("PostgreSQL refuses to run as root and no user postgres or nobody exists")
    server = PostgresServer(binaries)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The URL of a schema that is new and empty, in a database that tests share."""
    return postgres_server.create_schema()
