"""Models behind any server that speaks the chat-completions protocol, by its address.

One POST an attempt, sent exactly as `body` says. Retries, limits, cache and budget are the
runner's; the wire format is `chat_wire` and `chat_answer`, HTTP is `http_client`.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from promptyard.errors import BadResponse, ConfigError, InvalidRequest
from promptyard.providers.chat_answer import read_answer
from promptyard.providers.chat_wire import chat_body, wire_bytes
from promptyard.providers.http_client import HttpClient
from promptyard.providers.prices import CostOf, TokenPrices, listed_cost
from promptyard.records.base import Json
from promptyard.records.messages import Completion, Request, Usage

_ENDPOINT = "/chat/completions"


class OpenAICompatible:
    """One model on a chat-completions server: OpenAI, Azure, vLLM, Ollama, llama.cpp, Groq ..."""

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
        self.name = name
        self.model = model
        self.base_url = _normal_base_url(base_url, name)
        self._given_prices = None if prices is None else TokenPrices.given(prices, model=name)
        self._client = HttpClient(
            _endpoint_url(self.base_url),
            name=name,
            model=model,
            headers=_all_headers(api_key, headers or {}),
            max_connections=max_connections,
        )

    def __repr__(self) -> str:
        return f"OpenAICompatible({self.name!r}, {self.model!r}, {self.base_url!r})"

    def body(self, request: Request) -> Mapping[str, Json]:
        """Return what `send` posts. Raises PromptError for a parameter that is ours to set."""
        return chat_body(self.model, request)

    async def send(self, body: Mapping[str, Json], *, timeout_s: float) -> Completion:
        """Make one attempt. Costs one model call.

        `timeout_s` bounds the whole attempt, from waiting for a connection to the last byte.
        An answer that ended in `length` or `content_filter` is a completion, not an error. The
        completion has no cost where the server reported no tokens.

        Raises RateLimited (429), ServerError (5xx, lost connection), ModelTimeout, Unreachable,
        AuthFailed (401, 403), InvalidRequest (other 4xx, redirects) or BadResponse (an answer
        that is no completion, or is larger than 64 MiB). No message repeats the API key.
        """
        try:
            payload = wire_bytes(body)
        except (TypeError, ValueError) as error:
            raise InvalidRequest(f"{self.name}: the request cannot be JSON: {error}") from None
        # The first look-up of a price blocks for about 0.4 s: before the call, not within it.
        self._cost_of()
        answer = await self._client.post(payload, timeout_s=timeout_s)
        try:
            said = read_answer(answer.raw)
        except BadResponse as error:
            raise self._client.bad_response(str(error), answer) from None
        return Completion(
            text=said.text,
            tool_calls=said.tool_calls,
            finish_reason=said.finish_reason,
            usage=said.usage or Usage(),
            latency_s=answer.latency_s,
            cost_usd=None if said.usage is None else self.cost_usd(said.usage),
            model=said.model or self.model,
            request_id=answer.request_id or said.response_id,
        )

    def cost_usd(self, usage: Usage) -> float | None:
        """Price of a usage in USD, or None when no price is known. Never goes to the network."""
        cost_of = self._cost_of()
        return None if cost_of is None else cost_of(usage)

    async def close(self) -> None:
        """Give connections back. Safe to call twice; a later send connects again."""
        await self._client.close()

    def _cost_of(self) -> CostOf | None:
        if self._given_prices is not None:
            return self._given_prices.cost_usd
        return listed_cost(self.name.partition("/")[0], self.model, self.base_url)


def _normal_base_url(given: str, name: str) -> str:
    advice = "write it like https://api.openai.com/v1"
    address = given.strip()
    if "@" in address:  # not quoted: it may be a password
        raise ConfigError(
            f"base_url of {name} contains a user name or password; {advice} and give the key apart"
        )
    if not _is_address(address):
        raise ConfigError(f"base_url of {name} is no http(s) address: {given!r}; {advice}")
    parts = urlsplit(address)
    path = parts.path.rstrip("/").removesuffix(_ENDPOINT).rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def _is_address(text: str) -> bool:
    """Tell whether HTTP could be spoken there: scheme, host name and port are well formed."""
    try:
        parts = urlsplit(text)
        _ = (parts.port, (parts.hostname or "").encode("idna"))
    except ValueError:
        return False
    is_http = parts.scheme in ("http", "https") and bool(parts.hostname)
    return is_http and text.isprintable() and " " not in text


def _endpoint_url(base_url: str) -> str:
    parts = urlsplit(base_url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path + _ENDPOINT, parts.query, ""))


def _all_headers(api_key: str | None, given: Mapping[str, str]) -> dict[str, str]:
    ours = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "promptyard",
    }
    if api_key and api_key.strip():
        ours["Authorization"] = f"Bearer {api_key.strip()}"
    replaced = {header.lower() for header in given}
    kept = {header: value for header, value in ours.items() if header.lower() not in replaced}
    return kept | dict(given)
