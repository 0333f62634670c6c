"""The check `f1`: how many words the answer shares with the expected text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from promptyard.metrics.comparison import label_text
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import (
    ABSENT,
    InvalidJson,
    as_array,
    lookup,
    parse_json,
    path_parts,
    pointer,
    shorten,
)
from promptyard.metrics.similarity import SimilarityCheck, overlap
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score


class F1(SimilarityCheck):
    """Grade the words that answer and expected text share: the F1 of two multisets.

    As in SQuAD (Rajpurkar et al. 2016, the official script): a word that stands twice must be
    expected twice to count twice (inspect's `f1` compares sets). Texts of articles and punctuation
    alone keep them; one without words shares nothing. A word ends at white space, so this is not
    for languages that write without spaces.

    Options:
        value: the expected text, when it is the same for all cases; default: the case's, a text
            or a number, or `{"any_of": [...]}`, of which the nearest counts.
        any_of: true makes an expected list a list of alternatives.
        threshold: at or above it the value is 1.0, in (0, 1]; default 1.
        normalize: `squad` (default), `none`, `strip` or `casefold`.
        field: compares one field of a JSON answer, as a dotted path, with the same field of what
            the case expects. Lists of texts are read as one text.
        allow_fence: as in `is_json`, with `field`.

    Below 1.0 it has the tag `low_overlap`; with `field`, an absent one has
    `missing_required_field` and one that is no text `wrong_type`, too. Not JSON: `invalid_json`.
    Soft, accuracy. A case without an expected text is unscored.
    """

    name = "f1"
    option_names = (*SimilarityCheck.option_names, "field", "allow_fence")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.field = self.options.text("field") if self.options.has("field") else None
        self.allow_fence = self.options.flag("allow_fence")

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Take the field out of answer and expectation, then compare as without one."""
        if self.field is None:
            return await super().score(case, completion)
        gold = lookup(case.expected, path_parts(case.expected, self.field))
        texts = self.golds(case, None if gold is ABSENT else self._joined(gold))
        try:
            value = parse_json(completion.text, allow_fence=self.allow_fence)
        except InvalidJson as error:
            reason = f"the output is not JSON: {error}; got {shorten(completion.text)}"
            return (self.failed(completion, reason, tags=("invalid_json",)),)
        parts = path_parts(value, self.field)
        got = lookup(value, parts)
        text = None if got is ABSENT else label_text(_as_text(got))
        if text is None:
            cause = "missing_required_field" if got is ABSENT else "wrong_type"
            why = "is missing" if got is ABSENT else f"is no text; got {shorten(got)}"
            reason, tags = f"the field '{self.field}' {why}", (cause, self.tag)
            found = (self.failed(completion, reason, tags=tags),)
        else:
            found = self.compared(case, completion, texts, text)
        path = pointer(parts)
        return tuple(
            score.model_copy(update={"field": self.field, "path": path if score.tags else None})
            for score in found
        )

    def similarity(self, gold: str, answer: str) -> float:
        """Count the words in common."""
        expected, given = Counter(gold.split()), Counter(answer.split())
        n_hits = (expected & given).total()
        return overlap(n_hits, given.total(), expected.total())

    def _joined(self, gold: Json) -> Json:
        return gold if self.any_of else _as_text(gold)


def _as_text(value: Json) -> Json:
    """Join a list of texts and numbers to one text; anything else stays what it is."""
    items = as_array(value)
    if items is None:
        return value
    texts = [label_text(item) for item in items]
    known = [text for text in texts if text is not None]
    return " ".join(known) if len(known) == len(texts) else value
