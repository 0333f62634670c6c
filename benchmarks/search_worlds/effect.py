"""What a prompt does: the chance of each skill under given instructions and demonstrations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from search_worlds.luck import hashed, unit
from search_worlds.phrases import Phrasebook, sentences, words
from search_worlds.plan import Plan, Skill

TOP = 0.991
"""The chance of a skill that is taught in full."""
VAGUE = 0.25
"""The strength of a sentence that only touches the topic."""
CONTRADICTED = 0.3
"""What is left of a rule's strength while a contrary sentence stands."""
MISLED = 0.7
"""What is left of a skill's chance then, whatever it was."""
RULE_WITHOUT_DEMO = 0.5
LIFTED = 0.85
TAUGHT = 0.5
"""The strength from which a rule counts as taught in a clash."""
DEMO_STRENGTH = (0.0, 0.4, 0.65, 0.8)


class Effects:
    """The effects of prompts in one world."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan = plan
        self.seed = seed
        self.phrasebook = Phrasebook(plan)
        self.bases = {skill.name: self._base(skill) for skill in plan.skills}

    def _base(self, skill: Skill) -> float:
        jitter = self.plan.base_jitter * (
            2 * unit("base", self.seed, self.plan.name, skill.name) - 1
        )
        return min(0.9, max(0.04, skill.base + jitter))

    def best_wording(self, skill: Skill) -> str:
        """The wording of a skill's rule that works best in this world."""
        return skill.rules[hashed("best", self.seed, skill.name) % len(skill.rules)]

    def wording_strength(self, skill: Skill, sentence: str) -> float:
        """How well a sentence that states the rule works: fixed for a world, unknown outside."""
        bag = words(sentence)
        if words(self.best_wording(skill)) <= bag:
            return 1.0
        key = " ".join(sorted(bag))
        luck = unit("wording", self.seed, skill.name, key)
        spread = unit("spread", self.seed, skill.name, key)
        poor = luck < self.plan.poor_wordings
        return 0.45 + 0.35 * spread if poor else 0.95 + 0.05 * spread

    def chances(self, instruction: str, n_demos: Mapping[str, int]) -> dict[str, float]:
        """The chance of each skill. `n_demos` counts the right demonstrations that show it.

        Several sentences for one skill compete: together they lie between the best and the mean.
        """
        said = sentences(instruction)
        tokens = len(instruction) / 4
        attention = 1.0
        if tokens > self.plan.soft_tokens:
            attention = max(0.6, 1 - 0.12 * math.log2(tokens / self.plan.soft_tokens))
        stated, spoilt, vague, traps = self._stated(said)
        rules = {
            skill.name: self._rule(skill, stated.get(skill.name, ()), skill.name in vague)
            * (CONTRADICTED if skill.name in spoilt else 1.0)
            * attention
            for skill in self.plan.skills
        }
        chances: dict[str, float] = {}
        for skill in self.plan.skills:
            strength = _with_demos(skill, rules[skill.name], n_demos.get(skill.name, 0))
            if any(skill.name in self.plan.traps[trap].lifts for trap in traps):
                strength = max(strength, LIFTED)
            base = self.bases[skill.name]
            misled = MISLED if skill.name in spoilt else 1.0
            chances[skill.name] = (base + (TOP - base) * strength) * misled
        for trap in traps:
            for name, factor in self.plan.traps[trap].hurts.items():
                chances[name] *= factor
        for clash in self.plan.clashes:
            one, other = rules[clash.one] >= TAUGHT, rules[clash.other] >= TAUGHT
            if one != other:
                chances[clash.other if one else clash.one] *= clash.factor
        return chances

    def _stated(
        self, said: Sequence[str]
    ) -> tuple[dict[str, list[str]], set[str], set[str], list[int]]:
        """Sort what the sentences say: rules by skill, contradicted skills, vague ones, traps."""
        stated: dict[str, list[str]] = {}
        spoilt: set[str] = set()
        vague: set[str] = set()
        traps: set[int] = set()
        for sentence in said:
            for kind, key in self.phrasebook.find(sentence):
                if kind == "rule":
                    stated.setdefault(key, []).append(sentence)
                elif kind == "contrary":
                    spoilt.add(key)
                elif kind == "vague":
                    vague.add(key)
                elif kind == "trap":
                    traps.add(int(key))
        return stated, spoilt, vague, sorted(traps)

    def _rule(self, skill: Skill, stated: Sequence[str], vague: bool) -> float:
        if not stated:
            return VAGUE if vague else 0.0
        strengths = [self.wording_strength(skill, text) for text in set(stated)]
        return (max(strengths) + sum(strengths) / len(strengths)) / 2


def _with_demos(skill: Skill, rule: float, n_demos: int) -> float:
    demos = DEMO_STRENGTH[min(n_demos, len(DEMO_STRENGTH) - 1)]
    if skill.needs_demo:
        if n_demos == 0:
            return RULE_WITHOUT_DEMO * rule
        return max(rule, demos) if rule else demos * RULE_WITHOUT_DEMO
    return 1 - (1 - rule) * (1 - demos)
