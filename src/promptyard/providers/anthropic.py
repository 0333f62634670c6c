"""Models behind a server that speaks the messages protocol: Anthropic's, or one that copies it.

The wire format is `messages_wire` and `messages_answer`; sending is `http_model`.
"""

from __future__ import annotations

from collections.abc import Mapping

from promptyard.providers.http_model import HttpModel
from promptyard.providers.messages_answer import read_message
from promptyard.providers.messages_wire import SAMPLING_PARAMS, forced_tool_reason, messages_body
from promptyard.providers.model_answer import ModelAnswer
from promptyard.records.base import Json
from promptyard.records.messages import Request

API_VERSION = "2026-10-21"
SAMPLING_API_VERSION = "2023-06-01"
"""The last version that takes `temperature`, `top_p` and `top_k`, from models that still do."""


class Anthropic(HttpModel):
    """One model on a messages server."""

    endpoint = "/messages"
    default_path = "/v1"

    def __init__(
        self,
        name: str,
        model: str,
        base_url: str,
        api_key: str | None,
        *,
        prices: Mapping[str, float] | None = None,
        headers: Mapping[str, str] | None = None,
        max_connections: int = 256,
    ) -> None:
        """Describe the model; nothing is sent and no connection is made.

        Args:
            name: full name, `provider/model`.
            model: the name that the server knows it by.
            base_url: address of the API, such as `https://api.anthropic.com/v1`; an address
                without a path gets `/v1`.
            api_key: sent as `x-api-key`; None for servers that need none.
            prices: `input_usd_per_mtok`, `output_usd_per_mtok`, `cached_input_usd_per_mtok` and
                `cache_write_usd_per_mtok`; without them the offline price table is asked.
            headers: sent with every call; they win over our own (`anthropic-version`,
                `anthropic-beta`, `authorization`).
            max_connections: connections kept open at most; give the concurrency limit.

        Raises ConfigError for an address, key, header or price that cannot be right.
        """
        key = (api_key or "").strip()
        super().__init__(
            name,
            model,
            base_url,
            {"x-api-key": key} if key else {},
            prices=prices,
            headers=headers,
            max_connections=max_connections,
        )

    def body(self, request: Request) -> Mapping[str, Json]:
        """Return what `send` posts. Raises PromptError for what the protocol cannot say."""
        return messages_body(self.model, request)

    def call_headers(self, body: Mapping[str, Json]) -> Mapping[str, str]:
        """Name the newest API version that takes the parameters of the body."""
        samples = any(key in body for key in SAMPLING_PARAMS)
        return {"anthropic-version": SAMPLING_API_VERSION if samples else API_VERSION}

    def read(self, raw: bytes) -> ModelAnswer:
        """Read a message. Raises BadResponse when it is not a whole one."""
        return read_message(raw)

    def advice(self, said: str, body: Mapping[str, Json]) -> str:
        """Say how to go on without a forced schema where the server refuses that."""
        lower = said.lower()
        reason = forced_tool_reason(body)
        if reason and "tool_choice" in lower:
            return (
                f"; a tool had to be forced because output.schema has {reason}: change the schema, "
                "or set `params: {tool_choice: {type: auto}}` in the prompt"
            )
        if "output_config" in body and any(word in lower for word in _FORMAT_WORDS):
            return (
                "; if this model takes no such schema, set `params: {output_config: {format: "
                "null}}` in the prompt: the schema is then only checked, not forced"
            )
        return ""


_FORMAT_WORDS = ("output_config", "output_format", "schema", "grammar", "structured output")
