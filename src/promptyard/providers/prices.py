"""What a usage costs: prices given by the user first, else the offline table of genai-prices.

Nothing here goes to the network. A model without a known price costs None, never 0.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, ValidationError

from promptyard.errors import ConfigError
from promptyard.records.base import Record
from promptyard.records.messages import Usage

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

CostOf: TypeAlias = Callable[[Usage], float]
"""Gives the price of a usage in USD."""


class TokenPrices(Record):
    """Prices in USD per million tokens; cached input costs as much as input unless given.

    So does input that is written to the provider's cache.
    """

    input_usd_per_mtok: float = Field(ge=0, allow_inf_nan=False)
    output_usd_per_mtok: float = Field(ge=0, allow_inf_nan=False)
    cached_input_usd_per_mtok: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    cache_write_usd_per_mtok: float | None = Field(default=None, ge=0, allow_inf_nan=False)

    @classmethod
    def given(cls, prices: Mapping[str, float], *, model: str) -> TokenPrices:
        """Check prices that a user wrote. Raises ConfigError naming the model and the key."""
        try:
            return cls.model_validate(dict(prices))
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise ConfigError(
                f"Prices of {model}: {key}: {first['msg']}. Give input_usd_per_mtok and "
                "output_usd_per_mtok, optionally cached_input_usd_per_mtok and "
                "cache_write_usd_per_mtok, in USD."
            ) from None

    def cost_usd(self, usage: Usage) -> float:
        """Price of a usage in USD."""
        input_price = self.input_usd_per_mtok
        cached_price, write_price = (
            input_price if price is None else price
            for price in (self.cached_input_usd_per_mtok, self.cache_write_usd_per_mtok)
        )
        fresh_tokens = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
        return (
            fresh_tokens * input_price
            + usage.cached_input_tokens * cached_price
            + usage.cache_write_tokens * write_price
            + usage.output_tokens * self.output_usd_per_mtok
        ) / 1e6


UNLISTED = ("llamacpp", "ollama", "openai_compatible", "vllm")
"""Providers that the table does not have."""

_OWN_HOST = re.compile(r"localhost|[0-9.]+|[0-9a-f:]+")


@functools.lru_cache(maxsize=1024)
def listed_cost(provider: str, model: str, base_url: str) -> CostOf | None:
    """Look a model up in the table of genai-prices; None where it has no price.

    The address decides whose prices hold; an address that the table does not know (a gateway)
    falls back to the provider's name. The first look-up takes about 0.2 s, later ones nothing; a
    server of your own is not looked up, since the table has only services.
    """
    if provider in UNLISTED and _is_own_server(base_url):
        return None
    from genai_prices import Usage as TableUsage
    from genai_prices import calc_price

    none_used = TableUsage(input_tokens=0, output_tokens=0)
    try:
        return _cost_of(calc_price(none_used, model, provider_api_url=base_url))
    except LookupError:
        pass
    try:
        found = calc_price(none_used, model, provider_id=provider)
    except LookupError:
        return None
    # The table also matches names that merely contain a provider's, as `openai_compatible` does.
    return _cost_of(found) if _letters(found.provider.id) == _letters(provider) else None


def _is_own_server(base_url: str) -> bool:
    """Tell whether an address is this machine or an IP address; services have host names."""
    return _OWN_HOST.fullmatch(urlsplit(base_url).hostname or "") is not None


def _letters(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())


def _cost_of(found: PriceCalculation) -> CostOf | None:
    """Return a quick sum where prices are flat (64 µs a call saved), the table's rule otherwise."""
    from genai_prices import Usage as TableUsage
    from genai_prices.types import TieredPrices

    price = found.model_price
    input_price, output_price = price.input_mtok, price.output_mtok
    cached_price, write_price = price.cache_read_mtok, price.cache_write_mtok
    if input_price is None or output_price is None:
        return None
    if not any(
        isinstance(item, TieredPrices)
        for item in (input_price, output_price, cached_price, write_price)
    ):
        return TokenPrices.model_validate(
            {
                "input_usd_per_mtok": input_price,
                "output_usd_per_mtok": output_price,
                "cached_input_usd_per_mtok": cached_price,
                "cache_write_usd_per_mtok": write_price,
            }
        ).cost_usd

    def tiered_cost_usd(usage: Usage) -> float:
        counted = TableUsage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cached_input_tokens,
            cache_write_tokens=usage.cache_write_tokens,
        )
        return float(found.model.calc_price(counted, found.provider).total_price)

    return tiered_cost_usd
