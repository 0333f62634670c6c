"""Ids of live events that follow from what they say, so that whoever records them counts once."""

from __future__ import annotations

import hashlib


def exposure_id(rollout_id: str, subject: str, arm: str) -> str:
    """Return the id of the exposure of a subject (a pseudonym) to an arm."""
    written = f"{rollout_id}:{subject}:{arm}".encode("utf-8", "surrogatepass")
    return "e-" + hashlib.sha256(written).hexdigest()[:32]


def feedback_id(text: str) -> str:
    """Return the id of feedback that has none of its own: `text` is all that it says."""
    return "f-" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
