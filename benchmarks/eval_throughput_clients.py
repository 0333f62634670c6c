"""What `eval_throughput.py` runs in other processes and other environments, one tool a command.

    PYTHON eval_throughput_clients.py bare|dspy URL CASES.jsonl OUT [--cache]

Knows nothing of Promptyard: `dspy` runs in an environment that has only DSPy. Every tool asks the
questions of a JSON Lines file (`text`, `code`), 256 at once, compares the answer with the code,
writes what it measured to OUT and prints the score.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

CONCURRENCY = 256


def bare(url: str, rows: list[dict[str, str]], out: Path, *, cache: bool) -> float:
    """A plain aiohttp loop: the least that asking, comparing and keeping can cost in Python."""
    known = {}
    if cache and out.exists():
        stored = (json.loads(line) for line in out.read_text().splitlines())
        known = {row["text"]: row for row in stored}
    asked = [row for row in rows if row["text"] not in known]
    answers = asyncio.run(_ask(url, asked, out)) if asked else {}
    answers |= {text: row["answer"] for text, row in known.items()}
    return sum(answers[row["text"]] == row["code"] for row in rows) / len(rows)


async def _ask(url: str, rows: list[dict[str, str]], out: Path) -> dict[str, str]:
    import aiohttp

    answers: dict[str, str] = {}
    queue = iter(rows)
    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector) as session:
        with out.open("a") as file:

            async def work() -> None:
                for row in queue:
                    messages = [{"role": "user", "content": row["text"]}]
                    body = {"model": "bench", "messages": messages}
                    async with session.post(f"{url}/chat/completions", json=body) as response:
                        said = await response.json()
                    answer = said["choices"][0]["message"]["content"]
                    answers[row["text"]] = answer
                    kept = {"text": row["text"], "answer": answer, "usage": said["usage"]}
                    file.write(json.dumps(kept) + "\n")

            await asyncio.gather(*(work() for _ in range(min(CONCURRENCY, len(rows)))))
            file.flush()
            os.fsync(file.fileno())
    return answers


def dspy(url: str, rows: list[dict[str, str]], out: Path, *, cache: bool) -> float:
    """DSPy's Evaluate around a raw LM call. Its disk cache lies where DSPY_CACHEDIR says."""
    library: Any = importlib.import_module("dspy")  # not installed beside Promptyard
    lm = library.LM("openai/bench", api_base=url, api_key="none", cache=cache)

    class Ask(library.Module):
        def forward(self, text: str) -> Any:
            return library.Prediction(code=lm(messages=[{"role": "user", "content": text}])[0])

    def same(example: Any, prediction: Any, trace: object = None) -> bool:
        del trace
        return example.code == prediction.code

    cases = [library.Example(**row).with_inputs("text") for row in rows]
    evaluate = library.Evaluate(
        devset=cases, metric=same, num_threads=CONCURRENCY, display_progress=False
    )
    result = evaluate(Ask())
    report = [[case.text, str(said), float(score)] for case, said, score in result.results]
    out.write_text(json.dumps(report))
    return float(result.score) / 100


def main(tool: str, url: str, cases: str, out: str, *flags: str) -> None:
    rows = [json.loads(line) for line in Path(cases).read_text().splitlines()]
    run = {"bare": bare, "dspy": dspy}[tool]
    print(run(url, rows, Path(out), cache="--cache" in flags))


if __name__ == "__main__":
    main(*sys.argv[1:])
