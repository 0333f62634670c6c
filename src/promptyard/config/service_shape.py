"""The shape of `service` in promptyard.yaml: how `promptyard serve` runs."""

from __future__ import annotations

from pydantic import Field

from promptyard.records.base import Record
from promptyard.records.monitoring import MonitorPlan


class RetentionConfig(Record):
    """How long what is stored is kept. Of traffic that is deleted totals by hours stay."""

    trace_days: float = Field(default=30, gt=0, description="Days that spans are kept.")
    max_spans: int = Field(
        default=2_000_000,
        ge=1,
        description="How many spans are kept: the newest, and all of the last hour.",
    )
    outcome_days: float = Field(
        default=90, gt=0, description="Days that outcomes outside of rollouts are kept."
    )
    keep_rollouts_days: float = Field(
        default=180,
        gt=0,
        description="Days after its end that a rollout can be replayed: its events stay so long.",
    )
    keep_jobs_days: float = Field(
        default=30,
        gt=0,
        description="Days after its end that a job, with progress and result, is kept.",
    )
    keep_audit_days: float = Field(
        default=400, ge=1, description="Days that entries of the audit log are kept."
    )


class ServiceConfig(Record):
    """Address, limits and intervals of the service."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen at; other than loopback needs a key to exist.",
    )
    port: int = Field(default=8700, ge=0, le=65_535, description="Port; 0 takes a free one.")
    tasks: str | None = Field(
        default=None, description="Folder of the tasks that jobs may run, a folder each."
    )
    max_body_bytes: int = Field(
        default=8 << 20, ge=1024, description="How large a request may be, as it is sent."
    )
    max_decompressed_bytes: int = Field(
        default=32 << 20, ge=1024, description="How large a compressed request may become."
    )
    max_bodies_bytes: int = Field(
        default=128 << 20,
        ge=1024,
        description="How many bytes of bodies are held at once, decompressed, per replica, half of "
        "them of one key; more are to be sent again. Bodies up to 16 KiB need no room.",
    )
    keep_personal_data: bool = Field(
        default=False,
        description="Whether personal data in the content of spans is stored; secrets never are.",
    )
    requests_per_s: float = Field(
        default=200, gt=0, description="Requests a second that a key may make, per replica."
    )
    max_header_bytes: int = Field(
        default=32 << 10, ge=1024, description="How large the head of a request may be."
    )
    read_timeout_s: float = Field(
        default=30,
        gt=0,
        description="Seconds in which head and body of a request must arrive, and in which a "
        "client must take something of its answer.",
    )
    max_connections: int = Field(
        default=2_000,
        ge=1,
        description="Connections that are open at once, per replica; half of them for what one key "
        "has under way.",
    )
    max_streams: int = Field(
        default=200, ge=1, description="Streams of events that a key may have open, per replica."
    )
    burst: int = Field(default=400, ge=1, description="Requests a key may make at once.")
    canary_every_s: float = Field(
        default=10, gt=0, description="Seconds between looks at running rollouts."
    )
    monitor_every_s: float = Field(
        default=300, gt=0, description="Seconds between looks at live traffic."
    )
    monitors: MonitorPlan = Field(
        default_factory=MonitorPlan,
        description="Which windows of live traffic are looked at, and what they are held to.",
    )
    judge_every_s: float = Field(
        default=300,
        gt=0,
        description="Seconds between gradings of stored answers of rollouts whose task is known.",
    )
    judge_calls: int = Field(
        default=0,
        ge=0,
        description="Calls of judges that a round of such gradings may cost; with 0 only checks "
        "that ask no model are run.",
    )
    webhook_every_s: float = Field(
        default=2, gt=0, description="Seconds between looks for what webhooks are to be told."
    )
    retention_every_s: float = Field(
        default=3600, gt=0, description="Seconds between deletions of what is too old."
    )
    lease_s: float = Field(
        default=15,
        ge=0.1,
        description="Seconds after which another replica goes on with the background work of one "
        "that died.",
    )
    jobs: int = Field(default=1, ge=0, description="Jobs that this replica runs at once.")
    retention: RetentionConfig = Field(
        default_factory=RetentionConfig, description="How long what is sent is kept."
    )
