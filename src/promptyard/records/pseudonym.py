"""The name under which a subject of live traffic is recorded."""

from __future__ import annotations

import hashlib


def pseudonym(subject: str) -> str:
    """Return the name under which a subject is recorded: 32 hex digits of a SHA-256, one way.

    The same subject has the same pseudonym in every rollout. It hides names from readers of the
    store, not from somebody who can list all subjects and hash them.
    """
    return hashlib.sha256(f"subject:{subject}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
