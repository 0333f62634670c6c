from __future__ import annotations

from collections.abc import Mapping

import pytest

from promptyard.errors import ConfigError
from promptyard.records.base import Json

from .grading import grade

INVALID = ("invalid_enum",)
STATUS: Mapping[str, Json] = {"field": "status", "values": ["open", "closed"]}


def test_the_finding_names_the_field_the_set_and_the_answer() -> None:
    (score,) = grade("enum", '{"status": "VIP"}', options=STATUS)
    assert (score.field, score.path) == ("status", "/status")
    assert score.reason == 'the field \'status\' must be one of ["open", "closed"], got "VIP"'
    assert (score.severity, score.dimension) == ("hard", "validity")


def test_without_values_and_without_labels_there_is_nothing_to_choose_from() -> None:
    with pytest.raises(ConfigError, match="give option 'values' or labels in the prompt's"):
        grade("enum", "open")
