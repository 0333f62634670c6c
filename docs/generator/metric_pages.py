"""The pages of the metrics: a summary of all, and one page each with its table of examples."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docs.generator.text import docstring, first, page, table

if TYPE_CHECKING:
    from metrics.case_table import CaseTable, JudgeReply, Row

TESTS = Path(__file__).resolve().parents[2] / "tests"
LONGEST = 90
SAID = {
    "pass": "passes",
    "fail": "fails",
    "partial": "scores in between",
    "error": "unscored",
    "skip": "skipped",
    "refused": "refused",
}


def metrics_page() -> str:
    """List every built-in check with its options and defaults."""
    from promptyard.metrics import ALIASES, METRICS
    from promptyard.metrics.python_callable import metric_from_callable
    from promptyard.metrics.suite import suite_metrics

    out = [
        "A check in `task.yaml` names one of these by `type`; dashes and underscores are the same. "
        "`not:` before the name swaps pass and fail, never an error. Every check also has `id`, "
        "`severity`, `dimension`, `tag`, `after`, `weight` and `critical` "
        "([configuration](configuration.md)); what stands below is the default. A case that a "
        "check cannot grade is *unscored*, never 0. Each name leads to what exactly is checked, "
        "with a table of examples that the tests run.\n\n"
    ]
    out.append(_summary(METRICS))
    rows = [(f"`{theirs}`", f"`{ours}`") for theirs, ours in sorted(ALIASES.items())]
    out.append("## Names of other tools\n\nThese are understood as well.\n\n")
    out.append(table(("name", "is our"), rows))
    out.append("## Any Python function\n\n" + docstring(metric_from_callable.__doc__) + "\n\n")
    out.append("## Over a whole report\n\n" + docstring(suite_metrics.__doc__) + "\n\n")
    return page("Metrics", out)


def metric_pages() -> Mapping[str, str]:
    """Return the page of every metric class by the name of its table."""
    from promptyard.metrics import METRICS

    pages: dict[str, str] = {}
    for factory in dict.fromkeys(METRICS.values()):
        names = [name for name, value in METRICS.items() if value is factory]
        cls: Any = factory
        out = [docstring(cls.__doc__) + "\n\n", _examples(names[0])]
        pages[names[0]] = page(" / ".join(names), out)
    return pages


def _examples(name: str) -> str:
    """Show the rows of a metric's table as they stand in the tests."""
    if str(TESTS) not in sys.path:
        sys.path.insert(0, str(TESTS))
    from metrics.case_table import TABLES, case_table

    if not (TABLES / f"{name}.yaml").is_file():
        return ""
    found = case_table(name)
    out = ["## Examples\n\n", _given(found)]
    rows = [(row.note, _options(row), _graded(row), _outcome(row)) for row in found.rows]
    out.append(table(("what", "options", "expected → answer", "comes out"), rows))
    return "".join(out)


def _given(found: CaseTable) -> str:
    said: list[str] = []
    if found.output.format != "text":
        contract = found.output.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        said.append(f"The prompt's output contract is `{json.dumps(contract)}`.")
    if found.tools:
        tools = [tool.model_dump(mode="json", exclude_defaults=True) for tool in found.tools]
        said.append(f"The prompt's tools are `{json.dumps(tools)}`.")
    prompts = dict.fromkeys(row.prompt for row in found.rows if row.prompt is not None)
    said += [f"The prompt is\n\n````text\n{prompt}````" for prompt in prompts]
    return " ".join(said) + "\n\n" if said else ""


def _options(row: Row) -> str:
    given = {**row.options, **row.check}
    return _code(", ".join(f"{key}: {_json(value)}" for key, value in given.items()))


def _graded(row: Row) -> str:
    parts: list[str] = []
    if row.input:
        parts.append(f"input {_code(_json(dict(row.input)))}")
    if row.rubric is not None:
        parts.append(f"rubric {_code(row.rubric)}")
    if row.expected is not None:
        parts.append(_code(_json(row.expected)))
    if row.completion is not None:
        parts.append(f"→ {_code(_json(dict(row.completion)))}")
    else:
        parts.append(f"→ {_code(row.output) if row.output.strip() else '(empty)'}")
    if row.judge and row.n_asked == 0:
        parts.append("; the judge is not asked")
    else:
        parts += [f"; {_said(item)}" for item in row.judge]
    return " ".join(parts)


def _said(item: JudgeReply) -> str:
    """Say what the judge replies, and to what."""
    reply = item.reply if isinstance(item.reply, str) else _json(item.reply)
    asked = f" where asked about {_code(item.when)}" if item.when else ""
    ended = "" if item.finish_reason == "stop" else f" and ends with `{item.finish_reason}`"
    return f"the judge says {_code(reply) or 'nothing'}{asked}{ended}"


def _outcome(row: Row) -> str:
    said = SAID[row.outcome]
    if row.value is not None and row.outcome == "partial":
        said = f"scores {row.value:g}"
    if row.kind:
        return f"{said}: `{row.kind}`"
    where = f" at `{row.field}`" if row.field and row.tags else ""
    return said + (": " + ", ".join(f"`{tag}`" for tag in row.tags) if row.tags else "") + where


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _code(text: str) -> str:
    """Write a text as inline code on one line: control characters escaped, long ones cut."""
    if not text:
        return ""
    line = "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)
    if len(line) > LONGEST:
        line = line[:LONGEST] + "…"
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def _summary(metrics: Mapping[str, Any]) -> str:
    first_name: dict[Any, str] = {}
    for name, cls in metrics.items():
        first_name.setdefault(cls, name)
    rows = [
        (
            f"[`{name}`](metrics/{first_name[cls]}.md)",
            first(cls.__doc__),
            ", ".join(f"`{option}`" for option in cls.option_names),
            cls.severity,
            cls.dimension,
            f"`{cls.tag}`" if cls.tag else "–",
        )
        for name, cls in metrics.items()
    ]
    return table(("type", "what it does", "options", "severity", "dimension", "tag"), rows)
