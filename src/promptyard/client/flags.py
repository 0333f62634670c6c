"""How a resolved prompt looks to OpenFeature: value, variant, reason, metadata.

The provider of this package and the service answer alike. A flag's key is a prompt's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from promptyard.client.resolved import ResolvedPrompt, plain_messages
from promptyard.records.pseudonym import pseudonym

REASONS: Mapping[str, str] = {
    "static": "STATIC",
    "pointer": "STATIC",
    "split": "SPLIT",
    "cached": "CACHED",
    "snapshot": "CACHED",
    "stale": "STALE",
    "fallback": "DEFAULT",
}
"""Reasons of OpenFeature by those of a `ResolvedPrompt`, which the metadata have, too."""


_KEPT = "flag"


class Flag(NamedTuple):
    """A prompt as a flag. `variant` is the version as `v7`; metadata are plain values alone.

    `value` is the same object whenever this version is asked for: it is to be read only.
    """

    value: dict[str, Any]
    variant: str
    reason: str
    metadata: dict[str, bool | int | float | str]


def flag_of(resolved: ResolvedPrompt, *, store: str = "") -> Flag:
    """Return a resolved prompt as a flag; `store` names the registry that it comes from.

    `value` has `name`, `version`, `digest`, `variables` and `steps`: for each its `text` (the
    file), `params`, `output` (its contract), `tools`, and `messages` (role, content) in which
    variables stand as `{{name}}`, to be filled in once. Of a prompt of one step, these stand in
    `value` itself as well.
    """
    value = resolved.kept.get(_KEPT)
    if value is None:
        value = resolved.kept[_KEPT] = _value(resolved)
    metadata: dict[str, bool | int | float | str] = {
        "version": resolved.version,
        "digest": resolved.digest,
        "resolutionReason": resolved.reason,
    }
    if resolved.arm is not None and resolved.rollout_id is not None:
        metadata.update(arm=resolved.arm, rolloutId=resolved.rollout_id)
    if resolved.age_s is not None:
        metadata["ageSeconds"] = round(resolved.age_s, 3)
    if resolved.subject:
        metadata["contextId"] = pseudonym(resolved.subject)
    if store:
        metadata["flagSetId"] = store
    return Flag(value, f"v{resolved.version}", REASONS[resolved.reason], metadata)


def _value(resolved: ResolvedPrompt) -> dict[str, Any]:
    program = resolved.program
    steps = {step.name: step_value(resolved, step.name) for step in program.steps}
    value: dict[str, Any] = {
        "name": resolved.name,
        "version": resolved.version,
        "digest": resolved.digest,
        "variables": list(program.variables),
        "steps": steps,
    }
    if len(steps) == 1:
        value.update(next(iter(steps.values())))
    return value


def step_value(resolved: ResolvedPrompt, step: str) -> dict[str, Any]:
    """Return one step as plain data; its messages are templates."""
    prompt = resolved.program.step(step).prompt
    blanks = {name: f"{{{{{name}}}}}" for name in prompt.variables}
    return {
        "text": prompt.text,
        "params": dict(prompt.params),
        "output": prompt.output.model_dump(mode="json", by_alias=True),
        "tools": [tool.model_dump(mode="json", by_alias=True) for tool in prompt.tools],
        "messages": plain_messages(prompt.render(blanks)),
    }
