"""What a process serves, why, and how its parts are: plain data for logs and health pages."""

from __future__ import annotations

import time
from typing import Any

from promptyard.client.keeper import Keeper
from promptyard.client.listener import Listener
from promptyard.client.live_lines import LineWriter
from promptyard.client.recorder import Recorder
from promptyard.client.sender import Sender
from promptyard.client.view import Entry, View
from promptyard.client.web_source import WebSource


def status_of(keeper: Keeper, recorder: Recorder | None, writer: LineWriter) -> dict[str, Any]:
    """Return the status of a client. Times are seconds ago; `since` is by the machine's clock."""
    view, health = keeper.view, keeper.health
    return {
        "prompts": {} if view is None else _prompts(view),
        "revision": None if view is None else view.contents.revision,
        "origin": None if view is None else view.origin,
        "age_s": None if view is None else view.age_s(),
        "source": {
            "url" if isinstance(keeper.source, WebSource) else "path": str(keeper.source),
            "state": health.state,
            "message": health.message,
            "revision": health.revision,
            "checked_s_ago": _ago(health.checked_s),
            "n_checks": health.n_checks,
            "n_faults": health.n_faults,
            **({} if keeper.listener is None else {"listening": _listening(keeper.listener)}),
        },
        "snapshot": {
            "n_faults": keeper.snapshot.n_faults,
            "message": keeper.snapshot.message,
        },
        "fallback": {
            "is_ready": keeper.fallback_view is not None,
            "message": health.fallback_message,
        },
        "recording": None if recorder is None else _recording(recorder, writer),
    }


def _listening(listener: Listener) -> dict[str, Any]:
    return {
        "is_connected": listener.is_connected,
        "message": listener.message,
        "n_connections": listener.n_connections,
        "n_heard": listener.n_heard,
    }


def _prompts(view: View) -> dict[str, dict[str, Any]]:
    prompts: dict[str, dict[str, Any]] = {}
    for (name, pointer), entry in view.entries.items():
        prompts.setdefault(name, {})[pointer] = _served(view, entry)
    for name, prompt in view.contents.prompts.items():
        if 0 in prompt.versions:
            digest = prompt.versions[0].digest
            prompts[name] = {"*": {"version": 0, "digest": digest, "reason": view.reason}}
    return prompts


def _served(view: View, entry: Entry) -> dict[str, Any]:
    split = entry.split
    return {
        "version": entry.served.version,
        "digest": entry.served.digest,
        "reason": view.reason or "pointer",
        "since": entry.since,
        "since_s": time.monotonic() - entry.since_s,
        "rollout": None
        if split is None
        else {
            "id": split.rollout_id,
            "treatment": split.treatment.version,
            "enrolled": split.enrolled,
            "mode": "shadow" if split.is_shadow else "split",
        },
    }


def _recording(recorder: Recorder, writer: LineWriter) -> dict[str, Any]:
    return {
        "queued": recorder.n_queued,
        "written": recorder.n_written,
        "dropped": recorder.n_dropped,
        "unversioned": recorder.n_unversioned,
        "lost": recorder.n_lost,
        "faults": recorder.n_faults,
        "last_fault": recorder.last_fault,
        "scorer_failures": writer.n_scorer_failures,
        "redaction_failures": writer.n_redaction_failures,
        "content_dropped": writer.n_content_dropped,
        "last_failure": writer.last_failure,
        "spool": recorder.spool_state(),
        "sending": None if recorder.sender is None else _sending(recorder.sender),
    }


def _sending(sender: Sender) -> dict[str, Any]:
    return {
        "url": sender.url,
        "state": sender.state,
        "message": sender.message,
        "new": sender.n_new,
        "repeated": sender.n_repeated,
        "rejected": sender.n_rejected,
        "requests": sender.n_requests,
        "faults": sender.n_faults,
        "sent_s_ago": _ago(sender.sent_s),
    }


def _ago(moment_s: float | None) -> float | None:
    return None if moment_s is None else time.monotonic() - moment_s
