"""Meta-prompts: requests to the optimizer model, filled into templates that a user can override.

A template is a prompt file of our own format (`candidates/meta_prompts/NAME.md`) and is filled in
one pass. What comes from cases and outputs is JSON, one row a line, between tags that end in a
nonce; the nonce is taken from a hash of the quoted data and the seed, so that the same call is
written in the same way again.
"""

from __future__ import annotations

import difflib
import html
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

from promptyard.errors import ConfigError, PromptError
from promptyard.records.base import Json, as_object
from promptyard.records.evidence import Attempt, Bucket, TrainTrial
from promptyard.records.images import has_image_bytes
from promptyard.records.messages import Message
from promptyard.records.prompts import Prompt
from promptyard.records.quoting import fresh_nonce, quoted
from promptyard.records.regions import Region, regions

MAX_ITEM_CHARS = 1500
MIN_FIELDS = 4
"""Objects with fewer fields are shown whole."""
CUT_MARK = " …[cut]"
FOLDER = "meta_prompts"


class MetaPrompts:
    """The templates: those of the package, or a user's own of the same name."""

    def __init__(self, own: Mapping[str, str] | None = None) -> None:
        """Take a user's templates by name. Raises ConfigError as `check_template` does."""
        for name, text in (own or {}).items():
            check_template(name, text)
        self._own = dict(own or {})

    def fill(self, name: str, values: Mapping[str, str]) -> tuple[Message, ...]:
        """Fill a template in one pass; values are never read as templates.

        Raises ConfigError where a user's template asks for a slot that there is not.
        """
        try:
            messages = _template(self._own.get(name) or text_of(name)).render(values)
        except PromptError as error:
            raise ConfigError(f"meta-prompt '{name}': {error}") from None
        return tuple(Message.of(message.role, _without_gaps(message.text)) for message in messages)


def names() -> tuple[str, ...]:
    """Return the names of all templates of the package."""
    folder = resources.files("promptyard.candidates") / FOLDER
    files = [item.name for item in folder.iterdir() if item.name.endswith(".md")]
    return tuple(sorted(name.removesuffix(".md") for name in files))


@cache
def text_of(name: str) -> str:
    """Return the text of a template of the package."""
    return (resources.files("promptyard.candidates") / FOLDER / f"{name}.md").read_text("utf-8")


def check_template(name: str, text: str) -> None:
    """Refuse a user's template that could not be filled.

    Raises ConfigError in one line for an unknown name, a slot that the package's template does not
    have, a text that is no prompt file, and one without a slot or a user message.
    """
    slots = _template(text_of(known_name(name))).variables
    try:
        own = _template(text)
    except PromptError as error:
        raise ConfigError(f"meta-prompt '{name}': {error}") from None
    for slot in own.variables:
        if slot not in slots:
            raise ConfigError(
                f"meta-prompt '{name}': there is no slot '{slot}'{_nearest(slot, slots)}; a "
                "backslash before {{ makes it plain text"
            )
    if not own.variables:
        raise ConfigError(f"meta-prompt '{name}': it has no slot; known: {', '.join(slots)}")
    if not any(block.role == "user" for block in own.layout.blocks):
        raise ConfigError(f"meta-prompt '{name}': it has no user message; add a line 'user:'")


def known_name(name: str) -> str:
    """Return the name of a template. Raises ConfigError naming the nearest one."""
    known = names()
    if name not in known:
        raise ConfigError(f"there is no meta-prompt '{name}'{_nearest(name, known)}")
    return name


def _nearest(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(known)}"


@cache
def _template(text: str) -> Prompt:
    return Prompt.from_text(text)


def _without_gaps(text: str) -> str:
    """Close the gaps that empty slots leave: at most one blank line in a row."""
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip("\n")


def nonce_for(payload: Json, seed: int) -> str:
    """Return the nonce of a request that quotes this payload."""
    return fresh_nonce(json.dumps(payload, sort_keys=True), seed)


def prompt_text(prompt: Prompt) -> str:
    """Return what the optimizer reads of a prompt: its messages, without settings and demos."""
    layout = prompt.layout
    text, at = "", layout.front
    for block in layout.blocks:
        if block.role == "demos":
            text += prompt.text[at : block.start]
            at = block.end
    return (text + prompt.text[at:]).strip("\n")


def prompt_block(prompt: Prompt, nonce: str) -> str:
    """Quote a prompt as it stands. It is the user's own text, not data of cases."""
    text = prompt_text(prompt)
    tag = "prompt" if "</prompt" not in text else f"prompt-{nonce}"
    shown = f"\n({len(prompt.demos)} demonstrations follow.)" if prompt.demos else ""
    return f'<{tag} id="{nonce}">\n{text}\n</{tag}>{shown}'


def section_list(prompt: Prompt) -> str:
    """Name the sections that may be edited and those that may not."""
    parts = regions(prompt)
    open_, locked = [p for p in parts if not p.locked], [p.id for p in parts if p.locked]
    if prompt.spans:
        spans = "\n".join(f"- {part.id}: {quoted(item_text(part.text))}" for part in open_)
        return f"Only these spans may be edited; give the id of one as its section:\n{spans}"
    lines = "Sections that may be edited: " + ", ".join(part.id for part in open_) + "."
    return lines + (f" Locked: {', '.join(locked)}." if locked else "")


def bucket_block(
    bucket: Bucket, examples: Sequence[TrainTrial], region: Region | None, nonce: str
) -> str:
    """Quote a bucket: its name, its count, and examples as rows of JSON."""
    name = html.escape(_plain(bucket.name))
    place = f' section="{html.escape(region.id)}"' if region is not None else ""
    n_cases = len(bucket.case_ids)
    said = "".join(f"\nSeen {n} times: {quoted(item_text(text))}" for text, n in bucket.shapes[:3])
    lines = "\n".join(example_row(item) for item in examples)
    return (
        f'Bucket "{_plain(bucket.name)}" ({n_cases} {"case" if n_cases == 1 else "cases"}):{said}\n'
        f'<bucket-{nonce} name="{name}"{place} n_cases="{n_cases}">\n{lines}\n</bucket-{nonce}>'
    )


def part_block(prompt: Prompt, region: Region, nonce: str) -> str:
    """Quote the part of a prompt that is to be rewritten, and the rest with its place marked."""
    text = region.text.strip("\r\n")
    tag = "prompt" if "</prompt" not in text else f"prompt-{nonce}"
    mark = f"<part-{nonce}/>"
    return (
        f'The part of the prompt, `{region.id}`:\n<{tag} id="{nonce}">\n{text}\n</{tag}>\n\n'
        f"The whole as the model gets it, with the part at {mark}; what stands in double braces is "
        f"filled in with an input:\n"
        f"<layout-{nonce}>\n{_layout(prompt, region, mark)}\n</layout-{nonce}>"
    )


def _layout(prompt: Prompt, region: Region, mark: str) -> str:
    section = prompt.layout.section(region.section)
    start = (section.body if section else 0) + region.start
    end = start + len(region.text)
    body = prompt.text[start:end]
    lead, tail = body[: len(body) - len(body.lstrip())], body[len(body.rstrip()) :]
    return prompt_text(Prompt(text=f"{prompt.text[:start]}{lead}{mark}{tail}{prompt.text[end:]}"))


def examples_block(
    rows: Sequence[TrainTrial], step: str, nonce: str, analyses: Sequence[str] = ()
) -> str:
    """Quote rows one by one; of a program with several steps also what `step` gave.

    `analyses` is what the optimizer found about each, as far as it said something.
    """
    blocks: list[str] = []
    for number, item in enumerate(rows, 1):
        lines = [example_row(item)]
        given = [visit.completion.text for visit in item.trial.visits if visit.step == step]
        if given and len(item.trial.visits) > 1:
            lines.append(quoted({"step": step, "gave": item_text(given[-1])}))
        if number <= len(analyses):
            lines.append(quoted({"analysis": analyses[number - 1]}))
        blocks.append(
            f'<example-{nonce} number="{number}">\n' + "\n".join(lines) + f"\n</example-{nonce}>"
        )
    return "\n".join(blocks)


def attempts_block(attempts: Sequence[Attempt], nonce: str) -> str:
    """Quote what was tried for a bucket and what came of it; empty where nothing was."""
    if not attempts:
        return ""
    rows = "\n".join(
        quoted(
            {
                "bucket": item.bucket,
                "tried": [item_text(text) for text in item.texts],
                "outcome": item.outcome,
                "fixed": len(item.fixed),
                "broke": len(item.broke),
            }
        )
        for item in attempts
    )
    return (
        "Tried before and taken out again; do not repeat it in other words:\n"
        f"<tried-{nonce}>\n{rows}\n</tried-{nonce}>"
    )


def example_row(item: TrainTrial) -> str:
    """Write a train case with what was answered and what was found wrong as a row of JSON."""
    findings = [
        {"tags": list(score.tags), "field": score.field, "reason": item_text(score.reason)}
        for score in item.trial.scores
        if score.tags or (score.value < 1.0 and score.reason)
    ]
    expected, got = differing(item.case.expected, item.trial.output)
    row: dict[str, Json] = {
        "input": {name: item_value(value) for name, value in item.case.input.items()},
        "expected": item_value(expected),
        "got": item_value(got),
        "findings": [dict(finding) for finding in findings],
    }
    return quoted(row)


def differing(expected: Json, output: str) -> tuple[Json, Json]:
    """Leave out of two objects the fields in which they agree: what differs is what is asked."""
    wanted = as_object(expected)
    if wanted is None or len(wanted) < MIN_FIELDS:
        return expected, output
    try:
        given = as_object(json.loads(output))
    except (ValueError, RecursionError):
        given = None
    if given is None:
        return expected, output
    names = [name for name in {**wanted, **given} if wanted.get(name) != given.get(name)]
    if not names:
        return expected, output
    return (
        {name: wanted[name] for name in names if name in wanted},
        {name: given[name] for name in names if name in given},
    )


def _plain(name: str) -> str:
    """Keep a name on its line and inside its quotes."""
    return quoted(name)[1:-1]


def item_value(value: Json) -> Json:
    """Return a value of a case as it is quoted: long texts cut, bytes of images left out."""
    if isinstance(value, str):
        return item_text(value)
    if has_image_bytes(value):
        return "[an image]"  # its bytes as text tell the optimizer nothing
    text = json.dumps(value, ensure_ascii=False)
    return value if len(text) <= MAX_ITEM_CHARS else item_text(text)


def item_text(text: str) -> str:
    """Cut a text of a case or an answer where it is too long to be quoted, with a mark."""
    return text if len(text) <= MAX_ITEM_CHARS else text[:MAX_ITEM_CHARS] + CUT_MARK
