"""Values that are images: `{"image": url}`, where the URL is an address or holds the bytes."""

from __future__ import annotations

from promptyard.records.base import Json, as_object


def image_url(value: Json) -> str | None:
    """Return the URL of an image value (`{"image": url}`), or None for anything else."""
    image = as_object(value)
    if image is not None and set(image) == {"image"} and isinstance(image["image"], str):
        return image["image"]
    return None


def has_image_bytes(value: Json) -> bool:
    """Tell whether a value is an image that carries its bytes (a data: URL), not an address."""
    if isinstance(value, str):  # known at once: most values are texts
        return False
    return (image_url(value) or "").lower().startswith("data:")
