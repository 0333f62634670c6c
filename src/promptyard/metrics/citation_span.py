"""The check `citation_span`: every quote of an answer stands in the source that it cites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal, NamedTuple, TypeAlias

from promptyard.metrics.check import JsonCheck, shared_weight
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import (
    ABSENT,
    PathPart,
    as_array,
    field_name,
    find,
    lookup,
    path_parts,
    pointer,
    shorten,
)
from promptyard.metrics.sources import Sources, SourceText, source_id, spaced
from promptyard.records.base import Json, as_object
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

Offsets: TypeAlias = Literal["either", "strict"]
OFFSETS: tuple[Offsets, ...] = ("either", "strict")

MAX_CITATIONS = 1000
MAX_FINDINGS = 50

WRONG, MISSING, UNKNOWN = "wrong_citation", "missing_citation", "unknown_source"


class Problem(NamedTuple):
    """What is wrong at one place of the answer."""

    parts: tuple[PathPart, ...]
    tags: tuple[str, ...]
    message: str


class CitationSpan(JsonCheck):
    """Check that every quote of a JSON answer occurs verbatim in the source that it cites.

    Verbatim means: as it stands, or with quote and source in NFKC and each run of white space one
    blank. Case, punctuation and curly quotes count. A quote never runs from one source into the
    next. A citation is an object with a quote, or with the offsets of one, or both; or a text,
    which is the quote. Where the case has one source the citation need not name it.

    Options:
        source: the input variable that holds the source, or a list of variables: a text (its id
            is the variable's name), a mapping of ids to texts, a list of `{id, text}`, or a list
            of texts (ids count from 1). Ids are compared as texts: 1 is "1".
        field: the citations in the answer, as a dotted path to a list (one alone need be no
            list); default: the whole answer. With `claims`: the path inside each claim, default
            `citations`.
        claims: the path to a list or mapping of claims, each of which needs a citation. A claim
            that is null claims nothing.
        required: whether there must be a citation at all (with `claims`: a claim); default true.
        min_chars: the least number of characters of a quote, as compared; default 1.
        offsets: `either` (default: the quote occurs, or the characters [start, end) of the source
            equal it) or `strict` (offsets are needed and must fit the quote). They count code
            points of the source as it stands in the case.
        `quote_key`, `source_key`, `start_key`, `end_key`: the keys of a citation; default
            `quote`, `source`, `start`, `end`.
        allow_fence: as in `is_json`.

    One finding for each wrong place, at most 50, with its path: `wrong_citation` where the quote
    is not in the cited source, too short, or more than 1,000 are given; `unknown_source` where
    the cited id does not exist, or none is named among several; `missing_citation` where one is
    needed (an absent field has `missing_required_field`, too); `wrong_type` for what can be no
    citation. Not JSON: `invalid_json`. A case without the source is unscored. Hard, accuracy.
    """

    name = "citation_span"
    tag = WRONG
    severity = "hard"
    option_names = (
        *("source", "field", "claims", "required", "min_chars", "offsets"),
        *("quote_key", "source_key", "start_key", "end_key", "allow_fence"),
    )

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.sources = Sources(self.options.text_or_texts("source"))
        self.claims = self.options.text("claims") if self.options.has("claims") else None
        self.field = self.options.text("field") if self.options.has("field") else None
        if self.claims is not None and self.field is None:
            self.field = "citations"
        self.required = self.options.flag("required", default=True)
        self.min_chars = self.options.whole_number("min_chars", default=1, least=1)
        self.offsets = self.options.choice("offsets", OFFSETS, "either")
        self.quote_key, self.source_key, self.start_key, self.end_key = (
            self.options.text(f"{key}_key") if self.options.has(f"{key}_key") else key
            for key in ("quote", "source", "start", "end")
        )

    def require(self, case: Case) -> None:
        """A case without its sources is unscored whatever the answer."""
        self._sources_of(case)

    def grade(self, case: Case, completion: Completion, value: Json) -> Sequence[Score]:
        """Look at each citation in turn."""
        sources = self._sources_of(case)
        if self._all_verbatim(value, sources):
            return self.passed(field=self.field)
        problems = islice(self._problems(value, sources), MAX_FINDINGS)
        findings = [self._finding(completion, problem) for problem in problems]
        return shared_weight(findings) if findings else self.passed(field=self.field)

    def _sources_of(self, case: Case) -> Mapping[str, SourceText]:
        try:
            return self.sources.of(case)
        except ValueError as error:
            raise self.ungradable(case, str(error)) from None

    def _finding(self, completion: Completion, problem: Problem) -> Score:
        own = (self.tag_override,) if self.tag_override else problem.tags
        return self.failed(
            completion,
            problem.message,
            tags=own,
            field=field_name(problem.parts),
            path=pointer(problem.parts),
        )

    def _all_verbatim(self, value: Json, sources: Mapping[str, SourceText]) -> bool:
        """Tell quickly what is common: a list of quotes that all stand in their source as given."""
        if self.claims is not None or self.offsets == "strict":
            return False
        items = as_array(value if self.field is None else find(value, self.field))
        if not items or len(items) > MAX_CITATIONS:
            return False
        only = next(iter(sources.values())) if len(sources) == 1 else None
        for item in items:
            entry = as_object(item)
            quote, source = item, only
            if entry is not None:
                quote = entry.get(self.quote_key)
                if (cited := entry.get(self.source_key)) is not None:
                    source = sources.get(source_id(cited) or "")
            if source is None or not isinstance(quote, str) or quote not in source.text:
                return False
            plain = self.min_chars == 1 and quote.isascii() and quote and not quote.isspace()
            if not plain and len(spaced(quote)) < self.min_chars:
                return False
        return True

    def _problems(self, value: Json, sources: Mapping[str, SourceText]) -> Iterator[Problem]:
        n_citations = 0
        for found in self._citations(value):
            if isinstance(found, Problem):
                yield found
                continue
            n_citations += 1
            if n_citations > MAX_CITATIONS:
                message = f"more than {MAX_CITATIONS:,} citations; the rest are not looked at"
                yield Problem(found[0], (WRONG,), message)
                return
            problem = self._problem(*found, sources)
            if problem is not None:
                yield problem

    def _citations(self, value: Json) -> Iterator[Problem | tuple[tuple[PathPart, ...], Json]]:
        """Walk to every citation; where one is needed and there is none, that is a problem."""
        if self.claims is None:
            yield from self._listed(value, (), "the answer", needed=self.required)
            return
        parts = path_parts(value, self.claims)
        claims = lookup(value, parts)
        named = as_object(claims)
        pairs = named.items() if named is not None else enumerate(as_array(claims) or ())
        made = [(key, claim) for key, claim in pairs if claim is not None]
        if not made and self.required:
            tags = ("missing_required_field", MISSING) if claims is ABSENT else (MISSING,)
            yield Problem(parts, tags, f"'{self.claims}' makes no claim; got {_shown(claims)}")
        for key, claim in made:
            yield from self._listed(claim, (*parts, key), f"the claim {key}", needed=True)

    def _listed(
        self, root: Json, base: tuple[PathPart, ...], what: str, *, needed: bool
    ) -> Iterator[Problem | tuple[tuple[PathPart, ...], Json]]:
        inner = () if self.field is None else path_parts(root, self.field)
        parts = (*base, *inner)
        found = lookup(root, inner)
        items = as_array(found)
        if found is ABSENT or found is None or found == "" or (items is not None and not items):
            if needed:
                absent = found is ABSENT and not base
                tags = ("missing_required_field", MISSING) if absent else (MISSING,)
                got = (
                    ""
                    if found is ABSENT
                    else f" at '{self.field or 'the top'}'; got {_shown(found)}"
                )
                yield Problem(parts, tags, f"{what} has no citation{got}")
        elif items is not None:
            yield from (((*parts, index), item) for index, item in enumerate(items))
        else:
            yield parts, found

    def _problem(
        self, parts: tuple[PathPart, ...], item: Json, sources: Mapping[str, SourceText]
    ) -> Problem | None:
        """Say what is wrong with one citation, if anything is."""
        entry = {self.quote_key: item} if isinstance(item, str) else as_object(item)
        if entry is None:
            return Problem(parts, ("wrong_type",), f"{_shown(item)} is no citation")
        cited = entry.get(self.source_key)
        known = source_id(cited)
        if cited is None and len(sources) == 1:
            known = next(iter(sources))
        if known is None or known not in sources:
            what = "names no source" if cited is None else f"names the source {shorten(cited)}"
            have = shorten(list(islice(sources, 20)))
            where = parts if cited is None else (*parts, self.source_key)
            return Problem(where, (UNKNOWN,), f"the citation {what}; the sources are {have}")
        slice_ = self._slice(entry, sources[known].text)
        quote = entry.get(self.quote_key)
        where = parts if isinstance(item, str) or quote is None else (*parts, self.quote_key)
        if quote is None:
            quote = slice_
        if quote is None:
            message = "the citation has neither a quote nor the offsets of one"
            tags = ("missing_required_field", WRONG)
            return Problem((*parts, self.quote_key), tags, message)
        if not isinstance(quote, str):
            return Problem(where, ("wrong_type",), f"the quote must be a text; got {_shown(quote)}")
        message = self._misquoted(quote, slice_, known, sources)
        return None if message is None else Problem(where, (WRONG,), message)

    def _misquoted(
        self, quote: str, slice_: str | None, known: str, sources: Mapping[str, SourceText]
    ) -> str | None:
        """Say how a quote is wrong, if it is; `slice_` is what its offsets mean."""
        compared = spaced(quote)
        if len(compared) < self.min_chars:
            return f"the quote {shorten(quote)} has fewer than {self.min_chars} characters"
        if slice_ is not None and spaced(slice_) == compared:
            return None
        if sources[known].has(quote):
            if self.offsets == "either":
                return None
            return f"the offsets of the quote {shorten(quote)} do not fit the source '{known}'"
        other = next((key for key, text in sources.items() if text.has(quote)), None)
        hint = "" if other is None else f"; it is in '{other}'"
        return f"the quote {shorten(quote)} is not in the source '{known}'{hint}"

    def _slice(self, entry: Mapping[str, Json], text: str) -> str | None:
        """Return the characters that the offsets mean; None where they mean none."""
        start, end = _offset(entry.get(self.start_key)), _offset(entry.get(self.end_key))
        if start is None or end is None or not start < end <= len(text):
            return None
        return text[start:end]


def _offset(value: Json) -> int | None:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return int(value) if whole and not isinstance(value, bool) and value >= 0 else None


def _shown(value: Json) -> str:
    return "nothing" if value is ABSENT else shorten(value)
