"""What `open_store` gives, what it refuses, and what it does not load."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from promptyard.errors import StorageError
from promptyard.protocols import Store
from promptyard.storage import STORES, open_store
from promptyard.storage.address import Address
from promptyard.storage.sql_store import SqlStore


def test_it_returns_a_store_that_fits_the_seam() -> None:
    store: Store = open_store(None)
    assert isinstance(store, SqlStore)
    assert store.url == "sqlite:///:memory:"


def test_nothing_is_touched_before_the_store_is_opened(tmp_path: Path) -> None:
    open_store(str(tmp_path / "folder" / "runs.db"))
    assert list(tmp_path.iterdir()) == []


def test_the_table_names_every_dialect() -> None:
    assert set(STORES) == set(get_args(get_type_hints(Address)["dialect"]))


def test_a_missing_driver_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StorageError, match=r"pip install 'promptyard\[postgres\]'") as caught:
        open_store("postgresql://ann:hush@host/prompts")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["postgresql://ann:hu@sh@host:port/prompts", "postgresql://ann:hush/x@host:5x/prompts"]
)
def test_a_url_that_cannot_be_read_does_not_show_its_password(url: str) -> None:
    with pytest.raises(StorageError, match="cannot be read") as caught:
        open_store(url)
    assert "hu" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_the_url_of_a_store_has_no_password() -> None:
    assert open_store("postgres://ann:hush@host/p").url == "postgresql://ann:***@host/p"


def test_the_package_loads_no_database_library() -> None:
    assert _loaded("import promptyard.storage") == set()


def test_a_store_that_is_up_to_date_opens_without_alembic(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"

    async def create() -> None:
        store = open_store(str(path))
        await store.open()
        await store.close()

    asyncio.run(create())
    opening = (
        "import asyncio; from promptyard.storage import open_store; "
        f"store = open_store({str(path)!r}); asyncio.run(store.open())"
    )
    assert _loaded(opening) == {"sqlalchemy"}


def _loaded(statement: str) -> set[str]:
    """Run a statement in a new process and return which of the heavy libraries it loaded."""
    script = f"import sys; sys.path[:0] = {sys.path!r}; {statement}; print(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {"sqlalchemy", "alembic", "psycopg"} & set(answer.stdout.split())
