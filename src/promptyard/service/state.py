"""What all routes share: the open store, settings, keys, rates, manifest, the watch on changes."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from dataclasses import dataclass, field
from typing import cast

from fastapi import Request

from promptyard.config.service_shape import ServiceConfig
from promptyard.line.background import StoreFigures
from promptyard.line.ingest import KnownVersions
from promptyard.protocols import Store
from promptyard.service.access import Access
from promptyard.service.bodies import Bodies
from promptyard.service.changes import Changes
from promptyard.service.counts import Counts, StoreFailures
from promptyard.service.jobs import Jobs
from promptyard.service.manifest import ManifestBoard
from promptyard.service.open_streams import OpenStreams
from promptyard.service.rates import Rates, wrong_keys
from promptyard.service.request_counts import RequestCounts
from promptyard.service.resolving import Resolver
from promptyard.service.under_way import UnderWay
from promptyard.service.webhook_sender import WebhookSender


def replica_name() -> str:
    """Return a name that no other process of the service has: host, process, and chance."""
    return f"{socket.gethostname()[:60]}-{os.getpid()}-{secrets.token_hex(3)}"


@dataclass
class ServiceState:
    """One replica: what it works with. `stopping` is set when it is to end."""

    store: Store
    settings: ServiceConfig
    access: Access
    rates: Rates
    changes: Changes
    manifest: ManifestBoard
    resolver: Resolver
    counts: Counts = field(default_factory=Counts)
    store_failures: StoreFailures = field(default_factory=StoreFailures)
    requests: RequestCounts = field(default_factory=RequestCounts)
    figures: StoreFigures | None = None
    wrong_keys: Rates = field(default_factory=wrong_keys)
    open_streams: OpenStreams = field(init=False)
    bodies: Bodies = field(init=False)
    under_way: UnderWay = field(init=False)
    webhook_sender: WebhookSender = field(default_factory=WebhookSender)
    versions: KnownVersions = field(default_factory=KnownVersions)
    replica: str = field(default_factory=replica_name)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    jobs: Jobs = field(init=False)

    def __post_init__(self) -> None:
        self.jobs = Jobs(self.store, self.settings, self.replica, self.stopping)
        self.bodies = Bodies(self.settings)
        self.under_way = UnderWay(self.settings.max_connections)
        self.open_streams = OpenStreams(self.settings.max_streams)

    @classmethod
    def of(cls, store: Store, settings: ServiceConfig) -> ServiceState:
        """Put together what a replica works with; the store need not be open yet."""
        counts = Counts()
        changes = Changes(store, counts)
        manifest = ManifestBoard(store, changes, counts)
        return cls(
            store=store,
            settings=settings,
            access=Access(store),
            rates=Rates(settings.requests_per_s, settings.burst),
            changes=changes,
            manifest=manifest,
            resolver=Resolver(store, manifest),
            counts=counts,
        )


def state_of(request: Request) -> ServiceState:
    """Return the replica that answers a request."""
    return cast("ServiceState", request.app.state.service)
