"""A small world behind a chat server: a task model with a known accuracy, and an optimizer.

Whether the task model gets a case right is decided by a fixed difficulty of the case and noise of
its own for each prompt (Gaussian copula), so that true qualities are known and prompts disagree
on some cases. One sentence, RULE, raises the true accuracy by `gain`, each of HARMFUL lowers it by
`harm`; nothing else changes it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal

from promptyard.records.cases import SplitName

RULE = "Look for the sender's reference number before choosing."
HARMLESS = (
    "Read the message with care.",
    "Take every word of the message into account.",
    "Keep the whole list in mind while choosing.",
    "Be attentive to detail.",
    "Consider the message as a whole.",
    "Choose calmly.",
)
LABELS = tuple(f"topic_{n:02d}" for n in range(24))
PROMPT = (
    "system:\nSort the message into one of these topics and answer with the topic only.\n\n"
    "## Topics {#topics}\n" + "".join(f"- {label}\n" for label in LABELS) + "\nuser:\n{{text}}\n"
)
HARMFUL = (
    "Choose the topic that comes after the one that fits best.",
    "Never look at the first words of the message.",
    "Answer at once, without reading to the end.",
)
NORMAL = NormalDist()


class World:
    """Cases, and the answers of both models to any request.

    `optimizer` says what the optimizer does: `skilful` adds RULE, `harmless` adds a sentence that
    changes nothing, `harmful` adds one of HARMFUL, `useless` cannot be read.
    """

    def __init__(
        self,
        seed: int,
        *,
        n_cases: Mapping[SplitName, int] | None = None,
        base: float = 0.6,
        gain: float = 0.10,
        harm: float = 0.10,
        noise: float = 0.2,
        optimizer: Literal["skilful", "harmless", "harmful", "useless"] = "skilful",
        sentinel: str = "",
    ) -> None:
        self.seed = seed
        self.base, self.gain, self.harm, self.noise = base, gain, harm, noise
        self.optimizer = optimizer
        self.cases: list[dict[str, Any]] = []
        sizes: Mapping[SplitName, int] = n_cases or {"train": 100, "dev": 100, "holdout": 400}
        for split, n in sizes.items():
            for number in range(n):
                mark = f" {sentinel}{split}{number:04d}" if sentinel and split != "train" else ""
                label = LABELS[int(self._unit(split, number) * len(LABELS))]
                text = f"message {number} of {split} in world {seed}{mark}"
                row = {"id": f"{split}{number}", "input": {"text": text}, "expected": label}
                self.cases.append({**row, "split": split})
        self._by_text = {case["input"]["text"]: case for case in self.cases}

    def answer(self, body: Mapping[str, Any]) -> str:
        """Answer a chat-completions request of either model; the name of the model decides."""
        if str(body["model"]).endswith("optimizer"):
            return self._edit(body["messages"])
        return self._label(body["messages"])

    def _label(self, messages: Sequence[Mapping[str, Any]]) -> str:
        case = self._by_text[str(messages[-1]["content"])]
        expected = str(case["expected"])
        if self._is_right(case["id"], json.dumps(list(messages[:-1]))):
            return expected
        return LABELS[(LABELS.index(expected) + 1) % len(LABELS)]

    def _is_right(self, item: str, prompt: str) -> bool:
        """Say whether a prompt gets one thing of a case right."""
        harm = self.harm * sum(sentence in prompt for sentence in HARMFUL)
        accuracy = self.base + self.gain * (RULE in prompt) - harm
        difficulty = NORMAL.inv_cdf(self._unit("difficulty", item))
        luck = NORMAL.inv_cdf(self._unit("luck", item, prompt))
        z = math.sqrt(1 - self.noise) * difficulty + math.sqrt(self.noise) * luck
        return NORMAL.cdf(z) < accuracy

    def _edit(self, messages: Sequence[Mapping[str, Any]]) -> str:
        request = str(messages[-1]["content"])
        if self.optimizer == "useless" or '<prompt id="' not in request:
            return "What a pleasant prompt this is."
        sentence = RULE
        if self.optimizer != "skilful":
            pool = HARMLESS if self.optimizer == "harmless" else HARMFUL
            sentence = pool[int(self._unit("sentence", request) * len(pool))]
        edit = {"op": "append", "section": "system", "old": "", "new": sentence}
        return json.dumps({"hypothesis": "The prompt does not say where to look.", "edits": [edit]})

    def _unit(self, *key: object) -> float:
        """A number in (0, 1) that only the seed and the key decide."""
        digest = hashlib.sha256(json.dumps([self.seed, *map(str, key)]).encode()).digest()
        return (int.from_bytes(digest[:8], "big") + 0.5) / 2**64

    def write_task(self, folder: Path, base_url: str, **optimize: object) -> Path:
        """Write the world as a task folder whose models listen at `base_url`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "prompt.md").write_text(PROMPT, encoding="utf-8")
        rows = "".join(json.dumps(case) + "\n" for case in self.cases)
        (folder / "cases.jsonl").write_text(rows, encoding="utf-8")
        settings = {
            "name": "world",
            "prompt": "prompt.md",
            "cases": "cases.jsonl",
            "models": {
                "task": "openai/task",
                "optimizer": "openai/optimizer",
                "base_url": base_url,
            },
            "checks": [{"type": "exact_match", "severity": "hard"}],
            "optimize": optimize,
        }
        (folder / "task.yaml").write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
        return folder
