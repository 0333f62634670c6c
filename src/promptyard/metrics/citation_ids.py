"""The check `citation_ids`: an answer cites the sources that it should, graded by F1."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Literal, TypeAlias

from promptyard.metrics.check import JsonCheck
from promptyard.metrics.citation_markers import markers
from promptyard.metrics.comparison import accepted_values
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import (
    ABSENT,
    as_array,
    lookup,
    path_parts,
    pointer,
    shorten,
)
from promptyard.metrics.sources import Sources, source_id
from promptyard.records.base import Json, as_object
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import HitCounts, Score

Mode: TypeAlias = Literal["f1", "exact", "precision", "recall"]
MODES: tuple[Mode, ...] = ("f1", "exact", "precision", "recall")


class CitationIds(JsonCheck):
    """Compare the set of ids that an answer cites with the set that the case expects.

    Ids are compared as texts (1 is "1"), case counts, and an id that is given twice counts once.
    An id may stand alone or in an object under `id_key`; a single one need be no list.

    Options:
        field: the ids, as a dotted path in the answer and in what the case expects; default: the
            whole of both. With `markers`: in what the case expects.
        value: the expected ids, when they are the same for all cases.
        markers: true takes the ids out of the markers of a prose answer (`[1]`, `[doc1, doc2]`),
            as in `citation_markers`; default false, where the answer is JSON.
        mode: `f1` (default), `precision`, `recall` or `exact` (1 or 0). With nothing given and
            something expected all four are 0; where nothing is expected, recall is 1, and the
            others are 1 if nothing is given, else 0.
        source: the input variable with the sources, or a list, as in `citation_span`: ids that
            are not among them get the tag `unknown_source`.
        id_key: the key of the id in an object; default `id`.
        allow_fence: as in `is_json`.

    Fails, or scores in between, with `missing_citation`, `wrong_citation` (one too many) and
    `unknown_source`; an absent field has `missing_required_field`, what can be no id
    `wrong_type`. Not JSON: `invalid_json`. `Score.counts` holds hits, given and expected ids for
    micro-averages. An expected `{"any_of": [[...], ...]}` takes the alternative that fits best. A
    case that expects no list is unscored. Soft, accuracy.
    """

    name = "citation_ids"
    tag = "wrong_citation"
    option_names = ("field", "value", "markers", "mode", "source", "id_key", "allow_fence")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.field = self.options.text("field") if self.options.has("field") else None
        self.mode: Mode = self.options.choice("mode", MODES, "f1")
        self.markers = self.options.flag("markers")
        self.id_key = self.options.text("id_key") if self.options.has("id_key") else "id"
        named = self.options.has("source")
        self.sources = Sources(self.options.text_or_texts("source")) if named else None
        self.value = self._read_value() if self.options.has("value") else None
        if self.markers and self.options.has("allow_fence"):
            raise self.options.wrong("allow_fence", "has no meaning with 'markers'")

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Look for the expectation first: a case without one is unscored whatever the answer."""
        known = self._known(case)
        accepted = self._accepted(case, known)
        if self.markers:
            given = Given(frozenset(found.id for found in markers(completion.text, known or ())))
            return (self._best(completion, accepted, given, known),)
        (score,) = await super().score(case, completion)
        nothing = HitCounts(n_hits=0, n_given=0, n_expected=min(map(len, accepted)))
        return (score if score.counts else score.model_copy(update={"counts": nothing}),)

    def grade(self, case: Case, completion: Completion, value: Json) -> Sequence[Score]:
        """Compare the ids at the field with each accepted set."""
        known = self._known(case)
        parts = () if self.field is None else path_parts(value, self.field)
        given = self._given(lookup(value, parts))
        score = self._best(completion, self._accepted(case, known), given, known)
        return (score.model_copy(update={"path": pointer(parts)}) if score.tags else score,)

    def _best(
        self,
        completion: Completion,
        accepted: Sequence[Set[str]],
        given: Given,
        known: Container[str] | None,
    ) -> Score:
        scores = [self._compared(completion, gold, given, known) for gold in accepted]
        return max(scores, key=lambda score: score.value)

    def _compared(
        self, completion: Completion, gold: Set[str], given: Given, known: Container[str] | None
    ) -> Score:
        n_given = len(given.ids) + given.n_unusable
        n_hits = len(gold & given.ids)
        counts = HitCounts(n_hits=n_hits, n_given=n_given, n_expected=len(gold))
        value = 0.0 if given.absent else share(self.mode, counts)
        if value == 1.0:
            (passed,) = self.passed(field=self.field)
            return passed.model_copy(update={"counts": counts})
        superfluous = sorted(given.ids - gold) if self.mode != "recall" else []
        unknown = [item for item in superfluous if known is not None and item not in known]
        wrong = [item for item in superfluous if known is None or item in known]
        missing = sorted(gold - given.ids) if self.mode != "precision" or not n_given else []
        found = {
            "missing_required_field": given.absent,
            "wrong_type": given.n_unusable > 0,
            "unknown_source": bool(unknown),
            self.tag: bool(wrong),
            "missing_citation": bool(missing) or given.absent,
        }
        said = [
            f"{what} {shorten(items)}"
            for what, items in (("unknown", unknown), ("too many", wrong), ("missing", missing))
            if items
        ]
        reason = f"{n_hits} of {len(gold)} expected ids among {n_given} given"
        tags = [tag for tag, is_found in found.items() if is_found]
        score = self.failed(completion, "; ".join([reason, *said]), tags=tags, field=self.field)
        return score.model_copy(update={"value": value, "counts": counts})

    def _given(self, value: Json) -> Given:
        if value is ABSENT:
            return Given(frozenset(), absent=True)
        items = as_array(value)
        ids = list(self._ids((value,) if items is None else items))
        named = frozenset(item for item in ids if item is not None)
        return Given(named, n_unusable=ids.count(None))

    def _ids(self, items: Sequence[Json]) -> Iterator[str | None]:
        for item in items:
            entry = as_object(item)
            yield source_id(item if entry is None else entry.get(self.id_key))

    def _read_value(self) -> tuple[Set[str], ...]:
        value = self.options.value("value")
        found = self._alternatives(value)
        if found is None:
            raise self.options.wrong("value", "must be a list of ids", value)
        return found

    def _accepted(self, case: Case, known: Container[str] | None) -> tuple[Set[str], ...]:
        accepted = self.value
        if accepted is None:
            gold = case.expected
            if self.field is not None:
                gold = lookup(gold, path_parts(gold, self.field))
            accepted = None if gold is ABSENT else self._alternatives(gold)
        if accepted is None:
            where = "'expected'" if self.field is None else f"'expected.{self.field}'"
            raise self.ungradable(case, f"{where} must be a list of ids; or give option 'value'")
        if known is not None:
            strange = [item for gold in accepted for item in sorted(gold) if item not in known]
            if strange:
                raise self.ungradable(case, f"it expects the id {shorten(strange[0])}, no source's")
        return accepted

    def _alternatives(self, gold: Json) -> tuple[Set[str], ...] | None:
        found: list[Set[str]] = []
        for value in accepted_values(gold, any_of=False):
            items = as_array(value)
            ids = None if items is None else list(self._ids(items))
            if ids is None or None in ids:
                return None
            found.append(frozenset(item for item in ids if item is not None))
        return tuple(found) or None

    def _known(self, case: Case) -> Container[str] | None:
        if self.sources is None:
            return None
        try:
            return self.sources.of(case)
        except ValueError as error:
            raise self.ungradable(case, str(error)) from None


@dataclass(frozen=True)
class Given:
    """What an answer cites: ids, and how many things that can be none."""

    ids: Set[str]
    n_unusable: int = 0
    absent: bool = False


def share(mode: Mode, counts: HitCounts) -> float:
    """Return precision, recall, F1 or equality of a set by its counts, in [0, 1]."""
    hits, given, expected = counts.n_hits, counts.n_given, counts.n_expected
    if mode == "exact":
        return float(hits == given == expected)
    if mode == "recall":
        return hits / expected if expected else 1.0
    if not given:
        return float(not expected)
    if mode == "precision":
        return hits / given
    return 2 * hits / (given + expected)
