"""Every error that Promptyard raises on purpose.

The tree::

    PromptyardError                 exit code 2; the message is one line: what, where, what to do
    ├── ConfigError                 task.yaml, promptyard.yaml, the environment, an unknown name
    ├── PromptError                 a prompt file that cannot be read or rendered
    │   └── EditError               an edit that cannot be applied to a prompt
    ├── EvalSetError                the cases: unreadable, duplicated, empty, badly split
    ├── TelemetryError              what was sent as telemetry is none of the protocol
    ├── MetricError                 a metric cannot grade a case (becomes an unscored trial)
    │   ├── CheckSkipped            a check that cannot be run here; counted, never a pass
    │   └── JudgeError              the judge gave no usable verdict
    ├── ModelError                  one model call failed (becomes a Failure after retries)
    │   ├── RateLimited             429
    │   ├── ServerError             5xx, connection reset
    │   ├── ModelTimeout            no answer within the deadline
    │   ├── Unreachable             nobody listens at the address
    │   ├── AuthFailed              401, 402, 403: not retried
    │   ├── InvalidRequest          400, 404, 422: not retried
    │   ├── BadResponse             the answer is not the protocol: truncated JSON, no choices
    │   └── ModelUnusable           no call to this model can work; ends the run
    ├── BudgetExceeded              the ledger has nothing left for this role
    └── StorageError                the store cannot be opened, read or written
        ├── NotFound                no such run, prompt, version or pointer
        ├── Conflict                compare-and-set lost: somebody else moved first
        ├── ApprovalNeeded          a protected pointer moves only with a second name
        ├── ReadOnlyStore           something was to be written, and the store may only be read
        ├── NameRefused             a name or text that no database could hold
        └── Tampered                stored bytes are not those of their digest

A problem of one case is a `Failure` record; a problem of the run raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

ErrorT = TypeVar("ErrorT", bound="PromptyardError")


class Advised(str):
    """A line whose advice names an option, which is called otherwise where one speaks HTTP.

    As a text it is what the command line says; `over_http` is what the service says instead.
    """

    __slots__ = ("over_http",)

    def __new__(cls, fact: str, command_line: str, http: str) -> Advised:
        """Make both lines: what is the case, and what to do about it in the words of either."""
        line = super().__new__(cls, f"{fact}{command_line}")
        line.over_http = f"{over_http(fact)}{http}"
        return line

    def after(self, prefix: str) -> Advised:
        """Return the same line with something before it."""
        line = Advised(prefix, self, "")
        line.over_http = f"{prefix}{self.over_http}"
        return line


def over_http(line: str) -> str:
    """Return a line in the words of somebody who speaks HTTP."""
    return line.over_http if isinstance(line, Advised) else line


def prefixed(prefix: str, line: str) -> str:
    """Write something before a line of an error, in whichever words it is told."""
    return line.after(prefix) if isinstance(line, Advised) else f"{prefix}{line}"


class PromptyardError(Exception):
    """Base of all errors raised on purpose. `str(error)` is one line for a person.

    Attributes:
        lines: one line a mistake, where several were found at once; `str(error)` then has the first
            and how many more there are.
    """

    def __init__(self, message: str, *, others: Sequence[str] = ()) -> None:
        more = f" (and {len(others)} more)" if others else ""
        super().__init__(f"{message}{more}")
        self.lines: tuple[str, ...] = (message, *others)

    @property
    def lines_over_http(self) -> tuple[str, ...]:
        """The lines in the words of somebody who speaks HTTP."""
        return tuple(over_http(line) for line in self.lines)


class ConfigError(PromptyardError):
    """The configuration is wrong; the message names file, line, key and the nearest known key.

    Attributes:
        key: where the mistake stands in what was looked at (`("checks", 2, "value")`), for whoever
            read the file and knows the lines.
    """

    def __init__(
        self, message: str, *, key: tuple[int | str, ...] = (), others: Sequence[str] = ()
    ) -> None:
        super().__init__(message, others=others)
        self.key = key

    def inside(self, *around: int | str) -> ConfigError:
        """Return the same mistake, seen from further outside."""
        return ConfigError(self.lines[0], key=(*around, *self.key), others=self.lines[1:])


class PromptError(PromptyardError):
    """A prompt cannot be parsed or rendered."""


class EditError(PromptError):
    """An edit cannot be applied: unknown target, locked section, overlap or stale text."""


class EvalSetError(PromptyardError):
    """The eval set cannot be used as it is."""


class TelemetryError(PromptyardError):
    """A request that was to carry spans or logs cannot be read as such, as a whole."""


class MetricError(PromptyardError):
    """A metric could not grade a case. The runner records the trial as unscored.

    Attributes:
        kind: stable name of the problem, used in counts (`metric_error`, `judge_parse` ...).
    """

    kind = "metric_error"

    def __init__(self, message: str, *, kind: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind or type(self).kind


class CheckSkipped(MetricError):
    """A check does not apply or cannot be run here: neither passed nor failed, but counted."""

    kind = "unsupported"


class JudgeError(MetricError):
    """The judge model failed or gave no usable verdict; its case is unscored, never 0."""

    kind = "judge_parse"


class ModelError(PromptyardError):
    """One attempt to call a model failed.

    Attributes:
        kind: stable name of the failure, used in counts (`rate_limited`, `timeout` ...).
        retryable: whether a further attempt can help.
        retry_after_s: seconds the server asked us to wait, if it did.
        status: HTTP status, if there was one.
        request_id: the server's id of the request, if it gave one.
    """

    kind = "model_error"
    retryable = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id
        self.retry_after_s = retry_after_s


class RateLimited(ModelError):
    """The server asked us to slow down (429)."""

    kind = "rate_limited"
    retryable = True


class ServerError(ModelError):
    """The server failed (5xx) or dropped the connection."""

    kind = "server_error"
    retryable = True


class ModelTimeout(ModelError):
    """No complete answer arrived before the deadline of the call."""

    kind = "timeout"
    retryable = True


class Unreachable(ModelError):
    """No connection could be made to the server."""

    kind = "unreachable"
    retryable = True


class AuthFailed(ModelError):
    """The key is missing, refused or out of credit (401, 402, 403; a 429 for spent money)."""

    kind = "auth_failed"


class InvalidRequest(ModelError):
    """The server refused the request as wrong (400, 404, 422): unknown model, too long ..."""

    kind = "invalid_request"


class BadResponse(ModelError):
    """The server answered 200 with something that is not a completion."""

    kind = "bad_response"
    retryable = True


class ModelUnusable(ModelError):
    """No call to this model can work: nobody answers, the key is refused, the model is unknown."""

    kind = "model_unusable"


class BudgetExceeded(PromptyardError):
    """The budget has nothing left; nothing was sent."""


class StorageError(PromptyardError):
    """The store cannot be opened, read or written."""


class NotFound(StorageError):
    """The store has no such row."""


class Conflict(StorageError):
    """Somebody else changed the pointer first; nothing was written."""


class ApprovalNeeded(StorageError):
    """A protected pointer was to move without the consent of a second person; nothing moved."""


class ReadOnlyStore(StorageError):
    """The store may only be read here, and something was to be written."""


class NameRefused(StorageError):
    """A name is too long, or holds a character that cannot be stored; nothing was written."""


class Tampered(StorageError):
    """The bytes of a version are not those that were registered; they are not used."""


def as_one(errors: Sequence[ErrorT]) -> ErrorT:
    """Return one error of the kind of the first that has the lines of all. Needs at least one."""
    first, *others = [line for error in errors for line in error.lines]
    return errors[0] if not others else type(errors[0])(first, others=others)
