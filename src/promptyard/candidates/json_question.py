"""One question to the optimizer model whose answer is a JSON object, with one repair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptyard.candidates.meta_prompt import MetaPrompts
from promptyard.candidates.reply import json_objects
from promptyard.errors import BudgetExceeded, ModelError, ModelUnusable
from promptyard.protocols import Bench
from promptyard.records.base import Json
from promptyard.records.messages import Message


async def ask_object(
    bench: Bench,
    meta_prompts: MetaPrompts,
    messages: Sequence[Message],
    schema: Mapping[str, Json],
    key: str,
) -> tuple[Mapping[str, Json] | None, str]:
    """Return the first object of the answer that has `key`, and the answer as it came.

    None where there is none, also after the repair, and where the call failed or the budget is at
    its end: the text then says so. Costs one optimizer call, two where the first answer cannot be
    read. Raises ModelUnusable.
    """
    try:
        raw = (await bench.complete("optimizer", messages, schema=schema)).text
        found = _first(raw, key)
        if found is None:
            problem = f"the reply holds no JSON object with `{key}`"
            # Servers refuse an empty turn.
            repair = meta_prompts.fill("repair", {"problem": problem})
            again = (*messages, Message.of("assistant", raw or "(nothing)"), *repair)
            raw = (await bench.complete("optimizer", again, schema=schema)).text
            found = _first(raw, key)
    except ModelUnusable:
        raise
    except (ModelError, BudgetExceeded) as error:
        return None, f"no reply: {error}"
    return found, raw


def _first(text: str, key: str) -> Mapping[str, Json] | None:
    return next((item for item in json_objects(text) if key in item), None)
