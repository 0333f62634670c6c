"""Resolves what no pointer of the view leads to: versions by number, and the fallback."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.client.keeper import Keeper
from promptyard.client.resolved import ResolvedPrompt
from promptyard.client.view import View
from promptyard.errors import NotFound


def resolve_elsewhere(
    keeper: Keeper, name: str, subject: str | None, pointer: str, version: int | None
) -> ResolvedPrompt:
    """Resolve by number or out of the fallback. Raises NotFound saying what exists."""
    # The fallback comes second, and is the view itself where there is nothing better.
    views = [view for view in (keeper.view, keeper.fallback_in_time()) if view is not None]
    for view in views:
        prompt = view.contents.prompts.get(name)
        if prompt is None:
            continue
        if version is not None:
            if version in prompt.versions:
                return ResolvedPrompt(prompt.versions[version], "static", view.age_s(), subject)
        elif (name, pointer) in view.entries:
            served = view.entries[name, pointer].served
            return ResolvedPrompt(served, "fallback", view.age_s(), subject)
        elif 0 in prompt.versions:  # a bare text stands for every pointer
            return ResolvedPrompt(prompt.versions[0], "fallback", None, subject)
    raise NotFound(_what_exists(keeper, views, name, pointer, version))


def _what_exists(
    keeper: Keeper, views: Sequence[View], name: str, pointer: str, version: int | None
) -> str:
    if not views:
        return (
            f"no prompt '{name}': {keeper.health.message or keeper.source}; there is neither "
            f"snapshot nor fallback; {keeper.source.hint}"
        )
    prompts = views[0].contents.prompts
    if name not in prompts:
        known = ", ".join(sorted(prompts)) or "none"
        return f"no prompt '{name}' in {keeper.source}; it has: {known}"
    if version is not None:
        known = ", ".join(f"v{number}" for number in sorted(prompts[name].versions))
        return (
            f"no v{version} of '{name}' in {keeper.source}, which has what pointers and "
            f"rollouts refer to: {known}"
        )
    known = ", ".join(sorted(prompts[name].pointers)) or "none"
    return f"no pointer '{pointer}' of '{name}' in {keeper.source}; it has: {known}"
