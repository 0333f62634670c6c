"""What the real services refuse of an image that is sent along."""

from __future__ import annotations

import base64
import binascii

MAGIC = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJg"
    "gg=="
)
"""A PNG image of one pixel."""

PIXEL_URL = "data:image/png;base64," + base64.b64encode(PIXEL).decode()


def data_refusal(media_type: str, data: str) -> str | None:
    """Say why the bytes of an image are refused, or None."""
    if media_type not in MAGIC:
        return f"media_type: Input should be one of {sorted(MAGIC)}"
    try:
        raw = base64.b64decode(data, validate=True)
    except binascii.Error:
        return "data: invalid base64 data"
    if not raw.startswith(MAGIC[media_type]):
        return f"the image does not match the provided media type {media_type}"
    if len(data) > 5 * 1024 * 1024:
        return "image exceeds 5 MB maximum"
    return None
