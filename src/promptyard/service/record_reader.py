"""Reads JSON bodies into the records of the routes, strictly: no text or truth for a number."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from pydantic import TypeAdapter, ValidationError

from promptyard.records.base import Json
from promptyard.service.paths import API
from promptyard.service.problems import RequestRefused
from promptyard.service.wrong_values import wrong_body


class RecordReader:
    """Reads the bodies of one operation."""

    def __init__(self, operation: str, kind: Any) -> None:
        self._operation = operation
        self._adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def read(self, body: bytes, data: Json) -> Any:
        """Return the record of a body; `data` is its JSON. Raises RequestRefused."""
        try:
            # JSON mode: strict about scalars, while a list may still become a tuple.
            return self._adapter.validate_json(body, strict=True)
        except ValidationError as error:
            lines = wrong_body(error.errors(include_url=False), data, self._schema)
            raise RequestRefused(422, "invalid", lines[0], errors=lines) from None

    def missing(self) -> RequestRefused:
        """Return what a request without a body is told: what is expected, and where it stands."""
        empty = "; {} will do" if self._may_be_empty else ""
        detail = (
            f"a JSON body is expected (Content-Type: application/json){empty}; its schema is that "
            f"of `{self._operation}` in {API}/openapi.json"
        )
        return RequestRefused(422, "invalid", detail)

    @cached_property
    def _schema(self) -> Json:
        return self._adapter.json_schema()

    @cached_property
    def _may_be_empty(self) -> bool:
        try:
            self._adapter.validate_json(b"{}")
        except ValidationError:
            return False
        return True
