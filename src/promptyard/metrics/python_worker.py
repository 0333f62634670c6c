"""The child process of the check `python`: one request a line in, one answer a line out.

It is run as a file. The first line is `{"path": [...]}`, the module search path of the parent. Then
come `{"load": target}` and `{"target", "case", "text", "timeout_s"}`; an answer is
`{"ready": name}`, `{"scores": [...]}` or `{"error": text}`. The parent ends a child that takes too
long. Should it no longer be there, a watchdog ends the child a little later.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from collections.abc import Callable
from typing import IO, Any, BinaryIO

LONGEST_ANSWER = 1_000_000
GRACE_S = 10.0

Function = Callable[..., Any]


def main() -> None:
    """Answer until the other side closes the pipe."""
    requests, answers = private_pipes()
    sys.path[:] = json.loads(requests.readline())["path"]
    loaded: dict[str, Function] = {}
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - nothing else here needs pathlib
        for line in requests:
            request = json.loads(line)
            limit_s = request.get("timeout_s", 60.0) + GRACE_S
            faulthandler.dump_traceback_later(limit_s, exit=True, file=nowhere)
            answer = json.dumps(answered(request, loaded)).encode("ascii")
            faulthandler.cancel_dump_traceback_later()
            if len(answer) > LONGEST_ANSWER:
                answer = json.dumps({"error": "it returned more than a megabyte"}).encode("ascii")
            answers.write(answer + b"\n")
            answers.flush()


def private_pipes() -> tuple[BinaryIO, IO[bytes]]:
    """Take the pipes to the parent away from the user's code, which may print and read."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    return requests, answers


def answered(request: dict[str, Any], loaded: dict[str, Function]) -> dict[str, Any]:
    """Load a function or grade with one; whatever it raises becomes an error as text."""
    from promptyard.errors import MetricError
    from promptyard.metrics.python_target import LoadError, load, said

    try:
        if "load" in request:
            loaded[request["load"]] = load(request["load"])
            return {"ready": True}
        return {"scores": scores(loaded[request["target"]], request)}
    except LoadError as error:
        return {"error": str(error)}
    except MetricError as error:
        cause = error.__cause__
        return {"error": str(error) if cause is None else said(cause)}
    except BaseException as error:  # noqa: BLE001 - SystemExit of the user's code is an error, too
        return {"error": said(error)}


def scores(function: Function, request: dict[str, Any]) -> list[dict[str, Any]]:
    """Grade one answer; `metric` is None in scores that go by the function's own name."""
    import asyncio

    from promptyard.metrics.python_callable import metric_from_callable
    from promptyard.records.cases import Case
    from promptyard.records.messages import Completion

    metric = metric_from_callable(function)
    case = Case.model_validate(request["case"])

    async def score() -> list[dict[str, Any]]:
        found = await metric.score(case, Completion(text=request["text"]))
        return [
            {**item.model_dump(), "metric": None if item.metric == metric.name else item.metric}
            for item in found
        ]

    return asyncio.run(score())


if __name__ == "__main__":
    main()
