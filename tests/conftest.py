"""What all tests share: hypothesis without deadlines, since machines are shared."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("promptyard", deadline=None)
settings.load_profile("promptyard")
