"""The tables of the store. `migrations/versions` makes them; a test holds the two together.

Records are kept whole, as JSON text, beside the columns that queries need. Ids count in the order
of writing. What grows with the eval set (`report_trials`, `eval_sets`) stands apart from what lists
read. Logs (`versions`, `moves`, `protections`, `rollouts`, `decisions`, `audit`) refuse UPDATE and
DELETE by triggers; of `audit` those rows can go of which a later one says so (`prunes_before`).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

# SQLite numbers rows by itself only in a column that is called INTEGER; it holds 64 bits there.
RowId = BigInteger().with_variant(Integer(), "sqlite")

completions = Table(
    "completions",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("key", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("replicate", BigInteger, nullable=False),
    Column("model", Text, nullable=False),
    Column("body", Text),
    Column("completion", Text, nullable=False),
    Column("finish_reason", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    UniqueConstraint("key", "run_id", name="uq_completions_key_run_id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("outcome", Text),
    Column("tokens", BigInteger),
    Column("cost_usd", Float(53)),
    Column("finished_at", Text),
    Index("ix_attempts_run_id_role", "run_id", "role"),
)

runs = Table(
    "runs",
    metadata,
    Column("seq", RowId, primary_key=True),
    Column("id", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("header", Text, nullable=False),
    Column("result", Text),
    UniqueConstraint("id", name="uq_runs_id"),
    Index("ix_runs_task", "task"),
)

journal = Table(
    "journal",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("at", Text, nullable=False),
)

reports = Table(
    "reports",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("program_id", Text, primary_key=True),
    Column("split", Text, primary_key=True),
    Column("report", Text, nullable=False),
    Column("saved_at", Text, nullable=False),
    Column("seq", BigInteger, nullable=False, server_default="0"),
)

report_trials = Table(
    "report_trials",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("program_id", Text, primary_key=True),
    Column("split", Text, primary_key=True),
    Column("chunk", BigInteger, primary_key=True, autoincrement=False),
    Column("trials", Text, nullable=False),
)

measurements = Table(
    "measurements",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("task", Text, nullable=False),
    Column("program_id", Text, nullable=False),
    Column("eval_set_version", Text, nullable=False),
    Column("split", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("measurement", Text, nullable=False),
    UniqueConstraint("run_id", "purpose", "program_id", "split", name="uq_measurements_report"),
    Index("ix_measurements_task", "task"),
)

certificates = Table(
    "certificates",
    metadata,
    Column("seq", RowId, primary_key=True),
    Column("id", Text, nullable=False),
    Column("prompt_hash", Text, nullable=False),
    Column("certificate", Text, nullable=False),
    UniqueConstraint("id", name="uq_certificates_id"),
    Index("ix_certificates_prompt_hash", "prompt_hash"),
)

looks = Table(
    "looks",
    metadata,
    Column("holdout_key", Text, primary_key=True),
    Column("pair_key", Text, primary_key=True),
    Column("looked_at", Text, nullable=False),
)

eval_sets = Table(
    "eval_sets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("eval_set", Text, nullable=False),
    Column("saved_at", Text, nullable=False),
)

eval_set_versions = Table(
    "eval_set_versions",
    metadata,
    Column("seq", RowId, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("parent", Text),
    Column("change", Text, nullable=False),
    Column("n_cases", BigInteger, nullable=False),
    Column("n_by_split", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    UniqueConstraint("name", "version", name="uq_eval_set_versions_name_version"),
)

versions = Table(
    "versions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("version", Text, nullable=False),
    UniqueConstraint("name", "digest", name="uq_versions_name_digest"),
)

pointers = Table(
    "pointers",
    metadata,
    Column("prompt", Text, primary_key=True),
    Column("pointer", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("moved_at", Text, nullable=False),
    ForeignKeyConstraint(
        ["prompt", "number"], ["versions.name", "versions.number"], name="fk_pointers_version"
    ),
)

moves = Table(
    "moves",
    metadata,
    Column("seq", RowId, primary_key=True),
    Column("prompt", Text, nullable=False),
    Column("pointer", Text, nullable=False),
    Column("from_number", BigInteger),
    Column("to_number", BigInteger, nullable=False),
    Column("moved_at", Text, nullable=False),
    Column("move", Text, nullable=False),
    ForeignKeyConstraint(
        ["prompt", "to_number"], ["versions.name", "versions.number"], name="fk_moves_version"
    ),
    Index("ix_moves_prompt_pointer", "prompt", "pointer"),
)


protections = Table(
    "protections",
    metadata,
    Column("seq", RowId, primary_key=True),
    Column("prompt", Text, nullable=False),
    Column("pointer", Text, nullable=False),
    Column("protection", Text, nullable=False),
    Index("ix_protections_prompt", "prompt"),
)

move_requests = Table(
    "move_requests",
    metadata,
    Column("seq", RowId, primary_key=True),
    Column("id", Text, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("request", Text, nullable=False),
    UniqueConstraint("id", name="uq_move_requests_id"),
    Index("ix_move_requests_prompt", "prompt"),
)

publications = Table(
    "publications",
    metadata,
    Column("seq", RowId, primary_key=True),
    Column("target", Text, nullable=False),
    Column("is_active", BigInteger, nullable=False),
    Column("at", Text, nullable=False),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("seq", RowId, primary_key=True),
    Column("id", Text, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("rollout", Text, nullable=False),
    UniqueConstraint("id", name="uq_rollouts_id"),
    Index("ix_rollouts_prompt", "prompt"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("rollout_id", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("decision", Text, nullable=False),
    Column("number", BigInteger, nullable=False, server_default="0"),
    ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name="fk_decisions_rollout"),
    Index("ix_decisions_number", "number", unique=True),
)

live_events = Table(
    "live_events",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("rollout_id", Text),
    Column("outcome_id", Text),
    Column("stored_at", Text, nullable=False),
    Column("event", Text, nullable=False),
    UniqueConstraint("event_id", name="uq_live_events_event_id"),
    Index("ix_live_events_prompt", "prompt", "id"),
    Index("ix_live_events_rollout_id", "rollout_id", "id"),
    Index(
        "ix_live_events_outcome_id",
        "outcome_id",
        "id",
        sqlite_where=text("outcome_id IS NOT NULL"),
        postgresql_where=text("outcome_id IS NOT NULL"),
    ),
)

alerts = Table(
    "alerts",
    metadata,
    Column("seq", RowId, primary_key=True),
    Column("prompt", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("alert", Text, nullable=False),
    Index("ix_alerts_prompt", "prompt"),
)


spans = Table(
    "spans",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("trace_id", Text, nullable=False),
    Column("span_id", Text, nullable=False),
    Column("prompt", Text),
    Column("version", BigInteger),
    Column("is_error", BigInteger, nullable=False),
    Column("stored_at", Text, nullable=False),
    Column("span", Text, nullable=False),
    Column("response_id", Text),
    UniqueConstraint("trace_id", "span_id", name="uq_spans_trace_id_span_id"),
    Index(
        "ix_spans_prompt",
        "prompt",
        "id",
        sqlite_where=text("prompt IS NOT NULL"),
        postgresql_where=text("prompt IS NOT NULL"),
    ),
    Index(
        "ix_spans_response_id",
        "response_id",
        sqlite_where=text("response_id IS NOT NULL"),
        postgresql_where=text("response_id IS NOT NULL"),
    ),
)

traffic_hours = Table(
    "traffic_hours",
    metadata,
    Column("prompt", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("arm", Text, primary_key=True),
    Column("hour", Text, primary_key=True),
    Column("totals", Text, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("seq", RowId, primary_key=True),
    Column("id", Text, nullable=False),
    Column("api_key", Text, nullable=False),
    UniqueConstraint("id", name="uq_api_keys_id"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", RowId, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("entry", Text, nullable=False),
    Column("prunes_before", Text),
    Index("ix_audit_actor", "actor", "seq"),
    Index("ix_audit_at", "at"),
    Index(
        "ix_audit_prunes_before",
        "prunes_before",
        sqlite_where=text("prunes_before IS NOT NULL"),
        postgresql_where=text("prunes_before IS NOT NULL"),
    ),
)

jobs = Table(
    "jobs",
    metadata,
    Column("seq", RowId, primary_key=True),
    Column("id", Text, nullable=False),
    Column("is_active", BigInteger, nullable=False),
    Column("change", BigInteger, nullable=False),
    Column("job", Text, nullable=False),
    Column("ended_at", Text),
    UniqueConstraint("id", name="uq_jobs_id"),
    Index("ix_jobs_is_active", "is_active", "seq"),
    Index(
        "ix_jobs_ended_at",
        "ended_at",
        sqlite_where=text("ended_at IS NOT NULL"),
        postgresql_where=text("ended_at IS NOT NULL"),
    ),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("ends_at_s", Float(53), nullable=False),
    Column("note", Text, nullable=False),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("seq", RowId, primary_key=True),
    Column("id", Text, nullable=False),
    Column("webhook", Text, nullable=False),
    UniqueConstraint("id", name="uq_webhooks_id"),
)
