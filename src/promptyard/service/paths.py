"""Where things lie."""

from __future__ import annotations

API = "/api/v1"

PUBLIC = frozenset({"/healthz", "/readyz", f"{API}/openapi.json"})
"""What is answered without a key: nothing that says anything of what is stored."""
