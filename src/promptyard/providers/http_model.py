"""A model behind one HTTP endpoint: what all protocols share of sending, pricing and closing.

One POST an attempt, sent exactly as `body` says. Retries, limits, cache and budget are the
runner's. A protocol is a subclass: it writes bodies, names its headers and reads answers.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from promptyard.errors import BadResponse, InvalidRequest
from promptyard.providers.address import endpoint_url, normal_base_url
from promptyard.providers.http_client import HttpClient
from promptyard.providers.model_answer import ModelAnswer
from promptyard.providers.prices import CostOf, TokenPrices, listed_cost
from promptyard.providers.wire_json import wire_bytes
from promptyard.records.base import Json
from promptyard.records.messages import Completion, Request, Usage


class HttpModel(ABC):
    """Base of the models that post a JSON body to one endpoint and read one JSON answer."""

    endpoint: ClassVar[str]
    """Path behind the base URL."""

    default_path: ClassVar[str] = ""
    """Path of a base URL that is written without one."""

    def __init__(
        self,
        name: str,
        model: str,
        base_url: str,
        key_headers: Mapping[str, str],
        *,
        prices: Mapping[str, float] | None = None,
        headers: Mapping[str, str] | None = None,
        max_connections: int = 256,
    ) -> None:
        """Describe the model; nothing is sent and no connection is made.

        `key_headers` are the protocol's own, `headers` the user's, which win. Raises ConfigError
        for an address, key, header or price that cannot be right.
        """
        self.name = name
        self.model = model
        self.base_url = normal_base_url(
            base_url, name, self.endpoint, default_path=self.default_path
        )
        given = None if prices is None else TokenPrices.given(prices, model=name)
        self._cost_of: CostOf | None = given.cost_usd if given else None
        self._looked_up = given is not None
        self._client = HttpClient(
            endpoint_url(self.base_url, self.endpoint),
            name=name,
            model=model,
            headers=_all_headers(key_headers, headers or {}),
            max_connections=max_connections,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.model!r}, {self.base_url!r})"

    @abstractmethod
    def body(self, request: Request) -> Mapping[str, Json]:
        """Return what `send` posts. Raises PromptError for what the protocol cannot say."""

    @abstractmethod
    def read(self, raw: bytes) -> ModelAnswer:
        """Read the body of a 2xx answer. Raises BadResponse when it is no whole completion."""

    def advice(self, said: str, body: Mapping[str, Json]) -> str:
        """Return what to do about a refused request (`said`); it ends the error message."""
        del said, body
        return ""

    def call_headers(self, body: Mapping[str, Json]) -> Mapping[str, str]:
        """Return headers that depend on the body; those given by the user win."""
        del body
        return {}

    async def send(self, body: Mapping[str, Json], *, timeout_s: float) -> Completion:
        """Make one attempt. Costs one model call.

        `timeout_s` bounds the whole attempt, from waiting for a connection to the last byte.
        An answer that ended in `length` or `content_filter` is a completion, not an error. The
        completion has no cost where the server reported no tokens.

        Raises RateLimited (429), ServerError (5xx, lost connection), ModelTimeout, Unreachable,
        AuthFailed (401, 403, no credit), InvalidRequest (other 4xx, redirects) or BadResponse (an
        answer that is no completion, or is larger than 64 MiB). No message repeats the API key.
        """
        try:
            payload = wire_bytes(body)
        except (TypeError, ValueError) as error:
            raise InvalidRequest(f"{self.name}: the request cannot be JSON: {error}") from None
        try:
            answer = await self._client.post(
                payload, timeout_s=timeout_s, headers=self.call_headers(body)
            )
        except InvalidRequest as error:
            advice = self.advice(str(error), body)
            raise InvalidRequest(
                f"{error}{advice}", status=error.status, request_id=error.request_id
            ) from None
        try:
            said = self.read(answer.raw)
        except BadResponse as error:
            raise self._client.bad_response(str(error), answer) from None
        return Completion(
            text=said.text,
            tool_calls=said.tool_calls,
            finish_reason=said.finish_reason,
            usage=said.usage or Usage(),
            latency_s=answer.latency_s,
            cost_usd=None if said.usage is None else await self._priced(said.usage),
            model=said.model or self.model,
            request_id=answer.request_id or said.response_id,
        )

    async def _priced(self, usage: Usage) -> float | None:
        """Price an answer without holding up other calls: a first look-up takes about 0.2 s."""
        if not self._looked_up:
            await asyncio.to_thread(self._look_up)
        return self.cost_usd(usage)

    def cost_usd(self, usage: Usage) -> float | None:
        """Price of a usage in USD, or None when no price is known. Never goes to the network."""
        if not self._looked_up:
            self._look_up()
        return None if self._cost_of is None else self._cost_of(usage)

    async def close(self) -> None:
        """Give connections back. Safe to call twice; a later send connects again."""
        await self._client.close()

    def _look_up(self) -> None:
        provider = self.name.partition("/")[0]
        self._cost_of = listed_cost(provider, self.model, self.base_url)
        self._looked_up = True


def _all_headers(key_headers: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    ours = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "promptyard",
        **key_headers,
    }
    replaced = {header.lower() for header in given}
    kept = {header: value for header, value in ours.items() if header.lower() not in replaced}
    return kept | dict(given)
