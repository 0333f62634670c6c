"""A prompt with versions in a store, and moves of its pointer, as another process makes them."""

from __future__ import annotations

from promptyard.protocols import Store
from promptyard.records.versions import Move
from support.manifests import TEXTS
from support.registered import version_of

NAME = "support"


async def register(store: Store) -> None:
    """Register the three versions of `support.manifests`, and point production at the first."""
    for text in TEXTS.values():
        await store.add_version(version_of(text, name=NAME))
    await point(store, 1)


async def point(store: Store, number: int, *, kind: str = "promote") -> Move:
    """Move production to a version."""
    pointers = {item.pointer: item.number for item in await store.pointers(NAME)}
    return await store.move_pointer(
        Move.model_validate(
            {
                "kind": kind,
                "prompt": NAME,
                "pointer": "production",
                "from_number": pointers.get("production"),
                "to_number": number,
                "actor": "ann",
                "reason": "test",
            }
        )
    )
