"""What a critique says: an analysis of each example, and reasons."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.candidates.asking import after_reply, or_say
from promptyard.candidates.meta_prompt import MetaPrompts
from promptyard.candidates.reply import tagged
from promptyard.protocols import Bench
from promptyard.records.base import Record
from promptyard.records.messages import Message

MAX_CHARS = 1000


class Critiqued(Record):
    """Analyses in the order of the examples, reasons; `problem` says why there are none."""

    analyses: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    problem: str | None = None
    raw: str = ""


async def ask_for_reasons(
    bench: Bench,
    meta_prompts: MetaPrompts,
    messages: Sequence[Message],
    nonce: str,
    n_examples: int,
    n_reasons: int,
) -> Critiqued:
    """Ask why examples fail. Costs one optimizer call, two where something is missing.

    Every example wants an analysis before the reasons; of a second reply reasons will do, and so
    will prose of a model that does not write tags. A call that failed is no reasons and a problem.
    Raises ModelUnusable.
    """
    asked = _asked(bench, meta_prompts, messages, nonce, n_examples, n_reasons)
    return await or_say(asked, lambda problem: Critiqued(problem=problem))


async def _asked(
    bench: Bench,
    meta_prompts: MetaPrompts,
    messages: Sequence[Message],
    nonce: str,
    n_examples: int,
    n_reasons: int,
) -> Critiqued:
    raw = (await bench.complete("optimizer", messages)).text
    found = read_critique(raw, nonce, n_reasons)
    if found.reasons and (len(found.analyses) >= n_examples or nonce not in raw):
        return found
    missing = found.problem or (
        f"{n_examples} examples want an analysis each, the reply has {len(found.analyses)}"
    )
    values = {"problem": missing, "nonce": nonce}
    repair = meta_prompts.fill("repair_critique", values)
    again = after_reply(messages, raw, repair)
    second = read_critique((await bench.complete("optimizer", again)).text, nonce, n_reasons)
    return second if second.reasons or not found.reasons else found


def read_critique(reply: str, nonce: str, n_reasons: int) -> Critiqued:
    """Read analyses and up to `n_reasons` different reasons, each on one line.

    A reply without any tag is one reason: it is quoted to the rewriter and stands nowhere else.
    """
    analyses = [_line(text) for text in tagged(reply, "analysis", nonce)]
    said = [_line(text) for text in tagged(reply, "reason", nonce)]
    if not analyses and not said and nonce not in reply:
        said = [_line(reply)]
    reasons = dict.fromkeys(reason for reason in said if reason)
    if not reasons:
        return Critiqued(
            analyses=tuple(analyses), raw=reply, problem=f"no reason between <reason-{nonce}> tags"
        )
    return Critiqued(analyses=tuple(analyses), reasons=tuple(reasons)[:n_reasons], raw=reply)


def _line(text: str) -> str:
    return " ".join(text.split())[:MAX_CHARS]
