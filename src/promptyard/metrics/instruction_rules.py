"""The checkable constraints of IFEval, each as a function of a reply and its arguments. Pure.

Written from the definitions of Zhou et al. 2023 (arXiv 2311.07911), table 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TypeAlias

from promptyard.metrics.comparison import caseless, composed
from promptyard.metrics.json_text import InvalidJson, as_array, parse_json, shorten
from promptyard.metrics.language import is_language, language_code
from promptyard.metrics.text_units import count_sentences, words
from promptyard.records.base import Json

RELATIONS: Mapping[str, Callable[[int, int], bool]] = {
    "at least": lambda got, wanted: got >= wanted,
    "less than": lambda got, wanted: got < wanted,
}

FIXED_ANSWERS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")

_PLACEHOLDER = re.compile(r"\[[^\[\]\n]*\]")
_HIGHLIGHT = re.compile(r"\*\*[^\n*]*[^\s*][^\n*]*\*\*|\*[^\n*]*[^\s*][^\n*]*\*")
_BULLET = re.compile(r"^[^\S\n]*[*-][^\S\n]", re.MULTILINE)
_MARKS = r"^[\s#*_>-]{0,20}"


class Reply:
    """An answer, and the forms of it that several constraints look at."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def folded(self) -> str:
        """The text without its case."""
        return caseless(self.text)

    @cached_property
    def stripped(self) -> str:
        """The text without white space at its ends."""
        return self.text.strip()


class Arguments:
    """The arguments of one constraint. Every method raises ValueError that says what is wrong."""

    def __init__(self, values: Mapping[str, Json]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        """Return an argument that is a text with something in it."""
        value = self._values.get(name)
        if isinstance(value, str) and value.strip():
            return value
        raise ValueError(f"'{name}' must be a text, got {shorten(value)}")

    def texts(self, name: str) -> list[str]:
        """Return an argument that is a list of texts."""
        items = as_array(self._values.get(name))
        if items and all(isinstance(item, str) and item.strip() for item in items):
            return list(items)
        raise ValueError(f"'{name}' must be a list of texts, got {shorten(self._values.get(name))}")

    def number(self, name: str) -> int:
        """Return an argument that is a whole number, 0 or more."""
        value = self._values.get(name)
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if whole and not isinstance(value, bool) and value is not None and value >= 0:
            return int(value)
        raise ValueError(f"'{name}' must be a whole number, got {shorten(value)}")


Rule: TypeAlias = Callable[[Reply, Arguments], str | None]
"""Says how a reply breaks a constraint; None where it holds. Raises ValueError, NoDetector."""


def _related(got: int, args: Arguments, relation: str, number: str, what: str) -> str | None:
    word, wanted = args.text(relation), args.number(number)
    if word not in RELATIONS:
        raise ValueError(f"'{relation}' must be one of {', '.join(RELATIONS)}; got '{word}'")
    holds = RELATIONS[word](got, wanted)
    return None if holds else f"{what}: {got}, must be {word} {wanted}"


def _at_least(got: int, args: Arguments, number: str, what: str) -> str | None:
    wanted = args.number(number)
    return None if got >= wanted else f"{what}: {got}, must be at least {wanted}"


def _exactly(got: int, args: Arguments, number: str, what: str) -> str | None:
    wanted = args.number(number)
    return None if got == wanted else f"{what}: {got}, must be {wanted}"


def _in_capitals(reply: Reply, args: Arguments) -> str | None:
    del args
    if not reply.text.isupper():
        return "the reply is not all in capital letters"
    return None if is_language(reply.text.lower(), "en") else "the reply is not in English"


def _in_lower_case(reply: Reply, args: Arguments) -> str | None:
    del args
    if not reply.text.islower():
        return "the reply is not all in lower case"
    return None if is_language(reply.text, "en") else "the reply is not in English"


def _capital_words(reply: Reply, args: Arguments) -> str | None:
    got = sum(word.isupper() for word in words(reply.text))
    return _related(got, args, "capital_relation", "capital_frequency", "words in capitals")


def _repeats_prompt(reply: Reply, args: Arguments) -> str | None:
    wanted = caseless(args.text("prompt_to_repeat")).strip()
    holds = reply.folded.strip().startswith(wanted)
    return None if holds else "the reply does not begin with the repeated prompt"


def _two_responses(reply: Reply, args: Arguments) -> str | None:
    del args
    parts = _parted(reply.text, "******")
    if len(parts) != 2 or not all(parts):
        return f"responses parted by ******: {len(list(filter(None, parts)))}, must be 2"
    return None if parts[0] != parts[1] else "the two responses are the same"


def _placeholders(reply: Reply, args: Arguments) -> str | None:
    got = sum(1 for _ in _PLACEHOLDER.finditer(reply.text))
    return _at_least(got, args, "num_placeholders", "placeholders in square brackets")


def _postscript(reply: Reply, args: Arguments) -> str | None:
    marker = caseless(args.text("postscript_marker")).strip()
    pattern = r"(?<!\w)" + re.escape(marker).replace(r"\.", r"\.\s?")
    if re.search(pattern.removesuffix(r"\s?"), reply.folded):
        return None
    return f"the reply has no postscript that begins with {shorten(marker)}"


def _fixed_answer(reply: Reply, args: Arguments) -> str | None:
    del args
    holds = any(answer in reply.text for answer in FIXED_ANSWERS)
    return None if holds else f"the reply has none of {', '.join(FIXED_ANSWERS)}"


def _is_json(reply: Reply, args: Arguments) -> str | None:
    del args
    try:
        parse_json(reply.text, allow_fence=True)
    except InvalidJson as error:
        return f"the reply is not JSON: {error}"
    return None


def _sections(reply: Reply, args: Arguments) -> str | None:
    splitter = args.text("section_spliter").strip()
    pattern = re.compile(_MARKS + re.escape(splitter) + r"[^\S\n]?\d", re.MULTILINE)
    got = sum(1 for _ in pattern.finditer(reply.text))
    return _at_least(got, args, "num_sections", f"sections headed '{splitter}' and a number")


def _bullets(reply: Reply, args: Arguments) -> str | None:
    got = sum(1 for _ in _BULLET.finditer(reply.text))
    return _exactly(got, args, "num_bullets", "bullet points")


def _highlights(reply: Reply, args: Arguments) -> str | None:
    got = sum(1 for _ in _HIGHLIGHT.finditer(reply.text))
    return _at_least(got, args, "num_highlights", "*highlighted* passages")


def _title(reply: Reply, args: Arguments) -> str | None:
    del args
    for line in reply.text.splitlines():
        _, opened, rest = line.partition("<<")
        inner, closed, _ = rest.rpartition(">>")
        if opened and closed and inner.strip("<> \t"):
            return None
    return "the reply has no title in double angular brackets"


def _has_keywords(reply: Reply, args: Arguments) -> str | None:
    missing = [word for word in args.texts("keywords") if caseless(word) not in reply.folded]
    return None if not missing else f"the reply lacks {shorten(missing, 120)}"


def _lacks_words(reply: Reply, args: Arguments) -> str | None:
    found = [
        word
        for word in args.texts("forbidden_words")
        if re.search(rf"(?<!\w){re.escape(caseless(word))}(?!\w)", reply.folded)
    ]
    return None if not found else f"the reply has {shorten(found, 120)}"


def _keyword_frequency(reply: Reply, args: Arguments) -> str | None:
    keyword = args.text("keyword")
    got = reply.folded.count(caseless(keyword).strip())
    return _related(got, args, "relation", "frequency", f"occurrences of {shorten(keyword)}")


def _letter_frequency(reply: Reply, args: Arguments) -> str | None:
    letter = args.text("letter")
    got = reply.folded.count(caseless(letter))
    what = f"occurrences of the letter {shorten(letter)}"
    return _related(got, args, "let_relation", "let_frequency", what)


def _in_language(reply: Reply, args: Arguments) -> str | None:
    wanted = args.text("language")
    code = language_code(wanted)
    if code is None:
        raise ValueError(f"the language '{wanted}' is not known")
    return None if is_language(reply.text, code) else f"the reply is not in the language '{wanted}'"


def _paragraphs(reply: Reply, args: Arguments) -> str | None:
    parts = _parted(reply.text, "***")
    if not all(parts):
        return "a paragraph between two *** is empty"
    return _exactly(len(parts), args, "num_paragraphs", "paragraphs parted by ***")


def _first_word(reply: Reply, args: Arguments) -> str | None:
    parts = [part for part in re.split(r"\n\n", reply.text) if part.strip()]
    wanted, nth = args.text("first_word"), args.number("nth_paragraph")
    wrong = _exactly(len(parts), args, "num_paragraphs", "paragraphs parted by empty lines")
    if wrong or not 0 < nth <= len(parts):
        return wrong or f"the reply has no paragraph {nth}"
    first = next(iter(words(parts[nth - 1])), "")
    if caseless(first) == caseless(wanted).strip():
        return None
    return f"paragraph {nth} begins with {shorten(first)}, must begin with {shorten(wanted)}"


def _n_sentences(reply: Reply, args: Arguments) -> str | None:
    got = count_sentences(reply.text)
    return _related(got, args, "relation", "num_sentences", "sentences")


def _n_words(reply: Reply, args: Arguments) -> str | None:
    return _related(len(words(reply.text)), args, "relation", "num_words", "words")


def _no_comma(reply: Reply, args: Arguments) -> str | None:
    del args
    return None if "," not in reply.text else f"commas: {reply.text.count(',')}, must be 0"


def _ends_with(reply: Reply, args: Arguments) -> str | None:
    phrase = args.text("end_phrase")
    holds = reply.folded.strip().strip('"').rstrip().endswith(caseless(phrase).strip())
    return None if holds else f"the reply does not end with {shorten(phrase)}"


def _quoted(reply: Reply, args: Arguments) -> str | None:
    del args
    text = reply.stripped
    holds = len(text) > 1 and text.startswith('"') and text.endswith('"')
    return None if holds else "the reply is not wrapped in double quotation marks"


def _parted(text: str, mark: str) -> list[str]:
    """Cut a text at a mark; nothing before the first and after the last mark is no part."""
    parts = [part.strip() for part in composed(text).split(mark)]
    return parts[not parts[0] : len(parts) - (len(parts) > 1 and not parts[-1])]


RULES: Mapping[str, Rule] = {
    "change_case:english_capital": _in_capitals,
    "change_case:english_lowercase": _in_lower_case,
    "change_case:capital_word_frequency": _capital_words,
    "combination:repeat_prompt": _repeats_prompt,
    "combination:two_responses": _two_responses,
    "detectable_content:number_placeholders": _placeholders,
    "detectable_content:postscript": _postscript,
    "detectable_format:constrained_response": _fixed_answer,
    "detectable_format:json_format": _is_json,
    "detectable_format:multiple_sections": _sections,
    "detectable_format:number_bullet_lists": _bullets,
    "detectable_format:number_highlighted_sections": _highlights,
    "detectable_format:title": _title,
    "keywords:existence": _has_keywords,
    "keywords:forbidden_words": _lacks_words,
    "keywords:frequency": _keyword_frequency,
    "keywords:letter_frequency": _letter_frequency,
    "language:response_language": _in_language,
    "length_constraints:nth_paragraph_first_word": _first_word,
    "length_constraints:number_paragraphs": _paragraphs,
    "length_constraints:number_sentences": _n_sentences,
    "length_constraints:number_words": _n_words,
    "punctuation:no_comma": _no_comma,
    "startend:end_checker": _ends_with,
    "startend:quotation": _quoted,
}
"""Every constraint of IFEval by its id."""
