"""The embedded model in the role of the optimizer: it answers meta-prompts extractively.

It reads the buckets of failures that the meta-prompt quotes and replies in the requested edit
format: for each expected label the words that set its examples apart from those of the other
labels, and where answers hold the label inside more text, a sentence that asks for the label only.
It writes nothing that it has not read. Source: ADR-0005.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

from promptyard.providers.lexical_reader import BULLET, label_of

BUCKET = re.compile(
    r"<bucket-(?P<nonce>\w+) (?P<attributes>[^>\n]*)>\n(?P<rows>.*?)</bucket-(?P=nonce)>", re.DOTALL
)
PROMPT = re.compile(r"<(prompt[\w-]*) id=\"\w+\">\n(?P<text>.*?)\n</\1>", re.DOTALL)
TARGET = re.compile(r"section=\"([^\"]*)\"")
WORD = re.compile(r"[^\W\d_][\w'-]+", re.UNICODE)
MAX_TERMS = 16
ONLY_LABEL = "Answer with exactly one of the labels and nothing else."


def is_meta_prompt(text: str) -> bool:
    """Say whether a text quotes buckets of failures, as a reflection request does."""
    return BUCKET.search(text) is not None


def answer_meta_prompt(text: str) -> str:
    """Write the reply to a reflection request. Empty of edits when nothing can be learnt."""
    prompt = PROMPT.search(text)
    shown = prompt.group("text") if prompt else ""
    examples: dict[str, list[str]] = {}
    targets: dict[str, str] = {}
    wordy_target: str | None = None
    for bucket in BUCKET.finditer(text):
        named = TARGET.search(bucket.group("attributes"))
        target = named.group(1) if named else ""
        for row in _rows(bucket.group("rows")):
            expected, got = row.get("expected"), row.get("got")
            if not isinstance(expected, str):
                continue
            if isinstance(got, str) and expected != got.strip() and expected in got:
                wordy_target = target
                continue
            examples.setdefault(expected, []).append(_input_text(row.get("input")))
            targets.setdefault(expected, target)
    edits = [
        _definition_edit(targets[label], shown, label, terms)
        for label, terms in distinctive_terms(examples).items()
        if terms
    ]
    if wordy_target is not None:
        edits.append(_edit(wordy_target, "", ONLY_LABEL))
    names = ", ".join(list(examples)[:3])
    reason = f"The words of the failing examples tell {names or 'the labels'} apart."
    return json.dumps({"hypothesis": reason, "edits": edits}, ensure_ascii=False)


def distinctive_terms(examples: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Per label the words that are frequent in its examples and rare in those of the others.

    Rank: (share of the label's examples with the word) x idf over labels; ties in order of first
    use. At most `MAX_TERMS` a label.
    """
    words = {
        label: [dict.fromkeys(word.casefold() for word in WORD.findall(text)) for text in texts]
        for label, texts in examples.items()
    }
    labels_with: Counter[str] = Counter()
    for texts in words.values():
        labels_with.update({word for text in texts for word in text})
    terms: dict[str, list[str]] = {}
    for label, texts in words.items():
        counts = Counter(word for text in texts for word in text)
        weight = {
            word: n / len(texts) * math.log((1 + len(words)) / labels_with[word])
            for word, n in counts.items()
        }
        ranked = sorted(weight, key=lambda word, weight=weight: -weight[word])
        terms[label] = [word for word in ranked if weight[word] > 0][:MAX_TERMS]
    return terms


def _rows(source: str) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = []
    for line in source.splitlines():
        if line.startswith("{"):
            rows.append(cast("Mapping[str, Any]", json.loads(line)))
    return rows


def _input_text(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(str(part) for part in cast("Mapping[str, object]", value).values())
    return str(value)


def _definition_edit(
    target: str, prompt: str, label: str, terms: Sequence[str]
) -> Mapping[str, str]:
    """Define a label on its own line of the list, or on a new line where it has none."""
    for line in prompt.splitlines():
        item = BULLET.match(line)
        if item and label_of(item.group(1)) == label:
            _, _, said = item.group(1).partition(": ")
            known = [word.strip() for word in said.split(",") if word.strip()]
            joined = list(dict.fromkeys([*known, *terms]))
            return _edit(target, line, f"{line.split(': ')[0]}: {', '.join(joined)}")
    return _edit(target, "", f"- {label}: {', '.join(terms)}")


def _edit(target: str, old: str, new: str) -> Mapping[str, str]:
    op = "replace" if old else "append"
    return {"op": op, "section": target, "old": old, "new": new}
