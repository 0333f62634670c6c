"""The store contract on both databases, and what is the SQL store's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptyard.testing.store_contract import StoreContract, TransientStoreContract


class TestStoreInMemory(TransientStoreContract):
    def url(self) -> None:
        return None


class TestStoreInSqliteFile(StoreContract):
    @pytest.fixture(autouse=True)
    def _new_file(self, tmp_path: Path) -> None:
        self._url = str(tmp_path / "new" / "runs.db")

    def url(self) -> str:
        return self._url


class TestStoreInPostgresql(StoreContract):
    @pytest.fixture(autouse=True)
    def _new_database(self, postgres_url: str) -> None:
        self._url = postgres_url

    def url(self) -> str:
        return self._url
