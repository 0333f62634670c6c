"""Jobs: rows that change, by compare-and-set alone."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from promptyard.errors import Conflict, NotFound
from promptyard.records.jobs import Job
from promptyard.storage.stored_text import from_text, to_text
from promptyard.storage.tables import jobs


def insert_job(connection: Connection, job: Job) -> Job:
    """Store a new job. Raises Conflict when its id is taken."""
    try:
        connection.execute(insert(jobs).values(_row(job)))
    except IntegrityError:
        raise Conflict(f"There is a job '{job.id}' already; give this one another id.") from None
    return job


def read_job(connection: Connection, job_id: str) -> Job:
    """Return a job. Raises NotFound."""
    text = connection.execute(select(jobs.c.job).where(jobs.c.id == job_id)).scalar()
    if text is None:
        raise NotFound(f"There is no job '{job_id}'.")
    return from_text(Job, text)


def list_jobs(connection: Connection, *, active: bool, before: str | None, limit: int) -> list[Job]:
    """Jobs, newest first."""
    query = select(jobs.c.job).order_by(jobs.c.seq.desc()).limit(limit)
    if active:
        query = query.where(jobs.c.is_active == 1)
    if before is not None:
        seq = connection.execute(select(jobs.c.seq).where(jobs.c.id == before)).scalar()
        if seq is None:
            raise NotFound(f"There is no job '{before}'.")
        query = query.where(jobs.c.seq < seq)
    return [from_text(Job, text) for text in connection.execute(query).scalars()]


def replace_job(connection: Connection, job: Job) -> Job:
    """Replace a job if nobody has changed it since it was read. Raises Conflict, NotFound."""
    after = job.model_copy(update={"change": job.change + 1})
    here = (jobs.c.id == job.id, jobs.c.change == job.change)
    if connection.execute(update(jobs).where(*here).values(_row(after))).rowcount == 0:
        now = read_job(connection, job.id)
        raise Conflict(f"The job '{job.id}' has changed since it was read: it is {now.state}.")
    return after


def count_ended(connection: Connection, before: str) -> int:
    """How many jobs ended before a time."""
    query = select(func.count()).select_from(jobs).where(jobs.c.ended_at < before)
    return connection.execute(query).scalar_one()


def delete_ended(connection: Connection, before: str, limit: int) -> int:
    """Delete jobs that ended before a time, `limit` at most; returns how many it were."""
    some = select(jobs.c.seq).where(jobs.c.ended_at < before).order_by(jobs.c.ended_at).limit(limit)
    return connection.execute(
        delete(jobs).where(jobs.c.seq.in_(some.scalar_subquery()), jobs.c.is_active == 0)
    ).rowcount


def _row(job: Job) -> dict[str, object]:
    return {
        "id": job.id,
        "is_active": int(not job.has_ended),
        "change": job.change,
        "job": to_text(job),
        "ended_at": job.ended_at if job.has_ended else None,
    }
