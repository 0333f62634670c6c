"""Says errors of the line to somebody who speaks HTTP: requests and jobs in place of commands.

Options are said by the error itself (`errors.Advised`); commands, which stand in backticks, here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from promptyard.errors import PromptyardError
from promptyard.service.paths import API

_PROMPT = f"{API}/prompts/{{name}}"
_ROLLOUT = f"{API}/rollouts/{{rollout}}"

REQUESTS: Mapping[str, str] = {
    "canary abort": f"POST {_ROLLOUT}/abort",
    "canary approve": f"POST {_ROLLOUT}/approve",
    "canary resume": f"POST {_ROLLOUT}/resume",
    "canary list": f"GET {API}/rollouts",
    "canary start": f"POST {_PROMPT}/rollouts",
    "canary status": f"GET {_ROLLOUT}/status",
    "evalset add": f"POST {API}/tasks/{{task}}/cases",
    "evalset export": f"GET {API}/tasks/{{task}}/export",
    "evalset log": f"GET {API}/eval-sets/{{name}}/versions",
    "prompts add": f"POST {_PROMPT}/versions",
    "prompts approve": f"POST {API}/move-requests/{{request_id}}/approve",
    "prompts diff": f"GET {_PROMPT}/diff",
    "prompts log": f"GET {_PROMPT}/versions",
    "prompts promote": f"POST {_PROMPT}/pointers/{{pointer}}/promote",
    "prompts request": f"POST {_PROMPT}/move-requests",
    "prompts rollback": f"POST {_PROMPT}/pointers/{{pointer}}/rollback",
    "prompts show": f"GET {_PROMPT}/versions/{{reference}}",
    "runs list": f"GET {API}/runs",
}
"""The request that does what a command does."""
JOBS = frozenset({"eval", "gate", "optimize"})
"""Commands whose work is a job."""

_COMMAND = re.compile(r"`promptyard (?P<name>[a-z]+(?: [a-z]+)?)(?P<rest>[^`]*)`")
_OPTION = re.compile(r"--([a-z-]+)")


def http_lines(error: PromptyardError) -> tuple[str, ...]:
    """Return the lines of an error for somebody who speaks HTTP."""
    return tuple(_COMMAND.sub(_request, line) for line in error.lines_over_http)


def http_line(error: PromptyardError) -> str:
    """Return an error as one line for somebody who speaks HTTP."""
    first, *others = http_lines(error)
    return f"{first} (and {len(others)} more)" if others else first


def _request(match: re.Match[str]) -> str:
    name, rest = match["name"], match["rest"]
    if name == "prompts log" and not rest.strip():
        return f"`GET {API}/prompts`"
    if name in REQUESTS:
        return f"`{REQUESTS[name]}`"
    kind = name.partition(" ")[0]
    if kind in JOBS:
        options = ", ".join(f"`{option}`" for option in _OPTION.findall(rest))
        return f"a job `{kind}`{f' with {options}' if options else ''}"
    return match[0]  # for whoever runs the service
