"""Models through LiteLLM: the long tail of services that speak a protocol of their own.

The extra `litellm`. One attempt a send, with the library's own retries, fallbacks, caches and
price downloads off. It costs 25 times the CPU of our own clients and sits on every key, so it is
never used for a service that they reach.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.util
import json
import math
import os
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from promptyard.errors import (
    AuthFailed,
    BadResponse,
    ConfigError,
    ModelError,
    ModelTimeout,
    PromptError,
    ServerError,
    Unreachable,
)
from promptyard.providers.chat_answer import read_answer
from promptyard.providers.chat_wire import chat_body
from promptyard.providers.http_errors import one_line, request_id, status_error
from promptyard.providers.prices import TokenPrices, listed_cost
from promptyard.records.base import Json
from promptyard.records.messages import Completion, Request, Usage

PARAMS = frozenset(
    {"temperature", "top_p", "top_k", "min_p", "max_tokens", "max_completion_tokens", "stop"}
    | {"seed", "presence_penalty", "frequency_penalty", "repetition_penalty", "logit_bias"}
    | {"logprobs", "top_logprobs", "reasoning_effort", "thinking", "verbosity", "service_tier"}
    | {"response_format", "tools", "tool_choice", "parallel_tool_calls", "safety_settings", "user"}
)
"""What a prompt may set; other arguments of the library say where a call goes and with what key."""

NO_ADDRESS = "litellm:"
_SECRET_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_CONNECT_FAILURES = ("ConnectError", "ConnectTimeout", "ClientConnectorError")


class LiteLLM:
    """One model behind LiteLLM."""

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        prices: Mapping[str, float] | None = None,
    ) -> None:
        """Describe the model; nothing is imported yet and nothing sent.

        Args:
            model: the library's name of it, `provider/model`.
            base_url: address that replaces the provider's own.
            api_key: sent there; without one the library looks up the provider's own variables.
            prices: as for the other providers; without them genai-prices is asked, then the
                table that comes with the library.

        Raises ConfigError where the library is not installed or the name has no provider.
        """
        self.name = f"litellm/{model}"
        self.base_url = (base_url or NO_ADDRESS).rstrip("/")
        self.model = model
        self._api_key = (api_key or "").strip() or None
        self._given_prices = None if prices is None else TokenPrices.given(prices, model=self.name)
        if "/" not in model.strip("/"):
            raise ConfigError(f"'{self.name}' names no provider; write litellm/provider/model")
        if importlib.util.find_spec("litellm") is None:
            raise ConfigError(
                f"model '{self.name}' needs the library litellm: pip install 'promptyard[litellm]'"
            )

    def __repr__(self) -> str:
        return f"LiteLLM({self.model!r}, base_url={self.base_url!r})"

    def body(self, request: Request) -> Mapping[str, Json]:
        """Return the call in the form of chat completions, which the library translates.

        Raises PromptError for a parameter that is not one of PARAMS.
        """
        for key in request.params:
            if key not in PARAMS:
                raise PromptError(
                    f"Parameter {key!r} cannot go through litellm; it takes: "
                    f"{', '.join(sorted(PARAMS))}"
                )
        return chat_body(self.model, request)

    async def send(self, body: Mapping[str, Json], *, timeout_s: float) -> Completion:
        """Make one attempt. Costs one model call; the first one imports the library (seconds).

        Raises the ModelError that fits the library's exception. No message repeats a key.
        """
        library = await asyncio.to_thread(_library)
        started = time.perf_counter()
        try:
            async with asyncio.timeout(timeout_s):
                response = await library.acompletion(
                    **body,
                    timeout=timeout_s,
                    api_key=self._api_key,
                    api_base=None if self.base_url == NO_ADDRESS else self.base_url,
                    num_retries=0,
                    max_retries=0,
                    drop_params=False,
                    caching=False,
                )
        except TimeoutError:
            raise ModelTimeout(f"{self.name} gave no whole answer within {timeout_s:g} s") from None
        except Exception as error:  # noqa: BLE001  (the library passes on whatever its parts raise)
            raise self._error(error, library) from None
        latency_s = time.perf_counter() - started
        document: Json = response.model_dump(mode="json")
        try:
            said = read_answer(json.dumps(document).encode())
        except BadResponse as error:
            raise BadResponse(f"{self.name}: {one_line(str(error), self._secrets())}") from None
        headers = _headers(response)
        # In a thread: the first look-up loads a table of prices.
        cost = None if said.usage is None else await asyncio.to_thread(self.cost_usd, said.usage)
        return Completion(
            text=said.text,
            tool_calls=said.tool_calls,
            finish_reason=said.finish_reason,
            usage=said.usage or Usage(),
            latency_s=latency_s,
            cost_usd=cost,
            model=said.model or self.model,
            request_id=request_id(headers) or said.response_id,
        )

    def cost_usd(self, usage: Usage) -> float | None:
        """Price of a usage in USD, or None when no price is known. Never goes to the network."""
        if self._given_prices is not None:
            return self._given_prices.cost_usd(usage)
        provider, _, model = self.model.partition("/")
        listed = listed_cost(provider, model, self.base_url)
        return _table_cost(self.model, usage) if listed is None else listed(usage)

    async def close(self) -> None:
        """Close the library's connections, which all its models share. Safe to call twice."""
        if _library.cache_info().currsize:
            library = _library()
            await library.close_litellm_async_clients()
            library.in_memory_llm_clients_cache.flush_cache()  # it would hand out closed ones

    def _error(self, error: Exception, library: Any) -> ModelError:
        """Return the error of our tree for one of the library: by what it says and came from."""
        status = getattr(error, "status_code", None)
        headers = _headers(error)
        causes = [type(item).__name__ for item in _causes(error)]
        said = one_line(str(error), self._secrets())
        if any(name in _CONNECT_FAILURES for name in causes):
            return Unreachable(f"{self.name} cannot be reached ({said})")
        if isinstance(error, library.Timeout):
            return ModelTimeout(f"{self.name} gave no answer in time ({said})")
        if "JSONDecodeError" in causes:
            return BadResponse(f"{self.name} answered with something that is no JSON ({said})")
        if headers or (isinstance(status, int) and status < 500):
            return status_error(
                status if isinstance(status, int) else 500,
                headers,
                said.encode(),
                where=self.name,
                model=self.model,
                now=time.time(),
            )
        missing = self._missing_keys(library)
        if missing:
            return AuthFailed(f"{self.name} needs a key: set {' and '.join(missing)} ({said})")
        if isinstance(status, int):
            return ServerError(f"{self.name} failed ({said})", status=status)
        return ModelError(f"{self.name} failed: {type(error).__name__}: {said}")

    def _missing_keys(self, library: Any) -> list[str]:
        if self._api_key is not None:
            return []
        try:
            checked = library.validate_environment(self.model)
        except Exception:  # noqa: BLE001  (an unknown provider; what was said before tells more)
            return []
        return [str(name) for name in checked["missing_keys"]]

    def _secrets(self) -> list[str]:
        """Collect what a message must not repeat: the library reads keys out of the environment."""
        values = [value for name, value in os.environ.items() if _SECRET_NAMES.search(name)]
        found = {value for value in (*values, self._api_key or "") if len(value) >= 6}
        return sorted(found, key=len, reverse=True)


_QUIET = {
    "LITELLM_OFFLINE_MODE": "true",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_MODE": "PRODUCTION",
}
"""No downloads of tables at import, no reading of `.env` files: keys come from the environment."""


@functools.cache
def _library() -> Any:
    """Import the library; what a user set for it in the environment stands."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    library: Any = importlib.import_module("litellm")
    library.suppress_debug_info = True
    library.telemetry = False
    return library


def _table_cost(model: str, usage: Usage) -> float | None:
    """Look a usage up in the table that comes with the library; None for an unknown model."""
    try:
        prompt_usd, answer_usd = _library().cost_per_token(
            model=model,
            prompt_tokens=usage.input_tokens,
            completion_tokens=usage.output_tokens,
            cache_read_input_tokens=usage.cached_input_tokens,
            cache_creation_input_tokens=usage.cache_write_tokens,
        )
    except Exception:  # noqa: BLE001  (it raises a bare Exception for an unknown model)
        return None
    total = float(prompt_usd) + float(answer_usd)
    return total if math.isfinite(total) and total >= 0 else None


def _headers(found: Any) -> Mapping[str, str]:
    """Return the server's headers that an answer or an exception of the library carries."""
    response = getattr(found, "response", None)
    hidden: Any = getattr(found, "_hidden_params", None) or {}
    for headers in (
        getattr(found, "litellm_response_headers", None),
        getattr(response, "headers", None),
        hidden.get("headers"),
    ):
        if headers:
            return {str(key).lower(): str(value) for key, value in dict(headers).items()}
    return {}


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what it came from, as far as that is told."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__
