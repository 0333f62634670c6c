from __future__ import annotations

import re
import subprocess
import sys

import pytest

from promptyard.errors import ConfigError
from promptyard.providers.prices import UNLISTED, TokenPrices, listed_cost
from promptyard.records.messages import Usage

OPENAI = "https://api.openai.com/v1"
LOCAL = "http://127.0.0.1:9/v1"

MILLION = Usage(input_tokens=1_000_000, output_tokens=1_000_000)


def test_given_prices_are_per_million_tokens() -> None:
    prices = TokenPrices.given(
        {"input_usd_per_mtok": 2.0, "output_usd_per_mtok": 8.0, "cached_input_usd_per_mtok": 0.5},
        model="p/m",
    )
    usage = Usage(input_tokens=1000, output_tokens=100, cached_input_tokens=400)
    assert prices.cost_usd(usage) == pytest.approx((600 * 2.0 + 400 * 0.5 + 100 * 8.0) / 1e6)


def test_what_is_written_to_the_cache_has_a_price_of_its_own() -> None:
    prices = {"input_usd_per_mtok": 2.0, "output_usd_per_mtok": 8.0}
    usage = Usage(input_tokens=1000, cached_input_tokens=100, cache_write_tokens=400)
    own = TokenPrices.given(prices | {"cache_write_usd_per_mtok": 2.5}, model="p/m")
    assert own.cost_usd(usage) == pytest.approx((600 * 2.0 + 400 * 2.5) / 1e6)
    plain = TokenPrices.given(prices, model="p/m")
    assert plain.cost_usd(usage) == pytest.approx(1000 * 2.0 / 1e6)


def test_cached_input_costs_as_much_as_input_unless_given() -> None:
    prices = TokenPrices.given({"input_usd_per_mtok": 2, "output_usd_per_mtok": 8}, model="p/m")
    plain = prices.cost_usd(Usage(input_tokens=1000))
    assert prices.cost_usd(Usage(input_tokens=1000, cached_input_tokens=900)) == plain


@pytest.mark.parametrize(
    ("prices", "key"),
    [
        ({}, "input_usd_per_mtok"),
        ({"input_usd_per_mtok": 1}, "output_usd_per_mtok"),
        ({"input_usd_per_mtok": -1, "output_usd_per_mtok": 1}, "input_usd_per_mtok"),
        ({"input_usd_per_mtok": float("nan"), "output_usd_per_mtok": 1}, "input_usd_per_mtok"),
        ({"input_usd_per_mtok": 1, "output_usd_per_mtok": 1, "usd": 1}, "usd"),
    ],
)
def test_wrong_prices_are_an_error_naming_model_and_key(prices: dict[str, float], key: str) -> None:
    with pytest.raises(ConfigError, match=f"Prices of p/m: {key}: ") as caught:
        TokenPrices.given(prices, model="p/m")
    assert "\n" not in str(caught.value)


def test_a_listed_model_has_the_price_of_the_table() -> None:
    from genai_prices import Usage as TableUsage
    from genai_prices import calc_price

    cost = listed_cost("openai", "gpt-5-mini", OPENAI)
    assert cost is not None
    table = calc_price(
        TableUsage(input_tokens=10_000, output_tokens=500, cache_read_tokens=2_000),
        "gpt-5-mini",
        provider_id="openai",
    )
    usage = Usage(input_tokens=10_000, output_tokens=500, cached_input_tokens=2_000)
    assert cost(usage) == pytest.approx(float(table.total_price))
    assert cost(usage) > 0


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "claude-sonnet-4-5"])
def test_a_listed_model_is_billed_for_its_cache_as_the_table_says(model: str) -> None:
    from genai_prices import Usage as TableUsage
    from genai_prices import calc_price

    cost = listed_cost("anthropic", model, "https://api.anthropic.com/v1")
    assert cost is not None
    counts = TableUsage(
        input_tokens=10_000, output_tokens=500, cache_read_tokens=2_000, cache_write_tokens=3_000
    )
    table = calc_price(counts, model, provider_id="anthropic")
    usage = Usage(
        input_tokens=10_000,
        output_tokens=500,
        cached_input_tokens=2_000,
        cache_write_tokens=3_000,
    )
    assert cost(usage) == pytest.approx(float(table.total_price))


def test_prices_in_tiers_follow_the_size_of_the_prompt() -> None:
    cost = listed_cost("google", "gemini-2.5-pro", "https://generativelanguage.googleapis.com/v1")
    assert cost is not None
    small = cost(Usage(input_tokens=100_000)) / 100_000
    large = cost(Usage(input_tokens=1_000_000)) / 1_000_000
    assert large > small > 0


def test_a_gateway_is_priced_by_the_name_of_the_provider() -> None:
    direct, gateway = (listed_cost("openai", "gpt-5-mini", url) for url in (OPENAI, LOCAL))
    assert direct is not None
    assert gateway is not None
    assert gateway(MILLION) == direct(MILLION)


@pytest.mark.parametrize(
    ("provider", "model", "base_url"),
    [
        ("openai", "m1", LOCAL),
        ("openai", "m1", OPENAI),
        ("local", "gpt-5-mini", LOCAL),
        ("openai_compatible", "gpt-5-mini", LOCAL),
        ("openai", "text-embedding-3-small", OPENAI),
    ],
)
def test_an_unknown_price_is_none_and_not_zero(provider: str, model: str, base_url: str) -> None:
    assert listed_cost(provider, model, base_url) is None


@pytest.mark.parametrize("provider", UNLISTED)
def test_what_is_not_looked_up_is_not_in_the_table(provider: str) -> None:
    from genai_prices.data import providers

    assert provider not in {known.id for known in providers}
    for address in (LOCAL, "http://localhost:8000/v1", "http://[::1]:8000/v1"):
        assert not [known.id for known in providers if re.match(known.api_pattern, address)]


def test_a_server_of_your_own_is_priced_without_reading_the_table() -> None:
    code = (
        "import sys\n"
        "from promptyard.providers.prices import listed_cost\n"
        f"assert listed_cost('vllm', 'm1', '{LOCAL}') is None\n"
        "assert 'genai_prices' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_look_up_is_done_once_a_model() -> None:
    assert listed_cost("openai", "gpt-5-mini", OPENAI) is listed_cost(
        "openai", "gpt-5-mini", OPENAI
    )
