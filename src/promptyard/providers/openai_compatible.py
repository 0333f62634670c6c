"""Models behind any server that speaks the chat-completions protocol, by its address.

The wire format is `chat_wire` and `chat_answer`; sending is `http_model`.
"""

from __future__ import annotations

from collections.abc import Mapping

from promptyard.providers.chat_answer import read_answer
from promptyard.providers.chat_wire import chat_body
from promptyard.providers.http_model import HttpModel
from promptyard.providers.model_answer import ModelAnswer
from promptyard.records.base import Json, as_object
from promptyard.records.messages import Request


class OpenAICompatible(HttpModel):
    """One model on a chat-completions server: OpenAI, Azure, vLLM, Ollama, llama.cpp, Groq ..."""

    endpoint = "/chat/completions"

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
            base_url: address of the API, such as `https://api.openai.com/v1`; a trailing slash or
                `/chat/completions` makes no difference, a query (`?api-version=`) is kept.
            api_key: sent as a bearer token; None for servers that need none.
            prices: `input_usd_per_mtok`, `output_usd_per_mtok` and `cached_input_usd_per_mtok`;
                without them the offline price table is asked.
            headers: sent with every call; they win over our own (`api-key` on Azure).
            max_connections: connections kept open at most; give the concurrency limit.

        Raises ConfigError for an address, key, header or price that cannot be right.
        """
        key = (api_key or "").strip()
        super().__init__(
            name,
            model,
            base_url,
            {"Authorization": f"Bearer {key}"} if key else {},
            prices=prices,
            headers=headers,
            max_connections=max_connections,
        )

    def body(self, request: Request) -> Mapping[str, Json]:
        """Return what `send` posts. Raises PromptError for a parameter that is ours to set."""
        return chat_body(self.model, request)

    def read(self, raw: bytes) -> ModelAnswer:
        """Read a chat completion. Raises BadResponse when it is not a whole one."""
        return read_answer(raw)

    def advice(self, said: str, body: Mapping[str, Json]) -> str:
        """Say how to go on without a forced schema where the server refuses that."""
        forced = (as_object(body.get("response_format")) or {}).get("type") == "json_schema"
        lower = said.lower()
        if not forced or not any(word in lower for word in _FORMAT_WORDS):
            return ""
        return (
            "; if this server takes no such schema, set `params: {response_format: {type: "
            "json_object}}` in the prompt: the schema is then only checked, not forced"
        )


_FORMAT_WORDS = ("response_format", "json_schema", "schema", "grammar", "structured output")
