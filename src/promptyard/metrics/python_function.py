"""The check `python`: a function of the user's grades the answer, in a process of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from promptyard.errors import MetricError
from promptyard.metrics.check import Check
from promptyard.metrics.context import MetricContext
from promptyard.metrics.python_callable import LOW_SCORE, metric_from_callable
from promptyard.metrics.python_target import LoadError, flaw_in, load
from promptyard.protocols import Metric
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

DEFAULT_TIMEOUT_S = 5.0
MAX_TIMEOUT_S = 600.0
_TARGET = re.compile(r"(?P<where>.+):(?P<name>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)")


class PythonFunction(Check):
    """Grade with a Python function `(case, output_text) -> score`, sync or async.

    It returns what any function passed in code may return: a number in [0, 1] or a bool,
    `(number, feedback)`, `(number, feedback, tags)`, a `Score` or a list of them. A value below
    1.0 without a tag has the tag `low_score`. The check is named after the function.

    The function runs in a child process, which is kept for the next case and shared with other
    checks. What it prints is dropped. It may exit or hang: the child is ended, with all processes
    that it started, and replaced.

    Options:
        function: `module:function` or `file.py:function`; the file is looked for from the task's
            folder, and may import what lies beside it.
        timeout_s: seconds for one call, default 5, at most 600. Loading is not counted.
        isolate: false calls it in this process instead, on the event loop: it is faster and may
            keep state, but only an async one can be stopped; default true.

    A function that raises, ends its process or returns anything else leaves the case unscored
    (`scorer_error`), one that takes too long, too (`scorer_timeout`): that is never a failed
    answer. Soft, accuracy, unless its Scores say otherwise. Costs a few milliseconds a case.
    """

    name = "python"
    tag = LOW_SCORE
    option_names = ("function", "timeout_s", "isolate")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.spec = spec
        self.timeout_s = self.options.seconds(
            "timeout_s", default=DEFAULT_TIMEOUT_S, most=MAX_TIMEOUT_S
        )
        self.isolate = self.options.flag("isolate", default=True)
        written = self.options.text("function")
        found = _TARGET.fullmatch(written)
        if found is None:
            raise self.options.wrong(
                "function", "must be module:function or file.py:function", written
            )
        where = found["where"]
        if where.endswith(".py"):
            path = (context.folder or Path()) / where
            if not path.is_file():
                raise self.options.wrong("function", f"names no file: {path}", written)
            if flaw := flaw_in(path, found["name"]):
                raise self.options.wrong("function", f"names a file that {flaw}", written)
            where = str(path.resolve())
        self.written, self.target = written, f"{where}:{found['name']}"
        self.name = spec.id or found["name"].rpartition(".")[2]
        self.inner: Metric | None = None
        if not self.isolate:
            try:
                self.inner = metric_from_callable(load(self.target))
            except LoadError as error:
                raise self.options.wrong("function", str(error)) from None

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Call the function. Raises MetricError where it gives no scores."""
        import asyncio  # with it come threads, which a command that grades nothing need not load

        try:
            if self.inner is not None:
                async with asyncio.timeout(self.timeout_s):
                    found = await self.inner.score(case, completion)
            else:
                found = await self._isolated(case, completion)
        except TimeoutError:
            why = f"'{self.written}' took more than {self.timeout_s:g} s on case '{case.id}'"
            raise MetricError(why, kind="scorer_timeout") from None
        except MetricError as error:
            raise MetricError(str(error), kind="scorer_error") from error
        return [self._mine(score) for score in found]

    async def _isolated(self, case: Case, completion: Completion) -> Sequence[Score]:
        from promptyard.metrics.python_process import FunctionFailed, grade_within

        try:
            found = await grade_within(
                self.target, case.model_dump(), completion.text, timeout_s=self.timeout_s
            )
            return [Score.model_validate(self._named(data)) for data in found]
        except FunctionFailed as error:
            why = f"'{self.written}' failed on case '{case.id}': {error}"
            raise MetricError(why) from None
        except TimeoutError:  # also an OSError
            raise
        except ValidationError as error:
            why = f"'{self.written}' returned an unusable Score for case '{case.id}'"
            raise MetricError(why) from error
        except (TypeError, ValueError) as error:
            raise self.ungradable(case, f"it is no plain JSON: {error}") from None
        except OSError as error:
            raise self.ungradable(case, f"no process can be started: {error}") from error

    def _named(self, data: Json) -> Json:
        return data if data["metric"] is not None else {**data, "metric": self.name}

    def _mine(self, score: Score) -> Score:
        """Put what the user set for the check over what the function says."""
        spec, inner = self.spec, self.inner
        named = self.name if inner is not None and score.metric == inner.name else score.metric
        failed = score.value < 1.0
        return score.model_copy(
            update={
                "metric": named,
                "severity": spec.severity or score.severity,
                "dimension": spec.dimension or score.dimension,
                "weight": score.weight * spec.weight,
                "critical": spec.critical or score.critical,
                "tags": (spec.tag,) if spec.tag and failed else score.tags,
            }
        )
