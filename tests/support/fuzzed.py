"""Every operation of the service, called with data that its OpenAPI document allows and does not.

schemathesis makes the data and checks the answers: no 500, no status, type or header that the
document does not name, bodies as the document says, wrong data and missing keys refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeAlias

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from promptyard.service.access import STREAM_FIELD
from support.served import Service

ALL_DATA_FITS: Any = getattr(checks, "positive_data_acceptance")  # noqa: B009 (its type is unknown)
"""Left out: data of the right shape may name what is not there, or is not in the state that the act
needs. 404, 409 and 422 are right then."""
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
EVENTS = "text/event-stream"
"""Answers of this type do not end."""


JSON = "application/json"


@schemathesis.serializer(
    "application/x-ndjson", "application/jsonl", "application/x-protobuf", "application/x-tar"
)
def raw_body(_: Any, value: Any) -> bytes:
    """Send a text or bytes as they are, whether they are what their type says or not."""
    raw = getattr(value, "data", value)
    return raw if isinstance(raw, bytes) else str(raw).encode("utf-8", "surrogatepass")


Answers: TypeAlias = Counter[tuple[str, int]]
Operation: TypeAlias = Any
"""An `APIOperation` of schemathesis, whose types say little."""


def called_operations(service: Service, key: str) -> list[Operation]:
    """All operations of the service's document whose answers end by themselves."""
    document = service.get("/api/v1/openapi.json", key=key).json
    schema: Any = schemathesis.openapi.from_dict(document)
    found = [result.ok() for result in schema.get_all_operations()]
    return [operation for operation in found if not _is_endless(operation)]


def _is_endless(operation: Operation) -> bool:
    raw: Mapping[str, Any] = operation.definition.raw
    content = raw["responses"].get("200", {}).get("content", {})
    return bool(raw.get(STREAM_FIELD)) or EVENTS in content


def _can_be_wrong(raw: Mapping[str, Any]) -> bool:
    """Whether there is data that has to be refused: of a body of lines the good ones are taken."""
    body = raw.get("requestBody", {}).get("content", {})
    return set(body) <= {JSON} and bool(raw.get("parameters") or body)


def fuzz(
    service: Service,
    key: str,
    operation: Operation,
    known: Mapping[str, str],
    *,
    n_examples: int,
    number: int = 0,
) -> Answers:
    """Call an operation with right and wrong data, of things that are there and are not.

    `known` are parameters of paths that lead to something. Raises what the checks find.
    """
    names = {parameter.name for parameter in operation.path_parameters}
    there = {name: value for name, value in known.items() if name in names}
    modes = [GenerationMode.POSITIVE]
    if _can_be_wrong(operation.definition.raw):
        modes.append(GenerationMode.NEGATIVE)
    answers: Answers = Counter()
    for mode in modes:
        for fixed in [None, there] if there else [None]:
            strategy = operation.as_strategy(generation_mode=mode, path_parameters=fixed)

            @seed(number)
            @settings(
                max_examples=n_examples,
                database=None,
                deadline=None,
                suppress_health_check=SLOW,
                phases=[Phase.generate],
            )
            @given(case=strategy)
            def call(case: Any) -> None:
                answer = case.call_and_validate(
                    base_url=service.url,
                    headers={"Authorization": f"Bearer {key}"},
                    excluded_checks=[ALL_DATA_FITS],
                )
                answers[operation.label, answer.status_code] += 1

            call()
    return answers
