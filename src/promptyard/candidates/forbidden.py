"""What no text that a model wrote may bring into a prompt, whatever the data told it to. Pure.

Remains of the request, secrets, addresses, words to those who grade, words that cancel the rest of
the prompt, hidden and encoded text. `known` is the text in which a find is no news: the prompt
before the change, or the input that a worked answer belongs to. Source: anchors on algorithms,
part D, V6, V8 and V9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptyard.candidates.plain_text import mixed_word, plain
from promptyard.records.quoting import HIDDEN

_REMAINS = re.compile(
    r"</?(?:edit|old|new|hypothesis|part|bucket|tried|prompt|ins)(?:-[0-9a-f]{8})?\b[^>]*>"
    r"|</?\w+-[0-9a-f]{8}\b"  # a tag with a nonce, of whatever name
    r"|here (?:is|are) the (?:improved|revised|new|updated) (?:prompt|instructions?)"
    r"|different from the previous|\bscore:\s*\d"
    r"|[\"'](?:edits|edit_spans|replacements|duplicates|tried)[\"']\s*:\s*\["
    r"|[\"']op[\"']\s*:\s*[\"'](?:append|insert_after|replace|delete)",
    re.IGNORECASE,
)
_TURN = re.compile(
    r"^[ \t]*(?:system|user|assistant|human|developer|tool)[ \t]*:[ \t]*\S"
    r"|<\|\w+\|>|\[/?inst\]|<</?sys>>",
    re.IGNORECASE | re.MULTILINE,
)
_SECRET = re.compile(
    r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}"
    r"|\bxox[abeprs]-[\w-]{10,}|\bAIza[\w-]{30,}|\beyJ[\w-]{8,}\.[\w-]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|(?i:\b(?:api[_ -]?key|secret|passw(?:or)?d|access[_ -]?token)\s*[:=]\s*[\"']?)"
    r"(?=[\w/+-]*\d)[\w/+-]{8,}"
)
_ADDRESS = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://[^\s)>\"']+|\bwww\.[\w-]+\.[^\s)>\"']+"
    r"|\b(?:javascript|vbscript|mailto):[^\s)>\"']+|\bdata:[a-z]+/[^\s)>\"']+"
    r"|(?<![\w:])//[\w-]+\.[^\s)>\"']+"
    r"|\b(?:[a-z0-9-]+\.)+[a-z]{2,}/[^\s)>\"']+"
    r"|[\w.+-]+@(?!example\.)[\w-]+\.[\w.-]+",
    re.IGNORECASE,
)
_GRADING = re.compile(
    r"\b(?:graders?|evaluators?|autoraters?|test cases?|test set|eval set|scoring function"
    r"|answer key|being (?:graded|evaluated|tested|scored))\b"
    r"|\bwho(?:m|so)?ever (?:grades?|scores?|rates?|judges?|marks?|evaluates?)\b"
    r"|\bthis is (?:only |just )?(?:an? |the )?(?:test|benchmark|eval(?:uation)?|exam)\b"
    r"|\b(?:this|the) (?:prompt|instructions?)\b[^.\n]{0,40}"
    r"\b(?:approved|promoted|certified|accepted|graded|scored|rated|validated)\b"
    r"|\bdear (?:judge|examiner|reviewer|rater)s?\b|\b(?:llm|ai)[ -](?:judge|rater|reviewer)s?\b"
    r"|\b(?:the|an?|this|our|your|any|every) judges?\b[^.\n]{0,60}\b(?:wise|fair|kind|generous"
    r"|lenient|please[ds]?|impress\w*|prais\w*|like[sd]?|prefers?|rewards?|scores?|marks?|points)\b"
    # the same in languages that models often fall into
    r"|\b(?:prüfer|bewerter|correcteur|évaluateur|evaluador|calificador|avaliador|valutatore)\w*"
    r"|\b(?:volle punktzahl|note maximale|puntuación máxima|punteggio massimo)"
    r"|评分|打分|满分|評分|滿分|оценщик|проверяющ",
    re.IGNORECASE,
)
_MARKS = re.compile(
    r"\b(?:answers?|responses?|outputs?|repl(?:y|ies)|prompts?|instructions?|everything)\b"
    r"[^.\n]{0,40}\b(?:deserves?|earns?|merits?|gets?|receives?|is worth)\b[^.\n]{0,20}"
    r"\b(?:full|top|highest|maximum|perfect|best)\b[^.\n]{0,10}\b(?:marks?|scores?|grades?|points)\b"
    r"|\b(?:10|100) ?(?:/|of|out of) ?(?:10|100)\b",
    re.IGNORECASE,
)
_SPEAKS_OF_MARKS = re.compile(r"\b(?:marks?|scores?|grades?|points|ratings?|rubric)\b", re.I)
_CANCELS = re.compile(
    r"\b(?:ignore|disregard|forget|override|skip)\b(?: (?:all|any|the|of|your|every|these|those)"
    r")* (?:previous|prior|earlier|preceding|foregoing|above|other|safety|system)\b[^.\n]{0,30}"
    r"\b(?:instructions?|rules?|prompts?|sections?|polic(?:y|ies))\b"
    r"|\b(?:instructions?|rules?|sections?|polic(?:y|ies))\b[^.\n]{0,40}"
    r"\b(?:no longer appl(?:y|ies)|(?:is|are) (?:void|cancelled|suspended|lifted))\b",
    re.IGNORECASE,
)
_ENCODED = re.compile(
    r"(?<![\w/+.-])(?=[A-Za-z0-9+/]*\d)(?=[a-z0-9+/]*[A-Z])(?=[A-Z0-9+/]*[a-z])"
    r"[A-Za-z0-9+/]{32,}={0,2}|\b(?:[0-9a-f]{2}[ :]?){16,}\b"
)
_UNSEEN = re.compile(r"<!--|<script\b|<iframe\b", re.IGNORECASE)
_JOINERS = "\u200c\u200d\ufe0e\ufe0f"


def remains_of_request(text: str, known: str = "") -> str | None:
    """Say what a text kept of the request: its tags, the form of its reply, its turns."""
    if found := _first(_REMAINS, text, ""):
        return f"holds remains of the request: {found[:60]!r}"
    if found := _first(_TURN, text, known):
        return f"begins another turn: {found.strip()[:60]!r}"
    return None


def forbidden(text: str, known: str) -> str | None:
    """Say what a text brings in that no prompt needs: secrets, addresses, words on grading."""
    if _first(_SECRET, text, known):
        return "holds something that looks like a secret"
    if found := _first(_ADDRESS, text, known):
        return f"brings in a URL or an address that was not there: {found[:60]!r}"
    found = _first(_GRADING, text, known)
    if found is None and (marks := _first(_MARKS, text, known)):
        found = None if _SPEAKS_OF_MARKS.search(known) else marks
    if found:
        return f"speaks of how answers are graded: {found[:60]!r}"
    if found := _first(_CANCELS, text, known):
        return f"cancels other parts of the prompt: {found[:60]!r}"
    return None


def unclean(text: str, known: str = "") -> str | None:
    """Say what of a text a person would not see, or not read: hidden, mixed, encoded."""
    for place, char in _hidden(text):
        if char not in known:
            return f"holds the hidden character U+{ord(char):04X} at {place}"
    if (word := mixed_word(text)) and word not in known:
        return f"mixes alphabets in one word: {word[:40]!r}"
    if found := _first(_UNSEEN, text, known):
        return f"hides text from readers: {found!r}"
    if found := _first(_ENCODED, text, known):
        return f"holds encoded text: {found[:40]!r}"
    return None


def _first(pattern: re.Pattern[str], text: str, known: str) -> str | None:
    """Return the first match in the plain reading that does not stand in `known`."""
    matches = [match[0] for match in pattern.finditer(plain(text))]
    if not matches:
        return None  # nearly always: what is known may be a long prompt, and need not be read
    before = plain(known).casefold()
    return next((found for found in matches if found.casefold() not in before), None)


def _hidden(text: str) -> Iterator[tuple[int, str]]:
    """Yield hidden characters; joiners inside words of other scripts and pictures are seen."""
    for match in HIDDEN.finditer(text):
        before = text[match.start() - 1 : match.start()]
        if match[0] in "\n\r\t" or (match[0] in _JOINERS and before and not before.isascii()):
            continue
        yield match.start(), match[0]
