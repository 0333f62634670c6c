"""Compares the three fields of a summary with key words of what is expected.

A summary may be worded as it likes: a field agrees when it holds most of the expected words and is
not the whole ticket. A missing thing must be null.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

MOST = 0.6  # share of the expected words that a field must hold
TOO_LONG = 40  # words: a field of more is no summary


def fields(case: Any, output: str) -> list[Any]:
    """Grade each field; the tags name what went wrong, for the buckets."""
    import json

    from promptyard.records.scores import Score

    answer = json.loads(output)
    found = list(_findings(case.expected, answer))
    if not found:
        return [Score(metric="fields", value=1.0, severity="soft")]
    value = 1.0 - len({field for field, _, _ in found}) / 3
    return [
        Score(
            metric="fields",
            value=value,
            tags=(tag,),
            field=field,
            reason=reason,
            severity="soft",
            weight=1 / len(found),
        )
        for field, tag, reason in found
    ]


def _findings(expected: dict[str, Any], answer: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for field, gold in expected.items():
        got = answer[field]
        if gold is None and got is not None:
            yield field, "not_null_when_missing", f"the ticket has none, got {got!r}"
        elif gold is not None and not agrees(gold, got):
            refund = field == "requested_resolution" and gold == "refund"
            tag = "omitted_refund_request" if refund else f"wrong_{field}"
            yield field, tag, f"expected something like {gold!r}, got {got!r}"
    action, issue = expected["agent_action_taken"], answer["customer_issue"]
    if action is not None and issue is not None and agrees(action, issue):
        tag = "complaint_not_separated_from_action"
        yield "customer_issue", tag, f"what the agent did stands in the complaint: {issue!r}"


def agrees(gold: Any, got: str | None) -> bool:
    """Say whether a field holds most words of what is expected, or of one alternative."""
    if got is None:
        return False
    golds = gold["any_of"] if isinstance(gold, dict) else [gold]
    given = words_of(got)
    if len(given) > TOO_LONG:
        return False
    return any(
        sum(word in given for word in words_of(text)) >= MOST * len(words_of(text))
        for text in golds
    )


def words_of(text: str) -> list[str]:
    """Return the words in lower case, without the ends that change with the sentence."""
    return [re.sub(r"(ed|ment|s|e)$", "", word) for word in re.findall(r"\w+", text.casefold())]
