"""What a metric may know of the prompt whose answers it grades."""

from __future__ import annotations

from promptyard.records.base import Record
from promptyard.records.messages import OutputContract


class MetricContext(Record):
    """The surroundings of a check: the output contract of the prompt that gives the answer.

    `json_schema` takes its schema from it and `enum` its labels when the check names none.
    """

    output: OutputContract = OutputContract()
