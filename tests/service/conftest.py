"""A PostgreSQL for tests of several replicas."""

from support.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]
