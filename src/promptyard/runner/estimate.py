"""What a call can cost at most, told from its body before it is sent: what the ledger reserves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from promptyard.records.base import Json, as_object
from promptyard.records.messages import Usage

DEFAULT_MAX_TOKENS = 1024
"""Upper estimate of an answer's length where the prompt sets no `max_tokens`."""

IMAGE_TOKENS = 5000
"""Upper estimate of an image. Services scale it down; the size of its bytes says nothing."""


def upper_usage(body: Mapping[str, Json]) -> Usage:
    """Estimate from above: a token is at least two characters of JSON, plus the longest answer."""
    asked = body.get("max_tokens") or body.get("max_completion_tokens")
    answer = asked if isinstance(asked, int) else DEFAULT_MAX_TOKENS
    images = list(_images(body))
    n_characters = len(json.dumps(body)) - sum(map(len, images))
    return Usage(input_tokens=n_characters // 2 + len(images) * IMAGE_TOKENS, output_tokens=answer)


def _images(body: Mapping[str, Json]) -> Iterator[str]:
    """Yield what stands for each image of the messages: its bytes in base64, or its address."""
    for turn in _items(body.get("messages")):
        for part in _items((as_object(turn) or {}).get("content")):
            fields = as_object(part) or {}
            source = as_object(fields.get("image_url") or fields.get("source"))
            if source is not None and fields.get("type") in ("image_url", "image"):
                yield str(source.get("data") or source.get("url") or "")


def _items(value: Json) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
