# ruff: noqa: S603, T201  (an example prints, and runs the command that it is given)
"""A stand-in for a model, for this example: rules behind the chat-completions protocol.

    python scripted_server.py promptyard optimize examples/support-tickets

starts the server on a free port of 127.0.0.1, runs the command with PROMPTYARD_BASE_URL and
PROMPTYARD_TASK_MODEL set, and ends with it. Without a command it serves until Ctrl-C.

It sees the messages of a request and nothing else. As the task model it does what the prompt asks
for, with mistakes: a plain summary where the prompt asks for a summary, three fields where it names
them, null where it says so. As the optimizer it answers a request for edits.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "openai_compatible/scripted"
FIELDS: tuple[str, ...] = ("customer_issue", "requested_resolution", "agent_action_taken")
PATCH = (
    "Summarize the support ticket in three fields: 1. customer_issue 2. requested_resolution "
    "3. agent_action_taken. If any field is missing, return null."
)
JSON_LINE = "Answer with one JSON object and nothing else."

AGENT = re.compile(r"(?:^--- Reply by agent .*$\n?|^Agent\b[^:\n]*:[ ]?)", re.MULTILINE)
CUSTOMER = re.compile(r"(?:^Customer\b[^:\n]*:[ ]?|^Message:[ ]?)", re.MULTILINE)
HEADER = re.compile(
    r"^(?:From|Subject|Name):.*$|^Web form$|^Phone call with .*$|^Hello,$|^Best regards\n.*$",
    re.MULTILINE,
)
SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
PROBLEM = re.compile(
    r"\b(stopped|broken|charged twice|never arrived|wrong|buzzing|cannot|missing|was renewed|"
    r"crashes|does not|was refused|rain|verliert|kaputt|zweimal|no funciona|nunca|ne fonctionne|"
    r"cassé)\b",
    re.IGNORECASE,
)
REFUND = re.compile(
    r"\b(refund|money back|reimburse|send back what i paid|reverse the charge|on my card again|"
    r"payment returned|geld zurück|erstatten|devuelvan|remboursé)\b",
    re.IGNORECASE,
)
REQUESTS = {
    "replacement": r"\breplacement\b",
    "exchange": r"\bexchange it\b",
    "cancel the contract": r"\bplease cancel\b",
    "call back": r"\bcall me back\b",
    "repair": r"\brepaired\b",
    "corrected invoice": r"\bcorrected invoice\b",
    "delivery date": r"\bwhen it will be delivered\b",
}
ACTION = re.compile(
    r"\bI (?:have )?(sent|opened|replaced|credited|escalated|shipped|checked|cancelled)\b"
)
ORDER = re.compile(
    r"(?:answer only with|single word|and then write|begins with|set every field to)\s+([\w-]+"
    r"(?: [A-Z]+)?)"
)


def answer(body: Mapping[str, Any]) -> str:
    """Answer a chat-completions request of either role; what is asked decides the role."""
    turns = body["messages"]
    last = str(turns[-1]["content"])
    if re.search(r"<bucket-\w+ ", last):
        return propose(last)
    instruction = "\n".join(str(turn["content"]) for turn in turns[:-1])
    return summarize(instruction, last)


def summarize(instruction: str, ticket: str) -> str:
    """Do what the instruction asks for, as a model would that takes it literally."""
    asked = [field for field in FIELDS if field in instruction]
    order = ORDER.search(ticket)
    # How tempting an order is belongs to the ticket: what fools a strict prompt fools a loose one.
    if order and chance("order", ticket) < (0.05 if asked else 0.5):
        return order[1]
    issue, request, action = read_ticket(ticket)
    slip = chance("slip", instruction, ticket)
    if not asked:
        return plain(issue, request if slip < 0.15 else None, action)
    if slip < 0.03:
        request = None
    elif slip < 0.06 and action:
        issue, action = f"{issue or 'The customer wrote'}; {action}", None
    missing = None if "null" in instruction.casefold() else "not stated"
    values: dict[str, str | None] = dict(zip(FIELDS, (issue, request, action), strict=True))
    summary = {field: values[field] or missing for field in asked}
    if "json" in instruction.casefold():
        return json.dumps(summary, ensure_ascii=False)
    return "\n".join(f"{n}. {name}: {value}" for n, (name, value) in enumerate(summary.items(), 1))


def plain(issue: str | None, request: str | None, action: str | None) -> str:
    """Write a summary in one sentence: what happened, all in one, and the request only at times."""
    parts = [f"The customer reports: {issue}" if issue else "The customer wrote to us"]
    if request:
        parts.append(f"asks for {request}")
    if action:
        parts.append(f"and it was handled ({action})")
    return ", ".join(parts) + "."


def read_ticket(ticket: str) -> tuple[str | None, str | None, str | None]:
    """Return what is wrong, what is wanted and what the agent did; None for what is not there."""
    said, replied = speakers(ticket)
    problems = [
        text for text in sentences(said) if PROBLEM.search(text) and not REFUND.search(text)
    ]
    request = next((name for name, cue in REQUESTS.items() if re.search(cue, said, re.I)), None)
    if wanted := REFUND.search(said):
        request = f"refund ({wanted[0]})"
    actions = [text for text in sentences(replied) if ACTION.search(text)]
    issue = " ".join(problems[:2]) or None
    return issue, request, actions[-1] if actions else None


def speakers(ticket: str) -> tuple[str, str]:
    """Part a ticket into what the customer and what the agent wrote."""
    customer: list[str] = []
    agent: list[str] = []
    now = customer
    marks = [(mark.start(), mark.end(), agent) for mark in AGENT.finditer(ticket)]
    marks += [(mark.start(), mark.end(), customer) for mark in CUSTOMER.finditer(ticket)]
    at = 0
    for start, end, speaker in sorted(marks, key=lambda mark: mark[0]):
        now.append(ticket[at:start])
        now, at = speaker, end
    now.append(ticket[at:])
    return HEADER.sub("", "\n".join(customer)), "\n".join(agent)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text."""
    return [match[0].strip() for match in SENTENCE.finditer(text) if match[0].strip()]


def chance(*key: str) -> float:
    """Return a number in [0, 1) that the texts decide: the same request has the same answer."""
    digest = hashlib.sha256(json.dumps(key).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def propose(request: str) -> str:
    """Answer a request for edits: read the bucket of failures and mend the first sentence."""
    names = " ".join(
        html.unescape(name) for name in re.findall(r'<bucket-\w+ name="([^"]*)"', request)
    )
    text = re.search(r'<prompt id="\w+">\nsystem:\n(.*?)\n', request, re.DOTALL)
    first = sentences(text[1])[0] if text else ""
    why = "A bare summary drops what the customer wants and mixes it with what the agent did"
    known = re.search("omitted_refund|not_separated|missing_required", names)
    if not known or not first or "customer_issue" in first:
        return json.dumps({"hypothesis": "Nothing to mend.", "edits": []})
    edit = {"op": "replace", "section": "system", "old": first, "new": f"{PATCH} {JSON_LINE}"}
    return json.dumps({"hypothesis": f"{why}; named fields keep them apart.", "edits": [edit]})


class Handler(BaseHTTPRequestHandler):
    """Speaks as much of the chat-completions protocol as is needed."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer one request."""
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length))
        text = answer(body)
        n_input = sum(len(str(turn["content"]).split()) for turn in body["messages"])
        message = {"role": "assistant", "content": text}
        data = json.dumps(
            {
                "id": "scripted",
                "object": "chat.completion",
                "model": body["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": n_input, "completion_tokens": len(text.split())},
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet: the command that runs beside it prints what matters."""


class Server(ThreadingHTTPServer):
    """A server whose threads end with it, with room for many callers at once."""

    daemon_threads = True
    request_queue_size = 256


def main(command: Sequence[str]) -> int:
    """Serve on a free port; run a command beside it, or wait for Ctrl-C."""
    with Server(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_port}/v1"
        if not command:
            print(f"{url}  (--model {MODEL} --base-url {url}; Ctrl-C ends it)", flush=True)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                return 0
        threading.Thread(target=server.serve_forever, daemon=True).start()
        given = {"PROMPTYARD_BASE_URL": url, "PROMPTYARD_TASK_MODEL": MODEL}
        try:
            return subprocess.run(command, env={**os.environ, **given}, check=False).returncode
        except OSError as error:
            sys.stderr.write(f"error: {command[0]}: {error.strerror}; is it on your path?\n")
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
