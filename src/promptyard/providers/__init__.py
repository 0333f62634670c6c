"""Models. One file a provider, one line in the table: `provider/model` names one of them.

Vendor and HTTP libraries are imported when a model is first used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from promptyard.errors import ConfigError
from promptyard.protocols import Model
from promptyard.records.base import Record


class ProviderSettings(Record):
    """What a provider needs beside the model's name.

    `base_url` overrides the provider's own address; `api_key` is then not the provider's key.
    `prices` are USD per million tokens.
    """

    base_url: str | None = None
    api_key: str | None = None
    prices: Mapping[str, float] | None = None
    max_connections: int = 64


class Endpoint(Record):
    """Where a known service listens, and which variable holds its key.

    `finds_its_own` says that a library looks up addresses and keys where none is given.
    """

    base_url: str | None
    key_variable: str | None
    finds_its_own: bool = False


ProviderFactory = Callable[[str, ProviderSettings], Model]

ENDPOINTS: Mapping[str, Endpoint] = {
    "anthropic": Endpoint(
        base_url="https://api.anthropic.com/v1", key_variable="ANTHROPIC_API_KEY"
    ),
    "openai": Endpoint(base_url="https://api.openai.com/v1", key_variable="OPENAI_API_KEY"),
    "openrouter": Endpoint(
        base_url="https://openrouter.ai/api/v1", key_variable="OPENROUTER_API_KEY"
    ),
    "groq": Endpoint(base_url="https://api.groq.com/openai/v1", key_variable="GROQ_API_KEY"),
    "litellm": Endpoint(base_url=None, key_variable=None, finds_its_own=True),
    "ollama": Endpoint(base_url="http://127.0.0.1:11434/v1", key_variable=None),
    "vllm": Endpoint(base_url="http://127.0.0.1:8000/v1", key_variable=None),
    "llamacpp": Endpoint(base_url="http://127.0.0.1:8080/v1", key_variable=None),
    "openai_compatible": Endpoint(base_url=None, key_variable=None),
}


def _openai_compatible(provider: str) -> ProviderFactory:
    def build(model: str, settings: ProviderSettings) -> Model:
        from promptyard.providers.openai_compatible import OpenAICompatible

        return OpenAICompatible(
            name=f"{provider}/{model}",
            model=model,
            base_url=_address(provider, model, settings),
            api_key=settings.api_key,
            prices=settings.prices,
            max_connections=settings.max_connections,
        )

    return build


def _anthropic(model: str, settings: ProviderSettings) -> Model:
    from promptyard.providers.anthropic import Anthropic

    return Anthropic(
        name=f"anthropic/{model}",
        model=model,
        base_url=_address("anthropic", model, settings),
        api_key=settings.api_key,
        prices=settings.prices,
        max_connections=settings.max_connections,
    )


def _litellm(model: str, settings: ProviderSettings) -> Model:
    from promptyard.providers.litellm import LiteLLM

    return LiteLLM(
        model, base_url=settings.base_url, api_key=settings.api_key, prices=settings.prices
    )


def _address(provider: str, model: str, settings: ProviderSettings) -> str:
    base_url = settings.base_url or ENDPOINTS[provider].base_url
    if base_url is None:
        raise ConfigError(
            f"model '{provider}/{model}' needs an address: set models.base_url or "
            "PROMPTYARD_BASE_URL"
        )
    return base_url


def _embedded(model: str, settings: ProviderSettings) -> Model:
    del settings
    if model != "lexical":
        raise ConfigError(f"there is no model 'embedded/{model}'; write 'embedded/lexical'")
    from promptyard.providers.embedded import EmbeddedLexical

    return EmbeddedLexical()


PROVIDERS: Mapping[str, ProviderFactory] = {
    "anthropic": _anthropic,
    "embedded": _embedded,
    "groq": _openai_compatible("groq"),
    "litellm": _litellm,
    "llamacpp": _openai_compatible("llamacpp"),
    "ollama": _openai_compatible("ollama"),
    "openai": _openai_compatible("openai"),
    "openai_compatible": _openai_compatible("openai_compatible"),
    "openrouter": _openai_compatible("openrouter"),
    "vllm": _openai_compatible("vllm"),
}
