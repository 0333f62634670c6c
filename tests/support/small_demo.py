"""A demo of a few labels: the messages of the real one, and steps that need little traffic."""

from __future__ import annotations

import json
import re
from pathlib import Path

from promptyard.line.demo import demo_folder

LABELS = (
    "age_limit", "atm_support", "card_arrival", "card_linking", "change_pin", "country_support",
    "exchange_charge", "exchange_rate", "lost_or_stolen_card", "pin_blocked", "request_refund",
    "top_up_limits", "transfer_timing", "verify_my_identity", "visa_or_mastercard",
    "wrong_amount_of_cash_received",
)  # fmt: skip
TASK = """\
name: banking77
prompt: prompt.md
cases: cases.jsonl
models: {task: embedded/lexical, optimizer: embedded/lexical}
checks:
  - {type: enum, severity: hard}
  - {type: exact_match, severity: hard}
optimize: {seed: 0, budget: {task_calls: 2000, optimizer_calls: 8}}
release:
  steps: [50, 100]
  min_subjects: 40
  min_step_s: 360
  max_age_s: 2419200
  missing_margin: 0.2
  guard: [{score: 0.1}, {hard_failures: 0.2}]
"""


def write_small_demo(folder: Path) -> Path:
    """Write the task, as the real one with those labels only, and return its folder."""
    with demo_folder() as source:
        prompt = (source / "prompt.md").read_text("utf-8")
        lines = (source / "cases.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    shown = ", ".join(LABELS)
    prompt = re.sub(r"labels: \[.*?\]", f"labels: [{shown}]", prompt, flags=re.DOTALL)
    prompt = "".join(
        line
        for line in prompt.splitlines(keepends=True)
        if not line.startswith("- ") or line[2:].strip() in LABELS
    )
    folder.mkdir(parents=True)
    (folder / "prompt.md").write_text(prompt, "utf-8")
    kept = [json.dumps(row) + "\n" for row in rows if row["expected"] in LABELS]
    (folder / "cases.jsonl").write_text("".join(kept), "utf-8")
    (folder / "task.yaml").write_text(TASK, "utf-8")
    return folder
