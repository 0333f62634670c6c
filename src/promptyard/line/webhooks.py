"""Webhooks: who is told, of what, and where. How they are told stands in `webhook_delivery`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from promptyard.errors import ConfigError, NotFound
from promptyard.line.name_resolution import resolve_by_system
from promptyard.line.query import StoreOrUrl, opened
from promptyard.line.webhook_addresses import Resolve, addresses_of, read_allowed, read_url
from promptyard.line.webhook_delivery import Send, sample_delivery
from promptyard.line.webhook_settings import webhook_secret
from promptyard.records.webhooks import (
    WEBHOOK_EVENTS,
    Delivered,
    KindProgress,
    MadeWebhook,
    Webhook,
    WebhookEvent,
    WebhookInfo,
    shown_secret,
    signing_key,
)

MAX_WEBHOOKS = 100


async def create_webhook(
    url: StoreOrUrl,
    address: str,
    *,
    actor: str,
    events: Sequence[WebhookEvent] = WEBHOOK_EVENTS,
    prompt: str | None = None,
    environ: Mapping[str, str] = os.environ,
    resolve: Resolve = resolve_by_system,
) -> MadeWebhook:
    """Make a webhook that is told of what happens from now on, of one prompt or of all.

    Raises ConfigError for an address that is no URL or not to be reached, without
    PROMPTYARD_WEBHOOK_SECRET, and where there are 100 already.
    """
    master = webhook_secret(environ)
    place = read_url(address)
    await addresses_of(place, read_allowed(environ), resolve)
    async with opened(url) as store:
        if len(await store.webhooks()) >= MAX_WEBHOOKS:
            raise ConfigError(f"there are {MAX_WEBHOOKS} webhooks already; remove one first")
        ends = await store.log_ends()
        webhook = Webhook(
            id=f"wh_{secrets.token_hex(8)}",
            url=address,
            events=tuple(kind for kind in WEBHOOK_EVENTS if kind in events),
            prompt=prompt,
            created_at=datetime.now(UTC).isoformat(timespec="microseconds"),
            created_by=actor,
            progress={
                "move": KindProgress(told=ends.move),
                "decision": KindProgress(told=ends.decision),
                "alert": KindProgress(told=ends.alert),
            },
        )
        await store.save_webhook(webhook)
    secret = shown_secret(signing_key(master, webhook.id))
    return MadeWebhook(secret=secret, webhook=WebhookInfo.of(webhook))


async def list_webhooks(url: StoreOrUrl) -> list[WebhookInfo]:
    """All webhooks, oldest first."""
    async with opened(url) as store:
        return [WebhookInfo.of(webhook) for webhook in await store.webhooks()]


async def delete_webhook(url: StoreOrUrl, webhook_id: str) -> None:
    """Tell an address no longer. Raises NotFound."""
    async with opened(url) as store:
        await store.remove_webhook(webhook_id)


async def enable_webhook(url: StoreOrUrl, webhook_id: str) -> WebhookInfo:
    """Tell a webhook again that was disabled, or that waits for its next try: at once.

    It goes on where it was. Raises NotFound.
    """
    async with opened(url) as store:
        return WebhookInfo.of(await store.enable_webhook(webhook_id))


async def try_webhook(url: StoreOrUrl, webhook_id: str, send: Send) -> Delivered:
    """Send a webhook something that has no meaning, once, and say how it went. Raises NotFound."""
    async with opened(url) as store:
        known = {webhook.id: webhook for webhook in await store.webhooks()}
    if webhook_id not in known:
        raise NotFound(f"There is no webhook '{webhook_id}'; webhooks: {', '.join(known) or '–'}.")
    webhook = known[webhook_id]
    return await send(sample_delivery(webhook))
