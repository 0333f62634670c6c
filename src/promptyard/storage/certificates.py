"""Certificates of judges: what each calibration found. They are written once and never change."""

from __future__ import annotations

from sqlalchemy import Connection, select

from promptyard.records.judging import JudgeCertificate
from promptyard.storage.statements import insert_once
from promptyard.storage.stored_text import from_text, to_text
from promptyard.storage.tables import certificates


def insert_certificate(connection: Connection, certificate: JudgeCertificate, at: str) -> None:
    """Store a certificate unless its id is there; its time is now unless it has one."""
    created_at = certificate.created_at or at
    row = {
        "id": certificate.id,
        "prompt_hash": certificate.prompt_hash,
        "certificate": to_text(certificate.model_copy(update={"created_at": created_at})),
    }
    connection.execute(insert_once(connection, certificates).values(row))


def list_certificates(connection: Connection, prompt_hash: str | None) -> list[JudgeCertificate]:
    """Certificates of one judge or of all, oldest first."""
    query = select(certificates.c.certificate).order_by(certificates.c.seq)
    if prompt_hash is not None:
        query = query.where(certificates.c.prompt_hash == prompt_hash)
    return [from_text(JudgeCertificate, text) for text in connection.execute(query).scalars()]
