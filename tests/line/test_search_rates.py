"""E8: how often `auto` returns something else than the baseline, by simulation with fixed seeds.

The small version of benchmarks/promotion_rates.py. The same seeds give the same counts.
"""

from __future__ import annotations

import pytest

from promotion_rates import is_harmful, is_returned, run_once
from promptyard.records.runs import Run
from support.world import HARMFUL, RULE

# Dozens of whole runs; other tests reach these lines, and tracing doubles the time.
pytestmark = pytest.mark.no_cover

N_NULL, N_HARMFUL, N_PLANTED = 8, 6, 8
KINDS = ("label", "graded", "label_without_holdout", "tight_without_holdout")


def returned(kind: str, setting: str, n_seeds: int) -> list[Run]:
    runs = [run_once(kind, setting, seed) for seed in range(n_seeds)]
    return [run for run in runs if is_returned(run)]


@pytest.mark.parametrize("setting", KINDS)
def test_a_null_generator_leaves_the_baseline(setting: str) -> None:
    assert len(returned("null", setting, N_NULL)) <= 1


@pytest.mark.parametrize("setting", KINDS)
def test_a_harmful_generator_always_leaves_the_baseline(setting: str) -> None:
    assert returned("harmful", setting, N_HARMFUL) == []


@pytest.mark.parametrize("setting", ["label", "graded"])
def test_a_planted_gain_of_ten_points_is_found_and_promoted(setting: str) -> None:
    found = returned("planted", setting, N_PLANTED)
    assert len(found) >= 7
    assert all(RULE in run.best.prompt.text for run in found)
    assert not any(text in run.best.prompt.text for run in found for text in HARMFUL)


def test_beside_harmless_generators_no_harmful_sentence_is_returned() -> None:
    found = returned("mixed", "label", N_HARMFUL)
    assert not any(is_harmful(run) for run in found)
    assert len(found) <= 1
