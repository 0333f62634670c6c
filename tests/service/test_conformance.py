"""Whatever is sent to any operation is answered as the OpenAPI document says, and never by 500.

A longer run: API_EXAMPLES=300 API_SEED=1 pytest tests/service/test_conformance.py
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from promptyard.service.rates import Rates
from support.fuzzed import called_operations, fuzz
from support.served import Service
from support.served_prompts import served_prompts

N_EXAMPLES = int(os.environ.get("API_EXAMPLES", "2"))
SEED = int(os.environ.get("API_SEED", "0"))
N_PARTS = 4
"""The operations are shared among so many tests, which run beside each other."""


class Fuzzed(NamedTuple):
    """A service with something in it, its operations, and what paths lead to something."""

    service: Service
    key: str
    operations: Sequence[Any]
    known: Mapping[str, str]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Fuzzed]:
    folder: Path = tmp_path_factory.mktemp("conformance")
    with served_prompts(folder, requests_per_s=1e6, burst=10**6) as service:
        # Each operation is tried without keys and with wrong ones, all from one address.
        service.state.wrong_keys = Rates(1e6, 10**6)
        key = service.new_key("admin")
        started = service.post("/api/v1/prompts/p/rollouts", {"version": "2"}, key=key)
        known = {
            "name": "p",
            "reference": "latest",
            "pointer": "production",
            "rollout": started.json["rollout"]["id"],
        }
        yield Fuzzed(service, key, called_operations(service, key), known)


@pytest.mark.parametrize("part", range(N_PARTS))
def test_every_operation_answers_as_documented(fuzzed: Fuzzed, part: int) -> None:
    service, key, operations, known = fuzzed
    mine = operations[part::N_PARTS]
    assert mine
    for operation in mine:
        answers = fuzz(service, key, operation, known, n_examples=N_EXAMPLES, number=SEED)
        assert answers.total() >= 1, operation.label
        assert not [status for _, status in answers if status >= 500], answers
