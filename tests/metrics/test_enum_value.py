from __future__ import annotations

from collections.abc import Mapping

import pytest

from promptyard.errors import ConfigError
from promptyard.records.base import Json
from promptyard.records.messages import OutputContract

from .grading import PASS, Outcome, assert_outcome, grade

INVALID = ("invalid_enum",)
STATUS: Mapping[str, Json] = {"field": "status", "values": ["open", "closed"]}

ROWS: list[tuple[Mapping[str, Json], str, Outcome]] = [
    ({"values": ["open", "closed"]}, "open\n", PASS),
    ({"values": ["open", "closed"]}, "Open", INVALID),
    ({"values": ["open", "closed"], "normalize": "casefold"}, "OPEN", PASS),
    ({"values": ["open", "closed"], "normalize": "none"}, "open\n", INVALID),
    ({"values": ["open", "closed"]}, "open, closed", INVALID),
    ({"values": ["open", "closed"]}, "", ("empty_output", "invalid_enum")),
    ({"values": [1, 2, 3]}, "3", PASS),
    ({"values": [1, 2, 3]}, "4", INVALID),
    ({"values": [True]}, "1", INVALID),
    (STATUS, '{"status": "open"}', PASS),
    (STATUS, '{"status": "VIP"}', INVALID),
    (STATUS, '{"status": ["open"]}', INVALID),
    (STATUS, '{"status": null}', INVALID),
    (STATUS, "{}", ("missing_required_field", "invalid_enum")),
    (STATUS, "open", ("invalid_json",)),
    (STATUS, "", ("empty_output", "invalid_json")),
    (STATUS, '```\n{"status": "open"}\n```', ("invalid_json",)),
    (STATUS | {"allow_fence": True}, '```\n{"status": "open"}\n```', PASS),
    ({"field": "a.b", "values": [None, 1]}, '{"a": {"b": null}}', PASS),
    ({"field": "status"}, '{"status": "open"}', ConfigError),
    ({}, "open", ConfigError),
    ({"values": []}, "open", ConfigError),
    ({"values": "open,closed"}, "open", ConfigError),
    ({"values": ["open"], "allow_fence": True}, "open", ConfigError),
    ({"values": ["open"], "feild": "x"}, "open", ConfigError),
]


@pytest.mark.parametrize(("options", "output", "outcome"), ROWS)
def test_enum(options: Mapping[str, Json], output: str, outcome: Outcome) -> None:
    assert_outcome("enum", options, None, output, outcome)


def test_the_labels_of_the_contract_are_the_default() -> None:
    contract = OutputContract(format="label", labels=("open", "closed"))
    assert_outcome("enum", {}, None, "closed", PASS, contract)
    assert_outcome("enum", {}, None, "VIP", INVALID, contract)
    assert_outcome("enum", {"values": ["VIP"]}, None, "VIP", PASS, contract)


def test_the_finding_names_the_field_the_set_and_the_answer() -> None:
    (score,) = grade("enum", '{"status": "VIP"}', options=STATUS)
    assert (score.field, score.path) == ("status", "/status")
    assert score.reason == 'the field \'status\' must be one of ["open", "closed"], got "VIP"'
    assert (score.severity, score.dimension) == ("hard", "validity")
